"""ARCnet as BSD and Linux capture it: two addresses of one byte, a protocol identifier, split flags."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

_UNFRAGMENTED_HEADERS = (0xD4, 0xD5)


def dissect_bsd(layer: Layer) -> None:
    """Source, destination, identifier; RFC 1201 protocols have a split flag and a sequence number behind it."""
    layer = layer.require(3)
    _hand_on(layer, 2)


def dissect_linux(layer: Layer) -> None:
    """Source, destination, two bytes of offset, identifier."""
    layer = layer.require(5)
    _hand_on(layer, 4)


def _hand_on(layer: Layer, at: int) -> None:
    identifier = layer.byte(at)
    layer.hand_on("arcnet.protocol_id", identifier, at + 1)


PROTOCOLS = (
    Protocol("arcnet", under={"link_type": (7,)}, dissect=dissect_bsd, rank=Rank.LINK),
    Protocol("arcnet", key="arcnet_linux", under={"link_type": (129,)}, dissect=dissect_linux, rank=Rank.LINK),
)
