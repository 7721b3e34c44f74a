"""Cisco's tags around and inside Ethernet: FabricPath, CMD (TrustSec's metadata), VN-Tag."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank
from .ethernet import MIN_TYPE, hand_on_type_or_length

FABRIC_PATH_BYTES = 16
_FCS_BYTES = 4


def dissect_fabric_path(layer: Layer) -> None:
    """16 bytes, in the place of an Ethernet header; the frame follows whole, with its frame check sequence."""
    layer = layer.require(FABRIC_PATH_BYTES)
    layer.trim(layer.reported_end - _FCS_BYTES)
    layer.hand_to("eth", FABRIC_PATH_BYTES, layer.reported > FABRIC_PATH_BYTES)


def dissect_cmd(layer: Layer) -> None:
    """Version, length, option, security group tag, and an Ethernet type: the last field in Ethernet, the first one in GRE."""
    layer = layer.require(8)
    first = layer.word()
    layer.hand_on("ethertype", np.where(first >= MIN_TYPE, first, layer.word(6)), 8)


def dissect_vn_tag(layer: Layer) -> None:
    """Four bytes of virtual interfaces, then an Ethernet type."""
    layer = layer.require(6)
    hand_on_type_or_length(layer, layer.word(4), 6)


PROTOCOLS = (
    Protocol("cfp", dissect=dissect_fabric_path, rank=Rank.LINK),
    Protocol("cmd", under={"ethertype": (0x8909,), "gre.proto": (0x8909,)}, dissect=dissect_cmd, rank=Rank.TAG),
    Protocol("vntag", under={"ethertype": (0x8926,)}, dissect=dissect_vn_tag, rank=Rank.TAG),
)
