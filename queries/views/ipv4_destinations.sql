/* ---
title = "IPv4 Statistics > Destinations and Ports"
description = """
One row per capture, destination, protocol and port, counted as Wireshark does: once per IPv4 header of a packet, always at the innermost
destination, so that a packet with two IPv4 headers counts twice and IPv6 inside IPv4 shows the IPv6 address. ICMP errors count at
their own destination with protocol and port of the packet they are about. `frames` counts each packet once.
"""
compare = "-o tcp.desegment_tcp_streams:FALSE -o ip.defragment:FALSE -q -z dests,tree"
needs = ["_directions", "captures"]
[columns]
dst_ip = "Innermost destination address."
protocol = "'TCP', 'UDP', 'SCTP', 'DCCP', or 'NONE' for all else (ICMP, ESP, later fragments, ...)."
dst_port = "Destination port; 0 for 'NONE'."
packets = { doc = "Packets, times the IPv4 headers in each.", unit = "packets" }
bytes = { doc = "Bytes on the wire, times the IPv4 headers in each packet.", unit = "bytes" }
frames = { doc = "Packets, each counted once.", unit = "packets" }
--- */
with counted as (
    select
        ingest_id,
        dst_ip,
        seen_protocol as protocol,
        seen_port as dst_port,
        cast(sum(packets * ipv4_layers) as bigint) as packets,
        cast(sum(bytes * ipv4_layers) as bigint) as bytes,
        cast(sum(packets) as bigint) as frames
    from _directions
    where ipv4_layers > 0
    group by ingest_id, dst_ip, seen_protocol, seen_port
)

select
    c.capture_id,
    n.dst_ip,
    n.protocol,
    n.dst_port,
    n.packets,
    n.bytes,
    n.frames
from counted as n
inner join captures as c on n.ingest_id = c.ingest_id
