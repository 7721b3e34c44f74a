"""OSI network layer (ISO/IEC TR 9577): the first byte names the protocol; IS-IS shows its kind of message too."""

from __future__ import annotations

from .base import Layer, Protocol, Rank, leaves

_KIND_AT = 4
_KIND = 0x1F


def dissect(layer: Layer) -> None:
    """Hand on by the network layer protocol identifier: part of OSI's own protocols, and before all others."""
    layer = layer.require(1)
    identifier = layer.byte()
    own = layer.frames.registry.table("osinl.incl")[identifier] >= 0
    layer.hand_on("osinl.incl", identifier, 0, own)
    layer.hand_on("osinl.excl", identifier, 1, ~own)


def dissect_isis(layer: Layer) -> None:
    """Hand on by the type of message (ISO/IEC 10589)."""
    layer = layer.require(8)
    layer.hand_on("isis.type", layer.byte(_KIND_AT) & _KIND, 0, default=None)


PROTOCOLS = (
    Protocol(
        "osi",
        under={
            "llc.dsap": (0x14, 0x20, 0x34, 0x54, 0xFE), "chdlc.protocol": (0xFEFE,), "ppp.protocol": (0x0023,), "ip.proto": (80,),
            "gre.proto": (0x00FE,), "null.type": (7,),
        },
        dissect=dissect,
        rank=Rank.NETWORK,
    ),
    Protocol("isis", under={"osinl.incl": (0x83,), "ethertype": (0x22F4,)}, dissect=dissect_isis, rank=Rank.NETWORK),
    *leaves("osinl.incl", {0x00: "clnp", 0x08: "q931", 0x81: "clnp", 0x82: "esis"}),
    *leaves(
        "isis.type",
        {
            15: "isis.hello", 16: "isis.hello", 17: "isis.hello", 18: "isis.lsp", 20: "isis.lsp", 24: "isis.csnp", 25: "isis.csnp",
            26: "isis.psnp", 27: "isis.psnp",
        },
    ),
)  # fmt: skip
