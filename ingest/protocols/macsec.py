"""MACsec (IEEE 802.1AE): named, and looked into where the payload is protected and not encrypted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_VERSION, _CHANNEL_IDENTIFIER, _ENCRYPTED, _CHANGED = 0x80, 0x20, 0x08, 0x04
_ICV_BYTES = 16


def is_version_0(layer: Layer) -> npt.NDArray[np.bool_]:
    """Whether the version, of which there is one, is that."""
    accepted = layer.captured < 1
    rest = ~accepted
    accepted[rest] = layer.select(rest).byte() & _VERSION == 0
    return accepted


def dissect(layer: Layer) -> None:
    """Six bytes of tag, eight of channel identifier if a flag says so, the payload, the integrity check value."""
    layer = layer.require(6)
    control = layer.byte()
    length = np.where(control & _CHANNEL_IDENTIFIER != 0, 14, 6)
    layer.trim(layer.reported_end - _ICV_BYTES)
    encrypted = control & (_ENCRYPTED | _CHANGED) != 0
    layer.hand_to("data", length, encrypted)
    plain = layer.select(~encrypted & (layer.captured >= length + 2))
    length = length[~encrypted & (layer.captured >= length + 2)]
    plain.hand_on("ethertype", plain.word(length), length + 2)


PROTOCOL = Protocol("macsec", under={"ethertype": (0x88E5,)}, dissect=dissect, rank=Rank.TAG, accept=is_version_0, otherwise="data")
