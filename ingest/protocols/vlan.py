"""VLAN tags: IEEE 802.1Q, and 802.1ad's service tag around them."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank
from .ethernet import hand_on_type_or_length

_HEADER = np.dtype([("control", ">u2"), ("type", ">u2")])
_ID = 0x0FFF


def dissect(layer: Layer) -> None:
    """Set the outermost VLAN identifier and hand on by the type behind the tag."""
    layer = layer.require(4)
    header = layer.gather(_HEADER)
    layer.set("vlan_id", (header["control"] & _ID).astype(np.int16), layer.get("vlan_id") < 0)
    hand_on_type_or_length(layer, header["type"].astype(np.uint16), 4)


PROTOCOLS = (
    Protocol("vlan", under={"ethertype": (0x8100, 0x9100)}, dissect=dissect, rank=Rank.TAG),
    Protocol("ieee8021ad", under={"ethertype": (0x88A8,)}, dissect=dissect, rank=Rank.TAG),
)
