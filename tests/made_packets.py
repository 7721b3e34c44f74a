"""Packets made byte by byte, by the RFCs and without our own code: one for every way in which a packet can lie in another.

Each sample says by hand what it is: the protocols as Wireshark names them, the innermost addresses and ports, how many IP headers.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

CLIENT, SERVER = "192.0.2.1", "198.51.100.2"
CLIENT6, SERVER6 = "2001:db8::1", "2001:db8:1::2"
OUTER_CLIENT, OUTER_SERVER = "10.0.0.1", "10.0.0.2"
CLIENT_PORT, SERVER_PORT = 12345, 80

ETHERNET, TOKEN_RING, ARCNET_BSD, PPP, FDDI, PPP_HDLC, PPP_ETHER, ATM_RFC1483, RAW = 1, 6, 7, 9, 10, 50, 51, 100, 101
C_HDLC, IEEE802_11, FRELAY, LOOP, ENC, LINUX_SLL, PFLOG, PRISM, IP_OVER_FC, RADIOTAP = 104, 105, 107, 108, 109, 113, 117, 119, 122, 127
ARCNET_LINUX, USER2, AVS, PPI, ERF, PPP_WITH_DIR, FC_2, FC_2_WITH_DELIMITERS, IPV4, IPV6, NFLOG, IPOIB = (
    129,
    149,
    163,
    192,
    197,
    204,
    224,
    225,
    228,
    229,
    239,
    242,
)
NETLINK, PKTAP, LINUX_SLL2, NULL, TZSP, PPP_PPPD, MPLS = 253, 258, 276, 0, 128, 166, 219
C_HDLC_WITH_DIR, FRELAY_WITH_DIR, INFINIBAND, SITA = 205, 206, 247, 196


@dataclass(frozen=True)
class Sample:
    """A packet and what it is.

    Attributes:
        src: Innermost source address; "" without one.
        src_port: -1 without one.
        pseudo_header: Bytes at the start of `data` that are none of the packet's.
        in_wireshark: False where tshark 4.0 cannot read the link type or means something else, as `protocols` is right all the same.
    """

    name: str
    link_type: int
    data: bytes
    protocols: str
    src: str = ""
    dst: str = ""
    src_port: int = -1
    dst_port: int = -1
    ipv4_layers: int = 0
    ipv6_layers: int = 0
    pseudo_header: int = 0
    in_wireshark: bool = True


def ip(text: str) -> bytes:
    """The bytes of an address."""
    return ipaddress.ip_address(text).packed


def ethernet(kind: int, payload: bytes, dst: str = "020000000002", src: str = "020000000001") -> bytes:
    """Ethernet II, or 802.3 when `kind` is a length."""
    return bytes.fromhex(dst) + bytes.fromhex(src) + struct.pack(">H", kind) + payload


def ipv4(protocol: int, payload: bytes, src: str = OUTER_CLIENT, dst: str = OUTER_SERVER, fragment: int = 0, options: bytes = b"") -> bytes:
    """RFC 791."""
    length = 20 + len(options)
    start = struct.pack(">BBHHHBBH", 0x40 | length // 4, 0, length + len(payload), 7, fragment, 64, protocol, 0)
    return start + ip(src) + ip(dst) + options + payload


def ipv6(following: int, payload: bytes, src: str = CLIENT6, dst: str = SERVER6) -> bytes:
    """RFC 8200."""
    return struct.pack(">IHBB", 6 << 28, len(payload), following, 64) + ip(src) + ip(dst) + payload


def tcp(src_port: int = CLIENT_PORT, dst_port: int = SERVER_PORT, payload: bytes = b"") -> bytes:
    """RFC 9293: an ACK."""
    return struct.pack(">HHIIHHHH", src_port, dst_port, 1, 1, 0x5010, 8192, 0, 0) + payload


def udp(src_port: int, dst_port: int, payload: bytes) -> bytes:
    """RFC 768."""
    return struct.pack(">HHHH", src_port, dst_port, 8 + len(payload), 0) + payload


INNER4 = ipv4(6, tcp(), CLIENT, SERVER)
INNER6 = ipv6(6, tcp())
FRAME4 = ethernet(0x0800, INNER4, "0a0000000002", "0a0000000001")
FRAME6 = ethernet(0x86DD, INNER6, "0a0000000002", "0a0000000001")
SNAP4 = bytes.fromhex("aaaa03 000000 0800") + INNER4
SNAP6 = bytes.fromhex("aaaa03 000000 86dd") + INNER6
ARP = bytes.fromhex("0001080006040001 020000000001 0a000001 000000000000 0a000002")


def over_ethernet(kind: int, payload: bytes) -> bytes:
    """Behind an Ethernet header."""
    return ethernet(kind, payload)


def _arista(header: str, payload: bytes) -> bytes:
    """Behind Ethernet and a header with a time, in hexadecimal digits."""
    return over_ethernet(0xD28B, bytes.fromhex(header) + payload)


def over_ip(protocol: int, payload: bytes) -> bytes:
    """Behind Ethernet and IPv4."""
    return ethernet(0x0800, ipv4(protocol, payload))


def over_udp(port: int, payload: bytes, src_port: int = 40_000) -> bytes:
    """Behind Ethernet, IPv4 and UDP."""
    return over_ip(17, udp(src_port, port, payload))


def inner4(name: str, link_type: int, data: bytes, around: str, outer4: int = 0, outer6: int = 0, **more: bool | int) -> Sample:
    """A sample around `INNER4`; `around` is what comes before its "ip:tcp"."""
    found = {"src": CLIENT, "dst": SERVER, "src_port": CLIENT_PORT, "dst_port": SERVER_PORT}
    protocols = f"{around}:ip:tcp" if around else "ip:tcp"
    return Sample(name, link_type, data, protocols, **found, ipv4_layers=outer4 + 1, ipv6_layers=outer6, **more)  # type: ignore[arg-type]


def inner6(name: str, link_type: int, data: bytes, around: str, outer4: int = 0, outer6: int = 0, **more: bool | int) -> Sample:
    """A sample around `INNER6`."""
    found = {"src": CLIENT6, "dst": SERVER6, "src_port": CLIENT_PORT, "dst_port": SERVER_PORT}
    protocols = f"{around}:ipv6:tcp" if around else "ipv6:tcp"
    return Sample(name, link_type, data, protocols, **found, ipv4_layers=outer4, ipv6_layers=outer6 + 1, **more)  # type: ignore[arg-type]


def leaf(name: str, data: bytes, protocols: str, link_type: int = ETHERNET) -> Sample:
    """A sample without IP."""
    return Sample(name, link_type, data, protocols)


def outer(name: str, data: bytes, protocols: str, src_port: int = -1, dst_port: int = -1) -> Sample:
    """A sample in which nothing follows the one IPv4 header that has addresses."""
    return Sample(name, ETHERNET, data, protocols, OUTER_CLIENT, OUTER_SERVER, src_port, dst_port, ipv4_layers=1)


def wlan(control: int, flags: int, body: bytes, *, qos: bytes = b"", address4: bytes = b"", sequence: int = 0x0010) -> bytes:
    """IEEE 802.11, section 9.2.3."""
    addresses = bytes.fromhex("0e0000000001 0e0000000002 0e0000000003")
    return bytes([control, flags]) + b"\0\0" + addresses + struct.pack("<H", sequence) + address4 + qos + body


def radiotap(present: int, fields: bytes) -> bytes:
    """https://www.radiotap.org."""
    return struct.pack("<BBHI", 0, 0, 8 + len(fields), present) + fields


