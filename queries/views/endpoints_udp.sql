/* ---
title = "Statistics > Endpoints > UDP"
description = """
One row per capture, address and UDP port. A packet counts for both its ends, in a tunnel for those of each of its UDP headers;
the header inside an ICMP error does not count.
"""
compare = "-q -z endpoints,udp"
needs = ["_ends", "captures"]
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
with counted as (
    select
        ingest_id,
        ip,
        udp_port as port,
        cast(sum(tx_packets) as bigint) as tx_packets,
        cast(sum(tx_bytes) as bigint) as tx_bytes,
        cast(sum(rx_packets) as bigint) as rx_packets,
        cast(sum(rx_bytes) as bigint) as rx_bytes
    from _ends
    where udp_port is not null
    group by ingest_id, ip, udp_port
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
