"""Packets that probes send on in UDP: TaZmen Sniffer Protocol, Juniper's jmirror."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_TZSP = np.dtype([("version", "u1"), ("type", "u1"), ("encapsulation", ">u2")])
_PAD, _END = 0, 1
_MAX_TAGS = 64
_WITHOUT_PACKET = (4, 5)
"""TZSP types: keepalive and port opener."""
_ENCAPSULATIONS = {1: "eth", 2: "tr", 4: "ppp_hdlc", 5: "fddi", 7: "raw", 18: "wlan", 119: "prism", 126: "radiotap", 127: "wlancap"}
_JMIRROR_BYTES = 8
_IPV4_OPENING = 0x45


def dissect_tzsp(layer: Layer) -> None:
    """Walk the tagged fields to their end; the encapsulation names what follows."""
    layer = layer.require(4)
    header = layer.gather(_TZSP)
    at = np.full(len(layer), 4, dtype=np.int64)
    ended = np.zeros(len(layer), dtype=np.bool_)
    waiting = np.flatnonzero(~np.isin(header["type"], _WITHOUT_PACKET))
    for _ in range(_MAX_TAGS):
        waiting = waiting[layer.captured[waiting] > at[waiting]]
        if not len(waiting):
            break
        tag = layer.frames.gather(layer.start[waiting] + at[waiting], np.dtype("u1"))
        ended[waiting[tag == _END]] = True
        at[waiting] += 1
        waiting, tag = waiting[tag != _END], tag[tag != _END]
        long = waiting[tag != _PAD]
        cut = layer.captured[long] <= at[long]
        at[long[cut]] = layer.captured[long[cut]]
        long = long[~cut]
        at[long] += 1 + layer.frames.gather(layer.start[long] + at[long], np.dtype("u1")).astype(np.int64)
    known = np.isin(header["encapsulation"], tuple(_ENCAPSULATIONS))
    for number, name in _ENCAPSULATIONS.items():
        layer.hand_to(name, at, ended & (header["encapsulation"] == number))
    layer.hand_to("data", at, ended & ~known)


def is_jmirror(layer: Layer) -> npt.NDArray[np.bool_]:
    """Whether what is inside looks like the start of an IP packet."""
    accepted = layer.captured > _JMIRROR_BYTES
    opening = layer.select(accepted).byte(_JMIRROR_BYTES)
    accepted[accepted] = (opening == _IPV4_OPENING) | (opening >> 4 == 6)
    return accepted


def dissect_jmirror(layer: Layer) -> None:
    """Intercept and session identifier, then an IP packet."""
    version = layer.byte(_JMIRROR_BYTES) >> 4
    layer.hand_to("ip", _JMIRROR_BYTES, version == 4)
    layer.hand_to("ipv6", _JMIRROR_BYTES, version == 6)


PROTOCOLS = (
    Protocol("tzsp", under={"udp.port": (37008,), "link_type": (128,)}, dissect=dissect_tzsp, rank=Rank.TUNNEL),
    Protocol("jmirror", under={"udp.port": (30030,)}, dissect=dissect_jmirror, rank=Rank.TUNNEL, accept=is_jmirror),
)
