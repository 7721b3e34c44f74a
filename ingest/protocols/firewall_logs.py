"""OpenBSD's pflog and enc devices: what packet filter and IPsec saw, then the IP packet."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_IPV4 = 2
_IPV6 = (24, 28, 30)
"""AF_INET6 of NetBSD and OpenBSD, FreeBSD, and macOS."""


def dissect_pflog(layer: Layer) -> None:
    """Length of the header, rounded up to four bytes, and address family."""
    layer = layer.require(4)
    length = (layer.byte().astype(np.int64) + 3) & ~3
    _hand_on(layer, layer.byte(1).astype(np.int64), length)


def dissect_enc(layer: Layer) -> None:
    """Address family in the byte order of the machine, security parameters index, flags."""
    layer = layer.require(12)
    family = layer.gather(np.dtype("<u4")).astype(np.uint32)
    _hand_on(layer, np.where(family > 0xFFFF, family.byteswap(), family).astype(np.int64), np.full(len(layer), 12, dtype=np.int64))


def _hand_on(layer: Layer, family: npt.NDArray[np.int64], length: npt.NDArray[np.int64]) -> None:
    ipv6 = np.isin(family, _IPV6)
    layer.hand_to("ip", length, family == _IPV4)
    layer.hand_to("ipv6", length, ipv6)
    layer.hand_to("data", length, ~ipv6 & (family != _IPV4))


PROTOCOLS = (
    Protocol("pflog", under={"link_type": (117,)}, dissect=dissect_pflog, rank=Rank.LINK),
    Protocol("enc", under={"link_type": (13, 109)}, dissect=dissect_enc, rank=Rank.LINK),
)
