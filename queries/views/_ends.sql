/* ---
title = "Flows by IP header and end"
description = "Both ends of each row of `_headers`, with what they sent and received."
needs = ["_headers"]
[columns]
ip = "Address of the end in this header."
udp_port = "UDP port of the end, right behind this header; NULL without one."
tx_packets = { doc = "Packets sent.", unit = "packets" }
tx_bytes = { doc = "Bytes on the wire sent.", unit = "bytes" }
rx_packets = { doc = "Packets received.", unit = "packets" }
rx_bytes = { doc = "Bytes on the wire received.", unit = "bytes" }
--- */
select
    ingest_id,
    first_ip as ip,
    first_udp_port as udp_port,
    packets_from_first as tx_packets,
    bytes_from_first as tx_bytes,
    packets_to_first as rx_packets,
    bytes_to_first as rx_bytes
from _headers
union all
select
    ingest_id,
    other_ip as ip,
    other_udp_port as udp_port,
    packets_to_first as tx_packets,
    bytes_to_first as tx_bytes,
    packets_from_first as rx_packets,
    bytes_from_first as rx_bytes
from _headers
