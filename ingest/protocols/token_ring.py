"""Token ring (IEEE 802.5): access and frame control, two addresses, perhaps a route, then LLC or the ring's own frames."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

HEADER_BYTES = 14
_FRAME_CONTROL_AT = 1
_SOURCE_AT = 8
_SOURCE_ROUTED = 0x80
_ROUTE_LENGTH = 0x1F
_LLC = 1


def dissect(layer: Layer) -> None:
    """Hand on by the frame type, behind the routing information if the source address announces it."""
    layer = layer.require(HEADER_BYTES)
    kind = layer.byte(_FRAME_CONTROL_AT) >> 6
    routed = layer.byte(_SOURCE_AT) & _SOURCE_ROUTED != 0
    length = np.full(len(layer), HEADER_BYTES, dtype=np.int64)
    with_route = routed & (layer.captured > HEADER_BYTES)
    route = layer.select(with_route)
    length[with_route] += route.byte(HEADER_BYTES) & _ROUTE_LENGTH
    layer.hand_to("trmac", length, (kind == 0) & (layer.captured > length))
    layer.hand_to("llc", length, (kind == _LLC) & (layer.captured > length))
    layer.hand_to("data", length, kind > _LLC)


PROTOCOLS = (
    Protocol("tr", under={"link_type": (6,)}, dissect=dissect, rank=Rank.LINK),
    Protocol("trmac"),
)
