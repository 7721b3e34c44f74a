"""Raw IP (LINKTYPE_RAW and the numbers that DLT_RAW has had): the version is in the first nibble."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank


def dissect(layer: Layer) -> None:
    """Hand on by IP version."""
    layer = layer.require(1)
    version = layer.gather(np.dtype("u1")) >> 4
    layer.hand_to("ip", 0, version == 4)
    layer.hand_to("ipv6", 0, version == 6)
    layer.hand_to("data", 0, (version != 4) & (version != 6))


PROTOCOL = Protocol("raw", under={"link_type": (101, 12, 14)}, dissect=dissect, rank=Rank.LINK)
