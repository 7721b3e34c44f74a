/* ---
title = "Packets that are in two captures of one host"
description = """
One row per packet that an earlier capture of the same host has, too; without these rows every packet counts once. Two packets are the same when both captures were running (`overlapping_captures`), all
header fields that are kept are equal, and their times are within 0.1 ms; of packets that are alike each is paired with at most one, those nearest to each other in time. What this cannot find: packets of captures without a known host,
of other link types (Ethernet against cooked), cut by another snapshot length so that headers are missing, or pruned.
"""
needs = ["_duplicate_packets"]
[columns]
frame_number = "1-based number in file order of the packet that is there twice."
earlier_capture_id = "The earliest capture that has it, too."
earlier_frame_number = "Its number there."
offset_ns = { doc = "How much later than in that capture it is stamped in this one; negative when earlier.", unit = "ns" }
--- */
select
    capture_id,
    ingest_id,
    frame_number,
    ts_ns,
    flow_id,
    min_by(earlier_capture_id, earlier_ts_ns) as earlier_capture_id,
    min_by(earlier_frame_number, earlier_ts_ns) as earlier_frame_number,
    ts_ns - min(earlier_ts_ns) as offset_ns
from _duplicate_packets
group by capture_id, ingest_id, frame_number, ts_ns, flow_id
