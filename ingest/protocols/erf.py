"""ERF (Endace's extensible record format): a record type, in the pseudo-header before the packet, names the link layer."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank, leaves

_TYPE_BEFORE = 8
"""Where the type stands in the pseudo-header."""
_TYPE = 0x7F
_HDLC = (1, 5, 10, 15, 17, 19)
_WITHOUT_PACKET = (0, 13, 14, 27)
"""Legacy, counters, padding, provenance."""
_CISCO_UNICAST, _CISCO_MULTICAST = 0x0F, 0x8F


def dissect(layer: Layer) -> None:
    """Hand on by record type; what is on serial lines is told by its first byte."""
    pseudo_header = layer.frames.batch.pseudo_header
    if pseudo_header is None:
        return
    before = pseudo_header[layer.rows]
    known = before >= 16
    layer, before = layer.select(known), before[known]
    kind = layer.byte(_TYPE_BEFORE - before) & _TYPE
    serial = np.isin(kind, _HDLC)
    layer.hand_on("erf.types.type", kind, 0, ~serial & ~np.isin(kind, _WITHOUT_PACKET))
    layer = layer.select(serial).require(1)
    first = layer.byte()
    cisco = (first == _CISCO_UNICAST) | (first == _CISCO_MULTICAST)
    layer.hand_to("chdlc", 0, cisco)
    layer.hand_to("ppp_hdlc", 0, ~cisco)


def dissect_omnipath_snoop(layer: Layer) -> None:
    """Eight bytes of the capturing device."""
    layer.hand_to("opa", 8)


PROTOCOLS = (
    Protocol("erf", under={"link_type": (197,)}, dissect=dissect, rank=Rank.LINK),
    Protocol("opa.snc", under={"erf.types.type": (28,)}, dissect=dissect_omnipath_snoop, rank=Rank.LINK),
    *leaves(
        "erf.types.type",
        {3: "atm", 4: "atm", 7: "atm", 9: "atm", 12: "atm", 18: "atm", 24: "sdh", 25: "infiniband_link", 29: "opa"},
    ),
)
