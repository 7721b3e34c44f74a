"""OpenBSD's pflog and enc devices: what packet filter and IPsec saw, then the IP packet."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Layer, Protocol, Rank

_IPV4 = 2
_ENC_BYTES = 12
_IPV6_OF_OPENBSD = 24
_IPV6 = (_IPV6_OF_OPENBSD, 28, 30)
"""AF_INET6 of NetBSD and OpenBSD, FreeBSD, and macOS."""


def dissect_pflog(layer: Layer) -> None:
    """Length of the header, rounded up to four bytes, and address family."""
    layer = layer.require(4)
    length = (layer.byte().astype(np.int64) + 3) & ~3
    family = layer.byte(1).astype(np.int64)
    _hand_on(layer, family, length, np.isin(family, _IPV6))


def dissect_enc(layer: Layer) -> None:
    """Address family in the byte order of the machine, security parameters index, flags."""
    layer = layer.require(_ENC_BYTES)
    family = layer.gather(np.dtype("<u4")).astype(np.uint32)
    family = np.where(family > 0xFFFF, family.byteswap(), family)
    _hand_on(layer, family.astype(np.int64), np.full(len(layer), _ENC_BYTES, dtype=np.int64), family == _IPV6_OF_OPENBSD)


def _hand_on(layer: Layer, family: npt.NDArray[np.int64], length: npt.NDArray[np.int64], ipv6: npt.NDArray[np.bool_]) -> None:
    layer.hand_to("ip", length, family == _IPV4)
    layer.hand_to("ipv6", length, ipv6)
    layer.hand_to("data", length, ~ipv6 & (family != _IPV4))


PROTOCOLS = (
    Protocol("pflog", under={"link_type": (117,)}, dissect=dissect_pflog, rank=Rank.LINK),
    Protocol("enc", under={"link_type": (13, 109)}, dissect=dissect_enc, rank=Rank.LINK),
)
