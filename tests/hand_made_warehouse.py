"""A small warehouse whose answers are computed by hand in the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from caphouse.warehouse.schema import Table, Type
from caphouse.warehouse.store import Warehouse
from caphouse.warehouse.tables import BY_NAME

Row = Mapping[str, object]

SECOND = 1_000_000_000
MS = 1_000_000


def ns(text: str) -> int:
    """Nanoseconds since the epoch of a whole second in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


ZERO: Mapping[Type, object] = {
    Type.BOOLEAN: False,
    Type.SMALLINT: 0,
    Type.INTEGER: 0,
    Type.BIGINT: 0,
    Type.VARCHAR: "",
    Type.VARCHAR_LIST: [],
    Type.VARCHAR_MAP: {},
    Type.BIGINT_MAP: {},
}


def full_row(table: Table, given: Row) -> dict[str, object]:
    """The row with NULL, or zero where NULL is not allowed, in the columns not given."""
    assert not set(given) - {column.name for column in table.stored}, set(given)
    return {
        column.name: given[column.name] if column.name in given else None if column.nullable else ZERO[column.type]
        for column in table.stored
    }


def arrow(name: str, rows: list[Row]) -> pa.Table:
    """Rows of a table as Arrow, complete."""
    table = BY_NAME[name]
    complete = []
    for row in rows:
        filled = full_row(table, row)
        complete.append({key: list(value.items()) if isinstance(value, dict) else value for key, value in filled.items()})
    return pa.Table.from_pylist(complete, schema=table.arrow_schema)


