"""Protocols that are named and not looked into."""

from __future__ import annotations

from .base import Protocol, leaves

PROTOCOLS = (
    Protocol("data"),
    Protocol("netlink", under={"link_type": (253,)}),
    Protocol("can", under={"link_type": (227,)}),
    # Ethernet types (IEEE registry; names as Wireshark shows them).
    *leaves(
        "ethertype",
        {
            0x0806: "arp", 0x8035: "arp", 0x0842: "wol", 0x22F0: "ieee1722", 0x6001: "mop", 0x6002: "mop", 0x6003: "dec_dna",
            0x6004: "lat", 0x809B: "ddp", 0x80F3: "aarp", 0x8137: "ipx", 0x8809: "slow", 0x8808: "macc", 0x8863: "pppoed", 0x886F: "msnlb",
            0x888E: "eapol", 0x8892: "pn_rt", 0x88A4: "ecatf", 0x88B8: "goose", 0x88B9: "gse_management", 0x88BA: "sv", 0x88C7: "eapol",
            0x88CA: "tipc", 0x88CC: "lldp", 0x88E1: "homeplug", 0x88F7: "ptp", 0x8902: "cfm", 0x8906: "fcoe",
            0x8914: "fip", 0x892F: "hsr", 0x88FB: "hsr_prp_supervision", 0x9000: "loop", 0x80FF: "wlccp", 0x872D: "wlccp",
            0x8819: "cobranet", 0x0804: "chaos", 0x0BAD: "vines_ip",
        },
    ),
    # IP protocol numbers (IANA).
    *leaves(
        "ip.proto",
        {
            3: "ggp", 8: "egp", 9: "igrp", 27: "rdp", 46: "rsvp", 50: "esp", 88: "eigrp", 89: "ospf", 103: "pim",
            108: "ipcomp", 112: "vrrp", 113: "pgm", 118: "stp", 124: "isis", 138: "manet", 139: "hip", 140: "shim6", 142: "rohc",
        },
    ),
    # LLC service access points (IEEE 802.2).
    *leaves("llc.dsap", {0x42: "stp", 0xE0: "ipx", 0xF0: "netbios", 0xFE: "osi", 0x08: "sna", 0x04: "sna"}),
    # Cisco's and Apple's protocol identifiers under SNAP.
    *leaves("llc.cisco", {0x2000: "cdp", 0x2003: "vtp", 0x2004: "dtp", 0x010B: "stp", 0x0111: "udld", 0x2001: "cgmp"}),
)
