"""What is said in the samples: the first messages of real protocols, built from their specifications."""

from __future__ import annotations

import random
import struct

from scapy.layers.dns import DNS, DNSQR, DNSRR

from traffic import Part

INFO_HASH = bytes.fromhex("7f2d1a4bc3e85690aa17de4402f9b3c85d6e7f10")
_PEER_ID = b"-CH0001-sample000001"


def _vector(data: bytes, width: int) -> bytes:
    return len(data).to_bytes(width, "big") + data


def _handshake(kind: int, body: bytes) -> bytes:
    """A TLS record with one handshake message (RFC 8446, sections 4 and 5.1)."""
    return b"\x16\x03\x01" + _vector(bytes([kind]) + _vector(body, 3), 2)


def tls(name: str, chance: random.Random, answer_bytes: int) -> list[Part]:
    """A TLS 1.3 session: hellos, then application data both ways."""
    extensions = b"".join(
        struct.pack(">H", kind) + _vector(body, 2)
        for kind, body in (
            (0, _vector(b"\0" + _vector(name.encode(), 2), 2)),  # server_name
            (10, _vector(b"\0\x1d\0\x17", 2)),  # supported_groups
            (13, _vector(b"\x04\x03\x08\x04\x04\x01", 2)),  # signature_algorithms
            (43, _vector(b"\x03\x04\x03\x03", 1)),  # supported_versions
            (51, _vector(b"\0\x1d" + _vector(chance.randbytes(32), 2), 2)),  # key_share
        )
    )
    session = _vector(chance.randbytes(32), 1)
    client_hello = b"\x03\x03" + chance.randbytes(32) + session + _vector(b"\x13\x01\x13\x02\x13\x03", 2) + b"\x01\0" + _vector(extensions, 2)
    answer = b"".join(struct.pack(">H", kind) + _vector(body, 2) for kind, body in ((43, b"\x03\x04"), (51, b"\0\x1d" + _vector(chance.randbytes(32), 2))))
    server_hello = b"\x03\x03" + chance.randbytes(32) + session + b"\x13\x01\0" + _vector(answer, 2)

    def data(size: int) -> bytes:
        return b"\x17\x03\x03" + _vector(chance.randbytes(size), 2)

    return [
        (True, _handshake(1, client_hello)),
        (False, _handshake(2, server_hello) + b"\x14\x03\x03\0\x01\x01" + data(1180)),
        (True, b"\x14\x03\x03\0\x01\x01" + data(53) + data(210)),
        (False, data(answer_bytes)),
    ]


def http(path: str, host: str, body_bytes: int) -> list[Part]:
    """A GET request and its answer (RFC 9112)."""
    body = b"x" * body_bytes
    return [
        (True, f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: sample/1.0\r\nAccept: */*\r\n\r\n".encode()),
        (False, f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body),
    ]


def dns(name: str, address: str, identifier: int) -> list[Part]:
    """A query for an IPv4 address and the answer (RFC 1035)."""
    question = DNSQR(qname=name, qtype="A")
    query = bytes(DNS(id=identifier, rd=1, qd=question))
    answer = bytes(DNS(id=identifier, qr=1, rd=1, ra=1, qd=question, an=DNSRR(rrname=name, type="A", ttl=300, rdata=address)))
    return [(True, query), (False, answer)]


def rdp(chance: random.Random, frames: int) -> list[Part]:
    """Remote Desktop: X.224 connection request and confirm (MS-RDPBCGR, 2.2.1.1 and 2.2.1.2), then TLS with many small frames."""
    cookie = b"Cookie: mstshash=operator\r\n"
    request = b"\xe0\0\0\0\0\0" + cookie + b"\x01\0\x08\0\x03\0\0\0"
    confirm = b"\xd0\0\0\x12\x34\0" + b"\x02\x1f\x08\0\x02\0\0\0"
    dialogue = [(True, b"\x03\0" + _vector_with_head(request)), (False, b"\x03\0" + _vector_with_head(confirm))]
    dialogue += tls("web-vm", chance, 900)
    for number in range(frames):
        dialogue.append((number % 3 == 0, b"\x17\x03\x03" + _vector(chance.randbytes(chance.randrange(60, 1200)), 2)))
    return dialogue


def _vector_with_head(x224: bytes) -> bytes:
    """Length of the TPKT (RFC 1006), which counts its own four bytes, and the X.224 length indicator."""
    return struct.pack(">HB", len(x224) + 5, len(x224)) + x224


def portmap_dump(chance: random.Random) -> list[Part]:
    """A call of the port mapper's DUMP procedure over TCP and an answer with two services (RFC 1833, RFC 5531)."""
    xid = chance.getrandbits(31)
    call = struct.pack(">IIIIIIIIII", xid, 0, 2, 100000, 2, 4, 0, 0, 0, 0)
    services = b"".join(struct.pack(">IIIII", 1, *service) for service in ((100000, 2, 6, 111), (100003, 3, 6, 2049)))
    reply = struct.pack(">IIIIII", xid, 1, 0, 0, 0, 0) + services + struct.pack(">I", 0)
    return [(True, struct.pack(">I", 0x80000000 | len(call)) + call), (False, struct.pack(">I", 0x80000000 | len(reply)) + reply)]


def bittorrent_peer(chance: random.Random, pieces: int) -> list[Part]:
    """Peer protocol (BEP 3): handshakes, interest, and blocks of 16 KiB."""
    hello = b"\x13BitTorrent protocol" + bytes(8) + INFO_HASH
    dialogue = [(True, hello + _PEER_ID), (False, hello + b"-XX0002-sample000002"), (False, struct.pack(">IB", 9, 5) + b"\xff" * 8), (True, b"\0\0\0\x01\x02")]
    dialogue.append((False, b"\0\0\0\x01\x01"))
    for piece in range(pieces):
        dialogue.append((True, struct.pack(">IBIII", 13, 6, piece, 0, 16384)))
        dialogue.append((False, struct.pack(">IBII", 9 + 16384, 7, piece, 0) + chance.randbytes(16384)))
    return dialogue


def bittorrent_dht(chance: random.Random) -> list[Part]:
    """A lookup in the distributed hash table and its answer (BEP 5)."""
    identity, other = chance.randbytes(20), chance.randbytes(20)
    query = b"d1:ad2:id20:" + identity + b"9:info_hash20:" + INFO_HASH + b"e1:q9:get_peers1:t2:aa1:y1:qe"
    answer = b"d1:rd2:id20:" + other + b"5:nodes26:" + chance.randbytes(26) + b"5:token4:abcde1:t2:aa1:y1:re"
    return [(True, query), (False, answer)]


def bittorrent_tracker(chance: random.Random) -> list[Part]:
    """UDP tracker: connect and announce (BEP 15)."""
    transaction, connection = chance.getrandbits(32), chance.getrandbits(64)
    announce = struct.pack(">QII", connection, 1, transaction) + INFO_HASH + _PEER_ID + struct.pack(">QQQIIIiH", 0, 1 << 20, 0, 2, 0, 7, -1, 51413)
    return [
        (True, struct.pack(">QII", 0x41727101980, 0, transaction)),
        (False, struct.pack(">IIQ", 0, transaction, connection)),
        (True, announce),
        (False, struct.pack(">IIIII", 1, transaction, 1800, 2, 5) + bytes([203, 0, 113, 77, 0xC8, 0xD5])),
    ]
