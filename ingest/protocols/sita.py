"""SITA's wide-area lines (LINKTYPE_SITA): a protocol byte, in the pseudo-header before the packet, names what is on the line."""

from __future__ import annotations

from .base import Layer, Protocol, Rank, leaves

_PROTOCOL_BEFORE = 1
"""Where the protocol stands in the pseudo-header: last."""


def dissect(layer: Layer) -> None:
    """Hand on by protocol."""
    pseudo_header = layer.frames.batch.pseudo_header
    if pseudo_header is None:
        return
    layer = layer.select(pseudo_header[layer.rows] > 0)
    layer.hand_on("sita.proto", layer.byte(-_PROTOCOL_BEFORE), 0)


PROTOCOLS = (
    Protocol("sita", under={"link_type": (196,)}, dissect=dissect, rank=Rank.LINK),
    *leaves("sita.proto", {1: "lapb", 5: "ipars", 6: "uts"}),
)
