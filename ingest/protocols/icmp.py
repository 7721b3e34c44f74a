"""ICMP (RFC 792) and ICMPv6 (RFC 4443), and the packet that an error message quotes."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

_HEADER = np.dtype([("type", "u1"), ("code", "u1")])
_QUOTE_AT = 8
_ICMP_ERRORS = (3, 4, 5, 11, 12)
"""Destination unreachable, source quench, redirect, time exceeded, parameter problem."""
_ICMPV6_ERRORS = (1, 2, 3, 4)


def _dissect(layer: Layer, errors: tuple[int, ...], quoted: str) -> None:
    layer = layer.require(2)
    if layer.embedded or not len(layer):
        return
    header = layer.gather(_HEADER)
    layer.set("icmp_type", header["type"])
    layer.set("icmp_code", header["code"])
    is_error = np.isin(header["type"], errors) & (layer.reported > _QUOTE_AT)
    if is_error.any():
        layer.set("in_icmp_error", is_error)
        layer.hand_to(quoted, _QUOTE_AT, is_error, embedded=True)


def dissect(layer: Layer) -> None:
    """Set type and code; look at the header that an error quotes."""
    _dissect(layer, _ICMP_ERRORS, "ip")


def dissect_v6(layer: Layer) -> None:
    """The same for ICMPv6."""
    _dissect(layer, _ICMPV6_ERRORS, "ipv6")


PROTOCOLS = (
    Protocol("icmp", under={"ip.proto": (1,)}, dissect=dissect, rank=Rank.TRANSPORT, node_bytes=6, quoted_bytes=6),
    Protocol("icmpv6", under={"ip.proto": (58,)}, dissect=dissect_v6, rank=Rank.TRANSPORT),
)
