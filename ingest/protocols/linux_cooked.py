"""Linux "cooked" captures, version 1 and 2 (LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2): what `-i any` writes."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank
from .ethernet import MIN_TYPE

_V1 = np.dtype({"names": ["hardware", "protocol"], "formats": [">u2", ">u2"], "offsets": [2, 14], "itemsize": 16})
_V2 = np.dtype({"names": ["protocol", "hardware"], "formats": [">u2", ">u2"], "offsets": [0, 8], "itemsize": 20})

_LLC = 0x0004
_RAW_8023 = 0x0001
_CAN = 0x000C
_NETLINK = 824
_IEEE80211_RADIOTAP = 803
_GRE = 778


def _hand_on(layer: Layer, hardware: np.ndarray[tuple[int], np.dtype[np.uint16]], protocol: np.ndarray[tuple[int], np.dtype[np.uint16]], length: int) -> None:
    special = (hardware == _NETLINK) | (hardware == _IEEE80211_RADIOTAP) | (hardware == _GRE)
    layer.hand_to("netlink", length, hardware == _NETLINK)
    layer.hand_on("ethertype", protocol, length, ~special & (protocol >= MIN_TYPE))
    # With an IPGRE device the field is the GRE protocol type.
    layer.hand_on("ethertype", protocol, length, hardware == _GRE)
    layer.hand_to("llc", length, ~special & (protocol == _LLC))
    layer.hand_to("ipx", length, ~special & (protocol == _RAW_8023))
    layer.hand_to("can", length, ~special & (protocol == _CAN))
    known = (protocol == _LLC) | (protocol == _RAW_8023) | (protocol == _CAN)
    layer.hand_to("data", length, ~special & (protocol < MIN_TYPE) & ~known)


def dissect_v1(layer: Layer) -> None:
    """16 bytes: packet type, ARPHRD_ type, address, protocol."""
    layer = layer.require(16)
    header = layer.gather(_V1)
    _hand_on(layer, header["hardware"].astype(np.uint16), header["protocol"].astype(np.uint16), 16)


def dissect_v2(layer: Layer) -> None:
    """20 bytes, the protocol first and the interface's index in them."""
    layer = layer.require(20)
    header = layer.gather(_V2)
    _hand_on(layer, header["hardware"].astype(np.uint16), header["protocol"].astype(np.uint16), 20)


PROTOCOLS = (
    Protocol("sll", under={"link_type": (113,)}, dissect=dissect_v1, rank=Rank.LINK),
    Protocol("sll", key="sll2", under={"link_type": (276,)}, dissect=dissect_v2, rank=Rank.LINK),
)
