/* ---
title = "Endpoints"
description = """
The addresses that sent or received most, over all captures asked for, as Wireshark's Statistics > Endpoints for IPv4 and IPv6; a packet in a tunnel counts
for the addresses of each of its IP headers.
"""
needs = ["_headers"]
order = "bytes desc, ip_version asc, ip asc"
chart = { kind = "bar", x = "ip", y = "bytes" }
[params]
ip = { type = "VARCHAR", help = "Only this address." }
top = { type = "INTEGER", default = 20, help = "How many addresses to list, those with most bytes first; 0 is all." }
[columns]
ip_version = "4 or 6."
ip = "The address."
packets = { doc = "Packets sent and received.", unit = "packets" }
bytes = { doc = "Bytes on the wire sent and received.", unit = "bytes" }
tx_packets = { doc = "Packets sent.", unit = "packets" }
tx_bytes = { doc = "Bytes on the wire sent.", unit = "bytes" }
rx_packets = { doc = "Packets received.", unit = "packets" }
rx_bytes = { doc = "Bytes on the wire received.", unit = "bytes" }
captures = { doc = "Captures in which it occurs.", unit = "captures" }
--- */
with ends as not materialized (
    -- Not from `_ends`, which would be kept in memory because it is read twice here: 1.3 GB where 0.85 do.
    select
        ingest_id,
        first_ip as ip,
        packets_from_first as tx_packets,
        bytes_from_first as tx_bytes,
        packets_to_first as rx_packets,
        bytes_to_first as rx_bytes
    from _headers
    union all
    select
        ingest_id,
        other_ip as ip,
        packets_to_first as tx_packets,
        bytes_to_first as tx_bytes,
        packets_from_first as rx_packets,
        bytes_from_first as rx_bytes
    from _headers
),

-- The addresses that are listed come first, the captures in which they occur are counted for those alone.
listed as (
    select
        ip,
        case when ip like '%:%' then 6 else 4 end as ip_version
    from ends
    where $ip is null or ip = $ip
    group by ip
    order by sum(tx_bytes + rx_bytes) desc, ip_version asc, ip asc
    limit nullif($top, 0)
)

select
    l.ip_version,
    l.ip,
    cast(sum(e.tx_packets + e.rx_packets) as bigint) as packets,
    cast(sum(e.tx_bytes + e.rx_bytes) as bigint) as bytes,
    cast(sum(e.tx_packets) as bigint) as tx_packets,
    cast(sum(e.tx_bytes) as bigint) as tx_bytes,
    cast(sum(e.rx_packets) as bigint) as rx_packets,
    cast(sum(e.rx_bytes) as bigint) as rx_bytes,
    count(distinct e.ingest_id) as captures
from ends as e
inner join listed as l on e.ip = l.ip
group by l.ip_version, l.ip
