"""Fibre channel, bare or over Ethernet (FCoE, T11 FC-BB-5), or with IP behind a network header (RFC 4338)."""

from __future__ import annotations

from .base import Layer, Protocol, Rank

_FCOE_BYTES = 14
_TRAILER_BYTES = 8


def dissect_fcoe(layer: Layer) -> None:
    """Version and start of frame, the frame, end of frame."""
    layer.require(_FCOE_BYTES).hand_to("fc", _FCOE_BYTES)


def dissect_delimited(layer: Layer) -> None:
    """Four bytes of start of frame, four of end of frame."""
    layer = layer.require(8)
    layer.trim(layer.reported_end - 4)
    layer.hand_to("fc", 4)


def dissect_ip(layer: Layer) -> None:
    """Network destination and source address, then LLC."""
    layer.require(16).hand_to("llc", 16)


PROTOCOLS = (
    Protocol("fcoe", under={"ethertype": (0x8906,)}, dissect=dissect_fcoe, rank=Rank.TAG),
    Protocol("fcsof", under={"link_type": (225,)}, dissect=dissect_delimited, rank=Rank.LINK),
    Protocol("ipfc", under={"link_type": (122,)}, dissect=dissect_ip, rank=Rank.LINK),
    Protocol("fc", under={"link_type": (224,)}),
)
