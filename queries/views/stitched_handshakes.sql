/* ---
title = "TCP handshakes across the captures of one host"
description = """
One row per TCP connection, also where it is in several captures of one host: cut by the end of a file of a ring, or seen by two sessions at once. Pieces are one connection when host and both ends are
the same and the initial sequence numbers, where seen, agree; a piece without SYN and SYN/ACK belongs to the connection before it unless more than 240 s lie between the captures.
Of several pieces the one that tells most is taken, and what it lacks is completed: a SYN at the end of one file and its SYN/ACK in the next give `rtt_ns`, a SYN/ACK at the end and the client's first packet in the next `client_rtt_ns`.
Limits: a handshake cut in two whose first half was seen with fast open data is not completed; `initial_rtt_ns` of a cut handshake ends with the client's ACK; captures without a known host
stand alone; the clock of a host must not have been set between the pieces.
"""
needs = ["_stitched_pieces"]
[columns]
capture_id = "The capture with the piece that tells most."
host = "The machine that captured; NULL when not known."
status = "As in `handshakes`, over all pieces."
captures = { doc = "Captures that have a piece of the connection.", unit = "captures" }
completed = "Whether something was taken from another capture than `capture_id`."
first_ts_ns = { doc = "First packet of the connection, since the epoch.", unit = "ns" }
last_capture_id = "The capture with the piece that begins last."
--- */
with ranked as (
    select
        *,
        row_number() over (
            partition by host_key, low_end, high_end, connection
            order by
                case
                    when ack_ts_ns is not null and syn_count > 0 then 0
                    when rtt_ns is not null then 1
                    when rst_rtt_ns is not null then 2
                    when syn_count > 0 then 3
                    when syn_ack_count > 0 then 4
                    else 5
                end,
                first_ts_ns,
                ingest_id,
                tcp_stream
        ) as place
    from _stitched_pieces
),

best as (
    select
        *,
        concat(client_ip, ' ', cast(client_port as varchar)) as client_end
    from ranked
    where place = 1
),

-- What each piece can add to the best one: SYNs before it, a SYN/ACK for it, its first packet after it.
offered as (
    select
        p.*,
        case when p.syn_count > 0 and p.capture_end_ns < b.first_ts_ns then p.syn_ts_ns end as earlier_syn_ts_ns,
        p.syn_count = 0 and p.syn_ack_count > 0 and p.client_isn = b.client_isn and p.client_ip = b.client_ip as answers,
        case when p.status = 'midstream' and p.first_ts_ns > b.last_seen_ns then p.first_ts_ns end as next_ts_ns
    from best as b
    inner join ranked as p
        on
            b.host_key = p.host_key
            and b.low_end = p.low_end
            and b.high_end = p.high_end
            and b.connection = p.connection
),

summed as (
    select
        host_key,
        low_end,
        high_end,
        connection,
        count(distinct ingest_id) as captures,
        min(first_ts_ns) as begin_ts_ns,
        max_by(capture_id, first_ts_ns) as last_capture_id,
        max_by(to_capture_end_ns, first_ts_ns) as last_to_capture_end_ns,
        bit_or(completeness) as seen,
        min(earlier_syn_ts_ns) as earlier_syn_ts_ns,
        coalesce(sum(case when earlier_syn_ts_ns is not null then syn_count end), 0) as earlier_syns,
        min(case when answers then syn_ack_ts_ns end) as other_syn_ack_ts_ns,
        min(case when answers then server_isn end) as other_server_isn,
        max(case when answers then syn_ack_count end) as other_syn_acks,
        min(case when answers then ack_ts_ns end) as other_ack_ts_ns,
        min(next_ts_ns) as next_ts_ns,
        min_by(sender, next_ts_ns) as next_sender,
        min_by(completeness, next_ts_ns) as next_seen
    from offered
    group by host_key, low_end, high_end, connection
),

-- Only a handshake that stopped half-way is completed. Bits of completeness: 4 ACK, 8 data, 32 RST; RST without data is all there was.
judged as (
    select
        b.*,
        p.captures,
        p.begin_ts_ns,
        p.last_capture_id,
        p.last_to_capture_end_ns,
        p.seen,
        p.earlier_syn_ts_ns,
        p.earlier_syns,
        p.other_syn_ack_ts_ns,
        p.other_server_isn,
        p.other_syn_acks,
        p.other_ack_ts_ns,
        p.next_ts_ns,
        p.next_seen,
        b.status = 'unanswered' and p.other_syn_ack_ts_ns is not null as is_answered,
        b.status = 'unanswered' and p.other_syn_ack_ts_ns is null and p.next_seen & 40 = 32 and p.next_sender <> b.client_end as is_refused,
        b.status = 'unanswered' and p.other_syn_ack_ts_ns is null and p.next_seen & 12 <> 0 and p.next_seen & 40 <> 32 as is_one_way,
        b.status = 'half-open' and p.next_seen & 40 = 32 and p.next_sender = b.client_end as is_reset,
        p.next_sender = b.client_end and p.next_seen & 40 <> 32 as client_goes_on,
        coalesce(p.next_seen & 12 <> 0 and p.next_seen & 40 <> 32, false) as goes_on,
        case
            when b.status = 'unanswered' then b.last_seen_ns
            when b.rtt_last_syn_ns is not null then b.syn_ack_ts_ns - b.rtt_last_syn_ns
        end as last_syn_ts_ns
    from best as b
    inner join summed as p
        on
            b.host_key = p.host_key
            and b.low_end = p.low_end
            and b.high_end = p.high_end
            and b.connection = p.connection
),

