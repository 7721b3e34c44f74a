/* ---
title = "Conversations"
description = """
Who talked with whom, by service: one row per client, server, transport protocol and server port, over all captures asked for, most bytes first.
The server is the side that a connection was opened to; where no opening was captured, the side with the known or lower port. ICMP errors are left out.
"""
needs = ["traffic"]
order = "bytes_to_server + bytes_to_client desc, client_ip asc, server_ip asc, protocol asc, server_port asc"
[params]
ip = { type = "VARCHAR", help = "Only conversations with this address on either side." }
port = { type = "INTEGER", help = "Only conversations with this port on the server's side." }
top = { type = "INTEGER", default = 20, help = "How many rows to list; 0 is all." }
[columns]
protocol = "Transport protocol, or the last of `protocols` where no ports were read."
applications = "Application protocols found, comma-separated, NULL when none was found."
flows = { doc = "Flows: connections, for TCP.", unit = "flows" }
packets_to_server = { doc = "Packets, client to server.", unit = "packets" }
packets_to_client = { doc = "Packets, server to client.", unit = "packets" }
bytes_to_server = { doc = "Bytes on the wire, client to server.", unit = "bytes" }
bytes_to_client = { doc = "Bytes on the wire, server to client.", unit = "bytes" }
first_seen = "First packet of the earliest flow, UTC."
last_seen = "Last packet of the latest flow, UTC."
--- */
with talks as not materialized (
    select
        client_ip,
        server_ip,
        coalesce(transport, regexp_replace(protocols, '.*:', '')) as protocol,
        server_port,
        application,
        packets_to_server,
        packets_to_client,
        bytes_to_server,
        bytes_to_client,
        first_ts,
        last_ts
    from traffic
    where
        client_ip is not null
        and server_ip is not null
        and not in_icmp_error
        and ($ip is null or client_ip = $ip or server_ip = $ip)
        and ($port is null or server_port = $port)
),

-- Most clients cannot be in a conversation that is listed: $top conversations at least have the bytes of the largest flow of some
-- client, and a client with fewer bytes in all its flows has no larger conversation. Grouping by client alone is several times
-- cheaper than by conversation. Example: with $top = 2 and clients that have flows of 9 and 1, of 5, and of 2 and 2 bytes, the two
-- largest are 9 and 5, so that the third client, with 4 bytes, is left out.
clients as (
    select
        client_ip,
        sum(bytes_to_server + bytes_to_client) as bytes,
        max(bytes_to_server + bytes_to_client) as largest
    from talks
    group by client_ip
),

largest_flows as (
    select largest
    from clients
    order by largest desc
    limit $top
),

enough as (select case when $top > 0 and count(*) = $top then min(largest) else 0 end as bytes from largest_flows),

candidates as (
    select clients.client_ip
    from clients
    cross join enough
    where clients.bytes >= enough.bytes
),

-- Kept, because what is listed and the counts of it are both made of these few.
their_talks as materialized (
    select t.*
    from talks as t
    inner join candidates as c on t.client_ip = c.client_ip
),

-- Sums of bytes tell what is listed, and all else is counted for that alone.
sums as (
    select
        client_ip,
        server_ip,
        protocol,
        server_port,
        sum(bytes_to_server + bytes_to_client) as bytes
    from their_talks
    group by client_ip, server_ip, protocol, server_port
),

listed as materialized (
    select *
    from sums
    order by bytes desc, client_ip asc, server_ip asc, protocol asc, server_port asc
    limit nullif($top, 0)
)

select
    t.client_ip,
    t.server_ip,
    t.protocol,
    t.server_port,
    string_agg(distinct t.application, ', ' order by t.application) as applications,
    count(*) as flows,
    cast(sum(t.packets_to_server) as bigint) as packets_to_server,
    cast(sum(t.packets_to_client) as bigint) as packets_to_client,
    cast(sum(t.bytes_to_server) as bigint) as bytes_to_server,
    cast(sum(t.bytes_to_client) as bigint) as bytes_to_client,
    min(t.first_ts) as first_seen,
    max(t.last_ts) as last_seen
from their_talks as t
inner join listed as l
    on
        t.client_ip = l.client_ip
        and t.server_ip = l.server_ip
        and t.protocol = l.protocol
        and t.server_port is not distinct from l.server_port
group by t.client_ip, t.server_ip, t.protocol, t.server_port
