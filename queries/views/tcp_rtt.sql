/* ---
title = "Round-trip times of TCP handshakes"
description = """
One row per TCP connection: all columns of `handshakes`, the times also in milliseconds, with the capture's host and times.
`rtt_ms` (SYN to SYN/ACK) is the way to the server and back, `client_rtt_ms` (SYN/ACK to ACK) the way to the client and back, both seen from
where the capture was made; `initial_rtt_ms` is Wireshark's. After a lost SYN `rtt_ms` holds the wait (`retransmitted`). Percentiles should take values >= 0 only.
"""
compare = "-Y tcp.flags==0x12 -T fields -e tcp.stream -e tcp.analysis.ack_rtt (rtt); -2 -T fields -e tcp.stream -e tcp.analysis.initial_rtt (initial_rtt)"
needs = ["_connections", "captures"]
[columns]
rtt_ms = { doc = "First SYN to the SYN/ACK that acknowledges it.", unit = "ms" }
rtt_last_syn_ms = { doc = "Last SYN before that SYN/ACK to the SYN/ACK.", unit = "ms" }
client_rtt_ms = { doc = "Last SYN/ACK before the client's ACK to that ACK.", unit = "ms" }
handshake_ms = { doc = "Last SYN to the client's ACK.", unit = "ms" }
initial_rtt_ms = { doc = "Wireshark's tcp.analysis.initial_rtt.", unit = "ms" }
failed = "Whether the connection was asked for and did not come about: refused, unanswered, half-open, reset-by-client or bad-synack; NULL when its start was not captured or only one side was."
capture_first_ts = "Earliest packet of the capture, UTC."
capture_last_ts = "Latest packet of the capture, UTC."
--- */
with _of_captures as (
    select
        ingest_id,
        any_value(host) as host,
        any_value(file_name) as file_name,
        any_value(first_ts) as first_ts,
        any_value(last_ts) as last_ts
    from captures
    group by ingest_id
)

select
    h.*,
    h.rtt_ns / 1e6 as rtt_ms,
    h.rtt_last_syn_ns / 1e6 as rtt_last_syn_ms,
    h.client_rtt_ns / 1e6 as client_rtt_ms,
    h.handshake_ns / 1e6 as handshake_ms,
    h.initial_rtt_ns / 1e6 as initial_rtt_ms,
    case
        when h.status in ('complete', 'simultaneous') then false
        when h.status in ('refused', 'unanswered', 'half-open', 'reset-by-client', 'bad-synack') then true
    end as failed,
    c.host,
    c.file_name,
    c.first_ts as capture_first_ts,
    c.last_ts as capture_last_ts
from _connections as h
-- Where nothing of the capture is asked for, DuckDB leaves this out: it can see that there is no more than one row for each connection.
left join _of_captures as c on h.ingest_id = c.ingest_id
