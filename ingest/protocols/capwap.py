"""CAPWAP (RFC 5415) and its forerunner LWAPP: wireless frames between access points and their controller."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

_DTLS = 1
_DTLS_HEADER_BYTES = 4
_HEADER_LENGTH_SHIFT = 3
_NATIVE = 0x01
_FRAGMENT, _KEEP_ALIVE = 0x80, 0x08
_BINDING_80211 = 1


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
    bits = layer.word(2)
    binding = bits >> 9 & 0x1F
    native = bits & 0x0100 != 0
    fragment = bits & _FRAGMENT != 0
    keep_alive = bits & _KEEP_ALIVE != 0
    whole = ~fragment & ~keep_alive & (length >= 8)
    layer.hand_to("data", length, fragment & ~keep_alive)
    layer.hand_to("eth", length, whole & ~native)
    wireless = whole & native & (binding == _BINDING_80211)
    layer.hand_to("wlan_swapped", length, wireless)
    layer.hand_to("data", length, whole & native & (binding != _BINDING_80211))


PROTOCOLS = (
    Protocol("capwap", under={"udp.port": (5246,)}, dissect=dissect_control, rank=Rank.TUNNEL),
    Protocol("capwap.data", under={"udp.port": (5247,)}, dissect=dissect_data, rank=Rank.TUNNEL),
    Protocol("dtls"),
)
