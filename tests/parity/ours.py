"""What a warehouse says of its captures, asked through the views that users ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .model import Capture, Conversation, Destination, Frame, Handshake, Node
from .paths import names
from .printed import size_text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FRAMES = """
    select capture_id, ts_ns, wire_length, captured_length, interface_id, protocols, outer_src_ip, outer_dst_ip, src_ip, dst_ip,
        src_port, dst_port, error_src_port, error_dst_port, tcp_stream
    from packets
    order by capture_id, frame_number
"""
_CONVERSATIONS = """
    select capture_id, a_ip, a_port, b_ip, b_port, packets_b_to_a, packets_a_to_b, bytes_b_to_a, bytes_a_to_b from conversations_tcp
"""


def describe(connection: DuckDBPyConnection) -> dict[str, Capture]:
    """All that is compared, of each capture of the warehouse by its capture_id; every view is asked once for all of them."""

    def rows(query: str) -> list[tuple[Any, ...]]:
        return connection.execute(query).fetchall()

    captures = {capture_id: Capture() for (capture_id,) in rows("select capture_id from captures")}
    for capture_id, *row in rows(_FRAMES):
        captures[capture_id].frames.append(_frame(*row))
    for capture_id, stream, rtt, initial_rtt in rows("select capture_id, tcp_stream, rtt_ns, initial_rtt_ns from handshakes"):
        captures[capture_id].handshakes[stream] = Handshake(rtt, initial_rtt)
    for capture_id, *leaf, packets in rows("select capture_id, dst_ip, protocol, dst_port, packets from ipv4_destinations"):
        captures[capture_id].destinations[Destination(*leaf)] += packets
    for capture_id, *leaf, packets in rows("select capture_id, dst_ip, protocol, dst_port, packets from ipv6_destinations"):
        captures[capture_id].destinations_v6[Destination(*leaf)] += packets
    for capture_id, path, packets, wire_bytes in rows("select capture_id, path, packets, bytes from protocol_hierarchy"):
        captures[capture_id].hierarchy[tuple(path.split(":"))] = Node(packets, wire_bytes)
    for capture_id, *row in rows(_CONVERSATIONS):
        captures[capture_id].conversations[_conversation(*row)] += 1
    return captures


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
