"""Linux netlink captures (LINKTYPE_NETLINK): the family names the protocol; packets that netfilter logged are unwrapped."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank, leaves

_COOKED_BYTES = 16
_FAMILY_AT = 14
_MESSAGE = np.dtype([("length", "<u4"), ("type", "u1"), ("subsystem", "u1")])
_MESSAGE_BYTES, _TYPE_AT = 16, 4
_FIRST_FAMILY_TYPE = 16
_LOG_SUBSYSTEM, _LOG_PACKET = 4, 0
"""NFNL_SUBSYS_ULOG and NFULNL_MSG_PACKET (linux/netfilter/nfnetlink_log.h)."""


def dissect(layer: Layer) -> None:
    """Behind the header of a cooked capture, whose protocol field holds the netlink family."""
    layer = layer.require(_COOKED_BYTES + _TYPE_AT + 2)
    # Netlink's own messages: nothing, error, done, overrun.
    own = layer.gather(np.dtype("<u2"), _COOKED_BYTES + _TYPE_AT) < _FIRST_FAMILY_TYPE
    layer.hand_to("data", _COOKED_BYTES + _MESSAGE_BYTES, own)
    layer.hand_on("netlink.protocol", layer.word(_FAMILY_AT), _COOKED_BYTES, ~own)


def dissect_netfilter(layer: Layer) -> None:
    """The first message; a logged packet in it has the form of LINKTYPE_NFLOG."""
    layer = layer.require(_MESSAGE_BYTES)
    message = layer.gather(_MESSAGE)
    layer.trim(layer.start + message["length"].astype(np.int64))
    packet = (message["subsystem"] == _LOG_SUBSYSTEM) & (message["type"] == _LOG_PACKET)
    layer.leave_tree(packet)
    layer.hand_to("nflog", _MESSAGE_BYTES, packet)


PROTOCOLS = (
    Protocol("netlink", under={"link_type": (253,)}, dissect=dissect, rank=Rank.LINK),
    Protocol("netlink-netfilter", under={"netlink.protocol": (12,)}, dissect=dissect_netfilter, rank=Rank.LINK),
    *leaves("netlink.protocol", {0: "netlink-route", 4: "netlink-sock_diag", 16: "genl"}),
)
