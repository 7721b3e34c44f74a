/* ---
title = "Statistics > Endpoints > UDP"
description = """
One row per capture, address and UDP port. A packet counts for both its ends, in a tunnel for those of each of its UDP headers;
the header inside an ICMP error does not count.
"""
compare = "-q -z endpoints,udp"
needs = ["_headers", "captures"]
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
        first_ip as ip,
        first_udp_port as port,
        packets_from_first as tx_packets,
        bytes_from_first as tx_bytes,
        packets_to_first as rx_packets,
        bytes_to_first as rx_bytes
    from _headers
    where first_udp_port is not null
    union all
    select
        ingest_id,
        other_ip as ip,
        other_udp_port as port,
        packets_to_first as tx_packets,
        bytes_to_first as tx_bytes,
        packets_from_first as rx_packets,
        bytes_from_first as rx_bytes
    from _headers
    where first_udp_port is not null
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
