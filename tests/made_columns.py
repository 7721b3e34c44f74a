"""Decoded columns made by hand, and what conversations they come to: for tests of streams, handshakes and flows."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from caphouse.ingest.applications import Labels
from caphouse.ingest.columns import AddressTable, Columns, HeaderStacks
from caphouse.ingest.conversations import Conversations
from caphouse.ingest.lanes import find_lanes

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
PATHS = ["", "eth:ip:tcp", "eth:ip:udp", "eth:arp", "eth:ip:icmp", "eth:vlan:ip:tcp"]


@dataclass(frozen=True)
class Packet:
    """One decoded packet; the fields are those of `Columns`, addresses as text, None for absent."""

    ts_ns: int = 1_700_000_000_000_000_000
    src_ip: str | None = "10.0.0.1"
    dst_ip: str | None = "10.0.0.2"
    src_port: int = 40_000
    dst_port: int = 80
    tcp_flags: int = -1
    tcp_seq: int = -1
    tcp_ack: int = -1
    payload_length: int = -1
    transport: int = 6
    ip_protocol: int = 6
    ip_version: int = 4
    interface_id: int = 0
    vlan_id: int = -1
    ip_ttl: int = 64
    ip_id: int = -1
    tcp_mss: int = -1
    tcp_window_scale: int = -1
    tcp_sack_permitted: bool = False
    wire_length: int = 60
    link_type: int = 1
    counted_path: int = 1
    ipv4_layers: int = 1
    ipv6_layers: int = 0
    tunnel_src_ip: str | None = None
    tunnel_dst_ip: str | None = None
    tunnel_src_port: int = -1
    tunnel_dst_port: int = -1
    in_icmp_error: bool = False
    tcp_header_cut: bool = False
    error_ip_protocol: int = -1
    error_src_port: int = -1
    error_dst_port: int = -1

    @property
    def tcp_window(self) -> int:
        """Any window, where the header was captured as far as that."""
        return 1024 if self.tcp_flags >= 0 else -1


def make_columns(packets: Sequence[Packet], first_frame: int = 1) -> Columns:
    """The columns that the decoder would give for these packets."""
    texts = list(dict.fromkeys(ip for packet in packets for ip in _addresses(packet) if ip is not None))
    place = {ip: number for number, ip in enumerate(texts)}
    addresses = [ipaddress.ip_address(ip) for ip in texts]
    # IPv4 as 0x0000ffff_aabbccdd in the low half, as AddressTable says.
    values = [int(address) | (0xFFFF << 32 if address.version == 4 else 0) for address in addresses]
    columns: dict[str, Any] = {
        "first_frame": first_frame,
        "buffer": np.zeros(256, dtype=np.uint8),
        "addresses": AddressTable(
            family=np.array([address.version for address in addresses], dtype=np.int16),
            high=np.array([value >> 64 for value in values], dtype=np.uint64),
            low=np.array([value & 2**64 - 1 for value in values], dtype=np.uint64),
            text=pa.array(texts, pa.string()),
        ),
        "macs": pa.array([], pa.string()),
        "headers": _headers(packets, place),
    }
    for field in dataclasses.fields(Columns):
        if field.name in columns:
            continue
        dtype = _dtype(field.type)
        if field.name.endswith("_ip") and not field.name.startswith("error"):
            values = [-1 if (ip := getattr(packet, field.name)) is None else place[ip] for packet in packets]
        else:
            values = [getattr(packet, field.name, 0 if dtype == np.bool_ else -1) for packet in packets]
        columns[field.name] = np.array(values, dtype=dtype)
    return Columns(**columns)


def _headers(packets: Sequence[Packet], place: dict[str, int]) -> HeaderStacks | None:
    """Two IP headers for each packet in a tunnel, the inner one without UDP."""
    innermost, headers = [], []
    for packet in packets:
        innermost.append(-1)
        if packet.tunnel_src_ip is None or packet.tunnel_dst_ip is None:
            continue
        ends = place[packet.tunnel_src_ip], place[packet.tunnel_dst_ip]
        headers.append((-1, *ends, packet.tunnel_src_port, packet.tunnel_dst_port))
        headers.append((len(headers) - 1, place[packet.src_ip or ""], place[packet.dst_ip or ""], -1, -1))
        innermost[-1] = len(headers) - 1
    if not headers:
        return None
    return HeaderStacks(np.array(innermost, dtype=np.int32), *np.array(headers, dtype=np.int32).T)


def _addresses(packet: Packet) -> tuple[str | None, ...]:
    return packet.src_ip, packet.dst_ip, packet.tunnel_src_ip, packet.tunnel_dst_ip


def _dtype(annotation: object) -> type[np.generic]:
    return {"Int16": np.int16, "Int32": np.int32, "Int64": np.int64, "Bool": np.bool_}[str(annotation)]


@dataclass
class Conversed:
    """What a capture's packets come to."""

    streams: list[int]
    flow_ids: list[int]
    flows: list[dict[str, Any]]
    minutes: list[dict[str, Any]]
    handshakes: list[dict[str, Any]]
    addresses: list[dict[str, Any]]


def converse(packets: Sequence[Packet], cuts: Sequence[int] = (), known_ports: npt.NDArray[np.bool_] | None = None) -> Conversed:
    """Run packets through streams, flows and handshakes in batches that begin at 0 and at `cuts`."""
    conversations = Conversations(known_ports)
    streams: list[int] = []
    flow_ids: list[int] = []
    for start, end in zip([0, *cuts], [*cuts, len(packets)], strict=True):
        columns = make_columns(packets[start:end], first_frame=start + 1)
        stream, flow_id = conversations.update(columns, find_lanes(columns))
        streams += stream.tolist()
        flow_ids += flow_id.tolist()
    count = max(flow_ids, default=-1) + 1
    labels = Labels(np.full(count, -1, dtype=np.int16), np.full(count, -1, dtype=np.int8), [])
    tables = conversations.finish(PATHS, labels, max((packet.ts_ns for packet in packets), default=None))
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, table in tables:
        rows[name] += pa.table(dict(table)).to_pylist()
    return Conversed(streams, flow_ids, rows["flows"], rows["flow_minutes"], rows["handshakes"], rows["addresses"])
