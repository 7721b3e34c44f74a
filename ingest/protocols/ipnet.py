"""Solaris' IP observability devices (LINKTYPE_IPNET): a header with the zones of both ends, then IP."""

from __future__ import annotations

from .base import Layer, Protocol, Rank

HEADER_BYTES = 24
_FAMILY_AT = 1
_IPV4, _IPV6 = 2, 26


def dissect(layer: Layer) -> None:
    """Hand on by the address family, whose numbers are those of Solaris."""
    layer = layer.require(HEADER_BYTES)
    family = layer.byte(_FAMILY_AT)
    layer.hand_to("ip", HEADER_BYTES, family == _IPV4)
    layer.hand_to("ipv6", HEADER_BYTES, family == _IPV6)


PROTOCOL = Protocol("ipnet", under={"link_type": (226,)}, dissect=dissect, rank=Rank.LINK)
