"""The tables of the warehouse: the one place that says what is kept of a capture.

Every row of every table carries `ingest_id`, a random number drawn for one attempt to ingest one capture. The row of `captures`
is what makes an attempt count: the views join on `ingest_id`, so rows of an attempt that was killed, that lost a race or that a
later attempt has replaced do not exist for a reader. `capture_id` comes into the views by that join.

Times are stored once, as nanoseconds since the epoch, UTC; TIMESTAMP columns are derived from them in the views.
"""

from __future__ import annotations

from .schema import Column, Encoding, Table, Type

BOOLEAN, SMALLINT, INTEGER, BIGINT, VARCHAR = Type.BOOLEAN, Type.SMALLINT, Type.INTEGER, Type.BIGINT, Type.VARCHAR
PLAIN, DELTA = Encoding.PLAIN, Encoding.DELTA

PARTITION = Column("date", Type.DATE, "Day (UTC) of the capture's first packet; NULL for a capture without packets.")

INGEST_ID = Column("ingest_id", BIGINT, "The attempt to ingest that wrote this row; joins to `captures`.", statistics=True, nullable=False)


def _instant(name: str, of: str, doc: str) -> Column:
    """TIMESTAMP (microseconds) derived from the nanosecond column `of`."""
    return Column(name, Type.TIMESTAMP, doc, derived=f"make_timestamp({of} // 1000)")


CAPTURES = Table(
    name="captures",
    rows="One row per ingested capture file, unreadable ones too.",
    doc="What each file is, where it came from, whether all of it could be read, and the receipt: "
    "packets in the file = `packets` + `unread_records`.",
    columns=(
        Column("capture_id", VARCHAR, "BLAKE3 of the uncompressed content, 64 hex digits.", statistics=True, nullable=False, word=True),
        INGEST_ID,
        Column("source_uri", VARCHAR, "Where the file was when it was ingested, without credentials."),
        Column("file_name", VARCHAR, "Last part of `source_uri`."),
        Column("host", VARCHAR, "The machine that captured: given with --host, else from a Network Watcher path.", statistics=True),
        Column("vm", VARCHAR, "Virtual machine or scale-set instance named in a Network Watcher path."),
        Column("resource_group", VARCHAR, "Resource group named in a Network Watcher path; may be the storage account's, not the VM's."),
        Column("subscription_id", VARCHAR, "Azure subscription named in a Network Watcher path."),
        Column("tags", Type.VARCHAR_MAP, "Tags given at ingest.", nullable=False),
        Column("format", VARCHAR, "Capture format found by its magic number: 'pcap', 'pcapng', ...; NULL when not recognised."),
        Column("compression", VARCHAR, "'gzip', 'zstd', 'lz4', 'bz2', 'xz', or NULL for none."),
        Column("converted_by", VARCHAR, "Tool that converted the file before it was read, or NULL."),
        Column("file_bytes", BIGINT, "Size of the file as it was found, compressed or not.", "bytes"),
        Column("content_bytes", BIGINT, "Size of the uncompressed content.", "bytes"),
        Column("modified_ns", BIGINT, "Modification time of the file, since the epoch.", "ns"),
        Column("link_types", Type.VARCHAR_LIST, "Names of the link types of its interfaces, in order, without repeats.", nullable=False),
        Column("interfaces", INTEGER, "Number of interfaces described in the file.", "interfaces"),
        Column("snap_length", BIGINT, "Largest snapshot length of its interfaces; NULL when not limited or not stated.", "bytes"),
        Column("capture_filter", VARCHAR, "Capture filter stated in the file, if any."),
        Column("hardware", VARCHAR, "Hardware that captured, as stated in the file."),
        Column("operating_system", VARCHAR, "Operating system that captured, as stated in the file."),
        Column("capture_application", VARCHAR, "Program that captured, as stated in the file."),
        Column("comment", VARCHAR, "Comment on the capture, as stated in the file."),
        _instant("first_ts", "first_ts_ns", "Earliest packet time, UTC, cut to microseconds."),
        _instant("last_ts", "last_ts_ns", "Latest packet time, UTC, cut to microseconds."),
        Column("first_ts_ns", BIGINT, "Earliest packet time, since the epoch.", "ns", encoding=PLAIN, statistics=True),
        Column("last_ts_ns", BIGINT, "Latest packet time, since the epoch.", "ns", encoding=PLAIN, statistics=True),
        Column("date", Type.DATE, "Day (UTC) of the first packet in the file: the partition of the capture's rows in all tables."),
        Column("duration_ns", BIGINT, "Latest minus earliest packet time.", "ns", derived="last_ts_ns - first_ts_ns"),
        Column("packets", BIGINT, "Packets written to `packets`.", "packets", nullable=False),
        Column("captured_bytes", BIGINT, "Sum of captured lengths.", "bytes", nullable=False),
        Column("wire_bytes", BIGINT, "Sum of lengths on the wire.", "bytes", nullable=False),
        Column("truncated_packets", BIGINT, "Packets captured shorter than they were on the wire.", "packets", nullable=False),
        Column("undecoded_packets", BIGINT, "Packets of a link type that is not decoded.", "packets", nullable=False),
        Column("out_of_order_packets", BIGINT, "Packets with an earlier time than the packet before them.", "packets", nullable=False),
        Column("dropped_packets", BIGINT, "Packets that the capturing system says it dropped; NULL when it does not say.", "packets"),
        Column("unread_records", BIGINT, "Packet records that were found but could not be read.", "records", nullable=False),
        Column("unread_reasons", Type.BIGINT_MAP, "`unread_records` by reason.", nullable=False),
        Column("packets_pruned_ns", BIGINT, "When its rows in `packets` were pruned, since the epoch; NULL while they are there.", "ns"),
        Column("status", VARCHAR, "'complete', 'cut-short', 'damaged', 'unsupported', 'empty', 'growing' or 'interrupted' (reading failed).", nullable=False, word=True),
        Column("error", VARCHAR, "What is wrong with the file; NULL when nothing is."),
        Column("error_offset", BIGINT, "Byte in the uncompressed content where it goes wrong.", "bytes"),
        Column("decoder_version", INTEGER, "Version of the decoder that read it.", nullable=False),
        _instant("ingested_at", "ingested_ns", "When it was ingested, UTC."),
        Column("ingested_ns", BIGINT, "When it was ingested, since the epoch.", "ns", nullable=False),
    ),
)

