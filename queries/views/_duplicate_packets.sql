/* ---
title = "Packets that an earlier capture of the same host has, too"
description = """
One row per such packet and earlier capture. In the time that two captures of one host share, packets are the same when all header fields that are kept
are equal and their times are within 0.1 ms: two programs on one machine that capture the same packet stamp it at the same time, or nearly so, and in another resolution.
Of packets that are alike (a storm, or frames without an identification) each is paired with at most one, and only those that are nearest to
each other. Example: the earlier capture has three alike, 20 us apart, the later one the first and the third of them, stamped 3 us later: both are marked.
"""
needs = ["overlapping_captures", "_overlapping_packets"]
[columns]
earlier_capture_id = "The capture that has it, too."
earlier_frame_number = "Its number there."
earlier_ts_ns = { doc = "Its time there, since the epoch.", unit = "ns" }
--- */
with sides as (
    select
        ingest_id as later_id,
        earlier_ingest_id as earlier_id,
        earlier_capture_id,
        start_ts_ns - 100000 as from_ns,
        end_ts_ns + 100000 as to_ns
    from overlapping_captures
),

seen as (
    select
        s.later_id,
        s.earlier_id,
        s.earlier_capture_id,
        p.ingest_id = s.later_id as is_later,
        p.capture_id,
        p.ingest_id,
        p.frame_number,
        p.ts_ns,
        p.flow_id,
        p.wire_length,
        p.payload_length,
        p.src_ip,
        p.dst_ip,
        p.src_port,
        p.dst_port,
        hash(
            p.link_type, p.protocols, p.wire_length, p.eth_src, p.eth_dst, p.vlan_id, p.src_ip, p.dst_ip, p.tunnel_src_ip, p.tunnel_dst_ip,
            p.ip_protocol, p.ip_ttl, p.ip_id, p.ip_dscp, p.ip_fragment_offset, p.icmp_type, p.icmp_code, p.src_port, p.dst_port,
            p.payload_length, p.tcp_flags, p.tcp_seq, p.tcp_ack, p.tcp_window, p.tcp_ts_val, p.tcp_ts_ecr,
            p.error_src_ip, p.error_dst_ip, p.error_src_port, p.error_dst_port
        ) as headers
    from sides as s
    inner join _overlapping_packets as p on p.ingest_id in (s.later_id, s.earlier_id) and p.ts_ns between s.from_ns and s.to_ns
),

-- Of packets that are alike and stamped in the same microsecond, the first of one capture belongs to the first of the other, and so on.
counted as (
    select
        *,
        ts_ns // 1000 as ts_us,
        row_number() over (partition by later_id, earlier_id, headers, is_later, ts_ns // 1000 order by frame_number) as place
    from seen
),

neighbours as (
    select
        *,
        last_value(case when is_later then null else frame_number end ignore nulls) over past as earlier_before,
        last_value(case when is_later then null else ts_us end ignore nulls) over past as earlier_before_us,
        first_value(case when is_later then null else frame_number end ignore nulls) over future as earlier_after,
        first_value(case when is_later then null else ts_us end ignore nulls) over future as earlier_after_us,
        last_value(case when is_later then frame_number end ignore nulls) over past as later_before,
        last_value(case when is_later then ts_us end ignore nulls) over past as later_before_us,
        first_value(case when is_later then frame_number end ignore nulls) over future as later_after,
        first_value(case when is_later then ts_us end ignore nulls) over future as later_after_us
    from counted
    window
        past as (
            partition by later_id, earlier_id, headers
            order by ts_us, place, is_later rows between unbounded preceding and 1 preceding
        ),
        future as (
            partition by later_id, earlier_id, headers
            order by ts_us, place, is_later rows between 1 following and unbounded following
        )
),

nearest as (
    select
        *,
        case
            when is_later and (earlier_after_us is null or ts_us - earlier_before_us <= earlier_after_us - ts_us) then earlier_before
            when is_later then earlier_after
            when later_before_us is null or later_after_us - ts_us <= ts_us - later_before_us then later_after
            else later_before
        end as partner
    from neighbours
)

select
    later.capture_id,
    later.ingest_id,
    later.frame_number,
    later.ts_ns,
    later.flow_id,
    later.wire_length,
    later.payload_length,
    later.src_ip,
    later.dst_ip,
    later.src_port,
    later.dst_port,
    later.earlier_capture_id,
    earlier.frame_number as earlier_frame_number,
    earlier.ts_ns as earlier_ts_ns
from nearest as later
inner join nearest as earlier
    on
        later.later_id = earlier.later_id
        and later.earlier_id = earlier.earlier_id
        and later.is_later
        and not earlier.is_later
        and later.partner = earlier.frame_number
        and later.frame_number = earlier.partner
        and later.ts_us between earlier.ts_us - 100 and earlier.ts_us + 100
