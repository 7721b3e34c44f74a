/* ---
title = "Statistics > Endpoints > UDP"
description = """
One row per capture, address and UDP port. A packet counts for both its ends; of a packet with several UDP headers (a tunnel) the innermost counts;
the header inside an ICMP error does not.
"""
compare = "-q -z endpoints,udp"
needs = ["_directions", "captures"]
[columns]
ip = "The address."
port = "The port."
packets = { doc = "Packets sent and received.", unit = "packets" }
bytes = { doc = "Bytes on the wire sent and received.", unit = "bytes" }
tx_packets = { doc = "Packets sent.", unit = "packets" }
tx_bytes = { doc = "Bytes on the wire sent.", unit = "bytes" }
rx_packets = { doc = "Packets received.", unit = "packets" }
rx_bytes = { doc = "Bytes on the wire received.", unit = "bytes" }
--- */
with ends as (
    select
        ingest_id,
        case when ip_protocol in (17, 136) then src_ip else tunnel_src_ip end as ip,
        src_port as port,
        packets as tx_packets,
        bytes as tx_bytes,
        0 as rx_packets,
        0 as rx_bytes
    from _directions
    where transport = 'UDP' and not in_icmp_error
    union all
    select
        ingest_id,
        case when ip_protocol in (17, 136) then dst_ip else tunnel_dst_ip end as ip,
        dst_port as port,
        0 as tx_packets,
        0 as tx_bytes,
        packets as rx_packets,
        bytes as rx_bytes
    from _directions
    where transport = 'UDP' and not in_icmp_error
),

counted as (
    select
        ingest_id,
        ip,
        port,
        cast(sum(tx_packets) as bigint) as tx_packets,
        cast(sum(tx_bytes) as bigint) as tx_bytes,
        cast(sum(rx_packets) as bigint) as rx_packets,
        cast(sum(rx_bytes) as bigint) as rx_bytes
    from ends
    group by ingest_id, ip, port
)

select
    c.capture_id,
    n.ip,
    n.port,
    n.tx_packets + n.rx_packets as packets,
    n.tx_bytes + n.rx_bytes as bytes,
    n.tx_packets,
    n.tx_bytes,
    n.rx_packets,
    n.rx_bytes
from counted as n
inner join captures as c on n.ingest_id = c.ingest_id
