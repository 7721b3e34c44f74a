/* ---
title = "Statistics > Endpoints > IPv4 and IPv6"
description = """
One row per capture and address. A packet counts for both its ends; with two IP headers for those of the outer header and of the inner one
(of three or more, of the outermost and the innermost); the header inside an ICMP error does not count. `ip_version` tells Wireshark's two lists apart.
"""
compare = "-q -z endpoints,ip (and -z endpoints,ipv6)"
needs = ["_directions", "captures"]
[columns]
ip_version = "4 or 6."
ip = "The address."
packets = { doc = "Packets sent and received.", unit = "packets" }
bytes = { doc = "Bytes on the wire sent and received.", unit = "bytes" }
tx_packets = { doc = "Packets sent.", unit = "packets" }
tx_bytes = { doc = "Bytes on the wire sent.", unit = "bytes" }
rx_packets = { doc = "Packets received.", unit = "packets" }
rx_bytes = { doc = "Bytes on the wire received.", unit = "bytes" }
--- */
with headers as (
    select
        ingest_id,
        src_ip,
        dst_ip,
        packets,
        bytes
    from _directions
    where src_ip is not null and dst_ip is not null and (ip_version = 4 or ipv6_layers > 0)
    union all
    select
        ingest_id,
        tunnel_src_ip as src_ip,
        tunnel_dst_ip as dst_ip,
        packets,
        bytes
    from _directions
    where tunnel_src_ip is not null and tunnel_dst_ip is not null
),

ends as (
    select
        ingest_id,
        src_ip as ip,
        packets as tx_packets,
        bytes as tx_bytes,
        0 as rx_packets,
        0 as rx_bytes
    from headers
    union all
    select
        ingest_id,
        dst_ip as ip,
        0 as tx_packets,
        0 as tx_bytes,
        packets as rx_packets,
        bytes as rx_bytes
    from headers
),

counted as (
    select
        ingest_id,
        ip,
        cast(sum(tx_packets) as bigint) as tx_packets,
        cast(sum(tx_bytes) as bigint) as tx_bytes,
        cast(sum(rx_packets) as bigint) as rx_packets,
        cast(sum(rx_bytes) as bigint) as rx_bytes
    from ends
    group by ingest_id, ip
)

select
    c.capture_id,
    case when n.ip like '%:%' then 6 else 4 end as ip_version,
    n.ip,
    n.tx_packets + n.rx_packets as packets,
    n.tx_bytes + n.rx_bytes as bytes,
    n.tx_packets,
    n.tx_bytes,
    n.rx_packets,
    n.rx_bytes
from counted as n
inner join captures as c on n.ingest_id = c.ingest_id
