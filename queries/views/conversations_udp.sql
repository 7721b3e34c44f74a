/* ---
title = "Statistics > Conversations > UDP"
description = """
One row per capture and pair of addresses and UDP ports; A is the sender of the first packet. A packet in a tunnel counts for each of its UDP headers;
the header inside an ICMP error does not count.
"""
compare = "-q -z conv,udp"
needs = ["_headers", "_file_starts", "captures"]
[columns]
stream = "Number of the UDP conversation in the capture, from 0; NULL where all its headers are outer ones of tunnels, whose streams are not numbered."
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
        first_ip < other_ip or (first_ip = other_ip and first_udp_port <= other_udp_port) as low_first
    from _headers
    where first_udp_port is not null
),

sorted as (
    select
        *,
        case when low_first then first_ip else other_ip end as low_ip,
        case when low_first then first_udp_port else other_udp_port end as low_port,
        case when low_first then other_ip else first_ip end as high_ip,
        case when low_first then other_udp_port else first_udp_port end as high_port
    from ordered
),

counted as (
    select
        ingest_id,
        low_ip,
        low_port,
        high_ip,
        high_port,
        min(stream) as stream,
        cast(sum(case when low_first then packets_from_first else packets_to_first end) as bigint) as low_to_high_packets,
        cast(sum(case when low_first then packets_to_first else packets_from_first end) as bigint) as high_to_low_packets,
        cast(sum(case when low_first then bytes_from_first else bytes_to_first end) as bigint) as low_to_high_bytes,
        cast(sum(case when low_first then bytes_to_first else bytes_from_first end) as bigint) as high_to_low_bytes,
        min_by(low_first, first_frame) as low_first,
        min(least(first_ts_ns, last_ts_ns)) as began_ns,
        max(greatest(first_ts_ns, last_ts_ns)) as ended_ns
    from sorted
    group by ingest_id, low_ip, low_port, high_ip, high_port
)

select
    c.capture_id,
    n.stream,
    case when n.low_first then n.low_ip else n.high_ip end as a_ip,
    case when n.low_first then n.low_port else n.high_port end as a_port,
    case when n.low_first then n.high_ip else n.low_ip end as b_ip,
    case when n.low_first then n.high_port else n.low_port end as b_port,
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