INTERFACES = Table(
    name="interfaces",
    rows="One row per interface described in a capture.",
    doc="A classic pcap has one interface; a pcapng has one per interface description block, numbered through all its sections.",
    columns=(
        INGEST_ID,
        Column("interface_id", INTEGER, "0-based number of the interface in the capture, in file order.", nullable=False),
        Column("name", VARCHAR, "Name of the interface (if_name)."),
        Column("description", VARCHAR, "Description of the interface (if_description)."),
        Column("link_type", VARCHAR, "Link type by its LINKTYPE_ name: 'ETHERNET', 'LINUX_SLL', ...", nullable=False),
        Column("snap_length", BIGINT, "Snapshot length; NULL when not limited.", "bytes"),
        Column("ts_resolution_ns", Type.DOUBLE, "Resolution of its timestamps.", "ns"),
        Column("capture_filter", VARCHAR, "Capture filter of the interface (if_filter)."),
        Column("received_packets", BIGINT, "Packets the interface received (isb_ifrecv).", "packets"),
        Column("dropped_packets", BIGINT, "Packets dropped by the interface or the system (isb_ifdrop + isb_osdrop).", "packets"),
    ),
)

PACKETS = Table(
    name="packets",
    rows="One row per frame, in file order.",
    doc="Headers of every packet. `src_ip`, `dst_ip` and the ports are those of the innermost header that does not lie inside an "
    "ICMP error; a field is NULL where its layer is absent or was not captured.",
    quick=True,
    columns=(
        INGEST_ID,
        Column("frame_number", BIGINT, "1-based number in file order, as Wireshark's frame.number.", encoding=DELTA, nullable=False),
        _instant("ts", "ts_ns", "Time of the packet, UTC, cut to microseconds."),
        Column("ts_ns", BIGINT, "Time of the packet, since the epoch, exact.", "ns", encoding=DELTA, statistics=True),
        Column("interface_id", INTEGER, "Interface of the capture that saw it; joins to `interfaces`.", encoding=PLAIN),
        Column("captured_length", INTEGER, "Bytes of the packet in the file.", "bytes", encoding=PLAIN, nullable=False),
        Column("wire_length", BIGINT, "Bytes of the packet on the wire.", "bytes", nullable=False),
        Column("record_offset", BIGINT, "Byte in the uncompressed content where its record begins.", "bytes", encoding=DELTA, nullable=False),
        Column("link_type", VARCHAR, "Link type by its LINKTYPE_ name: 'ETHERNET', 'LINUX_SLL', ...", nullable=False),
        Column("protocols", VARCHAR, "Wireshark's protocol names from the outside in, colon-joined: 'eth:ip:tcp:tls'.", nullable=False),
        Column("eth_src", VARCHAR, "Source MAC address, outermost."),
        Column("eth_dst", VARCHAR, "Destination MAC address, outermost."),
        Column("vlan_id", SMALLINT, "VLAN identifier of the outermost tag (IEEE 802.1Q)."),
        Column("ip_version", SMALLINT, "4 or 6: version of the innermost IP header.", encoding=PLAIN),
        # No statistics: nearly all row groups have addresses on both sides of any other, and to find out which takes 2 % of an ingest.
        Column("src_ip", VARCHAR, "Source address of the innermost IP header.", word=True),
        Column("dst_ip", VARCHAR, "Destination address of the innermost IP header.", word=True),
        Column("outer_src_ip", VARCHAR, "Source address of the outermost IP header; equals `src_ip` outside tunnels.",
               derived="coalesce(tunnel_src_ip, src_ip)", word=True),
        Column("outer_dst_ip", VARCHAR, "Destination address of the outermost IP header; equals `dst_ip` outside tunnels.",
               derived="coalesce(tunnel_dst_ip, dst_ip)", word=True),
        Column("tunnel_src_ip", VARCHAR, "Source address of the outermost IP header where there are several, else NULL.", word=True),
        Column("tunnel_dst_ip", VARCHAR, "Destination address of the outermost IP header where there are several, else NULL.", word=True),
        Column("ipv4_layers", SMALLINT, "IPv4 headers in the packet, those inside ICMP errors not counted.", "headers", encoding=PLAIN, nullable=False),
        Column("ipv6_layers", SMALLINT, "IPv6 headers in the packet; those inside ICMP errors and, as in Wireshark's statistics, that of a later fragment "
               "not counted.", "headers", encoding=PLAIN, nullable=False),
        Column("ip_protocol", SMALLINT, "Protocol number after the innermost IP header and its extension headers.", encoding=PLAIN),
        Column("ip_ttl", SMALLINT, "Time to live, or hop limit, of the innermost IP header.", "hops"),
        Column("ip_id", BIGINT, "Identification of the innermost IP header; of its fragment header for IPv6.", encoding=DELTA),
        Column("ip_dscp", SMALLINT, "Differentiated services code point of the innermost IP header.", encoding=PLAIN),
        Column("ip_fragment_offset", INTEGER, "Fragment offset as in the header, in units of 8 bytes; 0 when not fragmented.", "8 bytes", encoding=PLAIN),
        Column("ip_more_fragments", BOOLEAN, "Whether more fragments follow."),
        Column("in_icmp_error", BOOLEAN, "Whether the packet is an ICMP or ICMPv6 error that carries the header of another packet.", nullable=False),
        Column("icmp_type", SMALLINT, "Type of the innermost ICMP or ICMPv6 message."),
        Column("icmp_code", SMALLINT, "Code of the innermost ICMP or ICMPv6 message."),
        Column("error_src_ip", VARCHAR, "Source address of the packet that an ICMP error is about."),
        Column("error_dst_ip", VARCHAR, "Destination address of the packet that an ICMP error is about."),
        Column("error_ip_protocol", SMALLINT, "Protocol number of the packet that an ICMP error is about."),
        Column("error_src_port", INTEGER, "Source port of the packet that an ICMP error is about."),
        Column("error_dst_port", INTEGER, "Destination port of the packet that an ICMP error is about."),
        Column("src_port", INTEGER, "Source port (TCP, UDP, SCTP, DCCP).", encoding=PLAIN),
        Column("dst_port", INTEGER, "Destination port (TCP, UDP, SCTP, DCCP).", encoding=PLAIN),
        Column("payload_length", INTEGER, "Bytes after the TCP or UDP header by the IP length fields, captured or not; NULL in fragments.",
               "bytes", encoding=PLAIN),
        Column("tcp_flags", SMALLINT, "The 12 flag bits of the TCP header; SYN 2, RST 4, PSH 8, ACK 16, FIN 1."),
        Column("tcp_seq", BIGINT, "Raw sequence number.", encoding=PLAIN),
        Column("tcp_ack", BIGINT, "Raw acknowledgment number.", encoding=PLAIN),
        Column("tcp_window", INTEGER, "Window field, not scaled.", encoding=PLAIN),
        Column("tcp_mss", INTEGER, "Maximum segment size option.", "bytes"),
        Column("tcp_window_scale", SMALLINT, "Window scale option: the shift count."),
        Column("tcp_sack_permitted", BOOLEAN, "Whether the SACK-permitted option is present; NULL without a readable TCP header."),
        Column("tcp_ts_val", BIGINT, "TSval of the timestamps option.", encoding=PLAIN),
        Column("tcp_ts_ecr", BIGINT, "TSecr of the timestamps option.", encoding=PLAIN),
        Column("stream", INTEGER, "Number of the TCP or UDP conversation in the capture, each numbered from 0.", encoding=PLAIN),
        Column("tcp_stream", INTEGER, "Number of the TCP connection in the capture, from 0; NULL in ICMP errors.",
               derived="case when tcp_flags is not null then stream end"),
        Column("udp_stream", INTEGER, "Number of the UDP conversation in the capture, from 0; NULL in ICMP errors.",
               derived="case when tcp_flags is null then stream end"),
        Column("flow_id", INTEGER, "The row of `flows` that counts this packet.", encoding=PLAIN, nullable=False),
        Column("application", VARCHAR, "Application protocol of the conversation as known when this packet came; NULL without payload."),
    ),
)

