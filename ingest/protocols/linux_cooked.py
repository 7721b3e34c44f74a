"""Linux "cooked" captures, version 1 and 2 (LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2): what `-i any` writes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_V1 = np.dtype({"names": ["hardware", "protocol"], "formats": [">u2", ">u2"], "offsets": [2, 14], "itemsize": 16})
_V2 = np.dtype({"names": ["protocol", "hardware"], "formats": [">u2", ">u2"], "offsets": [0, 8], "itemsize": 20})

# Hardware types (linux/if_arp.h) whose protocol field is no Ethernet type.
_NETLINK = 824
_GRE = 778
_MAX_LINUX_PROTOCOL = 1536
V1_BYTES, V2_BYTES = 16, 20


def dissect_v1(layer: Layer) -> None:
    """16 bytes: packet type, ARPHRD_ type, address, protocol."""
    layer = layer.require(V1_BYTES)
    header = layer.gather(_V1)
    # Netlink captures have this very header, and it tells the family.
    netlink = header["hardware"] == _NETLINK
    layer.hand_to("netlink", 0, netlink)
    _hand_on(layer, header["hardware"].astype(np.uint16), header["protocol"].astype(np.uint16), V1_BYTES, ~netlink)


def dissect_v2(layer: Layer) -> None:
    """20 bytes, the protocol first and the interface's index in them."""
    layer = layer.require(V2_BYTES)
    header = layer.gather(_V2)
    netlink = header["hardware"] == _NETLINK
    layer.hand_to("data", V2_BYTES, netlink)
    _hand_on(layer, header["hardware"].astype(np.uint16), header["protocol"].astype(np.uint16), V2_BYTES, ~netlink)


def _hand_on(
    layer: Layer, hardware: npt.NDArray[np.uint16], protocol: npt.NDArray[np.uint16], length: int, where: npt.NDArray[np.bool_]
) -> None:
    is_type = where & (protocol > _MAX_LINUX_PROTOCOL)
    gre = is_type & (hardware == _GRE)
    layer.hand_on("ethertype", protocol, length, is_type & ~gre)
    layer.hand_on("gre.proto", protocol, length, gre)
    by_hardware = where & ~is_type & (layer.frames.registry.table("sll.hatype")[hardware] >= 0)
    layer.hand_on("sll.hatype", hardware, length, by_hardware)
    layer.hand_on("sll.ltype", protocol, length, where & ~is_type & ~by_hardware)


PROTOCOLS = (
    Protocol("sll", under={"link_type": (113,)}, dissect=dissect_v1, rank=Rank.LINK),
    Protocol("sll", key="sll2", under={"link_type": (276,)}, dissect=dissect_v2, rank=Rank.LINK),
)
