/* ---
title = "Statistics > Endpoints > IPv4 and IPv6"
description = """
One row per capture and address. A packet counts for both its ends, in a tunnel for those of each of its IP headers;
the header inside an ICMP error does not count. `ip_version` tells Wireshark's two lists apart.
"""
compare = "-q -z endpoints,ip (and -z endpoints,ipv6)"
needs = ["_ends", "captures"]
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
with counted as (
    select
        ingest_id,
        ip,
        cast(sum(tx_packets) as bigint) as tx_packets,
        cast(sum(tx_bytes) as bigint) as tx_bytes,
        cast(sum(rx_packets) as bigint) as rx_packets,
        cast(sum(rx_bytes) as bigint) as rx_bytes
    from _ends
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
