"""FDDI (ISO 9314): frame control, two addresses, LLC."""

from __future__ import annotations

from .base import Layer, Protocol, Rank

HEADER_BYTES = 13
_LLC = 0x50
_KIND = 0xF0


def dissect(layer: Layer) -> None:
    """Hand on LLC frames, synchronous or not; the ring's own frames are not looked into."""
    layer = layer.require(HEADER_BYTES)
    control = layer.byte()
    is_llc = (control >= 0x50) & (control <= 0x5F)
    layer.hand_to("llc", HEADER_BYTES, is_llc)
    layer.hand_to("data", HEADER_BYTES, ~is_llc)


PROTOCOL = Protocol("fddi", under={"link_type": (10,)}, dissect=dissect, rank=Rank.LINK)
