"""IGMP (RFC 3376, RFC 2236, RFC 1112) and what else is told by its type."""

from __future__ import annotations

from .base import Layer, Protocol, Rank, leaves

_MESSAGES = (*range(16), 17, 18, 22, 23, 30, 31, 34)
"""Wireshark shows the messages of IGMP itself as a second "igmp" inside the first."""
_OTHERS = {0x13: "dvmrp", 0x14: "pim", 0x40: "igap", 0x41: "igap", 0x42: "igap"}


def dissect(layer: Layer) -> None:
    """Hand on by type."""
    layer = layer.require(1)
    layer.hand_on("igmp.type", layer.byte(), 0, default=None)


PROTOCOLS = (
    Protocol("igmp", under={"ip.proto": (2,)}, dissect=dissect, rank=Rank.TRANSPORT),
    Protocol("igmp", key="igmp-message", under={"igmp.type": _MESSAGES}),
    *leaves("igmp.type", _OTHERS),
)