HANDSHAKES = Table(
    name="handshakes",
    rows="One row per TCP connection (stream), also for those whose start was not captured.",
    doc="How each connection was opened, or failed to be. `rtt_ns` (SYN to SYN/ACK) is the network between the capture point and the "
    "server, `client_rtt_ns` (SYN/ACK to ACK) the part to the client; never compare values of different capture points. "
    "Times that run backwards are kept negative and marked `clock_anomaly`.",
    columns=(
        INGEST_ID,
        Column("tcp_stream", INTEGER, "Number of the connection in the capture, from 0.", encoding=DELTA, nullable=False),
        Column("flow_id", INTEGER, "The row of `flows` that counts the connection's first packet.", encoding=DELTA),
        Column("client_ip", VARCHAR, "Address that sent the first SYN, else received the SYN/ACK; NULL when neither was seen.", statistics=True, word=True),
        Column("client_port", INTEGER, "Port of the client.", encoding=PLAIN),
        Column("server_ip", VARCHAR, "Address that the first SYN went to, else sent the SYN/ACK; NULL when neither was seen.", statistics=True, word=True),
        Column("server_port", INTEGER, "Port of the server."),
        Column("status", VARCHAR, "'complete', 'simultaneous', 'refused', 'unanswered', 'half-open', 'reset-by-client', 'no-synack', "
               "'bad-synack', 'no-syn' or 'midstream'.", nullable=False, word=True),
        _instant("first_ts", "first_ts_ns", "First packet of the connection, UTC."),
        _instant("syn_ts", "syn_ts_ns", "First SYN, UTC."),
        _instant("syn_ack_ts", "syn_ack_ts_ns", "First SYN/ACK that acknowledges a SYN, or the first one where no SYN was captured, UTC."),
        _instant("ack_ts", "ack_ts_ns", "Client's ACK that completes the handshake, UTC."),
        Column("first_ts_ns", BIGINT, "First packet of the connection, since the epoch.", "ns", encoding=DELTA, statistics=True),
        Column("syn_ts_ns", BIGINT, "First SYN, since the epoch.", "ns", encoding=DELTA),
        Column("syn_ack_ts_ns", BIGINT, "First SYN/ACK that acknowledges a SYN, or the first one where no SYN was captured, since the epoch.", "ns", encoding=DELTA),
        Column("ack_ts_ns", BIGINT, "Client's ACK that completes the handshake, since the epoch.", "ns", encoding=DELTA),
        Column("syn_frame", BIGINT, "Frame of the first SYN.", encoding=DELTA),
        Column("syn_ack_frame", BIGINT, "Frame of that SYN/ACK.", encoding=DELTA),
        Column("ack_frame", BIGINT, "Frame of the client's ACK that completes the handshake.", encoding=DELTA),
        Column("syn_count", INTEGER, "SYN segments without ACK.", "segments", nullable=False),
        Column("syn_ack_count", INTEGER, "SYN/ACK segments.", "segments", nullable=False),
        Column("syn_sides", SMALLINT, "How many of the two sides sent a SYN without ACK.", "sides", nullable=False),
        Column("rtt_ns", BIGINT, "First SYN to the SYN/ACK that acknowledges it; Wireshark's ack_rtt of the SYN/ACK.", "ns", encoding=PLAIN),
        Column("rtt_last_syn_ns", BIGINT, "Last SYN before that SYN/ACK to the SYN/ACK.", "ns", encoding=PLAIN),
        Column("client_rtt_ns", BIGINT, "Last SYN/ACK before the client's ACK to that ACK.", "ns", encoding=PLAIN),
        Column("handshake_ns", BIGINT, "Last SYN to the client's ACK.", "ns", encoding=PLAIN),
        Column("initial_rtt_ns", BIGINT, "Wireshark's tcp.analysis.initial_rtt: most recent SYN to the first segment with ACK and without SYN.",
               "ns", encoding=PLAIN),
        Column("rst_rtt_ns", BIGINT, "Last SYN to the RST of a refused connection.", "ns", encoding=PLAIN),
        Column("retransmitted", BOOLEAN, "Whether a SYN or SYN/ACK was sent more than once, so that the RTT is ambiguous (Karn).", nullable=False),
        Column("clock_anomaly", BOOLEAN, "Whether any of the durations is negative.", nullable=False),
        Column("reordered", BOOLEAN, "Whether the SYN/ACK is stored before its SYN though its time is later.", nullable=False),
        Column("tcp_fast_open", BOOLEAN, "Whether the SYN carried data (RFC 7413).", nullable=False),
        Column("tcp_fast_open_accepted", BOOLEAN, "Whether the SYN/ACK acknowledges that data; NULL without fast open."),
        Column("interface_id", INTEGER, "Interface that saw the first SYN, on which the RTTs were measured."),
        Column("interfaces", SMALLINT, "How many interfaces saw packets of the connection.", "interfaces", nullable=False),
        Column("duplicates", INTEGER, "Segments of the handshake that were captured again on another interface, VLAN or hop.",
               "segments", nullable=False),
        Column("completeness", SMALLINT, "Wireshark's tcp.completeness: 1 SYN, 2 SYN/ACK, 4 ACK, 8 data, 16 FIN, 32 RST.", nullable=False),
        Column("client_isn", BIGINT, "Initial sequence number of the client: from its SYN, else from the SYN/ACK that acknowledges it.", encoding=PLAIN),
        Column("server_isn", BIGINT, "Initial sequence number of the server.", encoding=PLAIN),
        Column("client_mss", INTEGER, "Maximum segment size that the client announced.", "bytes"),
        Column("server_mss", INTEGER, "Maximum segment size that the server announced.", "bytes"),
        Column("client_window_scale", SMALLINT, "Window scale that the client announced: the shift count."),
        Column("server_window_scale", SMALLINT, "Window scale that the server announced: the shift count."),
        Column("client_sack_permitted", BOOLEAN, "Whether the client's SYN permits SACK; NULL without a SYN."),
        Column("server_sack_permitted", BOOLEAN, "Whether the SYN/ACK permits SACK; NULL without a SYN/ACK."),
        Column("to_capture_end_ns", BIGINT, "From the last packet of the handshake to the last packet of the capture: "
               "a small value may mean that the file ended first.", "ns", encoding=DELTA),
    ),
)


