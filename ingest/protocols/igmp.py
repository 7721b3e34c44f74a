"""IGMP (RFC 3376, RFC 2236, RFC 1112)."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

_MESSAGES = (0x11, 0x12, 0x16, 0x17, 0x22)
"""Membership query, the three reports, leave group."""


def dissect(layer: Layer) -> None:
    """Name the message as Wireshark does: it shows the known types as a second "igmp" inside the first."""
    layer = layer.require(1)
    kind = layer.gather(np.dtype("u1"))
    layer.hand_to("igmp-message", 0, np.isin(kind, _MESSAGES))


PROTOCOLS = (
    Protocol("igmp", under={"ip.proto": (2,)}, dissect=dissect, rank=Rank.TRANSPORT),
    Protocol("igmp", key="igmp-message"),
)
