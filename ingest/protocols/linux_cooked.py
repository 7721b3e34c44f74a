"""Linux "cooked" captures, version 1 and 2 (LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2): what `-i any` writes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_V1 = np.dtype({"names": ["hardware", "protocol"], "formats": [">u2", ">u2"], "offsets": [2, 14], "itemsize": 16})
_V2 = np.dtype({"names": ["protocol", "hardware"], "formats": [">u2", ">u2"], "offsets": [0, 8], "itemsize": 20})

# Hardware types of linux/if_arp.h whose packets are not told by the protocol field.
_NETLINK = 824
_GRE = 778
_MAX_LINUX_PROTOCOL = 1536


def _hand_on(layer: Layer, hardware: npt.NDArray[np.uint16], protocol: npt.NDArray[np.uint16], length: int) -> None:
    plain = (hardware != _NETLINK) & (hardware != _GRE)
    by_hardware = plain & (layer.frames.registry.table("sll.hatype")[hardware] >= 0)
    layer.hand_on("sll.hatype", hardware, length, by_hardware)
    plain &= ~by_hardware
    layer.hand_on("ethertype", protocol, length, plain & (protocol > _MAX_LINUX_PROTOCOL))
    layer.hand_on("sll.ltype", protocol, length, plain & (protocol <= _MAX_LINUX_PROTOCOL))
    layer.hand_to("netlink", length, hardware == _NETLINK)
    layer.hand_on("gre.proto", protocol, length, hardware == _GRE)


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
