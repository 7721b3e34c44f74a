"""GTP, the GPRS tunnelling protocol (3GPP TS 29.060, TS 29.281): user packets are unwrapped, signalling is named."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_HEADER = np.dtype([("flags", "u1"), ("type", "u1"), ("length", ">u2")])
_USER_PACKET = 0xFF
_EXTENSION, _SEQUENCE, _N_PDU = 0x04, 0x02, 0x01
_V0_BYTES = 20
_V1_BYTES = 8
_MAX_EXTENSIONS = 32


def dissect(layer: Layer) -> None:
    """Hand on version 2 as such, and the packet in a G-PDU by its IP version."""
    layer = layer.require(1)
    version = layer.byte() >> 5
    layer.hand_to("gtpv2", 0, version == 2)
    layer = layer.select(version < 2).require(_V1_BYTES)
    if not len(layer):
        return
    header = layer.gather(_HEADER)
    user = header["type"] == _USER_PACKET
    layer, header = layer.select(user), header[user]
    first = header["flags"] >> 5 == 1
    optional = first & (header["flags"] & (_EXTENSION | _SEQUENCE | _N_PDU) != 0)
    at = np.where(first, np.where(optional, _V1_BYTES + 4, _V1_BYTES), _V0_BYTES).astype(np.int64)
    _skip_extensions(layer, at, first & (header["flags"] & _EXTENSION != 0))
    there = layer.captured > at
    inside, at = layer.select(there), at[there]
    if not len(inside):
        return
    opening = inside.byte(at)
    inside.hand_to("ip", at, (opening >= 0x45) & (opening <= 0x4E))
    inside.hand_to("ipv6", at, opening & 0xF0 == 0x60)


def _skip_extensions(layer: Layer, at: npt.NDArray[np.int64], extended: npt.NDArray[np.bool_]) -> None:
    """Move `at` (int64[m]) behind the extension headers; the byte before it names the first."""
    waiting = np.flatnonzero(extended)
    for _ in range(_MAX_EXTENSIONS):
        waiting = waiting[layer.captured[waiting] > at[waiting]]
        if not len(waiting):
            return
        start = layer.start[waiting] + at[waiting]
        following = layer.frames.gather(layer.rows[waiting], start - 1, np.dtype([("next", "u1"), ("length", "u1")]))
        waiting, length = waiting[following["next"] != 0], following["length"][following["next"] != 0].astype(np.int64)
        at[waiting] += length * 4
        waiting = waiting[length > 0]


PROTOCOLS = (
    Protocol("gtp", under={"udp.port": (2123, 2152)}, dissect=dissect, rank=Rank.TUNNEL),
    Protocol("gtpv2"),
)
