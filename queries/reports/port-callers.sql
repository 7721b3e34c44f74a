/* ---
title = "Who uses a port"
description = """
The addresses that talk to a port, whichever side serves it: the same packets as Wireshark's `tcp.port == N or udp.port == N` outside ICMP errors,
one row per caller, called address and transport protocol, most packets first.
"""
needs = ["traffic", "captures"]
order = "packets_to_port + packets_from_port desc, caller_ip asc, called_ip asc, protocol asc"
limit = "top"
[params]
port = { type = "INTEGER", default = 111, help = "The port; 111 is the port mapper of ONC RPC." }
protocol = { type = "VARCHAR", help = "Only this transport protocol.", choices = ["TCP", "UDP", "SCTP", "DCCP"] }
top = { type = "INTEGER", default = 20, help = "How many rows to list; 0 is all." }
[columns]
caller_ip = "Address on the other side of the port."
called_ip = "Address that has the port."
protocol = "Transport protocol: 'TCP', 'UDP', 'SCTP' or 'DCCP'."
port = "The port."
applications = "Application protocols found, comma-separated, NULL when none was found."
flows = { doc = "Conversations.", unit = "flows" }
packets_to_port = { doc = "Packets from the caller to the port.", unit = "packets" }
packets_from_port = { doc = "Packets back.", unit = "packets" }
bytes = { doc = "Bytes on the wire in both directions.", unit = "bytes" }
first_seen = "First packet of the earliest conversation, UTC."
last_seen = "Last packet of the latest conversation, UTC."
captures = { doc = "Captures in which it occurs.", unit = "captures" }
hosts = "Hosts of those captures, comma-separated, NULL when none is known."
--- */
with calls as (
    select
        *,
        server_port = $port as to_server
    from traffic
    where
        transport is not null
        and not in_icmp_error
        and (server_port = $port or client_port = $port)
        and ($protocol is null or transport = $protocol)
),

turned as (
    select
        case when to_server then client_ip else server_ip end as caller_ip,
        case when to_server then server_ip else client_ip end as called_ip,
        transport as protocol,
        case when to_server then server_port else client_port end as port,
        application,
        case when to_server then packets_to_server else packets_to_client end as packets_to_port,
        case when to_server then packets_to_client else packets_to_server end as packets_from_port,
        bytes_to_server + bytes_to_client as bytes,
        first_ts,
        last_ts,
        ingest_id
    from calls
)

select
    t.caller_ip,
    t.called_ip,
    t.protocol,
    t.port,
    string_agg(distinct t.application, ', ' order by t.application) as applications,
    count(*) as flows,
    cast(sum(t.packets_to_port) as bigint) as packets_to_port,
    cast(sum(t.packets_from_port) as bigint) as packets_from_port,
    cast(sum(t.bytes) as bigint) as bytes,
    min(t.first_ts) as first_seen,
    max(t.last_ts) as last_seen,
    count(distinct t.ingest_id) as captures,
    string_agg(distinct c.host, ', ' order by c.host) as hosts
from turned as t
inner join captures as c on t.ingest_id = c.ingest_id
group by t.caller_ip, t.called_ip, t.protocol, t.port
