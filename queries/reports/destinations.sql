/* ---
title = "Destinations and ports"
description = """
Who packets were sent to, by protocol and port, as Wireshark's IPv4 and IPv6 Statistics > Destinations and Ports: counted once per IP header of a packet
at the innermost destination. Addresses with most packets first, then their ports with most packets.
"""
needs = ["_directions", "_seen_traffic"]
order = "dst_packets desc, ip_version asc, dst_ip asc, packets desc, protocol asc, dst_port asc"
layout = { kind = "groups", by = ["ip_version", "dst_ip", "dst_packets"] }
chart = { kind = "bar", x = "dst_ip", y = "packets" }
[params]
port = { type = "INTEGER", help = "Only this destination port." }
family = { type = "INTEGER", help = "Only packets with headers of this IP version, 4 or 6." }
top = { type = "INTEGER", default = 20, help = "How many addresses to list; 0 is all." }
ports = { type = "INTEGER", default = 10, help = "How many ports to list for each address; 0 is all." }
[columns]
ip_version = "Which of the two statistics: headers of IPv4 or of IPv6."
dst_ip = "Innermost destination address."
protocol = "'TCP', 'UDP', 'SCTP', 'DCCP', or 'NONE' for all else (ICMP, ESP, later fragments, ...)."
dst_port = "Destination port; 0 for 'NONE'."
packets = { doc = "Packets, times the headers of this version in each.", unit = "packets" }
bytes = { doc = "Bytes on the wire, times the headers of this version in each packet.", unit = "bytes" }
percent = { doc = "Packets of this row, of all packets listed and not listed.", unit = "%" }
dst_packets = { doc = "Packets of all the address's rows.", unit = "packets" }
--- */
with sent as not materialized (
    select
        dst_ip,
        seen_protocol as protocol,
        seen_port as dst_port,
        ipv4_layers,
        ipv6_layers,
        packets,
        bytes
    from _directions
    where $port is null or seen_port = $port
),

-- First the addresses alone, then the ports of those that are listed: every client has many ports, and most are never shown. Each
-- direction is summed by itself before both are put together, so that no row is kept for each flow.
sums as (
    select
        server_ip as dst_ip,
        sum(packets_to_server * ipv4_layers) as ipv4_packets,
        sum(packets_to_server * ipv6_layers) as ipv6_packets
    from _seen_traffic
    where $port is null or seen_server_port = $port
    group by server_ip
    union all
    select
        client_ip as dst_ip,
        sum(packets_to_client * ipv4_layers) as ipv4_packets,
        sum(packets_to_client * ipv6_layers) as ipv6_packets
    from _seen_traffic
    where $port is null or seen_client_port = $port
    group by client_ip
),

addresses as (
    select
        dst_ip,
        sum(ipv4_packets) as ipv4_packets,
        sum(ipv6_packets) as ipv6_packets
    from sums
    group by dst_ip
),

totals as (
    select
        4 as ip_version,
        dst_ip,
        ipv4_packets as dst_packets
    from addresses
    where ipv4_packets > 0 and ($family is null or $family = 4)
    union all
    select
        6 as ip_version,
        dst_ip,
        ipv6_packets as dst_packets
    from addresses
    where ipv6_packets > 0 and ($family is null or $family = 6)
),

ranked as (
    select
        *,
        sum(dst_packets) over () as all_packets,
        row_number() over (order by dst_packets desc, ip_version asc, dst_ip asc) as place
    from totals
),

listed as materialized (
    select *
    from ranked
    where $top = 0 or place <= $top
),

headers as (
    select
        l.*,
        s.protocol,
        s.dst_port,
        s.packets * case when l.ip_version = 4 then s.ipv4_layers else s.ipv6_layers end as packets,
        s.bytes * case when l.ip_version = 4 then s.ipv4_layers else s.ipv6_layers end as bytes
    from sent as s
    inner join listed as l on s.dst_ip is not distinct from l.dst_ip
),

counted as (
    select
        place,
        ip_version,
        dst_ip,
        protocol,
        dst_port,
        cast(sum(packets) as bigint) as packets,
        cast(sum(bytes) as bigint) as bytes,
        100.0 * sum(packets) / any_value(all_packets) as percent,
        cast(any_value(dst_packets) as bigint) as dst_packets
    from headers
    where packets > 0
    group by place, ip_version, dst_ip, protocol, dst_port
),

ports as (
    select
        *,
        row_number() over (partition by place order by packets desc, protocol asc, dst_port asc) as port_place
    from counted
)

select
    ip_version,
    dst_ip,
    protocol,
    dst_port,
    packets,
    bytes,
    percent,
    dst_packets
from ports
where $ports = 0 or port_place <= $ports
