/* ---
title = "Unwanted protocols"
description = """
Who uses protocols that are not wanted on most networks: peer-to-peer file sharing and crypto mining, or those given. One row per protocol, client, server
and port, most bytes first. `evidence` says how the application was told: 'sig' by its first bytes, 'port' by the port alone. Encrypted BitTorrent (MSE)
and uTP that began before the capture cannot be told by signature.
"""
needs = ["traffic", "captures"]
order = "bytes desc, protocol asc, client_ip asc, server_ip asc, server_port asc"
limit = "top"
[params]
protocols = { type = "VARCHAR", default = "bittorrent,bt-dht,bt-tracker,bt-utp,edonkey,gnutella,directconnect,soulseek,bitcoin,stratum", help = "Names to look for, comma-separated: applications, or protocols of the path such as gre." }
top = { type = "INTEGER", default = 50, help = "How many rows to list; 0 is all." }
[columns]
protocol = "The protocol that was looked for."
evidence = "How the application was found, comma-separated where flows differ; NULL for a protocol of the path."
flows = { doc = "Flows.", unit = "flows" }
packets = { doc = "Packets in both directions.", unit = "packets" }
bytes = { doc = "Bytes on the wire in both directions.", unit = "bytes" }
first_seen = "First packet of the earliest flow, UTC."
last_seen = "Last packet of the latest flow, UTC."
captures = { doc = "Captures in which it occurs.", unit = "captures" }
hosts = "Hosts of those captures, comma-separated, NULL when none is known."
--- */
with listed as (select unnest(string_split($protocols, ',')) as name),

wanted as (select distinct trim(name) as name from listed),

kinds as (
    select distinct
        application,
        protocols
    from traffic
),

-- Few kinds of flows are compared with the names, instead of every flow.
found as (
    select
        w.name as protocol,
        k.application,
        k.protocols
    from kinds as k
    inner join wanted as w
        on k.application = w.name or concat(':', k.protocols, ':') like concat('%:', w.name, ':%')
)

select
    f.protocol,
    t.client_ip,
    t.server_ip,
    t.server_port,
    string_agg(distinct t.application_source, ', ' order by t.application_source) as evidence,
    count(*) as flows,
    cast(sum(t.packets_to_server + t.packets_to_client) as bigint) as packets,
    cast(sum(t.bytes_to_server + t.bytes_to_client) as bigint) as bytes,
    min(t.first_ts) as first_seen,
    max(t.last_ts) as last_seen,
    count(distinct t.ingest_id) as captures,
    string_agg(distinct c.host, ', ' order by c.host) as hosts
from found as f
inner join traffic as t on f.protocols = t.protocols and f.application is not distinct from t.application
inner join captures as c on t.ingest_id = c.ingest_id
group by f.protocol, t.client_ip, t.server_ip, t.server_port
