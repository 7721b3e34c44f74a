"""Arista's vendor-specific header, which stamps a frame with the time at which a switch saw it."""

from __future__ import annotations

from .base import Layer, Protocol, Rank

_TIMESTAMP = 1
_HEADER_BYTES = {0x0010: 14, 0x0110: 14, 0x0020: 12, 0x0120: 12}
"""By version: 64 bits of time, or 48, each in TAI or UTC; two bytes before them are the subtype, two the version, and a type follows."""


def dissect(layer: Layer) -> None:
    """Hand on by the Ethernet type behind the time."""
    layer = layer.require(4)
    stamp, version = layer.word() == _TIMESTAMP, layer.word(2)
    for known, length in _HEADER_BYTES.items():
        stamped = layer.select(stamp & (version == known)).require(length)
        if len(stamped):
            stamped.hand_on("ethertype", stamped.word(length - 2), length)


PROTOCOL = Protocol("avsp", under={"ethertype": (0xD28B,)}, dissect=dissect, rank=Rank.TAG)
