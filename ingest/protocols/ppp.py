"""PPP (RFC 1661), its session stage over Ethernet (RFC 2516), and PPP in HDLC-like framing (RFC 1662)."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank, leaves

_PPPOE = np.dtype([("version_type", "u1"), ("code", "u1"), ("session", ">u2"), ("length", ">u2")])


def dissect(layer: Layer) -> None:
    """Hand on by protocol number, which has one byte when it is odd (protocol field compression, RFC 1661, section 6.5)."""
    layer = layer.require(1)
    first = layer.gather(np.dtype("u1"))
    framed = layer.select(first == 0xFF).require(2)
    if len(framed):
        # Address and control field (RFC 1662, section 3.1) where they were not compressed away.
        addressed = framed.gather(np.dtype("u1"), 1) == 0x03
        _by_protocol(framed.select(addressed), 2)
    _by_protocol(layer.select(first != 0xFF), 0)


def _by_protocol(layer: Layer, at: int) -> None:
    layer = layer.require(at + 1)
    if not len(layer):
        return
    first = layer.gather(np.dtype("u1"), at)
    compressed = first & 1 == 1
    layer.hand_on("ppp", first, at + 1, compressed)
    whole = layer.select(~compressed).require(at + 2)
    whole.hand_on("ppp", whole.gather(np.dtype(">u2"), at), at + 2)


def dissect_session(layer: Layer) -> None:
    """PPPoE session: six bytes, then PPP; the length leaves out Ethernet's padding."""
    layer = layer.require(6)
    header = layer.gather(_PPPOE)
    layer.trim(layer.start + 6 + header["length"].astype(np.int64))
    layer.hand_to("ppp", 6, header["code"] == 0)


PROTOCOLS = (
    Protocol("ppp", under={"link_type": (9, 50), "ethertype": (0x880B,)}, dissect=dissect, rank=Rank.TAG),
    Protocol("pppoes", under={"ethertype": (0x8864,), "link_type": (51,)}, dissect=dissect_session, rank=Rank.TAG),
    # PPP protocol numbers (IANA).
    *leaves(
        "ppp",
        {
            0xC021: "lcp", 0xC023: "pap", 0xC223: "chap", 0xC025: "lqr", 0xC227: "eap", 0x8021: "ipcp", 0x8057: "ipv6cp", 0x80FD: "ccp",
            0x00FD: "comp_data", 0x802B: "ipxcp", 0x002B: "ipx", 0x8207: "cdpcp", 0x0207: "cdp", 0x8053: "ecp", 0x003D: "mp", 0xC02B: "bacp",
            0xC02D: "bap", 0x0023: "osi", 0x8023: "osinlcp", 0x8281: "mplscp", 0x0031: "bcp_ncp", 0x8031: "bcp_ncp", 0x803F: "nbfcp",
        },
    ),
)
