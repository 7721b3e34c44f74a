/* ---
title = "IPv4 Statistics > All Addresses"
description = """
One row per capture and address, counted as Wireshark does: one for the source and one for the destination, for each IPv4 header of a packet, always at the innermost
addresses. The rows of a capture add up to twice its packets with IPv4.
Rates and bursts are in `statistics_rates`.
"""
compare = "-q -z ip_hosts,tree"
needs = ["_directions", "captures"]
[columns]
ip = "Innermost source or destination address."
packets = { doc = "Packets, times the IPv4 headers in each.", unit = "packets" }
percent = { doc = "Of the capture's packets with IPv4, counted alike.", unit = "%" }
--- */
with ends as (
    select
        ingest_id,
        src_ip as ip,
        packets * ipv4_layers as packets
    from _directions
    where ipv4_layers > 0
    union all
    select
        ingest_id,
        dst_ip as ip,
        packets * ipv4_layers as packets
    from _directions
    where ipv4_layers > 0
),

counted as (
    select
        ingest_id,
        ip,
        cast(sum(packets) as bigint) as packets
    from ends
    group by ingest_id, ip
)

select
    c.capture_id,
    n.ip,
    n.packets,
    200.0 * n.packets / sum(n.packets) over (partition by n.ingest_id) as percent
from counted as n
inner join captures as c on n.ingest_id = c.ingest_id
