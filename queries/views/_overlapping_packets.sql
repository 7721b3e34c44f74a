/* ---
title = "Packets of captures that overlap others"
description = """
What `_duplicate_packets` compares. The engine reads it from only those files that may have such packets, within the time asked for.
"""
needs = ["packets", "overlapping_captures"]
--- */
with concerned as (
    select ingest_id
    from overlapping_captures
    union
    select earlier_ingest_id as ingest_id
    from overlapping_captures
)

select p.*
from packets as p
inner join concerned as c on p.ingest_id = c.ingest_id