def gre(flags: int, protocol: int, payload: bytes) -> bytes:
    """RFC 2784, RFC 2890, RFC 2637: with as many zeros for optional fields as the flags announce."""
    fields = sum(4 for flag in (0x8000, 0x2000, 0x1000) if flags & flag) + (4 if flags & 0x0080 else 0)
    return struct.pack(">HH", flags, protocol) + bytes(fields) + payload


def mpls(*labels: int, payload: bytes) -> bytes:
    """RFC 3032."""
    stack = [label << 12 | 64 for label in labels]
    stack[-1] |= 0x100
    return b"".join(struct.pack(">I", entry) for entry in stack) + payload


def attribute(kind: int, value: bytes) -> bytes:
    """A netlink attribute, as NFLOG has them."""
    return struct.pack("<HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def erf(kind: int, payload: bytes, extensions: int = 0) -> tuple[bytes, int]:
    """An ERF record, and how much of it is header."""
    chain = b"".join(bytes([0x80 if number < extensions - 1 else 0]) + bytes(7) for number in range(extensions))
    extra = {2: 2, 5: 4}.get(kind, 0)
    header = bytes(8) + struct.pack(
        ">BBHHH", kind | (0x80 if extensions else 0), 4, 16 + len(chain) + extra + len(payload), 0, len(payload)
    )
    return header + chain + bytes(extra) + payload, 16 + len(chain) + extra


def infiniband(payload: bytes, *, routed: bool) -> bytes:
    """IBTA volume 1: local route header, perhaps global, transport and datagram header, payload, two checks."""
    transport = struct.pack(">BBHII", 0x64, 0x40, 0xFFFF, 0x48, 1) + struct.pack(">II", 0x0B1B, 0x48) + payload + bytes(4)
    route = struct.pack(">IHBB", 6 << 28, len(transport), 0x1B, 1) + bytes(32) if routed else b""
    return struct.pack(">BBHHH", 0, 3 if routed else 2, 1, (8 + len(route) + len(transport)) // 4, 2) + route + transport + bytes(2)


def _tag(kind: int, length: int, payload_type: int = 0x0800) -> bytes:
    return ethernet(kind, bytes(length) + struct.pack(">H", payload_type) + INNER4)


def _erf_sample(name: str, kind: int, payload: bytes, around: str, extensions: int = 0) -> Sample:
    record, header = erf(kind, payload, extensions)
    return inner4(name, ERF, record, around, pseudo_header=header)


def jumbo(following: int, payload: bytes, length: int) -> bytes:
    """RFC 2675: a hop-by-hop header that says how long all is that follows the IPv6 header, and the payload."""
    return bytes([following, 0, 0xC2, 4]) + struct.pack(">I", length) + payload


_ERROR = bytes.fromhex("0301000000000000")
_PPPOE = bytes.fromhex("110000010000")
_GTP = bytes.fromhex("30ff002800000001")
_VXLAN = bytes.fromhex("0800000000000500")
_ECHO = bytes.fromhex("0800f7fe00010001")
_TEREDO_AUTHENTICATION, _TEREDO_ORIGIN = b"\0\1\0\0" + bytes(9), b"\0\0" + bytes(6)
_PPI_80211 = struct.pack("<BBHI", 0, 0, 32, 105) + struct.pack("<HH", 2, 20) + bytes(8) + b"\1\0" + bytes(10)
_PKTAP = struct.pack("<III", 108, 1, 1) + bytes(96)
_AMSDU = bytes.fromhex("0e0000000001 0e0000000002") + struct.pack(">H", len(SNAP4))
_CAPWAP = bytes.fromhex("0010020000000000")
_CAPWAP_WLAN = bytes.fromhex("0010030000000000")
_SWAPPED = wlan(0x08, 0x01, SNAP4)
_SLL = struct.pack(">HHH", 0, 1, 6) + bytes(8)

LINKS = (
    inner4("Ethernet", ETHERNET, FRAME4, "eth"),
    inner6("Ethernet, IPv6", ETHERNET, FRAME6, "eth"),
    inner4("802.3 with SNAP", ETHERNET, ethernet(len(SNAP4), SNAP4), "eth:llc"),
    inner4("LLC with IP's service access point", ETHERNET, ethernet(3 + len(INNER4), b"\6\6\3" + INNER4), "eth:llc"),
    leaf("spanning tree", ethernet(38, b"\x42\x42\3" + bytes(35)), "eth:llc:stp"),
    leaf("Cisco discovery", ethernet(40, bytes.fromhex("aaaa03 00000c 2000") + bytes(32)), "eth:llc:cdp"),
    leaf("raw 802.3", ethernet(30, b"\xff\xff" + bytes(28)), "eth:ipx"),
    leaf("neither type nor length", ethernet(1530, bytes(46)), "eth:data"),
    leaf("ARP", over_ethernet(0x0806, ARP), "eth:arp"),
    leaf("LACP", over_ethernet(0x8809, b"\1\1" + bytes(108)), "eth:slow:lacp"),
    leaf("IS-IS", ethernet(30, bytes.fromhex("fefe03 83 1b 01 00 0f 01 00 00") + bytes(19)), "eth:llc:osi:isis:isis.hello"),
    inner4("VLAN", ETHERNET, _tag(0x8100, 2), "eth:vlan"),
    inner4(
        "VLAN in a service tag",
        ETHERNET,
        ethernet(0x88A8, struct.pack(">HHHH", 200, 0x8100, 300, 0x0800) + INNER4),
        "eth:ieee8021ad:vlan",
    ),
    leaf("LLC in VLAN", ethernet(0x8100, struct.pack(">HH", 5, 38) + b"\x42\x42\3" + bytes(35)), "eth:vlan:llc:stp"),
    inner4("backbone tag", ETHERNET, _tag(0x88E7, 16), "eth:ieee8021ah"),
    inner4(
        "backbone tag in a service tag",
        ETHERNET,
        ethernet(0x88A8, struct.pack(">HH", 200, 0x88E7) + bytes(16) + b"\x08\0" + INNER4),
        "eth:ieee8021ad",
    ),
    inner4("HSR", ETHERNET, _tag(0x892F, 4), "eth:hsr"),
    inner4("802.1CB", ETHERNET, _tag(0xF1C1, 4), "eth:ieee8021cb"),
    inner4("802.1BR", ETHERNET, _tag(0x893F, 6), "eth:etag"),
    inner4("VN-Tag", ETHERNET, _tag(0x8926, 4), "eth:vntag"),
    inner4("TrustSec metadata", ETHERNET, _tag(0x8909, 6), "eth:cmd"),
    inner4(
        "TrustSec metadata in GRE", ETHERNET, over_ip(47, bytes.fromhex("00008909 0800 01010001 0000") + INNER4), "eth:ip:gre:cmd", 1
    ),
    inner4("Arista time of 64 bits", ETHERNET, _arista("0001 0010 5ceeed58 19c38c2c 0800", INNER4), "eth:avsp"),
    inner6("Arista time of 64 bits, UTC", ETHERNET, _arista("0001 0110 5ceeed58 19c38c2c 86dd", INNER6), "eth:avsp"),
    inner4("Arista time of 48 bits", ETHERNET, _arista("0001 0020 ed58 19c38c2c 0800", INNER4), "eth:avsp"),
    inner4("Arista time of 48 bits, UTC", ETHERNET, _arista("0001 0120 ed58 19c38c2c 0800", INNER4), "eth:avsp"),
    inner4("Solaris IPNET", 226, bytes.fromhex("01020000 00000028 00000002 00000000 ffffffff 00000000") + INNER4, "ipnet"),
    inner6("Solaris IPNET with IPv6", 226, bytes.fromhex("011a0000 0000003c 00000002 00000000 ffffffff 00000000") + INNER6, "ipnet"),
    inner4("FabricPath", ETHERNET, ethernet(0x8903, b"\0\5" + FRAME4 + bytes(4)), "eth:cfp:eth"),
    inner4("ISL", ETHERNET, bytes.fromhex("01000c0000 00 020000000001 0050 aaaa03 00000c 0002 0000 0000") + FRAME4, "eth:eth"),
    inner4("TRILL", ETHERNET, over_ethernet(0x22F3, b"\0\0\0\1\0\2" + FRAME4), "eth:trill:eth"),
    inner4("TRILL with options", ETHERNET, over_ethernet(0x22F3, b"\0\x40\0\1\0\2" + bytes(4) + FRAME4), "eth:trill:eth"),
    inner4("NSH", ETHERNET, over_ethernet(0x894F, bytes.fromhex("0fc6010100000100") + bytes(16) + INNER4), "eth:nsh"),
    inner4("NSH with Ethernet", ETHERNET, over_ethernet(0x894F, bytes.fromhex("0fc6010300000100") + bytes(16) + FRAME4), "eth:nsh:eth"),
    inner4("NSH without metadata", ETHERNET, over_ethernet(0x894F, bytes.fromhex("0fc2020100000100") + INNER4), "eth:nsh"),
    inner4("MACsec, not encrypted", ETHERNET, over_ethernet(0x88E5, bytes(6) + b"\x08\0" + INNER4 + bytes(16)), "eth:macsec"),
    leaf("MACsec", over_ethernet(0x88E5, b"\x2c" + bytes(13) + bytes(40) + bytes(16)), "eth:macsec:data"),
    leaf("FCoE", over_ethernet(0x8906, bytes(13) + b"\x2e" + bytes(24) + b"\x41" + bytes(7)), "eth:fcoe:fc"),
    leaf("PPPoE discovery", over_ethernet(0x8863, bytes.fromhex("110900000004 01010000")), "eth:pppoed"),
    inner4(
        "PPPoE",
        ETHERNET,
        over_ethernet(0x8864, b"\x11\0\0\1" + struct.pack(">H", 2 + len(INNER4)) + b"\0\x21" + INNER4),
        "eth:pppoes:ppp",
    ),
    inner6(
        "PPPoE, IPv6",
        ETHERNET,
        over_ethernet(0x8864, b"\x11\0\0\1" + struct.pack(">H", 2 + len(INNER6)) + b"\0\x57" + INNER6),
        "eth:pppoes:ppp",
    ),
    leaf("PPPoE, LCP", over_ethernet(0x8864, b"\x11\0\0\1\0\6\xc0\x21\x09\0\0\4"), "eth:pppoes:ppp:lcp"),
    leaf("LCP rejects IPv6CP", b"\xff\3\xc0\x21\x08\1\0\x0a\x80\x57\1\1\0\4", "ppp:lcp:ipv6cp", PPP),
    inner4("MPLS", ETHERNET, over_ethernet(0x8847, mpls(16, payload=INNER4)), "eth:mpls"),
    inner4("MPLS stack", ETHERNET, over_ethernet(0x8848, mpls(16, 17, 18, payload=INNER4)), "eth:mpls"),
    inner6("MPLS, IPv6", ETHERNET, over_ethernet(0x8847, mpls(2, payload=INNER6)), "eth:mpls"),
    inner4(
        "MPLS pseudowire",
        ETHERNET,
        over_ethernet(0x8847, mpls(16, payload=ethernet(0x0800, INNER4, "001b21aabbcc", "0050569c0001"))),
        "eth:mpls:pwethheuristic:pwethnocw:eth",
    ),
    inner4(
        "MPLS pseudowire with control word",
        ETHERNET,
        over_ethernet(0x8847, mpls(16, payload=bytes(4) + ethernet(0x0800, INNER4, "001b21aabbcc", "0050569c0001"))),
        "eth:mpls:pwethheuristic:pwethcw:eth",
    ),
    inner4("MPLS associated channel", ETHERNET, over_ethernet(0x8847, mpls(16, 13, payload=b"\x10\0\0\x21" + INNER4)), "eth:mpls:pwach"),
    inner4("token ring", TOKEN_RING, bytes.fromhex("1040 400000000002 400000000001") + SNAP4, "tr:llc"),
    inner4("token ring with a route", TOKEN_RING, bytes.fromhex("1040 400000000002 c00000000001 0610 0011 0020") + SNAP4, "tr:llc"),
    leaf("token ring's own", bytes.fromhex("1000 400000000002 400000000001") + bytes(20), "tr:trmac", TOKEN_RING),
    inner4("FDDI", FDDI, bytes.fromhex("57 400000000002 400000000001") + SNAP4, "fddi:llc"),
    inner4("ARCnet, RFC 1051", ARCNET_BSD, b"\1\2\xf0" + INNER4, "arcnet"),
    inner4("ARCnet, RFC 1201", ARCNET_BSD, b"\1\2\xd4\0\0\5" + INNER4, "arcnet"),
    inner4("ARCnet, exception frame", ARCNET_BSD, b"\1\2\xd4\xff\xff\xff\xd4\0\0\5" + INNER4, "arcnet"),
    inner4("ARCnet, Linux", ARCNET_LINUX, b"\1\2\0\0\xd4\0\0\5" + INNER4, "arcnet"),
    leaf("ARCnet, ARP", b"\1\2\xf1" + ARP, "arcnet:arp", ARCNET_BSD),
    inner4("PPP", PPP, b"\xff\3\0\x21" + INNER4, "ppp"),
    inner4("PPP, compressed", PPP, b"\x21" + INNER4, "ppp"),
    inner4("PPP, serial", PPP_HDLC, b"\xff\3\0\x21" + INNER4, "ppp"),
    inner4("PPP, serial with Cisco HDLC", PPP_HDLC, b"\x0f\0\x08\0" + INNER4, "ppp:chdlc"),
    inner4("PPP with a direction", PPP_WITH_DIR, b"\1\xff\3\0\x21" + INNER4, "ppp", pseudo_header=1),
    inner4("PPP of pppd", PPP_PPPD, b"\1\xff\3\0\x21" + INNER4, "ppp", in_wireshark=False),
    inner4("Cisco HDLC with a direction", C_HDLC_WITH_DIR, b"\1\x0f\0\x08\0" + INNER4, "chdlc", in_wireshark=False),
    inner4("SITA with frame relay", SITA, b"\0\0\0\0\x12\x18\x41\3\xcc" + INNER4, "sita:fr", pseudo_header=5),
    inner4("frame relay with a direction", FRELAY_WITH_DIR, b"\1\x18\x41\3\xcc" + INNER4, "fr", in_wireshark=False),
    inner4("MPLS link type", MPLS, mpls(16, payload=INNER4), "mpls", in_wireshark=False),
    inner4("InfiniBand link type", INFINIBAND, infiniband(b"\x08\0\0\0" + INNER4, routed=True), "infiniband", in_wireshark=False),
    inner4("PPPoE link type", PPP_ETHER, b"\x11\0\0\1" + struct.pack(">H", 2 + len(INNER4)) + b"\0\x21" + INNER4, "pppoes:ppp"),
    inner4("Cisco HDLC", C_HDLC, b"\x0f\0\x08\0" + INNER4, "chdlc"),
    leaf("Cisco HDLC, IS-IS", b"\x8f\0\xfe\xfe\0\x83\x14\1\0\x11\1\0\0" + bytes(12), "chdlc:osi:isis:isis.hello", C_HDLC),
    inner4("frame relay", FRELAY, b"\x18\x41\3\xcc" + INNER4, "fr"),
    inner4("frame relay, padded", FRELAY, b"\x18\x41\3\0\xcc" + INNER4, "fr"),
    inner4("frame relay, SNAP", FRELAY, b"\x18\x41\3\0\x80\0\0\0\x08\0" + INNER4, "fr"),
    inner4("frame relay, bridged", FRELAY, b"\x18\x41\3\0\x80\0\x80\xc2\0\7" + FRAME4, "fr:eth"),
    inner4("frame relay, Cisco", FRELAY, b"\x18\x41\x08\0" + INNER4, "fr"),
    inner4("frame relay, long address", FRELAY, b"\x18\x40\0\1\3\xcc" + INNER4, "fr"),
    inner6("frame relay, IPv6", FRELAY, b"\x18\x41\3\x8e" + INNER6, "fr"),
    inner4("frame relay, PPP", FRELAY, b"\x18\x41\3\xcf\0\x21" + INNER4, "fr:ppp"),
    inner4("ATM, RFC 1483", ATM_RFC1483, SNAP4, "llc"),
    inner4("BSD loopback", NULL, b"\2\0\0\0" + INNER4, "null"),
    inner4("BSD loopback, big-endian", NULL, b"\0\0\0\2" + INNER4, "null"),
    inner6("BSD loopback, IPv6 of macOS", NULL, b"\x1e\0\0\0" + INNER6, "null"),
    inner6("BSD loopback, IPv6 of NetBSD", NULL, b"\x18\0\0\0" + INNER6, "null"),
    inner4("OpenBSD loopback", LOOP, b"\0\0\0\2" + INNER4, "null"),
    inner4("raw IP", RAW, INNER4, "raw"),
    inner6("raw IPv6", RAW, INNER6, "raw"),
    inner4("raw IPv4", IPV4, INNER4, ""),
    inner6("raw IPv6 only", IPV6, INNER6, ""),
    inner4("Linux cooked", LINUX_SLL, _SLL + b"\x08\0" + INNER4, "sll"),
    leaf("Linux cooked, LLC", _SLL + b"\0\4\x42\x42\3" + bytes(35), "sll:llc:stp", LINUX_SLL),
    inner4("Linux cooked, GRE", LINUX_SLL, struct.pack(">HHH", 0, 778, 6) + bytes(8) + b"\x65\x58" + FRAME4, "sll:eth"),
    inner4("Linux cooked 2", LINUX_SLL2, b"\x08\0\0\0\0\0\0\1\0\1\0\6" + bytes(8) + INNER4, "sll"),
    inner4("pflog", PFLOG, b"\x3d\2\0\0" + bytes(60) + INNER4, "pflog"),
    inner4("enc", ENC, b"\2\0\0\0" + bytes(8) + INNER4, "enc"),
    inner6("enc, IPv6", ENC, b"\0\0\0\x18" + bytes(8) + INNER6, "enc"),
    inner4("IP over fibre channel", IP_OVER_FC, bytes(16) + SNAP4, "ipfc:llc"),
    leaf("fibre channel", bytes(36), "fc", FC_2),
    leaf("fibre channel with delimiters", bytes(4 + 24 + 4 + 4), "fcsof:fc", FC_2_WITH_DELIMITERS),
    inner4("IP over InfiniBand", IPOIB, bytes(40) + b"\x08\0\0\0" + INNER4, "ipoib"),
    inner4("802.11", IEEE802_11, wlan(0x08, 0x01, SNAP4), "wlan:llc"),
    inner4("802.11 with QoS", IEEE802_11, wlan(0x88, 0x02, SNAP4, qos=b"\0\0"), "wlan:llc"),
    inner4("802.11, four addresses", IEEE802_11, wlan(0x08, 0x03, SNAP4, address4=bytes.fromhex("0e0000000004")), "wlan:llc"),
    inner4("802.11, aggregated", IEEE802_11, wlan(0x88, 0x01, _AMSDU + SNAP4, qos=b"\x80\0"), "wlan:llc"),
    inner4("802.11, mesh", IEEE802_11, wlan(0x88, 0x02, b"\0\x1f\1\0\0\0" + SNAP4, qos=b"\0\1"), "wlan:llc"),
    leaf("802.11 beacon", wlan(0x80, 0, bytes(12)), "wlan", IEEE802_11),
    leaf("802.11 acknowledgement", b"\xd4\0\0\0\x0e\0\0\0\0\1", "wlan", IEEE802_11),
    leaf("802.11 without data", wlan(0x48, 0x01, b""), "wlan", IEEE802_11),
    leaf("802.11, encrypted", wlan(0x08, 0x41, bytes(40)), "wlan:data", IEEE802_11),
    leaf("802.11, first fragment", wlan(0x08, 0x05, SNAP4, sequence=0x0550), "wlan:data", IEEE802_11),
    inner4("radiotap", RADIOTAP, radiotap(0, b"") + wlan(0x08, 0x01, SNAP4), "radiotap:wlan_radio:wlan:llc"),
    inner4(
        "radiotap with check sequence",
        RADIOTAP,
        radiotap(2, b"\x10") + wlan(0x08, 0x01, SNAP4) + bytes(4),
        "radiotap:wlan_radio:wlan:llc",
    ),
    inner4(
        "radiotap with padding",
        RADIOTAP,
        radiotap(0x80000003, struct.pack("<I", 0) + bytes(4) + bytes(8) + b"\x20") + wlan(0x88, 0x01, b"\0\0" + SNAP4, qos=b"\0\0"),
        "radiotap:wlan_radio:wlan:llc",
    ),
    inner4("Prism", PRISM, struct.pack("<II", 0x44, 144) + bytes(136) + wlan(0x08, 0x01, SNAP4), "prism:wlan_radio:wlan:llc"),
    inner4("AVS", AVS, struct.pack(">II", 0x80211001, 64) + bytes(56) + wlan(0x08, 0x01, SNAP4), "wlancap:wlan_radio:wlan:llc"),
    inner4("PPI with 802.11", PPI, _PPI_80211 + wlan(0x08, 0x01, SNAP4) + bytes(4), "ppi:wlan_radio:wlan:llc"),
    inner4("PPI with Ethernet", PPI, struct.pack("<BBHI", 0, 0, 8, 1) + FRAME4, "ppi:pcap_pktdata:eth"),
    inner4("PKTAP", PKTAP, _PKTAP + FRAME4, "pktap:pcap_pktdata:eth"),
    inner4("PKTAP under its private number", USER2, _PKTAP + FRAME4, "user_dlt:pktap:pcap_pktdata:eth"),
    inner4("NFLOG", NFLOG, b"\2\0\0\1" + attribute(10, b"IN\0") + attribute(9, INNER4), "nflog"),
    inner6("NFLOG, IPv6", NFLOG, b"\x0a\0\0\1" + attribute(9, INNER6), "nflog"),
    leaf("NFLOG, bridge", b"\7\0\0\1" + attribute(1, b"\x08\6\0\0") + attribute(9, ARP), "nflog:arp", NFLOG),
    inner4(
        "netlink, NFLOG",
        NETLINK,
        struct.pack(">HHH", 4, 824, 0) + bytes(8) + struct.pack(">H", 12) + struct.pack("<IHHII", 64, 0x0400, 0, 0, 0)
        + b"\2\0\0\1" + attribute(9, INNER4),
        "netlink:netlink-netfilter:nflog",
    ),
    _erf_sample("ERF, Ethernet", 2, FRAME4, "erf:eth"),
    _erf_sample("ERF, extension headers", 2, FRAME4, "erf:eth", extensions=2),
    _erf_sample("ERF, Cisco HDLC", 1, b"\x0f\0\x08\0" + INNER4, "erf:chdlc"),
    _erf_sample("ERF, PPP", 5, b"\xff\3\0\x21" + INNER4, "erf:ppp"),
    _erf_sample("ERF, IPv4", 22, INNER4, "erf"),
    Sample("ERF, Omni-Path", ERF, erf(28, bytes(40))[0], "erf:opa.snc:opa", pseudo_header=16),
    _erf_sample("ERF, InfiniBand", 21, infiniband(b"\x08\0\0\0" + INNER4, routed=False), "erf:infiniband"),
    _erf_sample("ERF, InfiniBand, routed", 21, infiniband(b"\x08\0\0\0" + INNER4, routed=True), "erf:infiniband"),
)  # fmt: skip
"""Link types, and what lies between them and the network layer."""

TUNNELS = (
    inner4("IP in IP", ETHERNET, over_ip(4, INNER4), "eth:ip", 1),
    inner6("6in4", ETHERNET, over_ip(41, INNER6), "eth:ip", 1),
    Sample("6to4", ETHERNET, over_ip(41, ipv6(6, tcp(), "2002:c000:201::1", "2002:c633:6402::1")), "eth:ip:ipv6:tcp",
           "2002:c000:201::1", "2002:c633:6402::1", CLIENT_PORT, SERVER_PORT, 1, 1),
    inner4("GRE over IPv6", ETHERNET, ethernet(0x86DD, ipv6(47, gre(0xB000, 0x0800, INNER4))), "eth:ipv6:gre", 0, 1),
    inner4("GTP-U over IPv6", ETHERNET, ethernet(0x86DD, ipv6(17, udp(2152, 2152, _GTP + INNER4))), "eth:ipv6:udp:gtp", 0, 1),
    inner4("4in6", ETHERNET, ethernet(0x86DD, ipv6(4, INNER4)), "eth:ipv6", 0, 1),
    inner6("6in6", ETHERNET, ethernet(0x86DD, ipv6(41, INNER6)), "eth:ipv6", 0, 1),
    inner4("GRE", ETHERNET, over_ip(47, gre(0, 0x0800, INNER4)), "eth:ip:gre", 1),
    inner4("GRE with checksum, key and sequence", ETHERNET, over_ip(47, gre(0xB000, 0x0800, INNER4)), "eth:ip:gre", 1),
    inner4("GRE with Ethernet", ETHERNET, over_ip(47, gre(0x2000, 0x6558, FRAME4)), "eth:ip:gre:eth", 1),
    inner4("GRE with MPLS", ETHERNET, over_ip(47, gre(0, 0x8847, mpls(16, payload=INNER4))), "eth:ip:gre:mpls", 1),
    inner4("PPTP", ETHERNET, over_ip(47, gre(0x3081, 0x880B, b"\xff\3\0\x21" + INNER4)), "eth:ip:gre:ppp", 1),
    inner4("ERSPAN I", ETHERNET, over_ip(47, gre(0, 0x88BE, FRAME4)), "eth:ip:gre:erspan:eth", 1),
    inner4("ERSPAN II", ETHERNET, over_ip(47, gre(0x1000, 0x88BE, b"\x10" + bytes(7) + FRAME4)), "eth:ip:gre:erspan:eth", 1),
    inner4("ERSPAN III", ETHERNET, over_ip(47, gre(0x1000, 0x22EB, b"\x20" + bytes(11) + FRAME4)), "eth:ip:gre:erspan:eth", 1),
    inner4(
        "ERSPAN III, long",
        ETHERNET,
        over_ip(47, gre(0x1000, 0x22EB, b"\x20" + bytes(10) + b"\1" + bytes(8) + FRAME4)),
        "eth:ip:gre:erspan:eth",
        1,
    ),
    inner4("WCCP", ETHERNET, over_ip(47, gre(0, 0x883E, INNER4)), "eth:ip:gre", 1),
    inner4("WCCP 2", ETHERNET, over_ip(47, gre(0, 0x883E, bytes(4) + INNER4)), "eth:ip:gre", 1),
    inner4("GRE in UDP", ETHERNET, over_udp(4754, gre(0, 0x0800, INNER4)), "eth:ip:udp:gre", 1),
    inner4("NSH over GRE", ETHERNET, over_ip(47, gre(0, 0x894F, bytes.fromhex("0fc2020100000100") + INNER4)), "eth:ip:gre:nsh", 1),
    inner4("EtherIP", ETHERNET, over_ip(97, b"\x30\0" + FRAME4), "eth:ip:etherip:eth", 1),
    inner4("Ethernet in IP", ETHERNET, over_ip(143, FRAME4), "eth:ip:eth", 1),
    inner4("MPLS in IP", ETHERNET, over_ip(137, mpls(16, payload=INNER4)), "eth:ip:mpls", 1),
    inner4("MPLS in UDP", ETHERNET, over_udp(6635, mpls(16, payload=INNER4)), "eth:ip:udp:mpls", 1),
    inner4("authentication header", ETHERNET, over_ip(51, bytes([4, 4]) + bytes(22) + INNER4), "eth:ip:ah", 1),
    inner4("PIM register", ETHERNET, over_ip(103, b"\x21" + bytes(7) + INNER4), "eth:ip:pim", 1),
    inner4("VXLAN", ETHERNET, over_udp(4789, _VXLAN + FRAME4), "eth:ip:udp:vxlan:eth", 1),
    inner6("VXLAN, IPv6", ETHERNET, over_udp(4789, _VXLAN + FRAME6), "eth:ip:udp:vxlan:eth", 1),
    inner4("VXLAN-GPE", ETHERNET, over_udp(4790, bytes.fromhex("0c00000100000500") + INNER4), "eth:ip:udp", 1),
    inner4("GENEVE", ETHERNET, over_udp(6081, bytes.fromhex("0000655800000500") + FRAME4), "eth:ip:udp:geneve:eth", 1),
    inner4(
        "GENEVE with options",
        ETHERNET,
        over_udp(6081, bytes.fromhex("0200080000000500 0000000100000000") + INNER4),
        "eth:ip:udp:geneve",
        1,
    ),
    inner4("GTP-U", ETHERNET, over_udp(2152, _GTP + INNER4, 2152), "eth:ip:udp:gtp", 1),
    inner6("GTP-U, IPv6", ETHERNET, over_udp(2152, bytes.fromhex("30ff003c00000001") + INNER6, 2152), "eth:ip:udp:gtp", 1),
    inner4("GTP-U with sequence", ETHERNET, over_udp(2152, bytes.fromhex("32ff002c00000001 00010000") + INNER4, 2152), "eth:ip:udp:gtp", 1),
    inner4(
        "GTP-U with extension headers",
        ETHERNET,
        over_udp(2152, bytes.fromhex("34ff003000000001 00000085 01100500") + INNER4, 2152),
        "eth:ip:udp:gtp",
        1,
    ),
    inner4("GTP version 0", ETHERNET, over_udp(2152, b"\x1e\xff\0\x28" + bytes(16) + INNER4, 2152), "eth:ip:udp:gtp", 1),
    inner6("Teredo", ETHERNET, over_udp(3544, INNER6), "eth:ip:udp:teredo", 1),
    inner6("Teredo with both headers", ETHERNET, over_udp(3544, _TEREDO_AUTHENTICATION + _TEREDO_ORIGIN + INNER6), "eth:ip:udp:teredo", 1),
    inner4("L2TP", ETHERNET, over_udp(1701, bytes.fromhex("000200010001 ff030021") + INNER4, 1701), "eth:ip:udp:l2tp:ppp", 1),
    inner4(
        "L2TP with all fields",
        ETHERNET,
        over_udp(1701, struct.pack(">HHHHHHH", 0x4A02, 14 + 2 + 4 + len(INNER4), 1, 1, 0, 0, 2) + b"\0\0\xff\3\0\x21" + INNER4, 1701),
        "eth:ip:udp:l2tp:ppp",
        1,
    ),
    inner4("CAPWAP, Ethernet", ETHERNET, over_udp(5247, _CAPWAP + FRAME4), "eth:ip:udp:capwap.data:eth", 1),
    inner4(
        "CAPWAP, 802.11",
        ETHERNET,
        over_udp(5247, _CAPWAP_WLAN + _SWAPPED[1::-1] + _SWAPPED[2:]),
        "eth:ip:udp:capwap.data:wlan:llc",
        1,
    ),
    inner4("LISP", ETHERNET, over_udp(4341, bytes(8) + INNER4), "eth:ip:udp:lisp-data", 1),
    inner4("LISP, encapsulated control", ETHERNET, over_udp(4342, b"\x80\0\0\0" + INNER4), "eth:ip:udp:lisp", 1),
    inner4("TZSP", ETHERNET, over_udp(37008, b"\1\0\0\1\x0a\1\x30\1" + FRAME4), "eth:ip:udp:tzsp:eth", 1),
    inner4("TZSP link type", TZSP, b"\1\0\0\x12\1" + wlan(0x08, 0x01, SNAP4), "tzsp:wlan:llc"),
    inner4("jmirror", ETHERNET, over_udp(30030, bytes(8) + INNER4), "eth:ip:udp:jmirror", 1),
    inner4("AMT", ETHERNET, over_udp(2268, b"\6\0" + INNER4), "eth:ip:udp:amt", 1),
    inner6("AYIYA", ETHERNET, over_udp(5072, bytes.fromhex("44521129") + bytes(4 + 16 + 20) + INNER6), "eth:ip:udp:ayiya", 1),
    inner4(
        "RoCE 2",
        ETHERNET,
        over_udp(4791, infiniband(b"\x08\0\0\0" + INNER4, routed=False)[8:-2]),
        "eth:ip:udp:infiniband",
        1,
    ),
    inner4(
        "VXLAN in VXLAN",
        ETHERNET,
        over_udp(4789, _VXLAN + ethernet(0x0800, ipv4(17, udp(1, 4789, _VXLAN + FRAME4)))),
        "eth:ip:udp:vxlan:eth:ip:udp:vxlan:eth",
        2,
    ),
    outer("VXLAN with ARP", over_udp(4789, _VXLAN + ethernet(0x0806, ARP)), "eth:ip:udp:vxlan:eth:arp", 40_000, 4789),
    outer("GTP signalling", over_udp(2123, bytes.fromhex("320100040000000000010000"), 2123), "eth:ip:udp:gtp", 2123, 2123),
    outer("GTP'", over_udp(3386, bytes.fromhex("1e01000000120000ffffff000000000000000000"), 3386), "eth:ip:udp:gtpprime", 3386, 3386),
    outer("GTP version 2", over_udp(2123, bytes.fromhex("4001000400000100"), 2123), "eth:ip:udp:gtp:gtpv2", 2123, 2123),
    outer("L2TP control", over_udp(1701, bytes.fromhex("c802000c0001000000000000"), 1701), "eth:ip:udp:l2tp", 1701, 1701),
    outer("L2TP over IP, control", over_ip(115, bytes(4) + bytes.fromhex("c803000c00000000")), "eth:ip:l2tp"),
    outer("L2TP over IP, data", over_ip(115, b"\0\0\0\1" + FRAME4), "eth:ip:l2tp:data"),
    outer("L2TP 3 over UDP, data", over_udp(1701, bytes.fromhex("0003000000000001") + FRAME4, 1701), "eth:ip:udp:l2tp:data", 1701, 1701),
    outer("L2TP 3 over UDP, control", over_udp(1701, bytes.fromhex("c803000c0000000100000000"), 1701), "eth:ip:udp:l2tp", 1701, 1701),
    outer("ESP", over_ip(50, bytes(40)), "eth:ip:esp"),
    outer("ESP in UDP", over_udp(4500, b"\0\0\0\1" + bytes(40), 4500), "eth:ip:udp:udpencap:esp", 4500, 4500),
    outer("NAT keepalive", over_udp(4500, b"\xff", 4500), "eth:ip:udp:udpencap", 4500, 4500),
    outer("CAPWAP, encrypted", over_udp(5246, b"\1\0\0\0" + bytes.fromhex("16feff") + bytes(20)), "eth:ip:udp:capwap:dtls", 40_000, 5246),
    outer("mobile IPv6", over_ip(135, bytes.fromhex("3b010500") + bytes(12)), "eth:ip:mipv6"),
    Sample(
        "mobile IPv6 over IPv6",
        ETHERNET,
        ethernet(0x86DD, ipv6(135, bytes.fromhex("3b01050000000001 80000010 01020000"))),
        "eth:ipv6:mipv6",
        CLIENT6,
        SERVER6,
    ),
    outer("not GTP", over_udp(2152, b"\x9e\xff\0\4" + bytes(8), 2152), "eth:ip:udp", 2152, 2152),
    outer("fragment", ethernet(0x0800, ipv4(17, bytes(40), fragment=5)), "eth:ip:data"),
    outer("IGMP", over_ip(2, bytes.fromhex("1600000ae0000009")), "eth:ip:igmp:igmp"),
    outer("ICMP", over_ip(1, _ECHO), "eth:ip:icmp"),
    Sample(
        "neighbour solicitation",
        ETHERNET,
        ethernet(0x86DD, ipv6(58, bytes.fromhex("8700000000000000") + ip(SERVER6))),
        "eth:ipv6:icmpv6",
        CLIENT6,
        SERVER6,
        ipv6_layers=1,
    ),
    outer("ICMP error", over_ip(1, _ERROR + ipv4(17, udp(40_000, 53, b"abcd"), OUTER_SERVER, OUTER_CLIENT)), "eth:ip:icmp:ip:udp"),
    outer("OSPF", over_ip(89, bytes(44)), "eth:ip:ospf"),
    outer("SCTP", over_ip(132, struct.pack(">HHII", 2905, 2906, 1, 0) + bytes.fromhex("0b000004")), "eth:ip:sctp", 2905, 2906),
    outer("DCCP", over_ip(33, struct.pack(">HH", 5001, 5002) + bytes.fromhex("030000000000000000000000")), "eth:ip:dccp", 5001, 5002),
    Sample(
        "UDP-Lite",
        ETHERNET,
        over_ip(136, struct.pack(">HHHH", 1234, 8, 8, 0)),
        "eth:ip:udplite",
        OUTER_CLIENT,
        OUTER_SERVER,
        1234,
        8,
        1,
    ),
    *(
        Sample(f"source route, {name}", ETHERNET, ethernet(0x0800, ipv4(6, tcp(), options=options)), "eth:ip:tcp", OUTER_CLIENT, dst,
               CLIENT_PORT, SERVER_PORT, 1)
        for name, options, dst in (
            ("loose", b"\x83\x0b\4" + ip(CLIENT) + ip(SERVER) + b"\0", SERVER),
            ("strict, behind other options", b"\1\7\7\4\0\0\0\0\x89\7\4" + ip(SERVER) + b"\0", SERVER),
            ("half way", b"\x83\x0b\x08" + ip(CLIENT) + ip(SERVER) + b"\0", SERVER),
            ("behind another", b"\x83\7\4" + ip(SERVER) + b"\x89\7\5" + ip(CLIENT) + bytes(2), SERVER),
            ("at its end", b"\x83\x0b\x0c" + ip(CLIENT) + ip(SERVER) + b"\0", OUTER_SERVER),
            ("with a pointer that is none", b"\x83\x0b\5" + ip(CLIENT) + ip(SERVER) + b"\0", OUTER_SERVER),
            ("longer than the header", b"\x83\x0b\4" + ip(CLIENT) + b"\0", OUTER_SERVER),
            ("behind the end", b"\0\x83\7\4" + ip(SERVER), OUTER_SERVER),
            ("behind an option without length", b"\x44\0\x83\7\4" + ip(SERVER) + bytes(3), OUTER_SERVER),
        )
    ),
    *(
        leaf(f"IPv4 with {name}", ethernet(0x0800, first + ipv4(6, tcp())[len(first) :]), "eth:ip")
        for name, first in (
            ("a header of 16 bytes", b"\x44"),
            ("a header longer than the packet", b"\x4f"),
            ("less than its header", b"\x45\0\0\x0a"),
            ("version 5", b"\x55"),
        )
    ),
    inner4("options", ETHERNET, ethernet(0x0800, ipv4(6, tcp(), CLIENT, SERVER, options=b"\x94\4\0\0")), "eth"),
    Sample("IPv6 without a length", ETHERNET, ethernet(0x86DD, ipv6(6, b"") + tcp()), "eth:ipv6:tcp", CLIENT6, SERVER6, ipv6_layers=1),
    inner6("jumbogram", ETHERNET, ethernet(0x86DD, ipv6(0, b"") + jumbo(6, tcp(), 70_000)), "eth"),
    Sample("jumbogram that is none", ETHERNET, ethernet(0x86DD, ipv6(0, b"") + jumbo(6, tcp(), 28)), "eth:ipv6", CLIENT6, SERVER6),
    outer(
        "UDP without a length",
        ethernet(0x0800, ipv4(17, b"").replace(b"\0\x14", b"\0\0", 1) + struct.pack(">HHHH", 40_000, 4789, 0, 0) + _VXLAN + FRAME4),
        "eth:ip:udp",
        40_000,
        4789,
    ),
    inner6("hop-by-hop options", ETHERNET, ethernet(0x86DD, ipv6(0, b"\6\0\1\4\0\0\0\0" + tcp())), "eth"),
    inner6("four extension headers", ETHERNET, ethernet(
        0x86DD, ipv6(0, b"\x2b\0\1\4\0\0\0\0" + b"\x3c\0\0\0\0\0\0\0" + b"\x2c\0\1\4\0\0\0\0" + b"\6\0\0\0\0\0\0\1" + tcp())
    ), "eth"),
    Sample(
        "IPv6, later fragment",
        ETHERNET,
        ethernet(0x86DD, ipv6(44, b"\x11\0\0\x50\0\0\0\1" + bytes(24))),
        "eth:ipv6:data",
        CLIENT6,
        SERVER6,
        # As in Wireshark's statistics.
        ipv6_layers=0,
    ),
    Sample(
        "authentication header, then options",
        ETHERNET,
        ethernet(0x86DD, ipv6(51, bytes([60, 4]) + bytes(22) + b"\6\0\1\4\0\0\0\0" + tcp()),
    ),
           "eth:ipv6:ah:tcp", CLIENT6, SERVER6, CLIENT_PORT, SERVER_PORT, 0, 1),
)  # fmt: skip
"""What lies in IP."""

SAMPLES = LINKS + TUNNELS
