/* ---
title = "Round-trip time of each TCP connection"
description = """
One row per TCP connection that was asked for (a SYN was captured), slowest first, connections without an answer last.
`rtt_ms` is the way to the server and back, `client_rtt_ms` the way to the client and back, both seen from where the capture was made;
`initial_rtt_ms` is Wireshark's tcp.analysis.initial_rtt. After a lost SYN the times hold the wait (`retransmitted`).
"""
needs = ["tcp_rtt"]
# The last key only makes the order the same each time. In four bytes, because keys of up to 24 bytes are sorted a fifth faster.
order = "rtt_ms desc nulls last, syn_ts asc, cast(hash(capture_id, tcp_stream) >> 32 as uinteger) asc"
limit = "top"
layout = { kind = "table", hide = ["capture_id", "syn_frame"] }
[params]
server = { type = "VARCHAR", help = "Only connections to this address." }
port = { type = "INTEGER", help = "Only connections to this port." }
top = { type = "INTEGER", default = 0, help = "How many connections to list; 0 is all." }
--- */
select
    syn_ts,
    host,
    client_ip,
    client_port,
    server_ip,
    server_port,
    rtt_ms,
    client_rtt_ms,
    initial_rtt_ms,
    status,
    syn_count,
    retransmitted,
    clock_anomaly,
    capture_id,
    tcp_stream,
    syn_frame
from tcp_rtt
where
    syn_count > 0
    and ($server is null or server_ip = $server)
    and ($port is null or server_port = $port)
