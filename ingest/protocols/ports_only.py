"""SCTP (RFC 9260) and DCCP (RFC 4340): transports whose ports are read and whose chunks are not."""

from __future__ import annotations

from .base import Layer, Protocol, Rank
from .transport import PORTS_BYTES, drop_cut_node, set_ports

SCTP = 132
DCCP = 33
_SCTP_BYTES = 12


def dissect_sctp(layer: Layer) -> None:
    """Set the ports; a cut common header (RFC 9260, section 3.1) is no node of the tree."""
    drop_cut_node(layer, _SCTP_BYTES)
    set_ports(layer, SCTP)


def dissect_dccp(layer: Layer) -> None:
    """Set the ports."""
    drop_cut_node(layer, PORTS_BYTES)
    set_ports(layer, DCCP)


PROTOCOLS = (
    Protocol(
        "sctp",
        under={"ip.proto": (SCTP,), "udp.port": (9899,)},
        dissect=dissect_sctp,
        rank=Rank.TRANSPORT,
        node_bytes=0,
        quoted_bytes=_SCTP_BYTES,
    ),
    # Without IP there are no addresses that the ports could belong to.
    Protocol("sctp", key="sctp_without_ip", under={"link_type": (248,)}),
    Protocol("dccp", under={"ip.proto": (DCCP,)}, dissect=dissect_dccp, rank=Rank.TRANSPORT, node_bytes=0, quoted_bytes=4),
)
