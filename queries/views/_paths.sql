/* ---
title = "Packets by complete protocol path"
description = """
One row per capture and path of protocols from the link layer to the last one known. Packets with payload reach the application of
their flow, packets without (a bare ACK) end at the transport layer.
"""
needs = ["traffic"]
[columns]
path = "Protocol names from the outside in, colon-joined."
packets = { doc = "Packets with exactly this path.", unit = "packets" }
bytes = { doc = "Bytes on the wire of those packets.", unit = "bytes" }
--- */
with flows_alike as (
    select
        ingest_id,
        protocols,
        application,
        sum(packets_to_server + packets_to_client) as packets,
        sum(bytes_to_server + bytes_to_client) as bytes,
        sum(payload_packets_to_server + payload_packets_to_client) as payload_packets,
        sum(payload_packet_bytes_to_server + payload_packet_bytes_to_client) as payload_packet_bytes
    from traffic
    group by ingest_id, protocols, application
),

split_by_payload as (
    select
        ingest_id,
        protocols as path,
        packets - payload_packets as packets,
        bytes - payload_packet_bytes as bytes
    from flows_alike
    union all
    select
        ingest_id,
        case when application is null then protocols else concat(protocols, ':', application) end as path,
        payload_packets as packets,
        payload_packet_bytes as bytes
    from flows_alike
)

select
    ingest_id,
    path,
    cast(sum(packets) as bigint) as packets,
    cast(sum(bytes) as bigint) as bytes
from split_by_payload
group by ingest_id, path
having sum(packets) > 0
