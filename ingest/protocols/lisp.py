"""LISP (RFC 9300, RFC 9301): data packets, and the control messages that quote a packet's header."""

from __future__ import annotations

from .base import Layer, Protocol, Rank

_DATA_BYTES = 8
_ENCAPSULATED_CONTROL = 8
_SECURITY = 0x08


def dissect_data(layer: Layer) -> None:
    """Hand on by IP version."""
    layer = layer.require(_DATA_BYTES)
    _by_version(layer, _DATA_BYTES)


def dissect_control(layer: Layer) -> None:
    """An encapsulated control message holds a whole packet; the others end here."""
    layer = layer.require(4)
    _by_version(layer.select(layer.byte() >> 4 == _ENCAPSULATED_CONTROL), 4)


def _by_version(layer: Layer, length: int) -> None:
    layer = layer.require(length + 1)
    if not len(layer):
        return
    version = layer.byte(length) >> 4
    layer.hand_to("ip", length, version == 4)
    layer.hand_to("ipv6", length, version == 6)


PROTOCOLS = (
    Protocol("lisp-data", under={"udp.port": (4341,)}, dissect=dissect_data, rank=Rank.TUNNEL),
    Protocol("lisp", under={"udp.port": (4342,)}, dissect=dissect_control, rank=Rank.TUNNEL),
)
