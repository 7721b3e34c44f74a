"""CAPWAP (RFC 5415) and its forerunner LWAPP: wireless frames between access points and their controller."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

_DTLS = 1
_DTLS_HEADER_BYTES = 4
_HEADER_LENGTH_SHIFT = 3
_BINDING, _BINDING_80211 = 0x3E00, 0x0200
_NATIVE, _FRAGMENT, _LAST, _KEEP_ALIVE = 0x0100, 0x0080, 0x0040, 0x0008


def dissect_control(layer: Layer) -> None:
    """Encrypted messages are DTLS; others end here."""
    layer = layer.require(1)
    layer.hand_to("dtls", _DTLS_HEADER_BYTES, layer.byte() & 0x0F == _DTLS)


def dissect_data(layer: Layer) -> None:
    """Hand on the frame: 802.11 in its native form, else Ethernet."""
    layer = layer.require(1)
    encrypted = layer.byte() & 0x0F == _DTLS
    layer.hand_to("dtls", _DTLS_HEADER_BYTES, encrypted)
    layer = layer.select(~encrypted).require(8)
    if not len(layer):
        return
    length = (layer.byte(1) >> _HEADER_LENGTH_SHIFT).astype(np.int64) * 4
    flags = layer.word(2)
    # A last fragment at offset 0 is the only one.
    fragment = (flags & _FRAGMENT != 0) & ((flags & _LAST == 0) | (layer.word(6) >> 3 > 0))
    whole = ~fragment & (flags & _KEEP_ALIVE == 0)
    native = flags & _NATIVE != 0
    wireless = flags & _BINDING == _BINDING_80211
    layer.hand_to("data", length, fragment | (whole & native & ~wireless))
    layer.hand_to("eth", length, whole & ~native)
    layer.hand_to("wlan_swapped", length, whole & native & wireless)


PROTOCOLS = (
    Protocol("capwap", under={"udp.port": (5246,)}, dissect=dissect_control, rank=Rank.TUNNEL),
    Protocol("capwap.data", under={"udp.port": (5247,)}, dissect=dissect_data, rank=Rank.TUNNEL),
    Protocol("dtls"),
)
