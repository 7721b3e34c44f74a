"""Cisco Inter-Switch Link: 26 bytes around an Ethernet or token ring frame."""

from __future__ import annotations

from .base import Layer, Protocol, Rank

_TYPE_AT = 5
HEADER_BYTES = 26
_ETHERNET, _TOKEN_RING = 0, 1


def dissect(layer: Layer) -> None:
    """Hand on by the type in the upper half of byte 5."""
    layer = layer.require(HEADER_BYTES)
    kind = layer.byte(_TYPE_AT) >> 4
    layer.hand_to("eth", HEADER_BYTES, kind == _ETHERNET)
    layer.hand_to("tr", HEADER_BYTES, kind == _TOKEN_RING)
    layer.hand_to("data", HEADER_BYTES, (kind != _ETHERNET) & (kind != _TOKEN_RING))


PROTOCOL = Protocol("isl", dissect=dissect, rank=Rank.LINK, shown=False, node="isl")
