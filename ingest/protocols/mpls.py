"""MPLS (RFC 3032) and what a pseudowire may have behind the labels (RFC 4385, RFC 4448)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank, leaves
from .ethernet import MAX_LENGTH

_BOTTOM = 0x100
_LABEL_SHIFT = 12
_ASSOCIATED_CHANNEL_LABEL = 13
_OAM_ALERT_LABEL = 14
_MAX_LABELS = 64
_ETHERNET_BYTES, _TYPE_AT, _CONTROL_WORD_BYTES = 14, 12, 4


def dissect(layer: Layer) -> None:
    """Go down the label stack, then tell what follows by its first four bits; nothing in the labels says so."""
    at = np.zeros(len(layer), dtype=np.int64)
    label = np.zeros(len(layer), dtype=np.uint32)
    waiting = np.arange(len(layer))
    found = np.zeros(len(layer), dtype=np.bool_)
    for depth in range(_MAX_LABELS):
        waiting = waiting[layer.captured[waiting] >= at[waiting] + 4]
        if not len(waiting):
            break
        if depth and not layer.embedded:
            # Each label is a node of the tree.
            layer.frames.show_node(layer.rows[waiting], layer.frames.registry.number("mpls"))
        entry = layer.frames.gather(layer.start[waiting] + at[waiting], np.dtype(">u4")).astype(np.uint32)
        at[waiting] += 4
        label[waiting] = entry >> _LABEL_SHIFT
        bottom = entry & _BOTTOM != 0
        found[waiting[bottom]] = True
        waiting = waiting[~bottom]
    layer.hand_to("pwach", at, found & (label == _ASSOCIATED_CHANNEL_LABEL))
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
    """An Ethernet pseudowire whose control word (RFC 4448) may be there or not: where an Ethernet type is found tells."""
    long = layer.captured >= _ETHERNET_BYTES + _CONTROL_WORD_BYTES
    layer.hand_to("pwethnocw", 0, ~long)
    layer = layer.select(long)
    if not len(layer):
        return
    plain, behind = layer.word(_TYPE_AT), layer.word(_TYPE_AT + _CONTROL_WORD_BYTES)
    types = layer.frames.registry.table("ethertype")
    is_type, is_type_behind = types[plain] >= 0, types[behind] >= 0
    # Without a type it is a length (of a spanning tree frame, say), which leaves room for padding only.
    room = layer.reported - _ETHERNET_BYTES
    is_length = (plain <= MAX_LENGTH) & (plain >= 3) & (plain <= room) & ((room <= 46) | (plain == room))
    without = is_type | (~is_type_behind & is_length)
    layer.show_node("pweth.cw", ~without)
    layer.hand_to("pwethnocw", 0, without)
    layer.hand_to("pwethcw", 0, ~without)


def dissect_with_control_word(layer: Layer) -> None:
    """The frame comes behind four bytes."""
    layer.require(_CONTROL_WORD_BYTES).hand_to("eth", _CONTROL_WORD_BYTES)


def dissect_without_control_word(layer: Layer) -> None:
    """The frame comes at once."""
    layer.hand_to("eth", 0)


def dissect_channel(layer: Layer) -> None:
    """Associated channel header (RFC 4385, section 5): hand on by channel type."""
    layer = layer.require(4)
    layer.hand_on("pwach.channel_type", layer.word(2), 4)


PROTOCOLS = (
    Protocol(
        "mpls",
        under={
            "link_type": (219,), "ethertype": (0x8847, 0x8848), "ip.proto": (137,), "gre.proto": (0x8847, 0x8848),
            "chdlc.protocol": (0x8847, 0x8848),
            "ppp.protocol": (0x0281, 0x0283), "nsh.next_proto": (5,), "vxlan.next_proto": (5,), "udp.port": (6635,),
        },
        dissect=dissect,
        rank=Rank.TAG,
    ),
    Protocol("pwethheuristic", dissect=dissect_pseudowire, rank=Rank.TAG, node=""),
    Protocol("pwethcw", dissect=dissect_with_control_word, rank=Rank.TAG),
    Protocol("pwethnocw", dissect=dissect_without_control_word, rank=Rank.TAG, node="pweth"),
    Protocol("pweth"),
    # The control word is an item of its own there.
    Protocol("pweth.cw"),
    Protocol("pwach", dissect=dissect_channel, rank=Rank.TAG),
    *leaves(
        "pwach.channel_type",
        {
            1: "mcc", 7: "bfd", 10: "mplspmdlm", 11: "mplspmilm", 12: "mplspmdm", 13: "mplspmdlmdm", 14: "mplspmilmdm", 34: "bfd",
            35: "bfd", 36: "mpls_psc", 37: "mpls-echo", 38: "mplstp_lock", 39: "pw_oam", 40: "mpls_mac", 88: "mplstp_fm", 0x8902: "cfm",
        },
    ),
)  # fmt: skip
