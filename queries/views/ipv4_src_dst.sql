/* ---
title = "IPv4 Statistics > Source and Destination Addresses"
description = """
One row per capture, direction and address, counted as Wireshark does: for each IPv4 header of a packet, always at the innermost addresses.
The rows of each direction add up to the capture's packets with IPv4.
Rates and bursts are in `statistics_rates`.
"""
compare = "-q -z ip_srcdst,tree"
needs = ["_directions", "captures"]
[columns]
direction = "'source' or 'destination'."
ip = "Innermost address on that side."
packets = { doc = "Packets, times the IPv4 headers in each.", unit = "packets" }
percent = { doc = "Of the capture's packets with IPv4, counted alike.", unit = "%" }
--- */
with ends as (
    select
        ingest_id,
        'source' as direction,
        src_ip as ip,
        packets * ipv4_layers as packets
    from _directions
    where ipv4_layers > 0
    union all
    select
        ingest_id,
        'destination' as direction,
        dst_ip as ip,
        packets * ipv4_layers as packets
    from _directions
    where ipv4_layers > 0
),

counted as (
    select
        ingest_id,
        direction,
        ip,
        cast(sum(packets) as bigint) as packets
    from ends
    group by ingest_id, direction, ip
)

select
    c.capture_id,
    n.direction,
    n.ip,
    n.packets,
    100.0 * n.packets / sum(n.packets) over (partition by n.ingest_id, n.direction) as percent
from counted as n
inner join captures as c on n.ingest_id = c.ingest_id
