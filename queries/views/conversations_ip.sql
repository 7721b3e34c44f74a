/* ---
title = "Statistics > Conversations > IPv4 and IPv6"
description = """
One row per capture and pair of addresses; A is the source of the first packet. A packet in a tunnel counts for the pair of each of its IP headers;
the header inside an ICMP error does not count. All packets of an address with itself are A to B. `ip_version` tells Wireshark's two lists apart.
"""
compare = "-q -z conv,ip (and -z conv,ipv6)"
needs = ["_headers", "_file_starts", "captures"]
[columns]
ip_version = "4 or 6."
a_ip = "Address that sent the first packet."
b_ip = "The other address."
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
        first_ip as a,
        other_ip as b,
        least(first_ip, other_ip) as low_ip,
        greatest(first_ip, other_ip) as high_ip,
        first_ip <= other_ip as low_first
    from _headers
),

counted as (
    select
        ingest_id,
        low_ip,
        high_ip,
        cast(sum(case when a <= b then packets_from_first else 0 end + case when b <= a then packets_to_first else 0 end) as bigint)
            as low_to_high_packets,
        cast(sum(case when a > b then packets_from_first when a < b then packets_to_first else 0 end) as bigint) as high_to_low_packets,
        cast(sum(case when a <= b then bytes_from_first else 0 end + case when b <= a then bytes_to_first else 0 end) as bigint)
            as low_to_high_bytes,
        cast(sum(case when a > b then bytes_from_first when a < b then bytes_to_first else 0 end) as bigint) as high_to_low_bytes,
        min_by(low_first, first_frame) as low_first,
        min(least(first_ts_ns, last_ts_ns)) as began_ns,
        max(greatest(first_ts_ns, last_ts_ns)) as ended_ns
    from ordered
    group by ingest_id, low_ip, high_ip
)

select
    c.capture_id,
    case when n.low_ip like '%:%' then 6 else 4 end as ip_version,
    case when n.low_first then n.low_ip else n.high_ip end as a_ip,
    case when n.low_first then n.high_ip else n.low_ip end as b_ip,
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
