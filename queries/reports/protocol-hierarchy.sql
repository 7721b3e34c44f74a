/* ---
title = "Protocol hierarchy"
description = """
The tree of protocols over all captures asked for, as Wireshark's Statistics > Protocol Hierarchy. A packet counts once at each node on its path,
with its whole length; percentages are of all packets and of all their bytes.
"""
needs = ["protocol_hierarchy"]
order = "replace(path, ':', ' ') asc"
layout = { kind = "tree", path = "path", name = "name", order = "packets", hide = ["depth"] }
[columns]
percent_packets = { doc = "Packets at this node, of all packets.", unit = "%" }
percent_bytes = { doc = "Bytes at this node, of all bytes.", unit = "%" }
--- */
with nodes as (
    select
        path,
        depth,
        name,
        cast(sum(packets) as bigint) as packets,
        cast(sum(bytes) as bigint) as bytes,
        cast(sum(end_packets) as bigint) as end_packets,
        cast(sum(end_bytes) as bigint) as end_bytes
    from protocol_hierarchy
    group by path, depth, name
),

total as (
    select
        sum(end_packets) as packets,
        sum(end_bytes) as bytes
    from nodes
)

select
    nodes.path,
    nodes.depth,
    nodes.name,
    nodes.packets,
    100.0 * nodes.packets / nullif(total.packets, 0) as percent_packets,
    nodes.bytes,
    100.0 * nodes.bytes / nullif(total.bytes, 0) as percent_bytes,
    nodes.end_packets,
    nodes.end_bytes
from nodes
cross join total
