"""Payloads of application protocols, written by hand after the documents that define them, and packets around them.

Each is the first payload of a conversation. `tests/ingest/test_applications.py` has tshark confirm what they are.
"""

# ruff: noqa: E501 - payloads, one to a line where that is possible

from __future__ import annotations

import ssl
import struct
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import numpy as np

from caphouse.ingest.columns import Columns
from caphouse.ingest.decode import Decoder
from caphouse.ingest.formats.base import PADDING_BYTES, PacketBatch

TCP, UDP = 6, 17
RAW_IP = 101
SYN, ACK, PSH = 0x02, 0x10, 0x08


@dataclass(frozen=True)
class Example:
    """One payload.

    Attributes:
        transport: `TCP` or `UDP`.
        port: The server's port.
        payload: The bytes.
        from_server: Whether the server sends it.
        by_tshark: tshark's name for it; None where tshark 4.0 has no dissector that takes a single packet of it.
        off_port: Whether the payload alone shows the protocol, on any port.
    """

    transport: int
    port: int
    payload: bytes
    from_server: bool = False
    by_tshark: str | None = None
    off_port: bool = False


@cache
def client_hello() -> bytes:
    """A real TLS ClientHello."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname="www.example.org").do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without a server cannot succeed")


def dns_query(name: str = "www.example.org", number: int = 0x1234, kind: int = 1) -> bytes:
    """A query (RFC 1035, section 4.1)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", kind, 1)


def nbns_name(name: str) -> bytes:
    """First-level encoding of a NetBIOS name (RFC 1001, section 14.1)."""
    padded = name.ljust(15).encode() + b"\0"
    return b"\x20" + b"".join(bytes([0x41 + (byte >> 4), 0x41 + (byte & 15)]) for byte in padded) + b"\0"


def bencode_ping() -> bytes:
    """A DHT ping (BEP 5)."""
    return b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"


def quic_initial() -> bytes:
    """Start of a QUIC version 1 Initial (RFC 9000, section 17.2.2), padded as section 14.1 demands; its content is not encrypted right."""
    head = b"\xc3\0\0\0\1\x08" + bytes(range(1, 9)) + b"\0\0" + struct.pack(">H", 0x4000 | 1182)
    return head.ljust(1200, b"\x5a")


def rtp(sequence: int, source: int = 0x1234ABCD, kind: int = 0, size: int = 160) -> bytes:
    """RTP with PCMU (RFC 3550, section 5.1)."""
    return struct.pack(">BBHII", 0x80, kind, sequence & 0xFFFF, sequence * 160 & 0xFFFFFFFF, source) + bytes(size)


_HANDSHAKE = b"\x13BitTorrent protocol" + bytes(8) + b"h" * 20 + b"-XX0001-" + b"p" * 12
_DHCP = bytes([1, 1, 6, 0]) + b"\x12\x34\x56\x78" + bytes(20) + b"\x02\0\0\0\0\1" + bytes(10) + bytes(192) + b"\x63\x82\x53\x63\x35\1\1\xff"
_DTLS_BODY = (
    b"\1" + b"\0\0\x2c" + b"\0\0" + b"\0\0\0" + b"\0\0\x2c" + b"\xfe\xfd" + bytes(32) + b"\0\0" + b"\0\2\xc0\x2b" + b"\1\0" + b"\0\0"
)
_RPC_CALL = b"\x11\x22\x33\x44" + struct.pack(">5I", 0, 2, 100000, 2, 0) + bytes(16)
_NFS_CALL = b"\x11\x22\x33\x45" + struct.pack(">5I", 0, 2, 100003, 3, 0) + bytes(16)
_SMB2 = b"\xfeSMB" + struct.pack("<HHIHHIIQIIQ", 64, 0, 0, 0, 1, 0, 0, 0, 0xFEFF, 0, 0) + bytes(16)
_SMB2_NEGOTIATE = _SMB2 + struct.pack("<HHHHI", 36, 1, 1, 0, 0) + bytes(16) + bytes(8) + struct.pack("<H", 0x0202)
_DCERPC_BIND = (
    bytes([5, 0, 11, 3]) + b"\x10\0\0\0" + struct.pack("<HHI", 72, 0, 1) + struct.pack("<HHI", 4280, 4280, 0) + b"\1\0\0\0" + b"\0\0\1\0"
    + bytes.fromhex("0883afe11f5dc91191a408002b14a0fa03000000") + bytes.fromhex("045d888aeb1cc9119fe808002b10486002000000")
)  # fmt: skip


