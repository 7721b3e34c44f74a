"""UDP (RFC 768) and UDP-Lite (RFC 3828), and the tunnels that are known by their UDP port."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank
from .transport import PORTS_BYTES, drop_cut_node, set_payload, set_ports

_LENGTH = np.dtype({"names": ["length"], "formats": [">u2"], "offsets": [4], "itemsize": 8})
HEADER_BYTES = 8
NUMBER = 17
NUMBER_LITE = 136


def _dissect(layer: Layer, number: int) -> None:
    set_ports(layer, number)
    if layer.embedded:
        return
    whole = layer.require(HEADER_BYTES)
    if whole is not layer:
        drop_cut_node(layer, PORTS_BYTES)
        # The ports can be read; Wireshark's statistics leave out a header that is not whole.
        layer.set("transport", -1, (layer.captured >= PORTS_BYTES) & (layer.captured < HEADER_BYTES))
    layer = whole
    if not len(layer):
        return
    if number == NUMBER:
        length = layer.gather(_LENGTH)["length"].astype(np.int64)
        valid = length >= HEADER_BYTES
        if not valid.all():
            # 0 is a jumbogram's length (RFC 2675, section 4); otherwise 0 to 7 is no length at all.
            valid |= (length == 0) & (layer.reported > 0xFFFF) & (layer.get("ip_version") == 6)
            layer.set("transport", -1, ~valid)
            layer, length = layer.select(valid), length[valid]
        layer.trim(np.where(length == 0, layer.reported_end, layer.start + length))
    set_payload(layer, HEADER_BYTES)
    layer.frames.hand_on_ports(layer, "udp.port", HEADER_BYTES)


def dissect(layer: Layer) -> None:
    """Set ports and payload; hand on to tunnels by port."""
    _dissect(layer, NUMBER)


def dissect_lite(layer: Layer) -> None:
    """The same; the length field is a checksum coverage instead."""
    _dissect(layer, NUMBER_LITE)


PROTOCOLS = (
    Protocol("udp", under={"ip.proto": (NUMBER,)}, dissect=dissect, rank=Rank.TRANSPORT, node_bytes=0, quoted_bytes=4),
    Protocol("udplite", under={"ip.proto": (NUMBER_LITE,)}, dissect=dissect_lite, rank=Rank.TRANSPORT, node_bytes=0, quoted_bytes=4),
)
