"""What the transport protocols share: ports, and whether lengths can be known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer

_OF_ONE_HEADER = (
    "payload_length", "payload_captured", "tcp_flags", "tcp_seq", "tcp_ack", "tcp_window", "tcp_mss", "tcp_window_scale",
    "tcp_sack_permitted", "tcp_header_cut", "tcp_ts_val", "tcp_ts_ecr",
)  # fmt: skip
_PORTS = np.dtype([("src_port", ">u2"), ("dst_port", ">u2")])


PORTS_BYTES = 4


def drop_cut_node(layer: Layer, length: int) -> None:
    """Take the transport away from the tree where less than `length` bytes were captured: Wireshark names it, and has no node for it."""
    cut = layer.captured < length
    if cut.any():
        layer.drop_node(cut)


def set_ports(layer: Layer, number: int) -> None:
    """Set the ports of every packet of which they were captured.

    Args:
        layer: Packets at the transport header.
        number: IP protocol number of the transport.
    """
    layer = layer.require(PORTS_BYTES)
    put_ports(layer, number, layer.gather(_PORTS))


def put_ports(layer: Layer, number: int, header: npt.NDArray[np.void]) -> None:
    """The same where the header was read already: its fields `src_port` and `dst_port` are set."""
    if layer.embedded:
        layer.set("error_src_port", header["src_port"])
        layer.set("error_dst_port", header["dst_port"])
        return
    if layer.is_set("foreign_ports"):
        layer.set("foreign_ports", values=False)
    if layer.is_set("transport"):
        nested = layer.get("transport") >= 0
        if nested.any():
            _forget(layer.select(nested))
    layer.set("src_port", header["src_port"])
    layer.set("dst_port", header["dst_port"])
    layer.set("transport", number)


def _forget(layer: Layer) -> None:
    """Clear what the transport header of an outer packet set; its ports stay when the inner packet has none, as in Wireshark."""
    for column in _OF_ONE_HEADER:
        layer.reset(column)


def set_payload(layer: Layer, header_length: npt.NDArray[np.int64] | int) -> None:
    """Set the payload columns, `header_length` (int64[m]) bytes after the start of the layer; NULL length in fragments."""
    start = layer.start + header_length
    length = layer.reported_end - start
    unknown = length < 0
    if layer.is_set("ip_more_fragments"):
        # Only first fragments come here: the others are data.
        unknown |= layer.get("ip_more_fragments")
    length[unknown] = -1
    layer.set("payload_length", length)
    layer.set("payload_offset", start)
    layer.set("payload_captured", np.maximum(layer.end - start, 0))
