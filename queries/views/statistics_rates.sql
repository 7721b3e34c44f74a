/* ---
title = "Rate, Burst Rate and Burst Start of Wireshark's statistics"
description = """
The columns of Wireshark's windows that `ipv4_hosts`, `ipv4_src_dst`, `ipv4_protocols` and `packet_lengths` leave out, because they need every packet and those views,
but for the last, need none: one row per capture and row of those views. Where the clock is set back within a capture, the bursts can differ from Wireshark's.
"""
compare = "-o tcp.desegment_tcp_streams:FALSE -o ip.defragment:FALSE -q -z ip_hosts,tree -z ip_srcdst,tree -z ptype,tree -z plen,tree"
needs = ["packets", "_seen_traffic", "packet_lengths", "captures"]
[columns]
statistic = "The view that has the row's other columns."
direction = "'source' or 'destination' in `ipv4_src_dst`, else NULL."
item = "Value of its column `ip`, `protocol` or `bucket`."
packets = { doc = "Packets, counted as there.", unit = "packets" }
rate_per_ms = { doc = "`packets` by the time from the first to the last packet that the statistic counts; NULL when there is none.", unit = "packets/ms" }
burst_rate_per_ms = { doc = "Most packets in 20 steps of 5 ms, by those 100 ms.", unit = "packets/ms" }
burst_start_s = { doc = "When these begin, since the capture's first packet.", unit = "s" }
--- */
with beginnings as (
    select
        ingest_id,
        arg_min(ts_ns, frame_number) as first_ts_ns
    from packets
    group by ingest_id
),

timed as (
    select
        p.ingest_id,
        p.frame_number,
        p.src_ip,
        p.dst_ip,
        p.wire_length,
        p.ipv4_layers,
        f.seen_protocol,
        (p.ts_ns - b.first_ts_ns) / 1e6 as at_ms
    from packets as p
    inner join beginnings as b on p.ingest_id = b.ingest_id
    left join _seen_traffic as f on p.ingest_id = f.ingest_id and p.flow_id = f.flow_id
    where p.ts_ns is not null
),

lasting as (
    select
        ingest_id,
        arg_max(at_ms, frame_number) - arg_min(at_ms, frame_number) as all_ms,
        arg_max(at_ms, frame_number) filter (where ipv4_layers > 0) - arg_min(at_ms, frame_number) filter (where ipv4_layers > 0) as ipv4_ms
    from timed
    group by ingest_id
),

ranges as (
    select distinct
        bucket,
        min_length
    from packet_lengths
),

sides as (
    select
        ingest_id,
        'source' as direction,
        src_ip as item,
        ipv4_layers as packets,
        frame_number,
        at_ms
    from timed
    where ipv4_layers > 0
    union all
    select
        ingest_id,
        'destination' as direction,
        dst_ip as item,
        ipv4_layers as packets,
        frame_number,
        at_ms
    from timed
    where ipv4_layers > 0
),

counted as (
    select
        ingest_id,
        'ipv4_src_dst' as statistic,
        direction,
        item,
        packets,
        frame_number,
        at_ms
    from sides
    union all
    select
        ingest_id,
        'ipv4_hosts' as statistic,
        cast(null as varchar) as direction,
        item,
        packets,
        frame_number,
        at_ms
    from sides
    union all
    select
        ingest_id,
        'ipv4_protocols' as statistic,
        cast(null as varchar) as direction,
        seen_protocol as item,
        ipv4_layers as packets,
        frame_number,
        at_ms
    from timed
    where ipv4_layers > 0
    union all
    select
        t.ingest_id,
        'packet_lengths' as statistic,
        cast(null as varchar) as direction,
        r.bucket as item,
        1 as packets,
        t.frame_number,
        t.at_ms
    from timed as t
    inner join ranges as r
        on t.wire_length >= r.min_length and (r.min_length = 5120 or t.wire_length < greatest(20, 2 * r.min_length))
),

steps as (
    select
        ingest_id,
        statistic,
        direction,
        item,
        floor(at_ms / 5) as step,
        sum(packets) as packets,
        max(frame_number) as last_frame,
        arg_min(at_ms, frame_number) as begins_ms
    from counted
    group by ingest_id, statistic, direction, item, step
),

sliding as (
    select
        *,
        sum(packets) over recent as burst,
        -- Wireshark begins with an empty step at the capture's first packet.
        case when step between 0 and 19 then 0 else first_value(begins_ms) over recent end as burst_begins_ms
    from steps
    window recent as (partition by ingest_id, statistic, direction, item order by step range between 19 preceding and current row)
),

largest as (
    select
        ingest_id,
        statistic,
        direction,
        item,
        cast(sum(packets) as bigint) as packets,
        max(burst) as burst,
        arg_max(burst_begins_ms, (burst, -last_frame)) as burst_begins_ms
    from sliding
    group by ingest_id, statistic, direction, item
)

select
    c.capture_id,
    l.statistic,
    l.direction,
    l.item,
    l.packets,
    l.packets / nullif(case when l.statistic = 'packet_lengths' then d.all_ms else d.ipv4_ms end, 0) as rate_per_ms,
    l.burst / 100.0 as burst_rate_per_ms,
    l.burst_begins_ms / 1000.0 as burst_start_s
from largest as l
inner join lasting as d on l.ingest_id = d.ingest_id
inner join captures as c on l.ingest_id = c.ingest_id
