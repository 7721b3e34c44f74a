"""GRE (RFC 2784, RFC 2890), its enhanced form for PPTP (RFC 2637), and the mirrored frames of ERSPAN in it."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

_HEADER = np.dtype([("flags", ">u2"), ("protocol", ">u2")])
_CHECKSUM, _ROUTING, _KEY, _SEQUENCE, _ACKNOWLEDGMENT = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080
_PPP = 0x880B
_WCCP = 0x883E
_ERSPAN_1_2, _ERSPAN_3 = 0x88BE, 0x22EB
_WCCP_REDIRECT_BYTES = 4
_ERSPAN_VERSION_2, _ERSPAN_VERSION_3 = 1, 2
_ERSPAN_OPTIONAL, _ERSPAN_FRAME_TYPE = 0x0001, 0x7C00
_MAX_ROUTES = 16


def dissect(layer: Layer) -> None:
    """Hand on by protocol type, behind the optional fields that the flags announce."""
    layer = layer.require(4)
    header = layer.gather(_HEADER)
    flags = header["flags"]
    protocol = header["protocol"].astype(np.uint16)
    length = np.full(len(layer), 4, dtype=np.int64)
    for mask in (_CHECKSUM | _ROUTING, _KEY, _SEQUENCE):
        length += np.where(flags & mask != 0, 4, 0)
    # Only the enhanced form acknowledges, and it carries PPP.
    length += np.where((flags & _ACKNOWLEDGMENT != 0) & (protocol == _PPP), 4, 0)
    length = _behind_routes(layer, length, flags & _ROUTING != 0)
    wccp = protocol == _WCCP
    if wccp.any():
        _redirected(layer.select(wccp), length[wccp])
    # Without sequence numbers the mirrored frame comes at once (ERSPAN type I).
    bare = (protocol == _ERSPAN_1_2) & (flags & _SEQUENCE == 0)
    layer.hand_to("erspan1", length, bare)
    layer.hand_on("gre.proto", protocol, length, ~wccp & ~bare & (layer.reported > length))


def _behind_routes(
    layer: Layer, length: np.ndarray[tuple[int], np.dtype[np.int64]], routed: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Skip the source route entries of RFC 1701 (family, offset, length), which end with one of length 0."""
    waiting = np.flatnonzero(routed)
    for _ in range(_MAX_ROUTES):
        waiting = waiting[layer.captured[waiting] >= length[waiting] + 4]
        if not len(waiting):
            break
        entry = layer.frames.gather(layer.start[waiting] + length[waiting], np.dtype(">u4")).astype(np.int64)
        length[waiting] += 4 + (entry & 0xFF)
        waiting = waiting[entry & 0xFFFF00FF != 0]
    return length


def _redirected(layer: Layer, length: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    """WCCP version 2 puts four bytes before the packet, version 1 none: the packet's version tells."""
    there = layer.captured > length
    layer, length = layer.select(there), length[there]
    if len(layer):
        is_packet = layer.byte(length) >> 4 == 4
        layer.hand_to("ip", np.where(is_packet, length, length + _WCCP_REDIRECT_BYTES))


def dissect_erspan1(layer: Layer) -> None:
    """Type I has no header."""
    layer.hand_to("eth", 0)


def dissect_erspan(layer: Layer) -> None:
    """Type II (draft-foschiano-erspan) has eight bytes, type III twelve, and eight more if a flag says so; the version tells."""
    layer = layer.require(8)
    version = layer.byte() >> 4
    layer.hand_to("eth", 8, version == _ERSPAN_VERSION_2)
    layer = layer.select(version == _ERSPAN_VERSION_3).require(12)
    if not len(layer):
        return
    flags = layer.word(10)
    length = np.where(flags & _ERSPAN_OPTIONAL != 0, 20, 12)
    ethernet = flags & _ERSPAN_FRAME_TYPE == 0
    layer.hand_to("eth", length, ethernet)
    layer.hand_to("data", length, ~ethernet)


PROTOCOLS = (
    Protocol("gre", under={"ip.proto": (47,), "udp.port": (4754,)}, dissect=dissect, rank=Rank.TUNNEL, quoted_bytes=4),
    Protocol("erspan", key="erspan1", dissect=dissect_erspan1, rank=Rank.TUNNEL),
    Protocol("erspan", under={"gre.proto": (_ERSPAN_1_2, _ERSPAN_3)}, dissect=dissect_erspan, rank=Rank.TUNNEL),
)
