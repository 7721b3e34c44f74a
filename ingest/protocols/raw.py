"""Raw IP (LINKTYPE_RAW and the numbers that DLT_RAW has had): the version is in the first nibble."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

_PPP_FRAME = 0xFF03
_PPP_AT = (0, 6, 1)
"""Where Wireshark looks for a PPP frame that some systems captured as raw IP, in this order."""
_LEAST_BYTES = 8
_EMPTY_BYTES = 10


def dissect(layer: Layer) -> None:
    """Hand on by IP version, but what has a PPP frame or ten zeros before the packet as that."""
    layer = layer.require(_LEAST_BYTES)
    rest = np.ones(len(layer), dtype=np.bool_)
    for at in _PPP_AT:
        framed = rest & (layer.word(at) == _PPP_FRAME)
        layer.hand_to("ppp_hdlc", at, framed)
        rest &= ~framed
    empty = rest & (layer.captured >= _EMPTY_BYTES)
    places = layer.select(empty)
    empty[empty] = (places.gather(np.dtype("<u8")) == 0) & (places.word(8) == 0)
    layer.hand_to("ip", _EMPTY_BYTES, empty)
    version = layer.byte() >> 4
    rest &= ~empty
    layer.hand_to("ip", 0, rest & (version == 4))
    layer.hand_to("ipv6", 0, rest & (version == 6))
    layer.hand_to("data", 0, rest & (version != 4) & (version != 6))


PROTOCOL = Protocol("raw", under={"link_type": (101, 12, 14)}, dissect=dissect, rank=Rank.LINK)
