"""MACsec (IEEE 802.1AE): named, and looked into where the payload is protected and not encrypted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_VERSION, _CHANNEL_IDENTIFIER, _ENCRYPTED, _CHANGED = 0x80, 0x20, 0x08, 0x04
_TAG_BYTES, _IDENTIFIED_TAG_BYTES, _ICV_BYTES = 6, 14, 16


def is_macsec(layer: Layer) -> npt.NDArray[np.bool_]:
    """Whether the version is 0, of which alone there is, and tag and integrity check value are there."""
    accepted = layer.captured >= _TAG_BYTES + _ICV_BYTES
    control = layer.select(accepted).byte()
    needed = np.where(control & _CHANNEL_IDENTIFIER != 0, _IDENTIFIED_TAG_BYTES, _TAG_BYTES) + _ICV_BYTES
    accepted[accepted] = (control & _VERSION == 0) & (layer.captured[accepted] >= needed)
    return accepted


def dissect(layer: Layer) -> None:
    """Six bytes of tag, eight of channel identifier if a flag says so, the payload, the integrity check value."""
    control = layer.byte()
    length = np.where(control & _CHANNEL_IDENTIFIER != 0, _IDENTIFIED_TAG_BYTES, _TAG_BYTES)
    layer.trim(layer.reported_end - _ICV_BYTES)
    encrypted = control & (_ENCRYPTED | _CHANGED) != 0
    layer.hand_to("data", length, encrypted)
    plain = ~encrypted & (layer.captured >= length + 2)
    layer, length = layer.select(plain), length[plain]
    layer.hand_on("ethertype", layer.word(length), length + 2)


PROTOCOL = Protocol("macsec", under={"ethertype": (0x88E5,)}, dissect=dissect, rank=Rank.TAG, accept=is_macsec, otherwise="data")
