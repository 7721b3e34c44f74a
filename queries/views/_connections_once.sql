/* ---
title = "TCP connections, each once"
description = """
What `_connections` is when everything is to count once: the columns of `stitched_handshakes` that `handshakes` has, too.
"""
needs = ["stitched_handshakes"]
--- */
select
    capture_id,
    ingest_id,
    tcp_stream,
    flow_id,
    client_ip,
    client_port,
    server_ip,
    server_port,
    status,
    first_ts,
    syn_ts,
    syn_ack_ts,
    ack_ts,
    first_ts_ns,
    syn_ts_ns,
    syn_ack_ts_ns,
    ack_ts_ns,
    syn_frame,
    syn_count,
    syn_ack_count,
    rtt_ns,
    rtt_last_syn_ns,
    client_rtt_ns,
    handshake_ns,
    initial_rtt_ns,
    rst_rtt_ns,
    retransmitted,
    clock_anomaly,
    completeness,
    client_isn,
    server_isn,
    to_capture_end_ns
from stitched_handshakes
