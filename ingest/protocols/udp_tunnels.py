"""Overlays of data centres: Ethernet or more in UDP (VXLAN, VXLAN-GPE, GENEVE)."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

_VXLAN_BYTES = 8
_NEXT_PROTOCOL = 0x04
_GENEVE = np.dtype([("version_length", "u1"), ("flags", "u1"), ("protocol", ">u2")])
_GENEVE_BYTES = 8
_OPTIONS_LENGTH = 0x3F


def dissect_vxlan(layer: Layer) -> None:
    """RFC 7348: flags, group, network identifier, an Ethernet frame."""
    layer.require(_VXLAN_BYTES).hand_to("eth", _VXLAN_BYTES)


def dissect_vxlan_gpe(layer: Layer) -> None:
    """draft-ietf-nvo3-vxlan-gpe: the fourth byte names what follows."""
    layer = layer.require(_VXLAN_BYTES)
    layer.hand_on("vxlan.next_proto", layer.byte(3), _VXLAN_BYTES)


def dissect_geneve(layer: Layer) -> None:
    """RFC 8926: version and length of the options in words, flags, Ethernet type, network identifier."""
    layer = layer.require(_GENEVE_BYTES)
    header = layer.gather(_GENEVE)
    options = (header["version_length"] & _OPTIONS_LENGTH).astype(np.int64) * 4
    layer.hand_on("ethertype", header["protocol"], _GENEVE_BYTES + options)


PROTOCOLS = (
    Protocol("vxlan", under={"udp.port": (4789,)}, dissect=dissect_vxlan, rank=Rank.TUNNEL),
    Protocol("vxlan", key="vxlan_gpe", under={"udp.port": (4790,)}, dissect=dissect_vxlan_gpe, rank=Rank.TUNNEL, shown=False, node="vxlan"),
    Protocol("geneve", under={"udp.port": (6081,)}, dissect=dissect_geneve, rank=Rank.TUNNEL),
)
