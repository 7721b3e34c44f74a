"""L2TP (RFC 2661), and version 3 (RFC 3931) over UDP and right over IP: control messages are named, data is PPP or unknown."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_CONTROL, _LENGTH, _SEQUENCE, _OFFSET, _VERSION = 0x8000, 0x4000, 0x0800, 0x0200, 0x000F


def is_l2tp(layer: Layer) -> npt.NDArray[np.bool_]:
    """Whether the version is 2 or 3."""
    accepted = layer.captured < 2
    rest = ~accepted
    version = layer.select(rest).word() & _VERSION
    accepted[rest] = (version == 2) | (version == 3)
    return accepted


def dissect(layer: Layer) -> None:
    """Hand on version 2's data, behind the optional fields that the flags announce."""
    layer = layer.require(2)
    flags = layer.word()
    data = flags & _CONTROL == 0
    # Version 3 says nowhere what a session carries: behind the session's number it is data for Wireshark, too.
    layer.hand_to("data", 8, data & (flags & _VERSION == 3))
    data &= flags & _VERSION == 2
    layer, flags = layer.select(data), flags[data]
    with_length = (flags & _LENGTH != 0) & (layer.captured >= 4)
    end = layer.reported_end.copy()
    end[with_length] = layer.start[with_length] + layer.select(with_length).word(2)
    layer.trim(end)
    length = 6 + np.where(flags & _LENGTH != 0, 2, 0) + np.where(flags & _SEQUENCE != 0, 4, 0)
    with_offset = (flags & _OFFSET != 0) & (layer.captured >= length + 2)
    padded = layer.select(with_offset)
    length[with_offset] += 2 + padded.word(length[with_offset]).astype(np.int64)
    layer.hand_to("ppp_hdlc", length, layer.captured > length)


def dissect_over_ip(layer: Layer) -> None:
    """Session identifier 0 is for control messages."""
    layer = layer.require(4)
    session = layer.gather(np.dtype(">u4"))
    layer.hand_to("data", 4, session != 0)


PROTOCOLS = (
    Protocol("l2tp", under={"udp.port": (1701,)}, dissect=dissect, rank=Rank.TUNNEL, accept=is_l2tp),
    Protocol("l2tp", key="l2tp_over_ip", under={"ip.proto": (115,)}, dissect=dissect_over_ip, rank=Rank.TUNNEL),
)
