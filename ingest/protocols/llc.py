"""Logical link control (IEEE 802.2) with the subnetwork access protocol (SNAP, RFC 1042) in it."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank

_HEADER = np.dtype([("dsap", "u1"), ("ssap", "u1"), ("control", "u1")])
_SNAP = np.dtype([("oui_high", ">u2"), ("oui_low", "u1"), ("protocol", ">u2")])
_SNAP_SAP = 0xAA
_UNNUMBERED_INFORMATION = 0x03
_OUI_ENCAPSULATED = 0x000000
_OUI_BRIDGED_CISCO = 0x0000F8
_OUI_CISCO = 0x00000C
_OUI_APPLE = 0x080007
_OUI_BRIDGED_8021 = 0x0080C2


def dissect(layer: Layer) -> None:
    """Hand on by service access point, or by SNAP's protocol identifier."""
    layer = layer.require(3)
    header = layer.gather(_HEADER)
    # I and S frames have two bytes of control field, U frames one (IEEE 802.2, section 5.2).
    unnumbered = (header["control"] & 3) == 3
    length = np.where(unnumbered, 3, 4)
    snap = (header["dsap"] == _SNAP_SAP) & (header["ssap"] == _SNAP_SAP) & (header["control"] == _UNNUMBERED_INFORMATION)
    information = header["control"] & 0xEF == _UNNUMBERED_INFORMATION
    layer.hand_on("llc.dsap", header["dsap"], length, ~snap & (information | (header["control"] & 1 == 0)))
    _snap(layer.select(snap))


def _snap(layer: Layer) -> None:
    layer = layer.require(8)
    if not len(layer):
        return
    header = layer.gather(_SNAP, 3)
    oui = header["oui_high"].astype(np.int64) << 8 | header["oui_low"]
    protocol = header["protocol"].astype(np.uint16)
    by_type = (oui == _OUI_ENCAPSULATED) | (oui == _OUI_BRIDGED_CISCO) | (oui == _OUI_APPLE)
    layer.hand_on("ethertype", protocol, 8, by_type)
    layer.hand_on("llc.cisco", protocol, 8, oui == _OUI_CISCO)
    bridged = oui == _OUI_BRIDGED_8021
    # RFC 2684: Ethernet with or without frame check sequence behind two bytes of padding.
    ethernet = bridged & ((protocol == 1) | (protocol == 7))
    layer.hand_to("eth", 10, ethernet)
    layer.hand_to("stp", 8, bridged & (protocol == 0x0E))
    layer.hand_to("data", 8, ~by_type & (oui != _OUI_CISCO) & ~ethernet & ~(bridged & (protocol == 0x0E)))


PROTOCOL = Protocol("llc", dissect=dissect, rank=Rank.LLC)
