/* ---
title = "Conversations"
description = """
Who talked with whom, by service: one row per client, server, transport protocol and server port, over all captures asked for, most bytes first.
The server is the side that a connection was opened to; where no opening was captured, the side with the known or lower port. ICMP errors are left out.
"""
needs = ["traffic"]
[params]
ip = { type = "VARCHAR", help = "Only conversations with this address on either side." }
port = { type = "INTEGER", help = "Only conversations with this port on the server's side." }
top = { type = "INTEGER", default = 20, help = "How many rows to list; 0 is all." }
[columns]
protocol = "Transport protocol, or the last of `protocols` where no ports were read."
applications = "Application protocols found, comma-separated, NULL when none was found."
flows = { doc = "Flows: connections, for TCP.", unit = "flows" }
packets_to_server = { doc = "Packets, client to server.", unit = "packets" }
packets_to_client = { doc = "Packets, server to client.", unit = "packets" }
bytes_to_server = { doc = "Bytes on the wire, client to server.", unit = "bytes" }
bytes_to_client = { doc = "Bytes on the wire, server to client.", unit = "bytes" }
first_seen = "First packet of the earliest flow, UTC."
last_seen = "Last packet of the latest flow, UTC."
--- */
select
    client_ip,
    server_ip,
    coalesce(transport, regexp_replace(protocols, '.*:', '')) as protocol,
    server_port,
    string_agg(distinct application, ', ' order by application) as applications,
    count(*) as flows,
    cast(sum(packets_to_server) as bigint) as packets_to_server,
    cast(sum(packets_to_client) as bigint) as packets_to_client,
    cast(sum(bytes_to_server) as bigint) as bytes_to_server,
    cast(sum(bytes_to_client) as bigint) as bytes_to_client,
    min(first_ts) as first_seen,
    max(last_ts) as last_seen
from traffic
where
    client_ip is not null
    and server_ip is not null
    and not in_icmp_error
    and ($ip is null or client_ip = $ip or server_ip = $ip)
    and ($port is null or server_port = $port)
group by client_ip, server_ip, coalesce(transport, regexp_replace(protocols, '.*:', '')), server_port
order by sum(bytes_to_server + bytes_to_client) desc, client_ip asc, server_ip asc, protocol asc, server_port asc
limit nullif($top, 0)
