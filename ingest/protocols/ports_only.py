"""SCTP (RFC 9260) and DCCP (RFC 4340): transports whose ports are read and whose chunks are not."""

from __future__ import annotations

from .base import Layer, Protocol, Rank
from .transport import set_ports

SCTP = 132
DCCP = 33


def dissect_sctp(layer: Layer) -> None:
    """Set the ports."""
    set_ports(layer, SCTP)


def dissect_dccp(layer: Layer) -> None:
    """Set the ports."""
    set_ports(layer, DCCP)


PROTOCOLS = (
    Protocol("sctp", under={"ip.proto": (SCTP,)}, dissect=dissect_sctp, rank=Rank.TRANSPORT),
    Protocol("dccp", under={"ip.proto": (DCCP,)}, dissect=dissect_dccp, rank=Rank.TRANSPORT),
)
