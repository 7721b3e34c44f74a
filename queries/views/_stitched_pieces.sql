/* ---
title = "Which TCP connections of captures of one host are one"
description = """
One row per row of `handshakes`. Those of one host with the same two ends are put in order of time; one begins a connection of its own when it has a SYN with another initial
sequence number than the connection before it, a SYN/ACK that acknowledges another one, or begins more than 240 s after all captures that have the earlier
pieces (2 MSL of RFC 9293: only then may the two ends be used again). A capture without a known host stands alone.
"""
needs = ["handshakes", "flows", "captures"]
[columns]
host = "The machine that captured, or NULL."
connection = "Number of the connection among those with the same host and ends, from 1."
host_key = "The host, or the capture where none is known."
low_end = "The end that sorts first as text: address and port."
high_end = "The other end."
sender = "The end that sent the first packet of this piece."
last_seen_ns = { doc = "Last packet of the handshake as far as this capture has it, since the epoch.", unit = "ns" }
capture_end_ns = { doc = "Latest packet of the capture, since the epoch.", unit = "ns" }
--- */
with ends as (
    select
        h.*,
        c.host,
        coalesce(c.host, c.capture_id) as host_key,
        c.first_ts_ns as capture_start_ns,
        c.last_ts_ns as capture_end_ns,
        c.last_ts_ns - h.to_capture_end_ns as last_seen_ns,
        concat(f.client_ip, ' ', cast(f.client_port as varchar)) as one_end,
        concat(f.server_ip, ' ', cast(f.server_port as varchar)) as other_end,
        f.first_from_client
    from handshakes as h
    inner join captures as c on h.ingest_id = c.ingest_id
    inner join flows as f on h.ingest_id = f.ingest_id and h.flow_id = f.flow_id
),

sorted as (
    select
        *,
        least(one_end, other_end) as low_end,
        greatest(one_end, other_end) as high_end,
        case when first_from_client then one_end else other_end end as sender
    from ends
),

compared as (
    select
        *,
        last_value(client_isn ignore nulls) over (
            partition by host_key, low_end, high_end
            order by first_ts_ns, ingest_id, tcp_stream rows between unbounded preceding and 1 preceding
        ) as isn_before,
        max(capture_end_ns) over (
            partition by host_key, low_end, high_end
            order by first_ts_ns, ingest_id, tcp_stream rows between unbounded preceding and 1 preceding
        ) as end_before_ns
    from sorted
),

marked as (
    select
        *,
        case
            when end_before_ns is null then 1
            when capture_start_ns - end_before_ns > 240000000000 then 1
            when client_isn is not null and isn_before is not null and client_isn <> isn_before then 1
            when syn_count > 0 and isn_before is null then 1
            else 0
        end as begins
    from compared
)

select
    capture_id,
    ingest_id,
    tcp_stream,
    flow_id,
    host,
    host_key,
    low_end,
    high_end,
    sender,
    client_ip,
    client_port,
    server_ip,
    server_port,
    status,
    first_ts_ns,
    syn_ts_ns,
    syn_ack_ts_ns,
    ack_ts_ns,
    syn_frame,
    syn_count,
    syn_ack_count,
    rtt_ns,
    rtt_last_syn_ns,
    client_rtt_ns,
    handshake_ns,
    initial_rtt_ns,
    rst_rtt_ns,
    retransmitted,
    clock_anomaly,
    completeness,
    client_isn,
    server_isn,
    to_capture_end_ns,
    last_seen_ns,
    capture_end_ns,
    cast(
        sum(begins) over (
            partition by host_key, low_end, high_end order by first_ts_ns, ingest_id, tcp_stream rows unbounded preceding
        ) as bigint
    ) as connection
from marked
