"""The mobility header of IPv6 (RFC 6275): named, and no node of the tree where it is one of IPv6's headers."""

from __future__ import annotations

from .base import Layer, Protocol
from .ipv6 import MOBILITY


def dissect(layer: Layer) -> None:
    """Wireshark shows it as a part of IPv6, and as a protocol of its own where IPv4 carries it against the rules."""
    layer.drop_node(layer.get("ip_version") == 6)


PROTOCOL = Protocol("mipv6", key="mipv6_header", under={"ip.proto": (MOBILITY,)}, dissect=dissect)
