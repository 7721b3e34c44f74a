"""What the transport protocols share: ports, and whether lengths can be known."""

from __future__ import annotations

import numpy as np

from .base import Layer

_OF_ONE_HEADER = (
    "payload_length", "tcp_flags", "tcp_seq", "tcp_ack", "tcp_window", "tcp_mss", "tcp_window_scale", "tcp_ts_val", "tcp_ts_ecr",
)  # fmt: skip
_PORTS = np.dtype([("src", ">u2"), ("dst", ">u2")])


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
    ports = layer.gather(_PORTS)
    if layer.embedded:
        layer.set("error_src_port", ports["src"])
        layer.set("error_dst_port", ports["dst"])
        return
    nested = layer.get("transport") >= 0
    if nested.any():
        _forget(layer.select(nested))
    layer.set("src_port", ports["src"])
    layer.set("dst_port", ports["dst"])
    layer.set("transport", number)


def _forget(layer: Layer) -> None:
    """Clear what the transport header of an outer packet set; its ports stay when the inner packet has none, as in Wireshark."""
    for column in _OF_ONE_HEADER:
        layer.set(column, -1)
    layer.set("payload_captured", 0)
    for flag in ("tcp_sack_permitted", "tcp_header_cut"):
        layer.set(flag, values=False)


def set_payload(layer: Layer, header_length: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    """Set the payload columns, `header_length` (int64[m]) bytes after the start of the layer; NULL length in fragments."""
    whole = (layer.get("ip_fragment_offset") <= 0) & ~layer.get("ip_more_fragments")
    length = layer.reported - header_length
    layer.set("payload_length", np.where(whole & (length >= 0), length, -1))
    layer.set("payload_offset", layer.frames.batch.offset[layer.rows] + layer.start + header_length)
    layer.set("payload_captured", np.maximum(layer.captured - header_length, 0))