def make_warehouse(path: str | Path, captures: Sequence[Row], rows: Mapping[str, list[Row]]) -> Warehouse:
    """A warehouse with these rows of `captures` and of the other tables, which name their `ingest_id`."""
    warehouse = Warehouse.create(path)
    for capture in captures:
        first = capture.get("first_ts_ns")
        date = datetime.fromtimestamp(first // SECOND, UTC).date() if isinstance(first, int) else None
        with warehouse.writer() as writer:
            for name, all_rows in rows.items():
                own = [row for row in all_rows if row["ingest_id"] == capture["ingest_id"]]
                if own:
                    writer.write(name, arrow(name, own), date)
            files = writer.finish()
        warehouse.commit(files, [full_row(BY_NAME["captures"], {**capture, "date": date})])
    return warehouse


A, B = "a" * 64, "b" * 64
DAY1, DAY2 = ns("2026-03-01 10:00:00"), ns("2026-03-02 10:00:00")


def _flow(ingest_id: int, flow_id: int, protocols: str, **columns: object) -> Row:
    ports = {"eth:ip:tcp": ("TCP", 6), "eth:ip:udp": ("UDP", 17)}
    transport, number = ports.get(protocols, (None, None))
    return {
        "ingest_id": ingest_id,
        "flow_id": flow_id,
        "protocols": protocols,
        "link_type": "ETHERNET",
        "role_source": "syn",
        "transport": transport,
        "ip_protocol": number,
        "first_from_client": True,
        **columns,
    }


def _header(client_ip: str, server_ip: str, client_port: int | None = None, server_port: int | None = None) -> Row:
    return {"client_ip": client_ip, "client_udp_port": client_port, "server_ip": server_ip, "server_udp_port": server_port}


def _minute(ingest_id: int, flow_id: int, minute: int, server: tuple[int, int, int, int], client: tuple[int, int, int, int]) -> Row:
    """Each way: packets, bytes, packets with payload, their bytes."""
    names = ("packets", "bytes", "payload_packets", "payload_packet_bytes")
    there = {f"{name}_to_server": value for name, value in zip(names, server, strict=True)}
    back = {f"{name}_to_client": value for name, value in zip(names, client, strict=True)}
    return {"ingest_id": ingest_id, "flow_id": flow_id, "minute": minute, **there, **back}


CAPTURES: list[Row] = [
    {
        "capture_id": A,
        "ingest_id": 11,
        "file_name": "one.pcap",
        "source_uri": "/captures/one.pcap",
        "host": "web-1",
        "format": "pcap",
        "status": "complete",
        "packets": 23,
        "wire_bytes": 3000,
        "first_ts_ns": DAY1,
        "last_ts_ns": DAY1 + 125 * SECOND,
        "decoder_version": 1,
        "ingested_ns": DAY2,
        "tags": {"site": "x"},
    },
    {
        "capture_id": B,
        "ingest_id": 12,
        "file_name": "two.pcap",
        "source_uri": "/captures/two.pcap",
        "host": "db-1",
        "format": "pcap",
        "status": "complete",
        "packets": 4,
        "wire_bytes": 300,
        "first_ts_ns": DAY2,
        "last_ts_ns": DAY2 + 3 * SECOND,
        "decoder_version": 1,
        "ingested_ns": DAY2,
    },
    {
        "capture_id": "c" * 64,
        "ingest_id": 13,
        "file_name": "bad\x1b[31m.txt",
        "source_uri": "/captures/bad\x1b[31m.txt",
        "status": "unsupported",
        "error": "not a capture",
        "decoder_version": 1,
        "ingested_ns": DAY2,
    },
]
"""Two captures on two days and two hosts, and a file that was none."""

FLOWS: list[Row] = [
    # An HTTP connection: 4 packets to the server (2 with payload), 3 back (1 with payload), over two minutes (see FLOW_MINUTES).
    _flow(
        11,
        0,
        "eth:ip:tcp",
        ip_version=4,
        stream=0,
        client_ip="10.0.0.1",
        client_port=40000,
        server_ip="10.0.0.2",
        server_port=80,
        ipv4_layers=1,
        application="http",
        application_source="sig",
        packets_to_server=4,
        packets_to_client=3,
        bytes_to_server=400,
        bytes_to_client=300,
        payload_packets_to_server=2,
        payload_packets_to_client=1,
        payload_packet_bytes_to_server=280,
        payload_packet_bytes_to_client=180,
        payload_bytes_to_server=172,
        payload_bytes_to_client=126,
        first_ts_ns=DAY1,
        last_ts_ns=DAY1 + 61 * SECOND,
        first_frame=1,
    ),
    # DNS over UDP inside IPv4 in IPv4: 2 headers in each of its 2 packets.
    _flow(
        11,
        1,
        "eth:ip:ip:udp",
        transport="UDP",
        ip_protocol=17,
        ip_version=4,
        stream=0,
        client_ip="10.0.0.1",
        client_port=5353,
        server_ip="10.0.0.3",
        server_port=53,
        tunnel_client_ip="192.0.2.1",
        tunnel_server_ip="192.0.2.2",
        ip_headers=[_header("192.0.2.1", "192.0.2.2"), _header("10.0.0.1", "10.0.0.3", 5353, 53)],
        ipv4_layers=2,
        application="dns",
        application_source="port",
        packets_to_server=1,
        packets_to_client=1,
        bytes_to_server=90,
        bytes_to_client=110,
        payload_packets_to_server=1,
        payload_packets_to_client=1,
        payload_packet_bytes_to_server=90,
        payload_packet_bytes_to_client=110,
        first_ts_ns=DAY1 + 1 * SECOND,
        last_ts_ns=DAY1 + 2 * SECOND,
        first_frame=8,
    ),
    # An ICMP error from a router about a UDP packet to port 161: counted at its own destination, with UDP and 161.
    _flow(
        11,
        2,
        "eth:ip:icmp",
        ip_version=4,
        ip_protocol=1,
        client_ip="10.0.0.9",
        server_ip="10.0.0.1",
        ipv4_layers=1,
        in_icmp_error=True,
        error_ip_protocol=17,
        error_src_port=5000,
        error_dst_port=161,
        packets_to_server=5,
        bytes_to_server=500,
        first_ts_ns=DAY1 + 3 * SECOND,
        last_ts_ns=DAY1 + 4 * SECOND,
        first_frame=10,
    ),
    # Pings: no ports.
    _flow(
        11,
        3,
        "eth:ip:icmp",
        ip_version=4,
        ip_protocol=1,
        client_ip="10.0.0.1",
        server_ip="10.0.0.2",
        ipv4_layers=1,
        packets_to_server=2,
        packets_to_client=2,
        bytes_to_server=200,
        bytes_to_client=200,
        first_ts_ns=DAY1 + 5 * SECOND,
        last_ts_ns=DAY1 + 6 * SECOND,
        first_frame=15,
    ),
    # ARP: no IP.
    _flow(
        11,
        4,
        "eth:arp",
        packets_to_server=5,
        bytes_to_server=300,
        first_ts_ns=DAY1 + 7 * SECOND,
        last_ts_ns=DAY1 + 125 * SECOND,
        first_frame=19,
    ),
    # The second day: a call to port 111 over IPv6, seen from its answer on, so that the roles are turned.
    _flow(
        12,
        0,
        "eth:ipv6:tcp",
        transport="TCP",
        ip_protocol=6,
        ip_version=6,
        stream=0,
        client_ip="2001:db8::2",
        client_port=111,
        server_ip="2001:db8::1",
        server_port=1000,
        ipv6_layers=1,
        packets_to_server=3,
        packets_to_client=1,
        bytes_to_server=220,
        bytes_to_client=80,
        first_ts_ns=DAY2,
        last_ts_ns=DAY2 + 3 * SECOND,
        first_frame=1,
    ),
    # Rows of an attempt that never became a capture: no query may see them.
    _flow(99, 0, "eth:ip:tcp", packets_to_server=1000, client_ip="203.0.113.1", server_ip="203.0.113.2", ipv4_layers=1),
]

M1 = DAY1 // (60 * SECOND)
FLOW_MINUTES: list[Row] = [
    _minute(11, 0, M1, (3, 300, 1, 140), (3, 300, 1, 180)),
    _minute(11, 0, M1 + 1, (1, 100, 1, 140), (0, 0, 0, 0)),
    _minute(11, 1, M1, (1, 90, 1, 90), (1, 110, 1, 110)),
    _minute(11, 2, M1, (5, 500, 0, 0), (0, 0, 0, 0)),
    _minute(11, 3, M1, (2, 200, 0, 0), (2, 200, 0, 0)),
    _minute(11, 4, M1, (1, 60, 0, 0), (0, 0, 0, 0)),
    _minute(11, 4, M1 + 2, (4, 240, 0, 0), (0, 0, 0, 0)),
    _minute(12, 0, DAY2 // (60 * SECOND), (3, 220, 0, 0), (1, 80, 0, 0)),
]


def _packet(ingest_id: int, frame: int, flow_id: int, ts_ns: int, length: int, ends: str | None = None, payload: int | None = None) -> Row:
    """`ends` is "source address,port>destination address,port"."""
    columns: dict[str, object] = {}
    if ends:
        (src, sport), (dst, dport) = (end.split(",") for end in ends.split(">"))
        columns = {"src_ip": src, "dst_ip": dst, "src_port": int(sport) if sport else None, "dst_port": int(dport) if dport else None}
    return {
        "ingest_id": ingest_id,
        "frame_number": frame,
        "flow_id": flow_id,
        "ts_ns": ts_ns,
        "wire_length": length,
        "captured_length": length,
        "payload_length": payload,
        "link_type": "ETHERNET",
        "protocols": "eth",
        **columns,
    }


OUT, BACK = "10.0.0.1,40000>10.0.0.2,80", "10.0.0.2,80>10.0.0.1,40000"
PACKETS: list[Row] = [
    _packet(11, 1, 0, DAY1, 80, OUT, 0),
    _packet(11, 2, 0, DAY1 + 10 * MS, 60, BACK, 0),
    _packet(11, 3, 0, DAY1 + 15 * MS, 80, OUT, 0),
    _packet(11, 4, 0, DAY1 + 20 * MS, 140, OUT, 86),
    _packet(11, 5, 0, DAY1 + 30 * MS, 60, BACK, 0),
    _packet(11, 6, 0, DAY1 + 30 * SECOND, 180, BACK, 126),
    _packet(11, 7, 0, DAY1 + 61 * SECOND, 100, OUT, 86),
    _packet(11, 8, 1, DAY1 + 1 * SECOND, 90, "10.0.0.1,5353>10.0.0.3,53", 30),
    _packet(11, 9, 1, DAY1 + 2 * SECOND, 110, "10.0.0.3,53>10.0.0.1,5353", 50),
    *(_packet(11, 10 + i, 2, DAY1 + 3 * SECOND + i, 100, "10.0.0.9,>10.0.0.1,") for i in range(5)),
    _packet(11, 15, 3, DAY1 + 5 * SECOND, 100, "10.0.0.1,>10.0.0.2,"),
    _packet(11, 16, 3, DAY1 + 5 * SECOND + 1, 100, "10.0.0.2,>10.0.0.1,"),
    _packet(11, 17, 3, DAY1 + 6 * SECOND, 100, "10.0.0.1,>10.0.0.2,"),
    _packet(11, 18, 3, DAY1 + 6 * SECOND + 1, 100, "10.0.0.2,>10.0.0.1,"),
    _packet(11, 19, 4, DAY1 + 7 * SECOND, 60),
    *(_packet(11, 20 + i, 4, DAY1 + (122 + i) * SECOND, 60) for i in range(4)),
    _packet(12, 1, 0, DAY2, 80, "2001:db8::2,111>2001:db8::1,1000", 0),
    _packet(12, 2, 0, DAY2 + 1 * SECOND, 80, "2001:db8::1,1000>2001:db8::2,111", 0),
    _packet(12, 3, 0, DAY2 + 2 * SECOND, 70, "2001:db8::2,111>2001:db8::1,1000", 0),
    _packet(12, 4, 0, DAY2 + 3 * SECOND, 70, "2001:db8::2,111>2001:db8::1,1000", 0),
]


def _handshake(ingest_id: int, stream: int, server: str, status: str, start: int, rtt: int | None, **columns: object) -> Row:
    address, port = server.split(",")
    return {
        "ingest_id": ingest_id,
        "tcp_stream": stream,
        "status": status,
        "client_ip": "10.0.0.1",
        "client_port": 40000 + stream,
        "server_ip": address,
        "server_port": int(port),
        "first_ts_ns": start,
        "syn_ts_ns": start,
        "syn_count": 1,
        "syn_sides": 1,
        "syn_ack_count": 0 if rtt is None else 1,
        "rtt_ns": rtt,
        **columns,
    }


HANDSHAKES: list[Row] = [
    _handshake(11, 0, "10.0.0.2,80", "complete", DAY1, 10 * MS, client_rtt_ns=5 * MS, initial_rtt_ns=15 * MS, handshake_ns=15 * MS),
    _handshake(11, 1, "10.0.0.2,80", "complete", DAY1 + 2 * SECOND, 30 * MS, client_rtt_ns=5 * MS, initial_rtt_ns=35 * MS),
    _handshake(11, 2, "10.0.0.2,80", "complete", DAY1 + 3 * SECOND, 1_010 * MS, syn_count=2, retransmitted=True, rtt_last_syn_ns=10 * MS),
    _handshake(11, 3, "10.0.0.2,80", "refused", DAY1 + 4 * SECOND, None, rst_rtt_ns=9 * MS),
    _handshake(11, 4, "10.0.0.2,80", "complete", DAY1 + 5 * SECOND, -100 * MS, clock_anomaly=True),
    _handshake(11, 5, "10.0.0.7,3389", "unanswered", DAY1 + 60 * SECOND, None, syn_count=3, retransmitted=True, to_capture_end_ns=SECOND),
    {"ingest_id": 11, "tcp_stream": 6, "status": "midstream", "first_ts_ns": DAY1 + 9 * SECOND},
    _handshake(12, 0, "10.0.0.2,80", "complete", DAY2, 20 * MS),
    _handshake(99, 0, "203.0.113.2,80", "complete", DAY2, 77 * MS),
]


def make(path: str | Path) -> Warehouse:
    """The warehouse with all rows above, those of the dead attempt too."""
    dead: list[Row] = [{"capture_id": "d" * 64, "ingest_id": 99, "status": "complete", "first_ts_ns": DAY1, "last_ts_ns": DAY1}]
    rows = {"flows": FLOWS, "flow_minutes": FLOW_MINUTES, "packets": PACKETS, "handshakes": HANDSHAKES}
    made = make_warehouse(path, [*CAPTURES, *dead], rows)
    made.remove([99])
    return made
