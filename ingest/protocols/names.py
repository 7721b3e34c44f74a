"""Protocols that are named and not looked into, by the tables that they are found in."""

from __future__ import annotations

from .base import Protocol, leaves

PROTOCOLS = (
    # Wireshark knows SLIP and shows what is in it as data.
    Protocol("data", under={"link_type": (8,)}),
    # Ethernet types (IEEE registry; names as Wireshark shows them).
    *leaves(
        "ethertype",
        {
            0x0059: "pppmux", 0x0061: "crtp", 0x0065: "crtp_cntcp", 0x0067: "crtp_cudp8", 0x00FD: "comp_data", 0x0600: "idp",
            0x0641: "roofnet", 0x0643: "roofnet", 0x0644: "roofnet", 0x0645: "roofnet", 0x0712: "mdp", 0x0713: "mdp", 0x0806: "arp",
            0x0842: "wol", 0x08F0: "m2m", 0x08FF: "bpq", 0x0BAD: "vines_ip", 0x0BAF: "vines_echo", 0x0C15: "c15hbeat", 0x2001: "cgmp",
            0x2065: "crtp_cs", 0x2067: "crtp_cudp16", 0x22E5: "gmhdr", 0x22EA: "mrp-msrp", 0x22F0: "ieee1722", 0x22F1: "rohc",
            0x2323: "dect", 0x2452: "wlan_centrino", 0x3E3F: "epl_v1", 0x4305: "batadv", 0x4742: "c15.ch", 0x6000: "lapbether",
            0x6003: "dec_dna", 0x6004: "lat", 0x8021: "ipcp", 0x8023: "osinlcp", 0x8035: "arp", 0x8038: "dec_stp", 0x8057: "ipv6cp",
            0x8059: "pppmuxcp", 0x809A: "wpan", 0x809B: "llap", 0x80D5: "snaeth", 0x80E1: "dlr", 0x80F3: "aarp", 0x80FD: "ccp",
            0x80FF: "wcp", 0x8102: "bofl", 0x8103: "lacp", 0x8133: "nsrp", 0x8137: "ipx", 0x814C: "snmp", 0x8181: "stp", 0x81FD: "ismp",
            0x8204: "lwl4", 0x8207: "cdpcp", 0x8281: "mplscp", 0x872D: "wlccp", 0x8783: "mint", 0x8808: "macc", 0x8863: "pppoed",
            0x886C: "hpna", 0x886D: "ans", 0x886F: "msnlb", 0x8874: "brcm-tag", 0x887B: "homeplug", 0x888E: "eapol", 0x8892: "pn_rt",
            0x8899: "realtek", 0x889A: "hyperscsi", 0x889B: "csm_encaps", 0x88A1: "telkonet", 0x88A2: "aoe", 0x88A4: "ecatf",
            0x88A9: "extrememesh", 0x88AB: "epl", 0x88AE: "brdwlk", 0x88B4: "wai", 0x88B7: "ieee802a", 0x88B8: "goose", 0x88BA: "sv",
            0x88BB: "lwapp", 0x88C7: "eapol", 0x88CA: "tipc", 0x88CC: "lldp", 0x88CD: "siii", 0x88D8: "cesoeth", 0x88D9: "lltd",
            0x88DC: "wsmp", 0x88DE: "vmlab", 0x88E1: "homeplug-av", 0x88E3: "pn_mrp", 0x88EE: "elmi", 0x88F5: "mrp-mvrp",
            0x88F6: "mrp-mmrp", 0x88F7: "ptp", 0x88F8: "ncsi", 0x88FB: "hsr_prp_supervision", 0x8901: "flip", 0x8902: "cfm",
            0x8911: "linx", 0x8914: "fip", 0x8917: "mih", 0x891D: "tte_pcf", 0x892D: "bluecom", 0x893A: "ieee1905", 0x8940: "ecp21",
            0x8942: "lldp", 0x8947: "gnw", 0x8988: "hbbak", 0x8FFD: "aruba_iap", 0x9000: "loop", 0x9021: "rtmac", 0x9022: "rtcfg",
            0x9104: "eero", 0x99FE: "tecmp", 0xA0ED: "6lowpan", 0xAAAA: "wreth", 0xABCD: "brdwlk", 0xAEFE: "ecpri", 0xB4E3: "cl3",
            0xBBBB: "lwapp", 0xC023: "pap", 0xC029: "cbcp", 0xC02B: "bacp", 0xC02D: "bap", 0xC0DE: "xip", 0xC0DF: "nwp", 0xC223: "chap",
            0xCAFE: "llt", 0xD00D: "tdmoe", 0xD28B: "avsp", 0xE555: "exeh", 0xF052: "hcrt", 0xFCFC: "mdshdr",
        },
    ),
    # Frames of 802.11 direct links and fast roaming inside Ethernet: another format, and only named.
    Protocol("wlan", key="wlan_tunneled", under={"ethertype": (0x890D,)}, node=""),
    # IP protocol numbers (IANA).
    *leaves(
        "ip.proto",
        {
            9: "igrp", 36: "xtp", 46: "rsvp", 48: "dsr", 53: "swipe", 54: "nhrp", 62: "mipv6",
            83: "vines_frp", 88: "eigrp", 89: "ospf", 93: "ax25", 106: "lwl4", 108: "ipcomp", 112: "vrrp", 113: "pgm",
            134: "rsvp-e2ei", 139: "hip", 140: "shim6", 173: "ax4000", 224: "ncs",
        },
    ),
    # Wireshark makes its item before it looks at the header.
    Protocol("esp", under={"ip.proto": (50,)}, node_bytes=0),
    # LLC service access points (IEEE 802.2).
    *leaves(
        "llc.dsap",
        {
            0x04: "sna", 0x08: "sna", 0x0C: "sna", 0x40: "sna", 0xC8: "sna", 0x10: "ipx", 0xE0: "ipx", 0x42: "stp", 0x7E: "x25",
            0x80: "3comxns", 0x82: "bacnet", 0xBC: "vines_llc", 0xF0: "netbios", 0xF8: "hpext", 0xFC: "rpl",
        },
    ),
    # Protocol identifiers under SNAP, by organisation.
    *leaves(
        "llc.cisco_pid",
        {
            0x0104: "pagp", 0x0108: "stp", 0x0109: "stp", 0x010B: "stp", 0x010C: "stp", 0x0111: "udld", 0x0139: "mcp",
            0x2000: "cdp", 0x2001: "cgmp", 0x2003: "vtp", 0x2004: "dtp",
        },
    ),
    *leaves("llc.nortel_pid", {0x01A1: "ndp", 0x01A2: "ndp"}),
    *leaves("llc.extreme_pid", {0x00BB: "edp"}),
    *leaves("llc.foundry_pid", {0x2000: "fdp"}),
    *leaves("llc.force10_pid", {0x0111: "fefd"}),
    *leaves("llc.hpteam_pid", {0x0002: "hpteam"}),
    *leaves("llc.apple_atalk_pid", {0x809B: "ddp"}),
    *leaves("llc.apple_awdl_pid", {0x0800: "awdl_data"}),
    *leaves("llc.wlccp_pid", {0x0000: "wlccp"}),
    *leaves("llc.bluetooth_pid", {0x0001: "btl2cap", 0x0003: "eapol"}),
    *leaves("llc.iana_pid", {0x0003: "nhrp"}),
    # IEEE 802.3 slow protocols, by subtype.
    *leaves("slow.subtype", {1: "lacp", 2: "marker", 3: "oampdu", 10: "ossp"}),
    # GRE protocol types beyond those of the protocols that declare them (names as Wireshark shows them).
    *leaves("gre.proto", {0x0101: "grebonding", 0xB7EA: "grebonding", 0x0806: "arp", 0x2000: "cdp", 0x2001: "nhrp", 0x8137: "ipx"}),
    # Cisco HDLC protocol types.
    *leaves(
        "chdlc.protocol",
        {
            0x0111: "udld", 0x0600: "idp", 0x2000: "cdp", 0x4242: "stp", 0x6003: "dec_dna", 0x8035: "slarp", 0x8038: "dec_stp",
            0x809B: "ddp", 0x80F3: "aarp", 0x8137: "ipx",
        },
    ),
    # PPP protocol numbers (IANA).
    *leaves(
        "ppp.protocol",
        {
            0x0027: "dec_dna", 0x0029: "ddp", 0x002B: "ipx", 0x002D: "vjc", 0x002F: "vjc", 0x0031: "bcp_bpdu", 0x0035: "vines_ip",
            0x003D: "mp", 0x004D: "sna", 0x0059: "pppmux", 0x005B: "vsnp", 0x0061: "crtp", 0x0065: "crtp_cntcp", 0x0067: "crtp_cudp8",
            0x00FD: "comp_data", 0x0205: "dec_stp", 0x0207: "cdp", 0x2065: "crtp_cs", 0x2067: "crtp_cudp16", 0x8021: "ipcp",
            0x8023: "osinlcp", 0x8031: "bcp_ncp", 0x8057: "ipv6cp", 0x8059: "pppmuxcp", 0x805B: "vsncp", 0x80FD: "ccp", 0x8207: "cdpcp",
            0x8281: "mplscp", 0xC023: "pap", 0xC029: "cbcp", 0xC02B: "bacp", 0xC02D: "bap", 0xC223: "chap", 0xC227: "eap",
        },
    ),
    # ARCnet protocol identifiers (RFC 1201, RFC 1051).
    *leaves("arcnet.protocol_id", {0xD5: "arp", 0xD6: "arp", 0xF1: "arp", 0xDD: "ddp", 0xEC: "ipx", 0xFA: "ipx", 0xF7: "vines_ip"}),
    # Linux cooked captures: protocols below 1536 that are no Ethernet types (linux/if_ether.h).
    *leaves(
        "sll.ltype",
        {
            0x0001: "ipx", 0x000C: "can", 0x000D: "canfd", 0x0017: "irlap",
            0x0030: "ipos", 0x0031: "ipos", 0x0032: "ipos", 0x0033: "ipos", 0x0034: "ipos", 0x0035: "ipos", 0x00F5: "isi", 0x00F6: "wpan",
        },
    ),
)  # fmt: skip
