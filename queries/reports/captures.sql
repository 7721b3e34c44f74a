/* ---
title = "Captures"
description = "What was ingested: one row per capture file, unreadable ones too, in order of time. With a time range: those that were running in it."
needs = ["captures"]
order = "first_ts asc nulls last, file_name asc, capture_id asc"
[columns]
duration_s = { doc = "Latest minus earliest packet time.", unit = "s" }
--- */
select
    capture_id,
    file_name,
    host,
    first_ts,
    last_ts,
    duration_ns / 1e9 as duration_s,
    packets,
    wire_bytes,
    dropped_packets,
    unread_records,
    format,
    status,
    error
from captures
