/* ---
title = "Traffic with the protocol and the ports that Wireshark's statistics see"
description = """
The rows of `traffic` with the transport as it is at the end of dissection: an ICMP error takes protocol and destination port of the packet that it is about.
"""
needs = ["traffic"]
[columns]
seen_protocol = "'TCP', 'UDP', 'SCTP', 'DCCP', or 'NONE' where no ports were read; of the embedded packet in ICMP errors."
seen_server_port = "Destination port that goes with `seen_protocol` of packets to the server; 0 for 'NONE'."
seen_client_port = "The same of packets to the client."
--- */
with named as (
    select
        *,
        case
            when not in_icmp_error then coalesce(transport, 'NONE')
            when error_dst_port is null then 'NONE'
            when error_ip_protocol = 6 then 'TCP'
            when error_ip_protocol in (17, 136) then 'UDP'
            when error_ip_protocol = 132 then 'SCTP'
            when error_ip_protocol = 33 then 'DCCP'
            else 'NONE'
        end as seen_protocol
    from traffic
)

select
    *,
    case
        when seen_protocol = 'NONE' then 0
        when in_icmp_error then error_dst_port
        else server_port
    end as seen_server_port,
    case
        when seen_protocol = 'NONE' then 0
        when in_icmp_error then error_dst_port
        else client_port
    end as seen_client_port
from named
