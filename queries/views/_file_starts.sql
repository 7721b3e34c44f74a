/* ---
title = "When each capture file starts"
description = "One row per capture that has packets: the time of its first frame, from which Wireshark counts relative times."
needs = ["flows"]
[columns]
start_ts_ns = { doc = "Time of frame 1, since the epoch.", unit = "ns" }
--- */
select
    ingest_id,
    min_by(first_ts_ns, first_frame) as start_ts_ns
from flows
group by ingest_id
