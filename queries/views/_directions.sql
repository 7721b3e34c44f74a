/* ---
title = "Traffic by sender and receiver"
description = """
One row per flow and direction that has packets, with the addresses of the innermost IP header and the transport as Wireshark's
statistics see it at the end of dissection: an ICMP error keeps its own addresses but takes protocol and port of the packet it is about.
"""
needs = ["_seen_traffic"]
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
        seen_server_port as seen_port,
        packets_to_server as packets,
        bytes_to_server as bytes
    from _seen_traffic
    where packets_to_server > 0
    union all
    select
        *,
        server_ip as src_ip,
        server_port as src_port,
        client_ip as dst_ip,
        client_port as dst_port,
        seen_client_port as seen_port,
        packets_to_client as packets,
        bytes_to_client as bytes
    from _seen_traffic
    where packets_to_client > 0
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
    seen_protocol,
    seen_port,
    packets,
    bytes
from sent
