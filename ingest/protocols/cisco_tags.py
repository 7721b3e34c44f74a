"""Cisco's tags around and inside Ethernet: FabricPath, CMD (TrustSec's metadata), VN-Tag."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

FABRIC_PATH_BYTES = 16
_CMD_HEADER = np.dtype([("version", "u1"), ("length", "u1")])


def dissect_fabric_path(layer: Layer) -> None:
    """16 bytes, in the place of an Ethernet header; the frame follows whole."""
    layer.require(FABRIC_PATH_BYTES).hand_to("eth", FABRIC_PATH_BYTES)


def dissect_cmd(layer: Layer) -> None:
    """Version, length in words, options of that many words, then an Ethernet type."""
    layer = layer.require(2)
    options = layer.byte(1).astype(np.int64) * 4
    behind = layer.select(layer.captured >= options + 4)
    options = options[layer.captured >= options + 4]
    behind.hand_on("ethertype", behind.word(options + 2), options + 4)


def dissect_vn_tag(layer: Layer) -> None:
    """Four bytes of virtual interfaces, then an Ethernet type."""
    layer = layer.require(6)
    layer.hand_on("ethertype", layer.word(4), 6)


PROTOCOLS = (
    Protocol("cfp", dissect=dissect_fabric_path, rank=Rank.LINK),
    Protocol("cmd", under={"ethertype": (0x8909,), "gre.proto": (0x8909,)}, dissect=dissect_cmd, rank=Rank.TAG),
    Protocol("vntag", under={"ethertype": (0x8926,)}, dissect=dissect_vn_tag, rank=Rank.TAG),
)
