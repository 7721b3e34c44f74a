/* ---
title = "Flows by IP header"
description = """
One row per flow and IP header of its packets: one outside tunnels, in a tunnel as many as Wireshark's statistics count. Counters are from and to the side
that sent the flow's first packet.
"""
needs = ["_talks"]
[columns]
stream = "Number of the UDP conversation of the header's ports, NULL for those of outer headers."
first_ip = "Address in this header of the side that sent the flow's first packet."
first_udp_port = "UDP port of that side, right behind this header; NULL without one."
other_ip = "The other address."
other_udp_port = "UDP port of the other side."
packets_from_first = { doc = "Packets that the first sender sent.", unit = "packets" }
packets_to_first = { doc = "Packets back.", unit = "packets" }
bytes_from_first = { doc = "Bytes on the wire that the first sender sent.", unit = "bytes" }
bytes_to_first = { doc = "Bytes on the wire back.", unit = "bytes" }
--- */
with in_tunnels as (
    -- Those with several headers have an outermost one, and files are asked for text that is not NULL far sooner than for lists.
    select
        *,
        unnest(ip_headers) as ends
    from _talks
    where ip_headers is not null and tunnel_client_ip is not null
),

seen_by_sender as (
    select
        *,
        case
            when first_from_client then struct_extract(ends, 'client_ip')
            else struct_extract(ends, 'server_ip')
        end as header_first_ip,
        case
            when first_from_client then struct_extract(ends, 'client_udp_port')
            else struct_extract(ends, 'server_udp_port')
        end as header_first_port,
        case
            when first_from_client then struct_extract(ends, 'server_ip')
            else struct_extract(ends, 'client_ip')
        end as header_other_ip,
        case
            when first_from_client then struct_extract(ends, 'server_udp_port')
            else struct_extract(ends, 'client_udp_port')
        end as header_other_port
    from in_tunnels
),

told_apart as (
    select
        *,
        (header_first_ip, header_first_port, header_other_ip, header_other_port) = (first_ip, first_port, other_ip, other_port) as is_own
    from seen_by_sender
)

select
    ingest_id,
    case when transport = 'UDP' then stream end as stream,
    first_ip,
    case when transport = 'UDP' and not in_icmp_error then first_port end as first_udp_port,
    other_ip,
    case when transport = 'UDP' and not in_icmp_error then other_port end as other_udp_port,
    packets_from_first,
    packets_to_first,
    bytes_from_first,
    bytes_to_first,
    first_ts_ns,
    last_ts_ns,
    first_frame
from _talks
where ip_headers is null and first_ip is not null and other_ip is not null and (ip_version = 4 or ipv6_layers > 0)
union all
select
    ingest_id,
    case when transport = 'UDP' and is_own then stream end as stream,
    header_first_ip as first_ip,
    header_first_port as first_udp_port,
    header_other_ip as other_ip,
    header_other_port as other_udp_port,
    packets_from_first,
    packets_to_first,
    bytes_from_first,
    bytes_to_first,
    first_ts_ns,
    last_ts_ns,
    first_frame
from told_apart
