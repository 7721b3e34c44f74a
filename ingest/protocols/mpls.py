"""MPLS (RFC 3032) and what a pseudowire may have behind the labels (RFC 4385, RFC 4448)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_BOTTOM = 0x100
_LABEL_SHIFT = 12
_ASSOCIATED_CHANNEL_LABEL = 13
_OAM_ALERT_LABEL = 14
_MAX_LABELS = 64


def dissect(layer: Layer) -> None:
    """Go down the label stack, then tell what follows by its first four bits; nothing in the labels says so."""
    at = np.zeros(len(layer), dtype=np.int64)
    label = np.zeros(len(layer), dtype=np.uint32)
    waiting = np.arange(len(layer))
    found = np.zeros(len(layer), dtype=np.bool_)
    for _ in range(_MAX_LABELS):
        waiting = waiting[layer.captured[waiting] >= at[waiting] + 4]
        if not len(waiting):
            break
        entry = layer.frames.gather(layer.rows[waiting], layer.start[waiting] + at[waiting], np.dtype(">u4")).astype(np.uint32)
        at[waiting] += 4
        label[waiting] = entry >> _LABEL_SHIFT
        bottom = entry & _BOTTOM != 0
        found[waiting[bottom]] = True
        waiting = waiting[~bottom]
    layer.hand_to("pwach", at, found & (label == _ASSOCIATED_CHANNEL_LABEL))
    layer.hand_to("mpls_y1711", at, found & (label == _OAM_ALERT_LABEL))
    found &= (label != _ASSOCIATED_CHANNEL_LABEL) & (label != _OAM_ALERT_LABEL)
    _by_first_nibble(layer.select(found), at[found])


def _by_first_nibble(layer: Layer, at: npt.NDArray[np.int64]) -> None:
    there = layer.captured > at
    layer, at = layer.select(there), at[there]
    if not len(layer):
        return
    nibble = layer.byte(at) >> 4
    is_ip = nibble == 4
    is_ipv6 = nibble == 6
    layer.hand_to("ip", at, is_ip)
    layer.hand_to("ipv6", at, is_ipv6)
    layer.hand_to("pwach", at, nibble == 1)
    layer.hand_to("pwethheuristic", at, nibble == 0)
    layer.hand_to("data", at, ~is_ip & ~is_ipv6 & (nibble > 1))


def dissect_pseudowire(layer: Layer) -> None:
    """Ethernet over MPLS whose control word may be there or not: it is when its bytes do not make an address."""
    layer.hand_to("eth", 0)


PROTOCOLS = (
    Protocol(
        "mpls",
        under={
            "ethertype": (0x8847, 0x8848), "ip.proto": (137,), "gre.proto": (0x8847, 0x8848), "chdlc.protocol": (0x8847, 0x8848),
            "ppp.protocol": (0x0281, 0x0283), "nsh.next_proto": (5,), "vxlan.next_proto": (5,), "udp.port": (6635,),
        },
        dissect=dissect,
        rank=Rank.TAG,
    ),
    Protocol("pwethheuristic", dissect=dissect_pseudowire, rank=Rank.TAG, shown=False),
    Protocol("pwach"),
    Protocol("mpls_y1711"),
)  # fmt: skip
