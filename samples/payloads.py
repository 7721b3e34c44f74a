"""What the hosts of the samples say: messages of application protocols, written after the documents that define them."""

from __future__ import annotations

import struct
from random import Random

from scapy.layers.dns import DNS, DNSQR, DNSRR


def dns_query(number: int, name: str) -> bytes:
    """A query for the address of a name (RFC 1035)."""
    return bytes(DNS(id=number, rd=1, qd=DNSQR(qname=name, qtype="A")))


def dns_answer(number: int, name: str, address: str | None) -> bytes:
    """The answer to it; without an address, that there is no such name."""
    question = DNSQR(qname=name, qtype="A")
    if address is None:
        return bytes(DNS(id=number, qr=1, rd=1, ra=1, rcode=3, qd=question))
    return bytes(DNS(id=number, qr=1, rd=1, ra=1, qd=question, an=DNSRR(rrname=name, type="A", ttl=300, rdata=address)))


def _vector(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size, "big") + content


def _record(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + b"\3\3" + _vector(2, content)


def client_hello(random: Random, server_name: str) -> bytes:
    """A TLS ClientHello that offers TLS 1.3 and 1.2 (RFC 8446, section 4.1.2)."""
    extensions = [
        (0, _vector(2, b"\0" + _vector(2, server_name.encode()))),
        (10, _vector(2, b"\0\x1d\0\x17")),
        (13, _vector(2, b"\4\3\x08\4\4\1")),
        (16, _vector(2, _vector(1, b"h2") + _vector(1, b"http/1.1"))),
        (43, _vector(1, b"\3\4\3\3")),
        (51, _vector(2, b"\0\x1d" + _vector(2, random.randbytes(32)))),
    ]
    body = (
        b"\3\3" + random.randbytes(32) + _vector(1, random.randbytes(32)) + _vector(2, b"\x13\1\x13\2\xc0\x2f\xc0\x30") + _vector(1, b"\0")
    )
    body += _vector(2, b"".join(struct.pack(">H", kind) + _vector(2, content) for kind, content in extensions))
    return b"\x16\3\1" + _vector(2, b"\1" + _vector(3, body))


def server_hello(random: Random, encrypted: int) -> bytes:
    """A TLS 1.3 ServerHello, the change of cipher and `encrypted` bytes of the rest of the flight."""
    body = b"\3\3" + random.randbytes(32) + _vector(1, random.randbytes(32)) + b"\x13\1\0"
    body += _vector(2, b"\0\x2b\0\2\3\4" + b"\0\x33" + _vector(2, b"\0\x1d" + _vector(2, random.randbytes(32))))
    return _record(22, b"\2" + _vector(3, body)) + _record(20, b"\1") + application_data(random, encrypted)


def application_data(random: Random, size: int) -> bytes:
    """One TLS record of encrypted application data."""
    return _record(23, random.randbytes(size))


def http_request(host: str, path: str) -> bytes:
    """A GET request (RFC 9112)."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: shop/3.1\r\nAccept: application/json\r\n\r\n".encode()


def http_response(body: bytes) -> bytes:
    """A response with a body."""
    return b"HTTP/1.1 200 OK\r\nServer: shop-app\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def rdp_request(user: str) -> bytes:
    """X.224 connection request of a remote desktop client that asks for TLS (MS-RDPBCGR 2.2.1.1)."""
    cookie = f"Cookie: mstshash={user}\r\n".encode() + b"\1\0\x08\0\1\0\0\0"
    return b"\3\0" + struct.pack(">H", 11 + len(cookie)) + bytes([6 + len(cookie)]) + b"\xe0\0\0\0\0\0" + cookie


def rdp_confirm() -> bytes:
    """X.224 connection confirm: TLS it is (MS-RDPBCGR 2.2.1.2)."""
    return b"\3\0\0\x13\x0e\xd0\0\0\x12\x34\0\2\0\x08\0\1\0\0\0"


def _tds(kind: int, content: bytes) -> bytes:
    """One packet of SQL Server's protocol (MS-TDS 2.2.3)."""
    return bytes([kind, 1]) + struct.pack(">H", 8 + len(content)) + b"\0\0\1\0" + content


def tds_prelogin(*, answer: bool = False) -> bytes:
    """PRELOGIN (MS-TDS 2.2.6.5): version and whether to encrypt."""
    return _tds(4 if answer else 18, b"\0\0\x0b\0\6" + b"\1\0\x11\0\1" + b"\xff" + b"\x10\0\0\0\0\0" + b"\2")


def tds_batch(query: str) -> bytes:
    """A SQL batch (MS-TDS 2.2.6.7)."""
    return _tds(1, struct.pack("<IIHQI", 22, 18, 2, 0, 1) + query.encode("utf-16-le"))


def tds_reply(rows: int) -> bytes:
    """What a batch that changed `rows` rows answers: the return status and DONE (MS-TDS 2.2.7.18, 2.2.7.6)."""
    return _tds(4, b"\x79\0\0\0\0" + b"\xfd" + struct.pack("<HHQ", 0x10, 0xC5, rows))


def portmap_dump(number: int) -> bytes:
    """A call of the port mapper's DUMP: which programs are there (RFC 1833, section 3.2), record-marked."""
    return _rpc_record(struct.pack(">6I", number, 0, 2, 100000, 2, 4) + bytes(16))


def portmap_list(number: int) -> bytes:
    """The answer: port mapper and NFS."""
    entries = [(100000, 2, 6, 111), (100000, 2, 17, 111), (100003, 3, 6, 2049), (100005, 3, 6, 635)]
    listed = b"".join(struct.pack(">5I", 1, *entry) for entry in entries) + bytes(4)
    return _rpc_record(struct.pack(">6I", number, 1, 0, 0, 0, 0) + listed)


def _rpc_record(message: bytes) -> bytes:
    return struct.pack(">I", 0x80000000 | len(message)) + message


def bencode(value: object) -> bytes:
    """The encoding of BitTorrent's dictionaries (BEP 3)."""
    if isinstance(value, bytes):
        return b"%d:" % len(value) + value
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, list):
        return b"l" + b"".join(bencode(item) for item in value) + b"e"
    if isinstance(value, dict):
        return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"
    raise TypeError(type(value))


