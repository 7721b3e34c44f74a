"""IPsec through network address translation (RFC 3948): ESP in UDP, key exchange beside it, keepalives."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

_KEEPALIVE = 0xFF


def dissect(layer: Layer) -> None:
    """A security parameters index of 0 marks key exchange."""
    layer = layer.select((layer.reported != 1) | (layer.captured < 1)).require(4)
    index = layer.gather(np.dtype(">u4"))
    layer.hand_to("isakmp", 4, index == 0)
    layer.hand_to("esp", 0, index != 0)


PROTOCOLS = (
    Protocol("udpencap", under={"udp.port": (4500,)}, dissect=dissect, rank=Rank.TUNNEL),
    Protocol("isakmp"),
)
