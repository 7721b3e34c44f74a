/* ---
title = "Destinations and ports"
description = """
Who packets were sent to, by protocol and port, as Wireshark's IPv4 and IPv6 Statistics > Destinations and Ports: counted once per IP header of a packet
at the innermost destination. Addresses with most packets first, then their ports with most packets.
"""
needs = ["ipv4_destinations", "ipv6_destinations"]
layout = { kind = "groups", by = ["ip_version", "dst_ip", "dst_packets"] }
chart = { kind = "bar", x = "dst_ip", y = "packets" }
[params]
port = { type = "INTEGER", help = "Only this destination port." }
family = { type = "INTEGER", help = "Only packets with headers of this IP version, 4 or 6." }
top = { type = "INTEGER", default = 20, help = "How many addresses to list; 0 is all." }
ports = { type = "INTEGER", default = 10, help = "How many ports to list for each address; 0 is all." }
[columns]
ip_version = "Which of the two statistics: headers of IPv4 or of IPv6."
packets = { doc = "Packets, times the headers of this version in each.", unit = "packets" }
bytes = { doc = "Bytes on the wire, times the headers of this version in each packet.", unit = "bytes" }
percent = { doc = "Packets of this row, of all packets listed and not listed.", unit = "%" }
dst_packets = { doc = "Packets of all the address's rows.", unit = "packets" }
--- */
with leaves as (
    select
        4 as ip_version,
        dst_ip,
        protocol,
        dst_port,
        packets,
        bytes
    from ipv4_destinations
    where $family is null or $family = 4
    union all
    select
        6 as ip_version,
        dst_ip,
        protocol,
        dst_port,
        packets,
        bytes
    from ipv6_destinations
    where $family is null or $family = 6
),

counted as (
    select
        ip_version,
        dst_ip,
        protocol,
        dst_port,
        cast(sum(packets) as bigint) as packets,
        cast(sum(bytes) as bigint) as bytes
    from leaves
    where $port is null or dst_port = $port
    group by ip_version, dst_ip, protocol, dst_port
),

totals as (
    select
        *,
        cast(sum(packets) over (partition by ip_version, dst_ip) as bigint) as dst_packets,
        sum(packets) over () as all_packets
    from counted
),

ranked as (
    select
        *,
        dense_rank() over (order by dst_packets desc, ip_version asc, dst_ip asc) as place,
        row_number() over (partition by ip_version, dst_ip order by packets desc, protocol asc, dst_port asc) as port_place
    from totals
)

select
    ip_version,
    dst_ip,
    protocol,
    dst_port,
    packets,
    bytes,
    100.0 * packets / all_packets as percent,
    dst_packets
from ranked
where ($top = 0 or place <= $top) and ($ports = 0 or port_place <= $ports)
order by place asc, packets desc, protocol asc, dst_port asc
