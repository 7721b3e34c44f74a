/* ---
title = "Statistics > Packet Lengths"
description = "One row per capture and range of lengths on the wire that occurs, with Wireshark's ranges. Rates and bursts are in `statistics_rates`."
compare = "-q -z plen,tree"
needs = ["packets", "captures"]
[columns]
bucket = "The range as Wireshark writes it: '40-79', ..., '5120 and greater'."
min_length = { doc = "Smallest length in the range, by which to sort.", unit = "bytes" }
packets = { doc = "Packets.", unit = "packets" }
average_bytes = { doc = "Mean length.", unit = "bytes" }
min_bytes = { doc = "Smallest length that occurs.", unit = "bytes" }
max_bytes = { doc = "Largest length that occurs.", unit = "bytes" }
percent = { doc = "Of the capture's packets.", unit = "%" }
--- */
with sorted as (
    select
        ingest_id,
        wire_length,
        case
            when wire_length < 20 then 0
            when wire_length < 40 then 20
            when wire_length < 80 then 40
            when wire_length < 160 then 80
            when wire_length < 320 then 160
            when wire_length < 640 then 320
            when wire_length < 1280 then 640
            when wire_length < 2560 then 1280
            when wire_length < 5120 then 2560
            else 5120
        end as min_length
    from packets
),

counted as (
    select
        ingest_id,
        min_length,
        count(*) as packets,
        avg(wire_length) as average_bytes,
        min(wire_length) as min_bytes,
        max(wire_length) as max_bytes
    from sorted
    group by ingest_id, min_length
)

select
    c.capture_id,
    case
        when n.min_length = 0 then '0-19'
        when n.min_length = 5120 then '5120 and greater'
        else concat(cast(n.min_length as varchar), '-', cast(2 * n.min_length - 1 as varchar))
    end as bucket,
    n.min_length,
    n.packets,
    n.average_bytes,
    n.min_bytes,
    n.max_bytes,
    100.0 * n.packets / sum(n.packets) over (partition by n.ingest_id) as percent
from counted as n
inner join captures as c on n.ingest_id = c.ingest_id
