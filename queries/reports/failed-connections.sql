/* ---
title = "Failed connections"
description = """
TCP connections that were asked for and did not come about, by server, port and how they failed: 'refused' (RST), 'unanswered' (no answer to any SYN),
'half-open' (the client never completed the handshake), 'reset-by-client' (often a scan), 'bad-synack'. Where a capture ends within 3 s of the handshake's last packet,
the rest may only be missing: those are counted in `maybe_cut_off`.
"""
needs = ["tcp_rtt"]
order = "failures desc, server_ip asc, server_port asc, status asc"
limit = "top"
[params]
server = { type = "VARCHAR", help = "Only connections to this address." }
port = { type = "INTEGER", help = "Only connections to this port." }
top = { type = "INTEGER", default = 20, help = "How many rows to list, most failures first; 0 is all." }
[columns]
failures = { doc = "Connections that failed so.", unit = "connections" }
clients = { doc = "Different addresses that asked.", unit = "addresses" }
example_client = "One of them: the lowest as text."
syns = { doc = "SYN segments sent for them.", unit = "segments" }
maybe_cut_off = { doc = "Of `failures`: the capture ends within 3 s of the handshake's last packet.", unit = "connections" }
attempts = { doc = "All connections asked for at this server and port, successful ones too.", unit = "connections" }
percent = { doc = "`failures` of `attempts`.", unit = "%" }
first_seen = "Earliest of them, UTC."
last_seen = "Latest of them, UTC."
--- */
with asked as (
    select
        *,
        count(*) over (partition by server_ip, server_port) as attempts
    from tcp_rtt
    where
        syn_count > 0
        and ($server is null or server_ip = $server)
        and ($port is null or server_port = $port)
)

select
    server_ip,
    server_port,
    status,
    count(*) as failures,
    count(distinct client_ip) as clients,
    min(client_ip) as example_client,
    cast(sum(syn_count) as bigint) as syns,
    count(case when to_capture_end_ns < 3000000000 then 1 end) as maybe_cut_off,
    max(attempts) as attempts,
    100.0 * count(*) / max(attempts) as percent,
    min(first_ts) as first_seen,
    max(first_ts) as last_seen
from asked
where failed
group by server_ip, server_port, status
