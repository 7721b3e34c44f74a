"""Logical link control (IEEE 802.2) with the subnetwork access protocol (SNAP, RFC 1042) in it."""

from __future__ import annotations

import numpy as np

from .base import Layer, Protocol, Rank, leaves

_HEADER = np.dtype([("dsap", "u1"), ("ssap", "u1"), ("control", "u1")])
_SNAP = np.dtype([("oui_high", ">u2"), ("oui_low", "u1"), ("protocol", ">u2")])
SNAP_BYTES = 5
_SNAP_SAP = 0xAA
_UNNUMBERED = 0x03
_EXCHANGE_IDENTIFICATION = 0xAF
_WITHOUT_POLL_FINAL = 0xEF

_OUI_ENCAPSULATED = 0x000000
_OUI_BRIDGED_CISCO = 0x0000F8
_OUI_BRIDGED_8021 = 0x0080C2
_OUI_CABLE_LABS = 0x001000
_OUI_TABLES = {
    0x000000: "ethertype", 0x0000F8: "ethertype", 0x080007: "llc.apple_atalk_pid", 0x00000C: "llc.cisco_pid", 0x000081: "llc.nortel_pid",
    0x00E02B: "llc.extreme_pid", 0x00E052: "llc.foundry_pid", 0x0001E8: "llc.force10_pid", 0x00805F: "llc.hpteam_pid",
    0x004096: "llc.wlccp_pid", 0x0017F2: "llc.apple_awdl_pid", 0x001958: "llc.bluetooth_pid", 0x00005E: "llc.iana_pid",
}  # fmt: skip
"""Organisations whose protocol identifiers are known (IEEE registry), and the table that each one's are in."""


def dissect(layer: Layer) -> None:
    """Hand on by service access point, or by SNAP's protocol identifier."""
    layer = layer.require(3)
    header = layer.gather(_HEADER)
    control = header["control"]
    # I and S frames have two bytes of control field, U frames one (IEEE 802.2, section 5.2).
    unnumbered = (control & 3) == 3
    length = np.where(unnumbered, 3, 4)
    snap = (header["dsap"] == _SNAP_SAP) & (header["ssap"] == _SNAP_SAP)
    follows = layer.reported > length
    information = (control == _UNNUMBERED) | (control & 1 == 0)
    identification = control & _WITHOUT_POLL_FINAL == _EXCHANGE_IDENTIFICATION
    layer.hand_on("llc.dsap", header["dsap"], length, ~snap & information & follows)
    layer.hand_on("llc.xid_dsap", header["dsap"], length, ~snap & identification, default=None)
    layer.hand_to("data", length, ~snap & ~information & ~identification)
    layer.hand_to("snap", length, snap & information)
    layer.hand_to("data", length + SNAP_BYTES, snap & ~information)


def dissect_snap(layer: Layer) -> None:
    """Hand on by organisation and its protocol identifier."""
    layer = layer.require(SNAP_BYTES)
    header = layer.gather(_SNAP)
    oui = header["oui_high"].astype(np.int64) << 8 | header["oui_low"]
    protocol = header["protocol"].astype(np.uint16)
    known = oui == _OUI_BRIDGED_8021
    _bridged(layer.select(known), protocol[known])
    for number, table in _OUI_TABLES.items():
        here = oui == number
        known |= here
        layer.hand_on(table, protocol, SNAP_BYTES, here)
    layer.hand_to("data", SNAP_BYTES, ~known)


def _bridged(layer: Layer, protocol: np.ndarray[tuple[int], np.dtype[np.uint16]]) -> None:
    """RFC 2684, section 5.2, and RFC 2427: bridged frames, with and without frame check sequence, behind their padding."""
    ethernet = (protocol == 1) | (protocol == 7)
    token_ring = (protocol == 3) | (protocol == 9)
    fddi = (protocol == 4) | (protocol == 10)
    spanning_tree = protocol == 14
    layer.hand_to("eth", SNAP_BYTES, ethernet)
    layer.hand_to("tr", SNAP_BYTES, token_ring)
    layer.hand_to("fddi", SNAP_BYTES + 1, fddi)
    layer.hand_to("stp", SNAP_BYTES, spanning_tree)
    layer.hand_to("data", SNAP_BYTES, ~ethernet & ~token_ring & ~fddi & ~spanning_tree)


PROTOCOLS = (
    Protocol(
        "llc",
        under={
            "link_type": (11, 100), "ethertype": (0x8870,), "ppp.protocol": (0x004B,), "arcnet.protocol_id": (0xCD,),
            "sll.ltype": (0x0004,), "fc.ftype": (2,), "udp.port": (12000, 12001, 12002, 12003, 12004),
        },
        dissect=dissect,
        rank=Rank.LLC,
    ),
    Protocol("snap", dissect=dissect_snap, rank=Rank.LLC, shown=False),
    *leaves("llc.xid_dsap", {0x04: "sna_xid", 0x08: "sna_xid", 0x0C: "sna_xid", 0x40: "sna_xid"}),
)  # fmt: skip
