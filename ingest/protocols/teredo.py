"""Teredo (RFC 4380): IPv6 through network address translation."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

_AUTHENTICATION, _ORIGIN = 1, 0
_AUTHENTICATION_BYTES = 13
"""Indicator, two lengths, nonce and confirmation (section 5.1.1), besides what the lengths say."""
_ORIGIN_BYTES = 8


def dissect(layer: Layer) -> None:
    """Hand on behind the authentication and the origin indication, of which either may be there."""
    layer = layer.require(2)
    authenticated = layer.word() == _AUTHENTICATION
    whole = ~authenticated | (layer.captured >= _AUTHENTICATION_BYTES)
    layer, authenticated = layer.select(whole), authenticated[whole]
    at = np.zeros(len(layer), dtype=np.int64)
    client = layer.select(authenticated)
    at[authenticated] = _AUTHENTICATION_BYTES + client.byte(2).astype(np.int64) + client.byte(3)
    there = layer.captured >= at + 2
    layer, at = layer.select(there), at[there]
    at[layer.word(at) == _ORIGIN] += _ORIGIN_BYTES
    there = layer.captured > at
    layer, at = layer.select(there), at[there]
    is_ipv6 = layer.byte(at) >> 4 == 6
    layer.hand_to("ipv6", at, is_ipv6)
    layer.hand_to("data", at, ~is_ipv6)


PROTOCOL = Protocol("teredo", under={"udp.port": (3544,)}, dissect=dissect, rank=Rank.TUNNEL)
