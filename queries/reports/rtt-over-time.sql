/* ---
title = "Round-trip time over time"
description = """
One row per period in which a connection was asked for; a connection belongs to the period of its first packet. Percentiles are over the
handshakes with an RTT that is not negative (`measured`).
"""
needs = ["tcp_rtt"]
order = "start_ts asc"
chart = { kind = "line", x = "start_ts", y = "median_ms" }
[params]
minutes = { type = "INTEGER", default = 60, help = "Length of a period in minutes; 1440 is a day (UTC)." }
server = { type = "VARCHAR", help = "Only connections to this address." }
port = { type = "INTEGER", help = "Only connections to this port." }
[columns]
start_ts = "Start of the period, UTC."
connections = { doc = "Connections asked for (a SYN was captured).", unit = "connections" }
measured = { doc = "Connections with an RTT that is not negative.", unit = "connections" }
min_ms = { doc = "Smallest RTT, SYN to SYN/ACK.", unit = "ms" }
median_ms = { doc = "Median RTT.", unit = "ms" }
p95_ms = { doc = "95th percentile of the RTT.", unit = "ms" }
max_ms = { doc = "Largest RTT.", unit = "ms" }
retransmitted = { doc = "Connections in which a SYN or SYN/ACK was sent more than once.", unit = "connections" }
failed = { doc = "Connections that did not come about: refused, unanswered, half-open, reset-by-client or bad-synack.", unit = "connections" }
--- */
with placed as (
    select
        *,
        cast(floor(first_ts_ns / (greatest($minutes, 1) * 6e10)) as bigint) * greatest($minutes, 1) as start_minute
    from tcp_rtt
    where
        syn_count > 0
        and first_ts_ns is not null
        and ($server is null or server_ip = $server)
        and ($port is null or server_port = $port)
)

select
    make_timestamp(start_minute * 60000000) as start_ts,
    count(*) as connections,
    count(case when rtt_ms >= 0 then 1 end) as measured,
    min(case when rtt_ms >= 0 then rtt_ms end) as min_ms,
    percentile_cont(0.5) within group (order by case when rtt_ms >= 0 then rtt_ms end) as median_ms,
    percentile_cont(0.95) within group (order by case when rtt_ms >= 0 then rtt_ms end) as p95_ms,
    max(case when rtt_ms >= 0 then rtt_ms end) as max_ms,
    count(case when retransmitted then 1 end) as retransmitted,
    count(case when failed then 1 end) as failed
from placed
group by start_minute
