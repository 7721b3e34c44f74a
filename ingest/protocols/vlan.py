"""VLAN tags: IEEE 802.1Q, and 802.1ad's service tag around them."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank
from .ethernet import hand_on_type_or_length
from .ieee_tags import BACKBONE_TAG

_ID = 0x0FFF


def dissect(layer: Layer) -> None:
    """Set the outermost VLAN identifier and hand on by the type behind the tag."""
    layer = layer.require(2)
    layer.set("vlan_id", (layer.word() & _ID).astype(np.int16), layer.get("vlan_id") < 0)
    layer = layer.require(4)
    hand_on_type_or_length(layer, layer.word(2), 4)


def dissect_service_tag(layer: Layer) -> None:
    """The provider's tag: its identifier is another one (`ieee8021ad.id`), and the customer's stays the packet's VLAN."""
    layer = layer.require(4)
    kind = layer.word(2)
    # Wireshark takes a backbone tag behind it for a part of this one.
    backbone = kind == BACKBONE_TAG
    layer.hand_to("ieee8021ah_inside", 4, backbone)
    layer.hand_on("ethertype", kind, 4, ~backbone)


PROTOCOLS = (
    Protocol("vlan", under={"ethertype": (0x8100, 0x9100)}, dissect=dissect, rank=Rank.TAG, node_bytes=2),
    Protocol("ieee8021ad", under={"ethertype": (0x88A8,)}, dissect=dissect_service_tag, rank=Rank.TAG),
)
