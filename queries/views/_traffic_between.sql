/* ---
title = "What `traffic` is when a time is asked for"
description = """
The same columns as `traffic`. `_whole_minutes` holds the rows of `flow_minutes` for the minutes that lie in the range as a whole,
`_edge_packets` the packets of the partial minutes at its ends. A packet goes to the client when its source is the flow's server.
"""
needs = ["flows", "_whole_minutes", "_edge_packets"]
--- */
with edges as (
    select
        p.ingest_id,
        p.flow_id,
        p.wire_length,
        coalesce(p.payload_length, 0) > 0 as has_payload,
        p.src_ip = f.client_ip and (f.client_port is null or p.src_port = f.client_port) as from_client,
        p.src_ip = f.server_ip and (f.server_port is null or p.src_port = f.server_port) as from_server
    from _edge_packets as p
    inner join flows as f on p.ingest_id = f.ingest_id and p.flow_id = f.flow_id
),

sent as (
    select
        ingest_id,
        flow_id,
        wire_length,
        has_payload,
        coalesce(from_server, false) and not coalesce(from_client, false) as to_client
    from edges
),

parts as (
    select
        ingest_id,
        flow_id,
        packets_to_server,
        packets_to_client,
        bytes_to_server,
        bytes_to_client,
        payload_packets_to_server,
        payload_packets_to_client,
        payload_packet_bytes_to_server,
        payload_packet_bytes_to_client
    from _whole_minutes
    union all
    select
        ingest_id,
        flow_id,
        case when to_client then 0 else 1 end as packets_to_server,
        case when to_client then 1 else 0 end as packets_to_client,
        case when to_client then 0 else wire_length end as bytes_to_server,
        case when to_client then wire_length else 0 end as bytes_to_client,
        case when has_payload and not to_client then 1 else 0 end as payload_packets_to_server,
        case when has_payload and to_client then 1 else 0 end as payload_packets_to_client,
        case when has_payload and not to_client then wire_length else 0 end as payload_packet_bytes_to_server,
        case when has_payload and to_client then wire_length else 0 end as payload_packet_bytes_to_client
    from sent
),

counted as (
    select
        ingest_id,
        flow_id,
        cast(sum(packets_to_server) as bigint) as packets_to_server,
        cast(sum(packets_to_client) as bigint) as packets_to_client,
        cast(sum(bytes_to_server) as bigint) as bytes_to_server,
        cast(sum(bytes_to_client) as bigint) as bytes_to_client,
        cast(sum(payload_packets_to_server) as bigint) as payload_packets_to_server,
        cast(sum(payload_packets_to_client) as bigint) as payload_packets_to_client,
        cast(sum(payload_packet_bytes_to_server) as bigint) as payload_packet_bytes_to_server,
        cast(sum(payload_packet_bytes_to_client) as bigint) as payload_packet_bytes_to_client
    from parts
    group by ingest_id, flow_id
)

select
    f.capture_id,
    f.ingest_id,
    f.flow_id,
    f.link_type,
    f.protocols,
    f.transport,
    f.ip_version,
    f.ip_protocol,
    f.stream,
    f.client_ip,
    f.client_port,
    f.server_ip,
    f.server_port,
    f.first_from_client,
    f.tunnel_client_ip,
    f.tunnel_server_ip,
    f.ip_headers,
    f.ipv4_layers,
    f.ipv6_layers,
    f.in_icmp_error,
    f.tcp_header_cut,
    f.error_ip_protocol,
    f.error_src_port,
    f.error_dst_port,
    f.application,
    f.application_source,
    n.packets_to_server,
    n.packets_to_client,
    n.bytes_to_server,
    n.bytes_to_client,
    n.payload_packets_to_server,
    n.payload_packets_to_client,
    n.payload_packet_bytes_to_server,
    n.payload_packet_bytes_to_client,
    f.first_ts,
    f.last_ts,
    f.first_ts_ns,
    f.last_ts_ns,
    f.first_frame
from flows as f
inner join counted as n on f.ingest_id = n.ingest_id and f.flow_id = n.flow_id
