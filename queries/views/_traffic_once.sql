/* ---
title = "Packets and bytes per flow, each packet once"
description = """
The same columns as `traffic`, less the packets that an earlier capture of the same host has, too (`duplicates`); a flow of which nothing is left is not there.
A packet goes to the client when its source is the flow's server, as in `_traffic_between`. Times and roles are those of the whole flow.
"""
needs = ["_traffic_all", "_duplicate_packets"]
--- */
with twice as (
    select distinct
        ingest_id,
        flow_id,
        frame_number,
        wire_length,
        payload_length,
        src_ip,
        src_port
    from _duplicate_packets
),

sent as (
    select
        t.ingest_id,
        t.flow_id,
        t.wire_length,
        coalesce(t.payload_length, 0) > 0 as has_payload,
        coalesce(t.src_ip = f.server_ip and (f.server_port is null or t.src_port = f.server_port), false)
        and not coalesce(t.src_ip = f.client_ip and (f.client_port is null or t.src_port = f.client_port), false) as to_client
    from twice as t
    inner join _traffic_all as f on t.ingest_id = f.ingest_id and t.flow_id = f.flow_id
),

gone as (
    select
        ingest_id,
        flow_id,
        cast(sum(case when not to_client then 1 else 0 end) as bigint) as packets_to_server,
        cast(sum(case when to_client then 1 else 0 end) as bigint) as packets_to_client,
        cast(sum(case when not to_client then wire_length else 0 end) as bigint) as bytes_to_server,
        cast(sum(case when to_client then wire_length else 0 end) as bigint) as bytes_to_client,
        cast(sum(case when not to_client and has_payload then 1 else 0 end) as bigint) as payload_packets_to_server,
        cast(sum(case when to_client and has_payload then 1 else 0 end) as bigint) as payload_packets_to_client,
        cast(sum(case when not to_client and has_payload then wire_length else 0 end) as bigint) as payload_packet_bytes_to_server,
        cast(sum(case when to_client and has_payload then wire_length else 0 end) as bigint) as payload_packet_bytes_to_client
    from sent
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
    f.packets_to_server - coalesce(g.packets_to_server, 0) as packets_to_server,
    f.packets_to_client - coalesce(g.packets_to_client, 0) as packets_to_client,
    f.bytes_to_server - coalesce(g.bytes_to_server, 0) as bytes_to_server,
    f.bytes_to_client - coalesce(g.bytes_to_client, 0) as bytes_to_client,
    f.payload_packets_to_server - coalesce(g.payload_packets_to_server, 0) as payload_packets_to_server,
    f.payload_packets_to_client - coalesce(g.payload_packets_to_client, 0) as payload_packets_to_client,
    f.payload_packet_bytes_to_server - coalesce(g.payload_packet_bytes_to_server, 0) as payload_packet_bytes_to_server,
    f.payload_packet_bytes_to_client - coalesce(g.payload_packet_bytes_to_client, 0) as payload_packet_bytes_to_client,
    f.first_ts,
    f.last_ts,
    f.first_ts_ns,
    f.last_ts_ns,
    f.first_frame
from _traffic_all as f
left join gone as g on f.ingest_id = g.ingest_id and f.flow_id = g.flow_id
where f.packets_to_server + f.packets_to_client > coalesce(g.packets_to_server + g.packets_to_client, 0)
