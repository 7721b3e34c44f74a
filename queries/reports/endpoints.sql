/* ---
title = "Endpoints"
description = """
The addresses that sent or received most, over all captures asked for, as Wireshark's Statistics > Endpoints for IPv4 and IPv6; a tunnelled packet counts for
the outer and the inner addresses.
"""
needs = ["endpoints_ip"]
chart = { kind = "bar", x = "ip", y = "bytes" }
[params]
ip = { type = "VARCHAR", help = "Only this address." }
top = { type = "INTEGER", default = 20, help = "How many addresses to list, those with most bytes first; 0 is all." }
[columns]
captures = { doc = "Captures in which it occurs.", unit = "captures" }
--- */
select
    ip_version,
    ip,
    cast(sum(packets) as bigint) as packets,
    cast(sum(bytes) as bigint) as bytes,
    cast(sum(tx_packets) as bigint) as tx_packets,
    cast(sum(tx_bytes) as bigint) as tx_bytes,
    cast(sum(rx_packets) as bigint) as rx_packets,
    cast(sum(rx_bytes) as bigint) as rx_bytes,
    count(*) as captures
from endpoints_ip
where $ip is null or ip = $ip
group by ip_version, ip
order by sum(bytes) desc, ip_version asc, ip asc
limit nullif($top, 0)