def _each_way(name: str, doc: str, unit: str) -> tuple[Column, Column]:
    return (
        Column(f"{name}_to_server", BIGINT, f"{doc}, client to server.", unit, nullable=False),
        Column(f"{name}_to_client", BIGINT, f"{doc}, server to client.", unit, nullable=False),
    )


FLOWS = Table(
    name="flows",
    rows="One row per conversation and capture; every packet is counted in exactly one row.",
    doc="A conversation is a TCP connection, a UDP, SCTP or DCCP pair of endpoints, a pair of addresses of another protocol, or, "
    "without IP, all packets with the same protocols. Packets of one connection with different headers around it (a VLAN seen on "
    "one side, a tunnel, a tunnel whose UDP ports differ by direction as VXLAN's do) or in fragments are separate rows.",
    quick=True,
    columns=(
        INGEST_ID,
        Column("flow_id", INTEGER, "Number of the row in the capture, from 0, in order of first packets.", encoding=DELTA, nullable=False),
        Column("link_type", VARCHAR, "Link type by its LINKTYPE_ name.", nullable=False),
        Column("protocols", VARCHAR, "Wireshark's protocol names down to the transport layer, as its Protocol Hierarchy has them: 'eth:ip:tcp'. They are those "
               "of `packets`, but for what an ICMP error quotes and for names without a node there (MPLS has one for each label, NFLOG none).",
               nullable=False, statistics=True),
        Column("transport", VARCHAR, "'TCP', 'UDP', 'SCTP' or 'DCCP' where ports were read, else NULL."),
        Column("ip_version", SMALLINT, "4 or 6: version of the innermost IP header."),
        Column("ip_protocol", SMALLINT, "Protocol number after the innermost IP header and its extension headers."),
        Column("stream", INTEGER, "Number of the TCP or UDP conversation; joins to `packets` and `handshakes`.", encoding=DELTA),
        Column("client_ip", VARCHAR, "Address of the client.", statistics=True, word=True),
        Column("client_port", INTEGER, "Port of the client.", encoding=PLAIN, statistics=True),
        Column("server_ip", VARCHAR, "Address of the server.", statistics=True, word=True),
        Column("server_port", INTEGER, "Port of the server.", statistics=True),
        Column("role_source", VARCHAR, "How client and server were told apart: 'syn', 'syn-ack', 'port' (the lower or known port serves) "
               "or 'first' (the first sender is the client).", nullable=False),
        Column("first_from_client", BOOLEAN, "Whether the client sent the first packet.", nullable=False),
        Column("tunnel_client_ip", VARCHAR, "Outermost address on the client's side where there are several IP headers, else NULL.", word=True),
        Column("tunnel_server_ip", VARCHAR, "Outermost address on the server's side where there are several IP headers, else NULL.", word=True),
        Column("ip_headers", Type.IP_HEADERS, "All IP headers of each packet that Wireshark's statistics count, from the outermost to the innermost, each with the "
               "ports of a UDP header that it carries; NULL where there is no more than one IP header."),
        Column("ipv4_layers", SMALLINT, "IPv4 headers in each packet, those inside ICMP errors not counted.", "headers", encoding=PLAIN, nullable=False),
        Column("ipv6_layers", SMALLINT, "IPv6 headers in each packet; those inside ICMP errors and, as in Wireshark's statistics, those of later "
               "fragments not counted.", "headers", encoding=PLAIN, nullable=False),
        Column("in_icmp_error", BOOLEAN, "Whether the packets are ICMP errors that carry the header of another packet.", nullable=False),
        Column("tcp_header_cut", BOOLEAN, "Whether the TCP headers were not captured to the end that they state, or state an impossible one: "
               "Wireshark's TCP conversations and endpoints leave such segments out.", nullable=False),
        Column("error_ip_protocol", SMALLINT, "Protocol number of the packets that the ICMP errors are about."),
        Column("error_src_port", INTEGER, "Source port of the packets that the ICMP errors are about."),
        Column("error_dst_port", INTEGER, "Destination port of the packets that the ICMP errors are about."),
        Column("application", VARCHAR, "Application protocol, by signature or port; NULL when none was found.", statistics=True),
        Column("application_source", VARCHAR, "How it was found: 'sig', 'sig+port', 'port' or 'rtp'; NULL when none was found."),
        Column("community_id", VARCHAR, "Community ID version 1, the key that Zeek, Suricata and Arkime share; NULL for ICMP, ICMP errors and fragments.",
               derived="case when in_icmp_error then null else community_id(ip_protocol, client_ip, client_port, server_ip, server_port) end"),
        *_each_way("packets", "Packets", "packets"),
        *_each_way("bytes", "Bytes on the wire", "bytes"),
        *_each_way("payload_packets", "Packets with transport payload", "packets"),
        *_each_way("payload_packet_bytes", "Bytes on the wire of packets with transport payload", "bytes"),
        *_each_way("payload_bytes", "Bytes of transport payload by the IP length fields", "bytes"),
        _instant("first_ts", "first_ts_ns", "First packet, UTC."),
        _instant("last_ts", "last_ts_ns", "Last packet, UTC."),
        Column("first_ts_ns", BIGINT, "Time of the first packet, since the epoch.", "ns", encoding=DELTA, statistics=True),
        Column("last_ts_ns", BIGINT, "Time of the last packet in file order, since the epoch.", "ns", encoding=DELTA, statistics=True),
        Column("first_frame", BIGINT, "Frame number of the first packet.", encoding=DELTA, nullable=False),
    ),
)

