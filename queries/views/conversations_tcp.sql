/* ---
title = "Statistics > Conversations > TCP"
description = """
One row per TCP stream of each capture, so that a pair of ports used twice gives two rows; A is the sender of the first packet. Of a packet with several
TCP headers (a tunnel) the innermost counts; the header inside an ICMP error does not.
"""
compare = "-q -z conv,tcp"
needs = ["_talks", "_file_starts", "captures"]
[columns]
stream = "Number of the TCP conversation in the capture, from 0."
a_ip = "Address that sent the first packet."
a_port = "Its port."
b_ip = "The other address."
b_port = "Its port."
packets = { doc = "Packets in both directions.", unit = "packets" }
bytes = { doc = "Bytes on the wire in both directions.", unit = "bytes" }
packets_a_to_b = { doc = "Packets from A to B.", unit = "packets" }
bytes_a_to_b = { doc = "Bytes on the wire from A to B.", unit = "bytes" }
packets_b_to_a = { doc = "Packets from B to A.", unit = "packets" }
bytes_b_to_a = { doc = "Bytes on the wire from B to A.", unit = "bytes" }
relative_start_s = { doc = "First packet, since the first frame of the file.", unit = "s" }
duration_s = { doc = "From the first to the last packet.", unit = "s" }
--- */
with ordered as (
    select
        *,
        first_ip < other_ip or (first_ip = other_ip and first_port <= other_port) as low_first
    from _talks
    where
        transport = 'TCP'
        and stream is not null
        and not in_icmp_error
        and not tcp_header_cut
        and first_ip is not null
        and other_ip is not null
),

counted as (
    select
        ingest_id,
        stream,
        min_by(first_ip, first_frame) as a_ip,
        min_by(first_port, first_frame) as a_port,
        min_by(other_ip, first_frame) as b_ip,
        min_by(other_port, first_frame) as b_port,
        cast(sum(case when low_first then packets_from_first else packets_to_first end) as bigint) as low_to_high_packets,
        cast(sum(case when low_first then packets_to_first else packets_from_first end) as bigint) as high_to_low_packets,
        cast(sum(case when low_first then bytes_from_first else bytes_to_first end) as bigint) as low_to_high_bytes,
        cast(sum(case when low_first then bytes_to_first else bytes_from_first end) as bigint) as high_to_low_bytes,
        min_by(low_first, first_frame) as low_first,
        min(least(first_ts_ns, last_ts_ns)) as began_ns,
        max(greatest(first_ts_ns, last_ts_ns)) as ended_ns
    from ordered
    group by ingest_id, stream
)

select
    c.capture_id,
    n.stream,
    n.a_ip,
    n.a_port,
    n.b_ip,
    n.b_port,
    n.low_to_high_packets + n.high_to_low_packets as packets,
    n.low_to_high_bytes + n.high_to_low_bytes as bytes,
    case when n.low_first then n.low_to_high_packets else n.high_to_low_packets end as packets_a_to_b,
    case when n.low_first then n.low_to_high_bytes else n.high_to_low_bytes end as bytes_a_to_b,
    case when n.low_first then n.high_to_low_packets else n.low_to_high_packets end as packets_b_to_a,
    case when n.low_first then n.high_to_low_bytes else n.low_to_high_bytes end as bytes_b_to_a,
    (n.began_ns - s.start_ts_ns) / 1e9 as relative_start_s,
    (n.ended_ns - n.began_ns) / 1e9 as duration_s
from counted as n
inner join captures as c on n.ingest_id = c.ingest_id
left join _file_starts as s on n.ingest_id = s.ingest_id
