"""GTP, the GPRS tunnelling protocol (3GPP TS 29.060, TS 29.281): user packets are unwrapped, signalling is named."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_HEADER = np.dtype([("flags", "u1"), ("type", "u1"), ("length", ">u2")])
_USER_PACKET = 0xFF
_NOT_CHARGING = 0x10
"""Protocol type: clear in GTP', which is for charging."""
_MESSAGES = (
    *range(1, 8), *range(16, 38), *range(48, 63), 70, *range(96, 106), *range(112, 122), 128, 129, 240, 241, 254, _USER_PACKET,
)  # fmt: skip
"""Message types of versions 0 and 1 (TS 29.060, section 7.1)."""
_IS_MESSAGE = np.isin(np.arange(256), _MESSAGES)
_EXTENSION, _SEQUENCE, _N_PDU = 0x04, 0x02, 0x01
_V0_BYTES = 20
_V1_BYTES = 8
_MAX_EXTENSIONS = 32


def is_gtp(layer: Layer) -> npt.NDArray[np.bool_]:
    """Whether version and message type are ones that are defined."""
    accepted = layer.captured >= 2
    there = layer.require(2)
    version = there.byte() >> 5
    accepted[accepted] = (version == 2) | ((version < 2) & _IS_MESSAGE[there.byte(1)])
    return accepted


def dissect(layer: Layer) -> None:
    """Hand on version 2 as such, and the packet in a G-PDU by its IP version."""
    layer = layer.require(1)
    second = layer.byte() >> 5 == 2
    if second.any():
        layer.drop_node(second)
        layer.hand_to("gtpv2", 0, second)
        layer = layer.select(~second)
    dissect_charging(layer)


def dissect_charging(layer: Layer) -> None:
    """The packet in a G-PDU, which Wireshark looks for at the port of GTP' (3GPP TS 32.295) too."""
    layer = layer.require(1)
    layer = layer.select(layer.byte() >> 5 < 2).require(_V1_BYTES)
    if not len(layer):
        return
    header = layer.gather(_HEADER)
    flags = header["flags"]
    user = (header["type"] == _USER_PACKET) & (flags & _NOT_CHARGING != 0)
    layer, header, flags = layer.select(user), header[user], flags[user]
    first = flags >> 5 == 1
    mandatory = np.where(first, _V1_BYTES, _V0_BYTES)
    at = mandatory + np.where(first & (flags & (_EXTENSION | _SEQUENCE | _N_PDU) != 0), 4, 0)
    layer.trim(layer.start + mandatory + header["length"].astype(np.int64))
    _skip_extensions(layer, at, first & (flags & _EXTENSION != 0))
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
        following = layer.frames.gather(start - 1, np.dtype([("next", "u1"), ("length", "u1")]))
        waiting, length = waiting[following["next"] != 0], following["length"][following["next"] != 0].astype(np.int64)
        at[waiting] += length * 4
        waiting = waiting[length > 0]


PROTOCOLS = (
    Protocol("gtp", under={"udp.port": (2123, 2152)}, dissect=dissect, rank=Rank.TUNNEL, accept=is_gtp),
    Protocol("gtpprime", under={"udp.port": (3386,)}, dissect=dissect_charging, rank=Rank.TUNNEL, accept=is_gtp, node="gtp"),
    Protocol("gtpv2"),
)