timed as (
    select
        *,
        coalesce(earlier_syn_ts_ns, syn_ts_ns) as first_syn_ts_ns,
        case when is_answered then other_syn_ack_ts_ns else syn_ack_ts_ns end as its_syn_ack_ts_ns,
        case
            when is_answered then coalesce(other_ack_ts_ns, case when client_goes_on then next_ts_ns end)
            when status = 'half-open' and syn_ack_ts_ns is not null and client_goes_on then next_ts_ns
            else ack_ts_ns
        end as its_ack_ts_ns
    from judged
),

measured as (
    select
        *,
        ack_ts_ns is null and its_ack_ts_ns is not null as is_acked,
        case
            when is_answered then its_syn_ack_ts_ns - first_syn_ts_ns
            else rtt_ns + coalesce(syn_ts_ns - earlier_syn_ts_ns, 0)
        end as its_rtt_ns,
        case
            when is_answered then its_syn_ack_ts_ns - last_syn_ts_ns
            else rtt_last_syn_ns
        end as its_rtt_last_syn_ns,
        case
            when is_answered and other_syn_acks = 1 then its_ack_ts_ns - its_syn_ack_ts_ns
            when is_answered or ack_ts_ns is not null or its_ack_ts_ns is null then client_rtt_ns
            when last_seen_ns >= its_syn_ack_ts_ns then its_ack_ts_ns - last_seen_ns
        end as its_client_rtt_ns
    from timed
),

completed as (
    select
        *,
        case when is_acked then its_ack_ts_ns - last_syn_ts_ns else handshake_ns end as its_handshake_ns,
        case
            when is_acked or (is_refused and next_seen & 4 = 4) then coalesce(its_ack_ts_ns, next_ts_ns) - last_syn_ts_ns else
                initial_rtt_ns
        end
            as its_initial_rtt_ns,
        case when is_refused then next_ts_ns - last_syn_ts_ns else rst_rtt_ns end as its_rst_rtt_ns,
        case
            when is_refused then 'refused'
            when is_one_way then 'no-synack'
            when is_reset then 'reset-by-client'
            when is_answered and its_ack_ts_ns is null and not goes_on then 'half-open'
            when is_answered or (status = 'half-open' and (is_acked or goes_on)) then 'complete'
            else status
        end as its_status
    from measured
)

select
    capture_id,
    ingest_id,
    tcp_stream,
    flow_id,
    client_ip,
    client_port,
    server_ip,
    server_port,
    its_status as status,
    make_timestamp(begin_ts_ns // 1000) as first_ts,
    make_timestamp(first_syn_ts_ns // 1000) as syn_ts,
    make_timestamp(its_syn_ack_ts_ns // 1000) as syn_ack_ts,
    make_timestamp(its_ack_ts_ns // 1000) as ack_ts,
    begin_ts_ns as first_ts_ns,
    first_syn_ts_ns as syn_ts_ns,
    its_syn_ack_ts_ns as syn_ack_ts_ns,
    its_ack_ts_ns as ack_ts_ns,
    syn_frame,
    cast(syn_count + earlier_syns as integer) as syn_count,
    case when is_answered then other_syn_acks else syn_ack_count end as syn_ack_count,
    its_rtt_ns as rtt_ns,
    its_rtt_last_syn_ns as rtt_last_syn_ns,
    its_client_rtt_ns as client_rtt_ns,
    its_handshake_ns as handshake_ns,
    its_initial_rtt_ns as initial_rtt_ns,
    its_rst_rtt_ns as rst_rtt_ns,
    retransmitted or syn_count + earlier_syns > 1 or coalesce(is_answered and other_syn_acks > 1, false) as retransmitted,
    clock_anomaly or least(
        coalesce(its_rtt_ns, 0), coalesce(its_client_rtt_ns, 0), coalesce(its_handshake_ns, 0), coalesce(its_rst_rtt_ns, 0)
    ) < 0 as clock_anomaly,
    seen as completeness,
    client_isn,
    case when is_answered then other_server_isn else server_isn end as server_isn,
    last_to_capture_end_ns as to_capture_end_ns,
    host,
    captures,
    last_capture_id,
    coalesce(is_answered or is_refused or is_one_way or is_acked or its_status <> status, false) or earlier_syns > 0 as completed
from completed
