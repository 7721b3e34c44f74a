/* ---
title = "Round-trip time by server"
description = """
One row per server address and port to which a connection was asked for. Minimum, percentiles and maximum are over the handshakes with an RTT
that is not negative (`measured`); RTTs of connections with a lost SYN are among them and hold the wait, so look at `retransmitted` beside the maximum.
"""
needs = ["tcp_rtt"]
order = "connections desc, server_ip asc, server_port asc"
limit = "top"
chart = { kind = "bar", x = "server_ip", y = "median_ms" }
[params]
server = { type = "VARCHAR", help = "Only connections to this address." }
port = { type = "INTEGER", help = "Only connections to this port." }
top = { type = "INTEGER", default = 20, help = "How many servers to list, those with most connections first; 0 is all." }
[columns]
connections = { doc = "Connections asked for (a SYN was captured).", unit = "connections" }
measured = { doc = "Connections with an RTT that is not negative.", unit = "connections" }
min_ms = { doc = "Smallest RTT, SYN to SYN/ACK.", unit = "ms" }
median_ms = { doc = "Median RTT.", unit = "ms" }
p95_ms = { doc = "95th percentile of the RTT.", unit = "ms" }
max_ms = { doc = "Largest RTT.", unit = "ms" }
median_client_ms = { doc = "Median of the client's part, SYN/ACK to ACK.", unit = "ms" }
median_initial_ms = { doc = "Median of Wireshark's initial RTT.", unit = "ms" }
retransmitted = { doc = "Connections in which a SYN or SYN/ACK was sent more than once.", unit = "connections" }
failed = { doc = "Connections that did not come about: refused, unanswered, half-open, reset-by-client or bad-synack.", unit = "connections" }
clock_anomalies = { doc = "Connections with a negative duration, left out of the percentiles.", unit = "connections" }
--- */
select
    server_ip,
    server_port,
    count(*) as connections,
    count(case when rtt_ms >= 0 then 1 end) as measured,
    min(case when rtt_ms >= 0 then rtt_ms end) as min_ms,
    percentile_cont(0.5) within group (order by case when rtt_ms >= 0 then rtt_ms end) as median_ms,
    percentile_cont(0.95) within group (order by case when rtt_ms >= 0 then rtt_ms end) as p95_ms,
    max(case when rtt_ms >= 0 then rtt_ms end) as max_ms,
    percentile_cont(0.5) within group (order by case when client_rtt_ms >= 0 then client_rtt_ms end) as median_client_ms,
    percentile_cont(0.5) within group (order by case when initial_rtt_ms >= 0 then initial_rtt_ms end) as median_initial_ms,
    count(case when retransmitted then 1 end) as retransmitted,
    count(case when failed then 1 end) as failed,
    count(case when clock_anomaly then 1 end) as clock_anomalies
from tcp_rtt
where
    syn_count > 0
    and ($server is null or server_ip = $server)
    and ($port is null or server_port = $port)
group by server_ip, server_port