FLOW_MINUTES = Table(
    name="flow_minutes",
    rows="One row per flow and minute in which it has packets.",
    doc="The rollup that reports over time read instead of `packets`.",
    columns=(
        INGEST_ID,
        Column("flow_id", INTEGER, "The row of `flows`.", encoding=DELTA, nullable=False),
        Column("minute", INTEGER, "Minutes since the epoch, UTC.", "minutes", statistics=True),
        _instant("minute_ts", "(minute::bigint * 60000000000)", "Start of the minute, UTC."),
        *_each_way("packets", "Packets", "packets"),
        *_each_way("bytes", "Bytes on the wire", "bytes"),
        *_each_way("payload_packets", "Packets with transport payload", "packets"),
        *_each_way("payload_packet_bytes", "Bytes on the wire of packets with transport payload", "bytes"),
    ),
)

ADDRESSES = Table(
    name="addresses",
    rows="One row per IP address and capture.",
    doc="Every IP address that occurs as source or destination, so that tests on networks (CIDR) are range tests on a small table.",
    columns=(
        INGEST_ID,
        Column("ip", VARCHAR, "The address as text (RFC 5952 for IPv6).", statistics=True, nullable=False),
        Column("family", SMALLINT, "4 or 6.", nullable=False),
        Column("hex", VARCHAR, "The 16 bytes of the address as 32 hex digits, IPv4 mapped into ::ffff:0:0/96; sorts as addresses do.",
               encoding=PLAIN, statistics=True, nullable=False),
    ),
)

TABLES: tuple[Table, ...] = (CAPTURES, INTERFACES, PACKETS, FLOWS, FLOW_MINUTES, HANDSHAKES, ADDRESSES)
"""All tables. `captures` comes first: a reader takes its snapshot first, a writer commits it last."""

BY_NAME: dict[str, Table] = {table.name: table for table in TABLES}
