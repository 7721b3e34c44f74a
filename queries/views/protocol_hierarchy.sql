/* ---
title = "Statistics > Protocol Hierarchy"
description = """
One row per capture and node of the protocol tree. A packet counts once at each node on its path, with its whole length (as tshark; Wireshark's
window counts the bytes of the layer alone). A path is `protocols` of the packet's flow, and for packets with payload the flow's application below it.
Example: an HTTP request and its bare ACK over Ethernet are 2 packets at eth, eth:ip and eth:ip:tcp (of which 1 ends there) and 1 at eth:ip:tcp:http.
"""
compare = "-o tcp.desegment_tcp_streams:FALSE -o ip.defragment:FALSE -q -z io,phs"
needs = ["_paths", "captures"]
[columns]
path = "Protocol names from the outside in to this node, colon-joined: 'eth:ip:tcp'."
depth = "Number of protocols in `path`; 1 for the link layer."
name = "The node's own protocol, the last of `path`."
packets = { doc = "Packets with this node on their path.", unit = "packets" }
bytes = { doc = "Bytes on the wire of those packets.", unit = "bytes" }
end_packets = { doc = "Packets whose path ends here.", unit = "packets" }
end_bytes = { doc = "Bytes on the wire of the packets whose path ends here.", unit = "bytes" }
--- */
with names as (
    select
        ingest_id,
        packets,
        bytes,
        split(path, ':') as names
    from _paths
),

levels as (
    select
        ingest_id,
        packets,
        bytes,
        names,
        unnest(generate_series(1, array_length(names))) as depth
    from names
),

nodes as (
    select
        ingest_id,
        depth,
        array_length(names) = depth as is_end,
        packets,
        bytes,
        array_to_string(array_slice(names, 1, depth), ':') as path
    from levels
),

counted as (
    select
        ingest_id,
        path,
        depth,
        cast(sum(packets) as bigint) as packets,
        cast(sum(bytes) as bigint) as bytes,
        cast(sum(case when is_end then packets else 0 end) as bigint) as end_packets,
        cast(sum(case when is_end then bytes else 0 end) as bigint) as end_bytes
    from nodes
    group by ingest_id, path, depth
)

select
    c.capture_id,
    n.path,
    cast(n.depth as integer) as depth,
    split_part(n.path, ':', cast(n.depth as integer)) as name,
    n.packets,
    n.bytes,
    n.end_packets,
    n.end_bytes
from counted as n
inner join captures as c on n.ingest_id = c.ingest_id
