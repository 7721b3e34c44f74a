"""ARCnet as BSD and Linux capture it: two addresses of one byte, a protocol identifier, split flags."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

_UNSPLIT = (0x80, 0xCD, 0xF0, 0xF1)
"""Diagnose, BACnet, and RFC 1051's IP and ARP; the others have RFC 1201's split flag and sequence number."""
_SPLIT_BYTES = 3
_EXCEPTION, _EXCEPTION_BYTES = 0xFF, 4
"""A split flag of 255 and three bytes of padding come before the real ones where a frame's length needs it."""


def dissect_bsd(layer: Layer) -> None:
    """Source, destination, identifier."""
    _hand_on(layer, 2)


def dissect_linux(layer: Layer) -> None:
    """Source, destination, two bytes of offset, identifier."""
    _hand_on(layer, 4)


def _hand_on(layer: Layer, at: int) -> None:
    layer = layer.require(at + 1)
    identifier = layer.byte(at)
    split = ~np.isin(identifier, _UNSPLIT)
    length = np.where(split, at + 1 + _SPLIT_BYTES, at + 1)
    flagged = split & (layer.captured > at + 1)
    length[flagged] += np.where(layer.select(flagged).byte(at + 1) == _EXCEPTION, _EXCEPTION_BYTES, 0)
    layer.hand_on("arcnet.protocol_id", identifier, length)


PROTOCOLS = (
    Protocol("arcnet", under={"link_type": (7,)}, dissect=dissect_bsd, rank=Rank.LINK),
    Protocol("arcnet", key="arcnet_linux", under={"link_type": (129,)}, dissect=dissect_linux, rank=Rank.LINK),
)