def peer_handshake(info_hash: bytes, peer_id: bytes) -> bytes:
    """The handshake of BitTorrent's peer protocol (BEP 3)."""
    return b"\x13BitTorrent protocol" + b"\0\0\0\0\0\x10\0\5" + info_hash + peer_id


def peer_message(kind: int, content: bytes = b"") -> bytes:
    """A message of the peer protocol: 1 unchoke, 2 interested, 5 bitfield, 6 request, 7 piece."""
    return _vector(4, bytes([kind]) + content)


def dht_query(transaction: bytes, node: bytes, info_hash: bytes) -> bytes:
    """A question to the distributed hash table: who has this torrent (BEP 5)."""
    return bencode({b"a": {b"id": node, b"info_hash": info_hash}, b"q": b"get_peers", b"t": transaction, b"y": b"q"})


def dht_answer(transaction: bytes, node: bytes, peers: list[bytes]) -> bytes:
    """Its answer: peers in six bytes each."""
    return bencode({b"r": {b"id": node, b"token": b"aoeusnth", b"values": peers}, b"t": transaction, b"y": b"r"})


def tracker_connect(number: int) -> bytes:
    """First message to a UDP tracker (BEP 15)."""
    return struct.pack(">QII", 0x41727101980, 0, number)


def tracker_connected(number: int, connection: int) -> bytes:
    """Its answer."""
    return struct.pack(">IIQ", 0, number, connection)


def tracker_announce(connection: int, number: int, info_hash: bytes, peer_id: bytes) -> bytes:
    """Announcement to a UDP tracker that this peer wants the torrent (BEP 15)."""
    head = struct.pack(">QII", connection, 1, number) + info_hash + peer_id
    return head + struct.pack(">QQQIIIiH", 0, 734_003_200, 0, 2, 0, 0x1234, -1, 6881)


def tracker_peers(number: int, peers: list[bytes]) -> bytes:
    """Its answer: peers in six bytes each."""
    return struct.pack(">IIIII", 1, number, 1800, 12, len(peers)) + b"".join(peers)


def ntp(mode: int, stratum: int, seconds: int) -> bytes:
    """A message of NTP version 4: mode 3 client, 4 server (RFC 5905)."""
    return bytes([4 << 3 | mode, stratum, 6, 0xEC]) + bytes(36) + struct.pack(">II", seconds, 0)