def der(tag: int, *content: bytes) -> bytes:
    """A BER value of definite length (X.690, section 8.1)."""
    body = b"".join(content)
    length = bytes([len(body)]) if len(body) < 128 else b"\x82" + struct.pack(">H", len(body))
    return bytes([tag]) + length + body


_PRINCIPAL = der(0x30, der(0xA0, der(0x02, b"\1")), der(0xA1, der(0x30, der(0x1B, b"alice"))))
_KERBEROS = der(
    0x6A,
    der(
        0x30,
        der(0xA1, der(0x02, b"\5")),
        der(0xA2, der(0x02, b"\x0a")),
        der(
            0xA4,
            der(
                0x30,
                der(0xA0, der(0x03, b"\0\x40\x81\0\x10")),
                der(0xA1, _PRINCIPAL),
                der(0xA2, der(0x1B, b"EXAMPLE.ORG")),
                der(0xA3, der(0x30, der(0xA0, der(0x02, b"\2")), der(0xA1, der(0x30, der(0x1B, b"krbtgt"), der(0x1B, b"EXAMPLE.ORG"))))),
                der(0xA5, der(0x18, b"20370913024805Z")),
                der(0xA7, der(0x02, b"\x12\x34\x56\x78")),
                der(0xA8, der(0x30, der(0x02, b"\x12"))),
            ),
        ),
    ),
)
_BSON = b"\x10ismaster\0\1\0\0\0\x02$db\0\6\0\0\0admin\0\0"
_MONGO_BODY = struct.pack("<I", 0) + b"\0" + struct.pack("<I", 4 + len(_BSON)) + _BSON

