"""Slow protocols (IEEE 802.3, annex 57A): the first byte names the protocol."""

from __future__ import annotations

from .base import Layer, Protocol


def dissect(layer: Layer) -> None:
    """Hand on by subtype, which belongs to the protocol."""
    layer = layer.require(1)
    layer.hand_on("slow.subtype", layer.byte(), 0)


PROTOCOL = Protocol("slow", under={"ethertype": (0x8809,)}, dissect=dissect)
