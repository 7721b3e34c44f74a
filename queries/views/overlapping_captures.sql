/* ---
title = "Captures of one host that overlap in time"
description = """
One row per pair of captures of one host that were running at the same time, the one that began first being `earlier`. Files of a ring that follow each other do not
overlap. Captures without a known host are never compared: whether they saw the same machine nobody knows.
"""
needs = ["captures"]
[columns]
earlier_capture_id = "The capture that began first; of two that began at once the one with the lower id."
earlier_ingest_id = "The attempt to ingest that wrote that capture's row."
start_ts_ns = { doc = "Where the time that both cover begins, since the epoch.", unit = "ns" }
end_ts_ns = { doc = "Where it ends, since the epoch.", unit = "ns" }
comparable = "Whether the packets of both are there; those of a pruned capture are not, and cannot be compared."
--- */
with placed as (
    select
        *,
        max(last_ts_ns)
            over (partition by host order by first_ts_ns, capture_id rows between unbounded preceding and 1 preceding)
            as before_ns,
        lead(first_ts_ns) over (partition by host order by first_ts_ns, capture_id) as next_ns
    from captures
    where host is not null and first_ts_ns is not null
),

-- Nearly all captures overlap none: only the few that do are compared with each other.
near as (
    select *
    from placed
    where first_ts_ns < before_ns or last_ts_ns > next_ns
)

select
    later.capture_id,
    later.ingest_id,
    earlier.capture_id as earlier_capture_id,
    earlier.ingest_id as earlier_ingest_id,
    later.host,
    greatest(earlier.first_ts_ns, later.first_ts_ns) as start_ts_ns,
    least(earlier.last_ts_ns, later.last_ts_ns) as end_ts_ns,
    earlier.packets_pruned_ns is null and later.packets_pruned_ns is null as comparable
from near as later
inner join near as earlier
    on
        later.host = earlier.host
        and later.last_ts_ns > earlier.first_ts_ns
        and later.first_ts_ns < earlier.last_ts_ns
        and (
            later.first_ts_ns > earlier.first_ts_ns
            or (later.first_ts_ns = earlier.first_ts_ns and later.capture_id > earlier.capture_id)
        )