EXAMPLES: dict[str, list[Example]] = {
    "tls": [
        Example(TCP, 443, client_hello(), by_tshark="tls", off_port=True),
        Example(TCP, 443, b"\x14\3\3\0\1\1", from_server=True, by_tshark="tls", off_port=True),
        Example(TCP, 443, b"\x17\3\3\0\x20" + b"\xa5" * 32, by_tshark="tls", off_port=True),
    ],
    "http": [
        Example(TCP, 80, b"GET /index.html HTTP/1.1\r\nHost: www.example.org\r\n\r\n", by_tshark="http", off_port=True),
        Example(TCP, 80, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", from_server=True, by_tshark="http", off_port=True),
        Example(TCP, 8080, b"CONNECT www.example.org:443 HTTP/1.1\r\n\r\n", by_tshark="http", off_port=True),
    ],
    "http2": [Example(TCP, 8080, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0", by_tshark="http2", off_port=True)],
    "quic": [Example(UDP, 443, quic_initial(), by_tshark="quic", off_port=True)],
    "dtls": [
        Example(UDP, 4433, b"\x16\xfe\xfd\0\0" + bytes(6) + struct.pack(">H", len(_DTLS_BODY)) + _DTLS_BODY, by_tshark="dtls", off_port=True)
    ],
    "socks": [Example(TCP, 1080, b"\5\1\0", by_tshark="socks", off_port=True)],
    "dns": [
        Example(UDP, 53, dns_query(), by_tshark="dns"),
        Example(TCP, 53, struct.pack(">H", len(dns_query())) + dns_query(), by_tshark="dns"),
    ],
    "mdns": [Example(UDP, 5353, dns_query("_http._tcp.local", 0, 12), by_tshark="mdns")],
    "llmnr": [Example(UDP, 5355, dns_query("printer"), by_tshark="llmnr")],
    "nbns": [Example(UDP, 137, struct.pack(">6H", 1, 0x0110, 1, 0, 0, 0) + nbns_name("WORKGROUP") + b"\0\x20\0\1", by_tshark="nbns")],
    "nbdgm": [
        Example(
            UDP, 138,
            b"\x11\x02\x12\x34" + bytes([10, 0, 0, 1]) + struct.pack(">HHH", 138, 68, 0) + nbns_name("HOST") + nbns_name("WORKGROUP"),
            by_tshark="nbdgm",
        )
    ],
    "dhcp": [Example(UDP, 67, _DHCP, by_tshark="dhcp", off_port=True)],
    "dhcpv6": [Example(UDP, 547, b"\1\x12\x34\x56" + b"\0\x08\0\2\0\0", by_tshark="dhcpv6")],
    "ntp": [Example(UDP, 123, b"\x23\0\6\xec" + bytes(44), by_tshark="ntp")],
    "snmp": [Example(UDP, 161, bytes.fromhex("302602010104067075626c6963a019020101020100020100300e300c06082b060102010101000500"), by_tshark="snmp", off_port=True)],
    "syslog": [Example(UDP, 514, b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed", by_tshark="syslog", off_port=True)],
    "tftp": [
        Example(UDP, 69, b"\0\1boot.img\0octet\0", by_tshark="tftp", off_port=True),
        Example(UDP, 50123, b"\0\6blksize\x001408\0", off_port=True),
    ],
    "radius": [Example(UDP, 1812, b"\1\x2a" + struct.pack(">H", 27) + bytes(16) + b"\1\7alice", by_tshark="radius")],
    "ldap": [
        Example(TCP, 389, bytes.fromhex("300c020101600702010304008000"), by_tshark="ldap", off_port=True),
        Example(TCP, 389, bytes.fromhex("308300004e020104648300004604") + bytes(70), from_server=True, by_tshark="ldap"),
    ],
    "cldap": [Example(UDP, 389, bytes.fromhex("3025020101632004000a01000a0100020100020100010100870b6f626a656374636c6173733000"), by_tshark="cldap")],
    "kerberos": [Example(UDP, 88, _KERBEROS, by_tshark="kerberos")],
    "bgp": [Example(TCP, 179, b"\xff" * 16 + b"\0\x13\4", by_tshark="bgp", off_port=True)],
    "ssdp": [Example(UDP, 1900, b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\n\r\n', by_tshark="ssdp", off_port=True)],
    "rpc": [
        Example(UDP, 111, _RPC_CALL, by_tshark="rpc", off_port=True),
        Example(TCP, 111, struct.pack(">I", 0x80000000 | len(_RPC_CALL)) + _RPC_CALL, by_tshark="rpc", off_port=True),
    ],
    "nfs": [
        Example(UDP, 2049, _NFS_CALL, by_tshark="rpc", off_port=True),
        Example(TCP, 2049, struct.pack(">I", 0x80000000 | len(_NFS_CALL)) + _NFS_CALL, by_tshark="rpc", off_port=True),
    ],
    "dcerpc": [Example(TCP, 135, _DCERPC_BIND, by_tshark="dcerpc", off_port=True)],
    "ssh": [Example(TCP, 22, b"SSH-2.0-OpenSSH_9.6\r\n", from_server=True, by_tshark="ssh", off_port=True)],
    "telnet": [Example(TCP, 23, b"\xff\xfd\x18\xff\xfd\x20", from_server=True, by_tshark="telnet")],
    "rdp": [Example(TCP, 3389, bytes.fromhex("0300002b26e00000000000") + b"Cookie: mstshash=alice\r\n" + bytes.fromhex("0100080003000000"), by_tshark="rdp", off_port=True)],
    "vnc": [Example(TCP, 5900, b"RFB 003.008\n", from_server=True, by_tshark="vnc", off_port=True)],
    "teamviewer": [Example(TCP, 5938, bytes.fromhex("17240a2000c5a90000000000"))],
    "x11": [Example(TCP, 6000, b"l\0\x0b\0\0\0\0\0\0\0\0\0", by_tshark="x11", off_port=True)],
    "smb": [Example(TCP, 445, struct.pack(">I", len(_SMB2_NEGOTIATE)) + _SMB2_NEGOTIATE, by_tshark="smb2", off_port=True)],
    "ftp": [Example(TCP, 21, b"220 Service ready\r\n", from_server=True, by_tshark="ftp")],
    "rsync": [Example(TCP, 873, b"@RSYNCD: 31.0\n", from_server=True, by_tshark="rsync", off_port=True)],
    "iscsi": [Example(TCP, 3260, b"\x43\x87\0\0\0\0\0\x18" + bytes(40) + b"InitiatorName=iqn.a:b\0\0\0", by_tshark="iscsi")],
    "bittorrent": [Example(TCP, 51413, _HANDSHAKE, by_tshark="bittorrent", off_port=True)],
    "bt-dht": [Example(UDP, 6881, bencode_ping(), by_tshark="bt-dht", off_port=True)],
    "bt-utp": [Example(UDP, 51413, b"\x41\0" + b"\x12\x34" + b"\0\0\1\0" + bytes(4) + b"\0\1\0\0" + b"\0\1\0\0", off_port=True)],
    "bt-tracker": [Example(UDP, 6969, bytes.fromhex("0000041727101980") + b"\0\0\0\0" + b"abcd", off_port=True)],
    "edonkey": [Example(TCP, 4662, b"\xe3" + struct.pack("<I", 6) + b"\x01" + b"abcde", by_tshark="edonkey", off_port=True)],
    "gnutella": [Example(TCP, 6346, b"GNUTELLA CONNECT/0.6\r\n\r\n", by_tshark="gnutella", off_port=True)],
    "bitcoin": [Example(TCP, 8333, b"\xf9\xbe\xb4\xd9verack\0\0\0\0\0\0\0\0\0\0\x5d\xf6\xe0\xe2", by_tshark="bitcoin", off_port=True)],
    "stratum": [Example(TCP, 3333, b'{"id": 1, "method": "mining.subscribe", "params": []}\n', off_port=True)],
    "smtp": [
        Example(TCP, 25, b"220 mail.example.org ESMTP\r\n", from_server=True, by_tshark="smtp"),
        Example(TCP, 587, b"ehlo client.example.org\r\n", by_tshark="smtp", off_port=True),
    ],
    "pop": [Example(TCP, 110, b"+OK POP3 ready\r\n", from_server=True, by_tshark="pop")],
    "imap": [Example(TCP, 143, b"* OK IMAP4rev2 ready\r\n", from_server=True, by_tshark="imap", off_port=True)],
    "irc": [Example(TCP, 6667, b"NICK alice\r\nUSER alice 0 * :Alice\r\n", by_tshark="irc", off_port=True)],
    "xmpp": [Example(TCP, 5222, b"<?xml version='1.0'?><stream:stream to='example.org' xmlns='jabber:client'>", by_tshark="xmpp", off_port=True)],
    "sip": [
        Example(UDP, 5060, b"OPTIONS sip:bob@example.org SIP/2.0\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n", by_tshark="sip", off_port=True),
        Example(TCP, 5060, b"SIP/2.0 200 OK\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n", from_server=True, by_tshark="sip", off_port=True),
    ],
    "stun": [Example(UDP, 3478, b"\0\1\0\0\x21\x12\xa4\x42" + b"transaction1", by_tshark="stun", off_port=True)],
    "rtcp": [Example(UDP, 5005, b"\x80\xc8\0\6" + b"\x12\x34\xab\xcd" + bytes(20), off_port=True)],
    "rtsp": [Example(TCP, 554, b"OPTIONS rtsp://example.org/media RTSP/1.0\r\nCSeq: 1\r\n\r\n", by_tshark="rtsp", off_port=True)],
    "h323": [Example(TCP, 1720, bytes.fromhex("0300000d") + b"\x08\x02\x12\x34\x5a\x08\x02\x80\x90", by_tshark="q931")],
    "isakmp": [Example(UDP, 500, b"initSPI8" + bytes(8) + b"\0\x20\x22\x08" + bytes(4) + struct.pack(">I", 28), by_tshark="isakmp")],
    "wg": [Example(UDP, 51820, b"\1\0\0\0" + b"\x11" * 144, by_tshark="wg", off_port=True)],
    "openvpn": [Example(UDP, 1194, b"\x38" + b"session8" + b"\0" + b"\0\0\0\0", by_tshark="openvpn", off_port=True)],
    "pptp": [Example(TCP, 1723, b"\0\x9c\0\1\x1a\x2b\x3c\x4d\0\1\0\0\1\0\0\0" + bytes(140), by_tshark="pptp", off_port=True)],
    "mysql": [Example(TCP, 3306, b"\x2d\0\0\0\x0a8.0.36\0" + b"\x0b\0\0\0" + b"abcdefgh\0" + bytes(24), from_server=True, by_tshark="mysql", off_port=True)],
    "pgsql": [Example(TCP, 5432, b"\0\0\0\x08\x04\xd2\x16\x2f", by_tshark="pgsql", off_port=True)],
    "tds": [Example(TCP, 1433, b"\x12\1\0\x2f\0\0\1\0" + bytes.fromhex("00001a00060100200001020021000103002200040400260001ff") + bytes(13), by_tshark="tds")],
    "redis": [Example(TCP, 6379, b"*1\r\n$4\r\nPING\r\n", by_tshark="resp", off_port=True)],
    "mongo": [
        Example(
            TCP, 27017, struct.pack("<4I", 16 + len(_MONGO_BODY), 1, 0, 2013) + _MONGO_BODY, off_port=True,
        )
    ],
    "mqtt": [Example(TCP, 1883, b"\x10\x10\0\4MQTT\4\2\0\x3c\0\4test", by_tshark="mqtt", off_port=True)],
    "coap": [Example(UDP, 5683, b"\x40\1\x12\x34\xb4time", by_tshark="coap")],
    "mbtcp": [Example(TCP, 502, b"\0\1\0\0\0\6\1\3\0\0\0\1", by_tshark="modbus")],
    "dnp3": [Example(TCP, 20000, bytes.fromhex("056405c001000004e921"), by_tshark="dnp3")],
    "s7comm": [Example(TCP, 102, bytes.fromhex("0300001611e00000000100c1020100c2020102c0010a"), by_tshark="cotp")],
}  # fmt: skip
"""Examples by the label that they should get."""


def packet(transport: int, src_port: int, dst_port: int, payload: bytes, *, src: int = 1, dst: int = 2, flags: int = PSH | ACK) -> bytes:
    """An IPv4 packet between 10.0.0.`src` and 10.0.0.`dst`, without checksums."""
    if transport == TCP:
        segment = struct.pack(">HHIIBBHHH", src_port, dst_port, 1, 1, 5 << 4, flags, 65535, 0, 0) + payload
    else:
        segment = struct.pack(">HHHH", src_port, dst_port, 8 + len(payload), 0) + payload
    header = struct.pack(">BBHHHBBH4B4B", 0x45, 0, 20 + len(segment), 0, 0, 64, transport, 0, 10, 0, 0, src, 10, 0, 0, dst)
    return header + segment


def example_packet(example: Example, client_port: int = 40000, **changes: object) -> bytes:
    """The packet of an example, with some of its attributes changed."""
    example = replace(example, **changes)  # type: ignore[arg-type]
    ports = (example.port, client_port) if example.from_server else (client_port, example.port)
    addresses = {"src": 2, "dst": 1} if example.from_server else {}
    return packet(example.transport, *ports, example.payload, **addresses)


def decode(packets: list[bytes], *, first_frame: int = 1, captured: list[int] | None = None) -> Columns:
    """The columns of a batch of raw IP packets, of each of which only `captured` bytes are in the capture."""
    cut = packets if captured is None else [content[:length] for content, length in zip(packets, captured, strict=True)]
    lengths = np.array([len(content) for content in cut], dtype=np.int64)
    n = len(packets)
    batch = PacketBatch(
        # What follows a packet is not zero, so that a read beyond it shows.
        buffer=np.frombuffer(b"".join(cut) + b"\xaa" * PADDING_BYTES, dtype=np.uint8),
        offset=np.cumsum(lengths) - lengths,
        captured_length=lengths,
        wire_length=np.array([len(content) for content in packets], dtype=np.int64),
        ts_ns=np.arange(n, dtype=np.int64),
        interface_id=np.zeros(n, dtype=np.int32),
        link_type=np.full(n, RAW_IP, dtype=np.int32),
        record_offset=np.zeros(n, dtype=np.int64),
        first_frame=first_frame,
    )
    return Decoder().decode(batch)


def rows(columns: Columns, start: int, end: int) -> Columns:
    """Some of a batch's packets as a batch of their own."""
    values = {field.name: getattr(columns, field.name) for field in fields(columns) if field.name not in {"buffer", "macs", "addresses"}}
    per_packet: dict[str, Any] = {name: value[start:end] for name, value in values.items() if isinstance(value, np.ndarray)}
    return replace(columns, first_frame=columns.first_frame + start, **per_packet)
