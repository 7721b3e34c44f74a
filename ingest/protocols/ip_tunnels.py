"""Small tunnels of IP in UDP: automatic multicast tunnelling (RFC 7450), AYIYA."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

_AMT_HEADERS = {4: 12, 5: 12, 6: 2}
"""Bytes before the packet in AMT's membership queries and updates and multicast data; other messages hold none."""
_FORWARD = 1
_AYIYA_BYTES = 8


def dissect_amt(layer: Layer) -> None:
    """Hand on the packet by its IP version."""
    layer = layer.require(1)
    layer.leave_tree()
    kind = layer.byte() & 0x0F
    for number, length in _AMT_HEADERS.items():
        here = layer.select(kind == number).require(length + 1)
        if len(here):
            version = here.byte(length) >> 4
            here.hand_to("ip", length, version == 4)
            here.hand_to("ipv6", length, version == 6)


def dissect_ayiya(layer: Layer) -> None:
    """Lengths of identity and signature, operation, next header (draft-massar-v6ops-ayiya)."""
    layer = layer.require(4)
    lengths = layer.byte()
    identity = np.int64(1) << (lengths >> 4).astype(np.int64)
    signature = (layer.byte(1) >> 4).astype(np.int64) * 4
    operation = layer.byte(2) & 0x0F
    layer.hand_on("ip.proto", layer.byte(3), _AYIYA_BYTES + identity + signature, operation == _FORWARD)


PROTOCOLS = (
    Protocol("amt", under={"udp.port": (2268,)}, dissect=dissect_amt, rank=Rank.TUNNEL),
    Protocol("ayiya", under={"udp.port": (5072,)}, dissect=dissect_ayiya, rank=Rank.TUNNEL),
)
