/* ---
title = "Traffic by sender and receiver"
description = """
One row per flow and direction that has packets, with the addresses of the innermost IP header and the transport as Wireshark's
statistics see it at the end of dissection: an ICMP error keeps its own addresses but takes protocol and port of the packet it is about.
"""
needs = ["traffic"]
[columns]
src_ip = "Innermost source address, NULL without IP."
src_port = "Source port, NULL without ports."
dst_ip = "Innermost destination address, NULL without IP."
dst_port = "Destination port, NULL without ports."
seen_protocol = "'TCP', 'UDP', 'SCTP', 'DCCP', or 'NONE' where no ports were read; of the embedded packet in ICMP errors."
seen_port = "Destination port that goes with `seen_protocol`; 0 for 'NONE'."
packets = { doc = "Packets in this direction.", unit = "packets" }
bytes = { doc = "Bytes on the wire in this direction.", unit = "bytes" }
--- */
with sent as (
    select
        *,
        client_ip as src_ip,
        client_port as src_port,
        server_ip as dst_ip,
        server_port as dst_port,
        packets_to_server as packets,
        bytes_to_server as bytes
    from traffic
    where packets_to_server > 0
    union all
    select
        *,
        server_ip as src_ip,
        server_port as src_port,
        client_ip as dst_ip,
        client_port as dst_port,
        packets_to_client as packets,
        bytes_to_client as bytes
    from traffic
    where packets_to_client > 0
),

named as (
    select
        *,
        case
            when not in_icmp_error then transport
            when error_dst_port is null then null
            when error_ip_protocol = 6 then 'TCP'
            when error_ip_protocol in (17, 136) then 'UDP'
            when error_ip_protocol = 132 then 'SCTP'
            when error_ip_protocol = 33 then 'DCCP'
        end as known_protocol,
        case when in_icmp_error then error_dst_port else dst_port end as known_port
    from sent
)

select
    capture_id,
    ingest_id,
    flow_id,
    stream,
    transport,
    in_icmp_error,
    tcp_header_cut,
    ip_version,
    ip_protocol,
    ipv4_layers,
    ipv6_layers,
    src_ip,
    src_port,
    dst_ip,
    dst_port,
    coalesce(known_protocol, 'NONE') as seen_protocol,
    case when known_protocol is null then 0 else known_port end as seen_port,
    packets,
    bytes
from named
