/* ---
title = "TCP connections across the captures of one host"
description = """
One row per TCP connection with the packets of all its pieces, whatever captures of its host they are in, each packet once (`duplicates`). Which pieces are one connection says `stitched_handshakes`,
with the same limits. Client and server are those of the piece that saw the connection opened, else of the first piece.
"""
needs = ["_stitched_pieces", "_traffic_once"]
[columns]
capture_id = "The capture with the first piece."
tcp_stream = "Number of the connection in that capture."
host = "The machine that captured; NULL when not known."
protocols = "Wireshark's protocol names of the first piece."
application = "Application protocol, of the first piece for which one was found."
captures = { doc = "Captures that have a piece of the connection.", unit = "captures" }
first_ts_ns = { doc = "First packet, since the epoch.", unit = "ns" }
last_ts_ns = { doc = "Last packet, since the epoch.", unit = "ns" }
first_ts = "First packet, UTC."
last_ts = "Last packet, UTC."
--- */
with opened as (
    select
        host_key,
        low_end,
        high_end,
        connection,
        min_by(capture_id, first_ts_ns) as first_capture_id,
        min_by(tcp_stream, first_ts_ns) as first_tcp_stream,
        min_by(client_ip, case when client_ip is not null then first_ts_ns end) as known_client_ip,
        min_by(client_port, case when client_ip is not null then first_ts_ns end) as known_client_port
    from _stitched_pieces
    group by host_key, low_end, high_end, connection
),

pieces as (
    select
        t.*,
        p.host,
        p.host_key,
        p.low_end,
        p.high_end,
        p.connection,
        o.first_capture_id,
        o.first_tcp_stream,
        coalesce(t.client_ip <> o.known_client_ip or t.client_port <> o.known_client_port, false) as turned
    from _traffic_once as t
    inner join _stitched_pieces as p on t.ingest_id = p.ingest_id and t.stream = p.tcp_stream and t.transport = 'TCP'
    inner join opened as o
        on
            p.host_key = o.host_key
            and p.low_end = o.low_end
            and p.high_end = o.high_end
            and p.connection = o.connection
),

counted as (
    select
        host,
        first_capture_id,
        first_tcp_stream,
        min_by(protocols, first_ts_ns) as protocols,
        min_by(case when turned then server_ip else client_ip end, first_ts_ns) as client_ip,
        min_by(case when turned then server_port else client_port end, first_ts_ns) as client_port,
        min_by(case when turned then client_ip else server_ip end, first_ts_ns) as server_ip,
        min_by(case when turned then client_port else server_port end, first_ts_ns) as server_port,
        min_by(application, case when application is not null then first_ts_ns end) as application,
        count(distinct ingest_id) as captures,
        cast(sum(case when turned then packets_to_client else packets_to_server end) as bigint) as packets_to_server,
        cast(sum(case when turned then packets_to_server else packets_to_client end) as bigint) as packets_to_client,
        cast(sum(case when turned then bytes_to_client else bytes_to_server end) as bigint) as bytes_to_server,
        cast(sum(case when turned then bytes_to_server else bytes_to_client end) as bigint) as bytes_to_client,
        cast(sum(case when turned then payload_packets_to_client else payload_packets_to_server end) as bigint)
            as payload_packets_to_server,
        cast(sum(case when turned then payload_packets_to_server else payload_packets_to_client end) as bigint)
            as payload_packets_to_client,
        cast(sum(case when turned then payload_packet_bytes_to_client else payload_packet_bytes_to_server end) as bigint)
            as payload_packet_bytes_to_server,
        cast(sum(case when turned then payload_packet_bytes_to_server else payload_packet_bytes_to_client end) as bigint)
            as payload_packet_bytes_to_client,
        min(first_ts_ns) as first_ts_ns,
        max(last_ts_ns) as last_ts_ns
    from pieces
    group by host, first_capture_id, first_tcp_stream
)

select
    first_capture_id as capture_id,
    first_tcp_stream as tcp_stream,
    host,
    protocols,
    client_ip,
    client_port,
    server_ip,
    server_port,
    application,
    captures,
    packets_to_server,
    packets_to_client,
    bytes_to_server,
    bytes_to_client,
    payload_packets_to_server,
    payload_packets_to_client,
    payload_packet_bytes_to_server,
    payload_packet_bytes_to_client,
    make_timestamp(first_ts_ns // 1000) as first_ts,
    make_timestamp(last_ts_ns // 1000) as last_ts,
    first_ts_ns,
    last_ts_ns
from counted
