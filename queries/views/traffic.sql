/* ---
title = "Packets and bytes per flow, in the time asked for"
description = """
One row per flow that has packets in the time asked for, with the counters of those packets only. Without a time range it is `flows`.
A report that is asked for a time reads whole minutes from `flow_minutes` and the partial minutes at the ends from `packets`
(`_traffic_between`), so its counters are exact to the packet. Times and roles are those of the whole flow.
"""
needs = ["flows"]
--- */
select
    capture_id,
    ingest_id,
    flow_id,
    link_type,
    protocols,
    transport,
    ip_version,
    ip_protocol,
    stream,
    client_ip,
    client_port,
    server_ip,
    server_port,
    first_from_client,
    tunnel_client_ip,
    tunnel_server_ip,
    ip_headers,
    ipv4_layers,
    ipv6_layers,
    in_icmp_error,
    tcp_header_cut,
    error_ip_protocol,
    error_src_port,
    error_dst_port,
    application,
    application_source,
    packets_to_server,
    packets_to_client,
    bytes_to_server,
    bytes_to_client,
    payload_packets_to_server,
    payload_packets_to_client,
    payload_packet_bytes_to_server,
    payload_packet_bytes_to_client,
    first_ts,
    last_ts,
    first_ts_ns,
    last_ts_ns,
    first_frame
from flows
