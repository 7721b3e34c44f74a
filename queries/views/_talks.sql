/* ---
title = "Flows as seen by the sender of their first packet"
description = "One row per flow, with counters from and to the side that sent its first packet, as Wireshark's conversations have it."
needs = ["traffic"]
[columns]
first_ip = "Address that sent the flow's first packet."
first_port = "Its port."
other_ip = "The other address."
other_port = "Its port."
packets_from_first = { doc = "Packets that the first sender sent.", unit = "packets" }
packets_to_first = { doc = "Packets back.", unit = "packets" }
bytes_from_first = { doc = "Bytes on the wire that the first sender sent.", unit = "bytes" }
bytes_to_first = { doc = "Bytes on the wire back.", unit = "bytes" }
--- */
select
    ingest_id,
    transport,
    stream,
    in_icmp_error,
    tcp_header_cut,
    ip_version,
    ipv4_layers,
    ipv6_layers,
    first_from_client,
    tunnel_client_ip,
    ip_headers,
    case when first_from_client then client_ip else server_ip end as first_ip,
    case when first_from_client then client_port else server_port end as first_port,
    case when first_from_client then server_ip else client_ip end as other_ip,
    case when first_from_client then server_port else client_port end as other_port,
    case when first_from_client then packets_to_server else packets_to_client end as packets_from_first,
    case when first_from_client then packets_to_client else packets_to_server end as packets_to_first,
    case when first_from_client then bytes_to_server else bytes_to_client end as bytes_from_first,
    case when first_from_client then bytes_to_client else bytes_to_server end as bytes_to_first,
    first_ts_ns,
    last_ts_ns,
    first_frame
from traffic
