"""PIM (RFC 7761): a Register message carries a whole packet to the rendezvous point."""

from __future__ import annotations

from .base import Layer, Protocol, Rank

_VERSION, _REGISTER = 2, 1
_REGISTER_BYTES = 8


def dissect(layer: Layer) -> None:
    """Hand on the packet of a Register by its IP version."""
    layer = layer.require(1)
    first = layer.byte()
    layer = layer.select(first == _VERSION << 4 | _REGISTER).require(_REGISTER_BYTES + 1)
    if not len(layer):
        return
    version = layer.byte(_REGISTER_BYTES) >> 4
    layer.hand_to("ip", _REGISTER_BYTES, version == 4)
    layer.hand_to("ipv6", _REGISTER_BYTES, version == 6)


PROTOCOL = Protocol("pim", under={"ip.proto": (103,)}, dissect=dissect, rank=Rank.TUNNEL)
