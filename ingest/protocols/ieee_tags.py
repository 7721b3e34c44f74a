"""Tags of IEEE 802.1 and their like beyond 802.1Q: provider backbone bridging, bridge port extension, frame replication, HSR."""

from __future__ import annotations

from .base import Layer, Protocol, Rank

BACKBONE_TAG = 0x88E7
"""Ethernet type of IEEE 802.1ah."""


def dissect_backbone(layer: Layer) -> None:
    """802.1ah: service identifier, the customer's two addresses, and the type behind them."""
    layer = layer.require(18)
    layer.hand_on("ethertype", layer.word(16), 18)


def dissect_port_extension(layer: Layer) -> None:
    """802.1BR: six bytes of tag, then an Ethernet type."""
    layer = layer.require(8)
    layer.hand_on("ethertype", layer.word(6), 8)


def dissect_redundancy(layer: Layer) -> None:
    """802.1CB and HSR (IEC 62439-3): path, sequence number, then an Ethernet type."""
    layer = layer.require(6)
    layer.hand_on("ethertype", layer.word(4), 6)


PROTOCOLS = (
    Protocol("ieee8021ah", under={"ethertype": (BACKBONE_TAG,)}, dissect=dissect_backbone, rank=Rank.TAG),
    Protocol("ieee8021ah", key="ieee8021ah_inside", dissect=dissect_backbone, rank=Rank.TAG, shown=False),
    Protocol("etag", under={"ethertype": (0x893F,)}, dissect=dissect_port_extension, rank=Rank.TAG),
    Protocol("ieee8021cb", under={"ethertype": (0xF1C1,)}, dissect=dissect_redundancy, rank=Rank.TAG),
    Protocol("hsr", under={"ethertype": (0x892F,)}, dissect=dissect_redundancy, rank=Rank.TAG),
)
