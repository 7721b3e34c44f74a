"""PPP (RFC 1661), in HDLC-like framing (RFC 1662), over Ethernet (RFC 2516) and over serial lines that may carry Cisco HDLC."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_PPPOE = np.dtype([("version_type", "u1"), ("code", "u1"), ("session", ">u2"), ("length", ">u2")])
_LCP = np.dtype([("code", "u1"), ("id", "u1"), ("length", ">u2"), ("rejected", ">u2")])
_PROTOCOL_REJECT = 8
_CISCO_UNICAST, _CISCO_MULTICAST = 0x0F, 0x8F


def dissect(layer: Layer) -> None:
    """Hand on by protocol number, which has one byte when it is odd (protocol field compression, RFC 1661, section 6.5)."""
    _by_protocol(layer, np.zeros(len(layer), dtype=np.int64))


def dissect_framed(layer: Layer) -> None:
    """The same behind address and control field (RFC 1662, section 3.1) where they were not compressed away."""
    layer = layer.require(1)
    first = layer.byte()
    cisco = (first == _CISCO_UNICAST) | (first == _CISCO_MULTICAST)
    if cisco.any():
        layer.drop_node(cisco)
        layer.hand_to("chdlc", 0, cisco)
    layer, first = layer.select(~cisco), first[~cisco]
    at = np.zeros(len(layer), dtype=np.int64)
    at[first == 0xFF] = 2
    _by_protocol(layer, at)


def _by_protocol(layer: Layer, at: npt.NDArray[np.int64]) -> None:
    there = layer.captured > at
    layer, at = layer.select(there), at[there]
    if not len(layer):
        return
    first = layer.byte(at)
    compressed = first & 1 == 1
    layer.hand_on("ppp.protocol", first, at + 1, compressed)
    long = ~compressed & (layer.captured >= at + 2)
    whole, at = layer.select(long), at[long]
    whole.hand_on("ppp.protocol", whole.word(at), at + 2)


def dissect_session(layer: Layer) -> None:
    """PPPoE session: six bytes, then PPP; the length leaves out Ethernet's padding."""
    layer = layer.require(6)
    header = layer.gather(_PPPOE)
    opened = layer.captured >= 8
    layer.trim(layer.start + 6 + header["length"].astype(np.int64))
    layer.hand_to("ppp", 6, opened)


def dissect_lcp(layer: Layer) -> None:
    """A Protocol-Reject quotes the packet that it rejects (RFC 1661, section 5.7)."""
    layer = layer.require(6)
    header = layer.gather(_LCP)
    layer.trim(layer.start + header["length"].astype(np.int64))
    rejected = (header["code"] == _PROTOCOL_REJECT) & (layer.captured > 6)
    layer.hand_on("ppp.protocol", header["rejected"], 6, rejected, default=None, embedded=True)


def dissect_with_direction(layer: Layer) -> None:
    """One byte of direction before the frame (LINKTYPE_PPP_PPPD)."""
    layer.require(1).hand_to("ppp_hdlc", 1)


PROTOCOLS = (
    Protocol(
        "ppp",
        under={"sll.ltype": (0x0007,), "fr.nlpid": (0xCF,), "osinl.excl": (0xCF,)},
        dissect=dissect,
        rank=Rank.TAG,
    ),
    Protocol(
        "ppp",
        key="ppp_hdlc",
        under={"link_type": (9, 50, 204), "gre.proto": (0x880B,), "sita.proto": (7,)},
        dissect=dissect_framed,
        rank=Rank.LINK,
    ),
    # With the octets stuffed (RFC 1662, section 4.2), which no header in this form can be read from.
    Protocol("ppp_hdlc", key="ppp_stuffed", under={"gre.proto": (0x8881, 0x88D2)}),
    Protocol("ppp", key="ppp_pppd", under={"link_type": (166,)}, dissect=dissect_with_direction, rank=Rank.LINK, shown=False),
    Protocol("pppoes", under={"ethertype": (0x8864,), "link_type": (51,)}, dissect=dissect_session, rank=Rank.TAG),
    Protocol("lcp", under={"ppp.protocol": (0xC021,), "ethertype": (0xC021,)}, dissect=dissect_lcp),
)
