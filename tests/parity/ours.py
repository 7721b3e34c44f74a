"""What a warehouse says of its captures, asked through the views that users ask."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from .model import Capture, Conversation, Destination, Frame, Handshake, Node
from .paths import names
from .printed import size_text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FRAMES = """
    select ts_ns, wire_length, captured_length, interface_id, protocols, outer_src_ip, outer_dst_ip, src_ip, dst_ip, src_port, dst_port,
        error_src_port, error_dst_port, tcp_stream
    from packets
    where capture_id = $capture_id
    order by frame_number
"""
_HANDSHAKES = "select tcp_stream, rtt_ns, initial_rtt_ns from handshakes where capture_id = $capture_id"
_HIERARCHY = "select path, packets, bytes from protocol_hierarchy where capture_id = $capture_id"
_DESTINATIONS = "select dst_ip, protocol, dst_port, packets from ipv{version}_destinations where capture_id = $capture_id"
_CONVERSATIONS = """
    select a_ip, a_port, b_ip, b_port, packets_b_to_a, packets_a_to_b, bytes_b_to_a, bytes_a_to_b
    from conversations_tcp
    where capture_id = $capture_id
"""


def capture_ids(connection: DuckDBPyConnection) -> dict[str, str]:
    """Identity of each capture by its file name."""
    return dict(connection.execute("select file_name, capture_id from captures").fetchall())


def describe(connection: DuckDBPyConnection, capture_id: str) -> Capture:
    """All that is compared of one capture."""

    def rows(query: str) -> list[tuple[Any, ...]]:
        return connection.execute(query, {"capture_id": capture_id}).fetchall()

    return Capture(
        frames=[_frame(*row) for row in rows(_FRAMES)],
        handshakes={stream: Handshake(rtt, initial_rtt) for stream, rtt, initial_rtt in rows(_HANDSHAKES)},
        destinations=_leaves(rows(_DESTINATIONS.format(version=4))),
        destinations_v6=_leaves(rows(_DESTINATIONS.format(version=6))),
        hierarchy={tuple(path.split(":")): Node(packets, bytes_) for path, packets, bytes_ in rows(_HIERARCHY)},
        conversations=Counter(_conversation(*row) for row in rows(_CONVERSATIONS)),
    )


def _frame(*row: Any) -> Frame:
    ts_ns, wire, captured, interface, protocols, outer_src, outer_dst, src, dst, sport, dport, quoted_sport, quoted_dport, stream = row
    return Frame(
        ts_ns=ts_ns,
        wire_length=wire,
        captured_length=captured,
        interface_id=interface,
        path=names(protocols),
        outer=(outer_src, outer_dst),
        inner=(src, dst),
        ports=(sport, dport),
        quoted_ports=(quoted_sport, quoted_dport),
        tcp_stream=stream,
    )


def _conversation(*row: Any) -> Conversation:
    address_a, port_a, address_b, port_b, frames_to_a, frames_to_b, bytes_to_a, bytes_to_b = row
    return Conversation(address_a, port_a, address_b, port_b, frames_to_a, frames_to_b, size_text(bytes_to_a), size_text(bytes_to_b))


def _leaves(rows: list[tuple[str, str, int, int]]) -> Counter[Destination]:
    leaves: Counter[Destination] = Counter()
    for address, protocol, port, packets in rows:
        leaves[Destination(address, protocol, port)] += packets
    return leaves
