"""BSD loopback (LINKTYPE_NULL, LINKTYPE_LOOP): four bytes of address family."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

_IPV4 = 2
_IPV6 = (10, 23, 24, 28, 30)
"""AF_INET6 of Linux, Windows, NetBSD and OpenBSD, FreeBSD, and macOS."""


def dissect(layer: Layer) -> None:
    """Hand on by address family, written in the byte order of whoever captured (NULL) or the network's (LOOP)."""
    layer = layer.require(4)
    little = layer.gather(np.dtype("<u4"))
    family = np.where(little > 0xFFFF, little.byteswap(), little)
    # Some systems put an Ethernet type there (Wireshark accepts it too).
    ipv6 = np.isin(family, _IPV6)
    layer.hand_to("ip", 4, family == _IPV4)
    layer.hand_to("ipv6", 4, ipv6)
    rest = ~ipv6 & (family != _IPV4)
    layer.hand_on("ethertype", np.where(family < 0x600, 0, family).astype(np.int64), 4, rest)


PROTOCOL = Protocol("null", under={"link_type": (0, 108)}, dissect=dissect, rank=Rank.LINK)
