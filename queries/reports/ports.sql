/* ---
title = "Ports"
description = """
The ports that are served: one row per transport protocol and port on the server's side of conversations, with packets of both directions, most packets first.
The server is the side that a connection was opened to; where no opening was captured, the side with the known or lower port.
"""
needs = ["traffic"]
order = "packets desc, protocol asc, port asc"
limit = "top"
chart = { kind = "bar", x = "port", y = "packets" }
[params]
port = { type = "INTEGER", help = "Only this port." }
protocol = { type = "VARCHAR", help = "Only this transport protocol.", choices = ["TCP", "UDP", "SCTP", "DCCP"] }
top = { type = "INTEGER", default = 20, help = "How many ports to list; 0 is all." }
[columns]
protocol = "Transport protocol: 'TCP', 'UDP', 'SCTP' or 'DCCP'."
port = "Port on the server's side."
applications = "Application protocols found on it, comma-separated, NULL when none was found."
flows = { doc = "Conversations.", unit = "flows" }
servers = { doc = "Different addresses on the server's side.", unit = "addresses" }
clients = { doc = "Different addresses on the client's side.", unit = "addresses" }
packets = { doc = "Packets in both directions.", unit = "packets" }
bytes = { doc = "Bytes on the wire in both directions.", unit = "bytes" }
--- */
select
    transport as protocol,
    server_port as port,
    string_agg(distinct application, ', ' order by application) as applications,
    count(*) as flows,
    count(distinct server_ip) as servers,
    count(distinct client_ip) as clients,
    cast(sum(packets_to_server + packets_to_client) as bigint) as packets,
    cast(sum(bytes_to_server + bytes_to_client) as bigint) as bytes
from traffic
where
    transport is not null
    and server_port is not null
    and not in_icmp_error
    and ($port is null or server_port = $port)
    and ($protocol is null or transport = $protocol)
group by transport, server_port
