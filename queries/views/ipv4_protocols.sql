/* ---
title = "IPv4 Statistics > IP Protocol Types"
description = """
One row per capture and transport protocol, counted as Wireshark does: for each IPv4 header of a packet. ICMP errors count as the protocol of the packet they are about.
Rates and bursts are in `statistics_rates`.
"""
compare = "-o tcp.desegment_tcp_streams:FALSE -o ip.defragment:FALSE -q -z ptype,tree"
needs = ["_directions", "captures"]
[columns]
protocol = "'TCP', 'UDP', 'SCTP', 'DCCP', or 'NONE' for all else (ICMP, ESP, later fragments, ...)."
packets = { doc = "Packets, times the IPv4 headers in each.", unit = "packets" }
percent = { doc = "Of the capture's packets with IPv4, counted alike.", unit = "%" }
--- */
with counted as (
    select
        ingest_id,
        seen_protocol as protocol,
        cast(sum(packets * ipv4_layers) as bigint) as packets
    from _directions
    where ipv4_layers > 0
    group by ingest_id, seen_protocol
)

select
    c.capture_id,
    n.protocol,
    n.packets,
    100.0 * n.packets / sum(n.packets) over (partition by n.ingest_id) as percent
from counted as n
inner join captures as c on n.ingest_id = c.ingest_id
