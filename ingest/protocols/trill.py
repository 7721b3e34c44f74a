"""TRILL (RFC 6325, section 3): routing bridges' header around an Ethernet frame."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

HEADER_BYTES = 6
_OPTIONS_LENGTH = 0x07C0
"""In words of four bytes."""


def dissect(layer: Layer) -> None:
    """Hand on the inner frame, behind the options."""
    layer = layer.require(HEADER_BYTES)
    options = ((layer.word() & _OPTIONS_LENGTH) >> 6).astype(np.int64) * 4
    layer.hand_to("eth", HEADER_BYTES + options)


PROTOCOL = Protocol("trill", under={"ethertype": (0x22F3,)}, dissect=dissect, rank=Rank.TUNNEL)
