"""EtherIP (RFC 3378): version, then an Ethernet frame."""

from __future__ import annotations

from .base import Layer, Protocol, Rank


def dissect(layer: Layer) -> None:
    """Hand on behind two bytes."""
    layer.require(2).hand_to("eth", 2)


PROTOCOL = Protocol("etherip", under={"ip.proto": (97,)}, dissect=dissect, rank=Rank.TUNNEL)
