"""GRE (RFC 2784, RFC 2890) and its enhanced form for PPTP (RFC 2637)."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

_HEADER = np.dtype([("flags", ">u2"), ("protocol", ">u2")])
_CHECKSUM, _ROUTING, _KEY, _SEQUENCE, _ACKNOWLEDGMENT = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080


def dissect(layer: Layer) -> None:
    """Hand on by protocol type, behind the optional fields that the flags announce."""
    layer = layer.require(4)
    header = layer.gather(_HEADER)
    flags = header["flags"]
    length = np.full(len(layer), 4, dtype=np.int64)
    for mask in (_CHECKSUM | _ROUTING, _KEY, _SEQUENCE, _ACKNOWLEDGMENT):
        length += np.where(flags & mask != 0, 4, 0)
    # Source routing (RFC 1701) was withdrawn: its list is not walked.
    layer.hand_on("ethertype", header["protocol"], length, flags & _ROUTING == 0)


PROTOCOL = Protocol("gre", under={"ip.proto": (47,)}, dissect=dissect, rank=Rank.TUNNEL)
