"""Makes a capture like an hour at a small data centre's uplink; the same bytes for the same arguments on every run.

    PYTHONPATH=tests python -m bench.make_capture OUT.pcap [CONNECTIONS [SEED]]

20,000 connections make about 0.9 million packets of 0.5 kB each. TCP with full handshakes and all common options, a few lost, refused,
retransmitted and reset; TLS, HTTP, SSH, SMTP and a database on it; DNS, QUIC-like UDP, pings, ARP, neighbour discovery, IGMP with IP
options, IP fragments and spanning tree; a tenth of the connections in a VLAN, 6 % over IPv6. Payloads are random bytes in realistic frames.
"""

from __future__ import annotations

import math
import random
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

START_US = 1_790_000_000_000_000
"""Time of the first packet at the earliest, microseconds since the epoch."""

SPAN_US = 3_600_000_000
SNAP_LENGTH = 262_144
SMALLEST_FRAME = 60
"""Ethernet frames are padded to this length."""

ROUTER = bytes.fromhex("00005e000101")
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
TCP, UDP, ICMP, IGMP, ICMPV6 = 6, 17, 1, 2, 58
CLIENT, SERVER = 0, 1

PORTS = {443: 70, 80: 12, 22: 4, 25: 4, 8080: 6, 5432: 4}
"""Server ports and how often each is used."""

TLS_BODY_SIZES = (400, 900, 2000, 5000, 16_000, 60_000, 250_000)


class Packet(NamedTuple):
    """A frame and its time in microseconds since the epoch."""

    time_us: int
    frame: bytes


class Host(NamedTuple):
    """Addresses of one side."""

    mac: bytes
    ip: bytes
    ttl: int


Exchange = list[tuple[int, bytes]]
"""What is said on a connection: the side that speaks, and its bytes."""


class Traffic:
    """Collects the packets.

    Args:
        connections: TCP connections; all other traffic is in proportion.
        seed: Of the random numbers.
    """

    def __init__(self, connections: int, seed: int) -> None:
        self.random = random.Random(seed)
        self.packets: list[Packet] = []
        self._connections = connections
        self._ip_id = 0
        draw = self.random
        self.noise = draw.randbytes(4 << 20)
        self.macs = [b"\x02\0\0" + draw.randbytes(3) for _ in range(30)]
        self.servers = [struct.pack(">I", 0x0A000000 | draw.randrange(1 << 16)) for _ in range(400)]
        self.clients = [struct.pack(">I", draw.randrange(0x0B000000, 0xDF000000)) for _ in range(6000)]
        self.servers_v6 = [bytes.fromhex("20010db800010000") + draw.randbytes(8) for _ in range(60)]
        self.clients_v6 = [bytes.fromhex("20010db8") + draw.randbytes(12) for _ in range(600)]
        self.tls_sizes = [draw.choice(TLS_BODY_SIZES) for _ in range(40)]

    def make(self) -> list[Packet]:
        """All packets, in order of time."""
        for _ in range(self._connections):
            self._connection()
        for _ in range(self._connections * 2):
            self._dns()
        for _ in range(self._connections // 20):
            self._quic()
        for number in range(self._connections // 4):
            self._ping(number)
        for number in range(self._connections // 8):
            self._housekeeping(number)
        self.packets.sort(key=lambda packet: packet.time_us)
        return self.packets

    def any_time(self) -> int:
        """Some moment of the hour."""
        return START_US + int(self.random.random() * SPAN_US)

    def some_noise(self, length: int) -> bytes:
        """Random bytes."""
        start = self.random.randrange(len(self.noise) - length)
        return self.noise[start : start + length]

    def send(self, time_us: int, source: Host, target: Host, protocol: int, payload: bytes, *, vlan: int = 0) -> None:
        """Send what an IP header carries."""
        if len(source.ip) == 16:
            packet = struct.pack(">IHBB", 0x60000000, len(payload), protocol, source.ttl) + source.ip + target.ip + payload
        else:
            self._ip_id = self._ip_id + 1 & 0xFFFF
            packet = ipv4(source, target, protocol, payload, ident=self._ip_id)
        self.send_frame(time_us, source.mac, target.mac, 0x86DD if len(source.ip) == 16 else 0x0800, packet, vlan=vlan)

    def send_frame(self, time_us: int, source: bytes, target: bytes, ethertype: int, payload: bytes, *, vlan: int = 0) -> None:
        """Send an Ethernet frame."""
        tag = struct.pack(">HH", 0x8100, vlan) if vlan else b""
        frame = target + source + tag + struct.pack(">H", ethertype) + payload
        self.packets.append(Packet(time_us, frame.ljust(SMALLEST_FRAME, b"\0")))

    def pick_hosts(self) -> tuple[Host, Host]:
        """A client beyond the router and a server, some servers being asked far more often than others."""
        draw = self.random
        v6 = draw.random() < 0.06
        clients, servers = (self.clients_v6, self.servers_v6) if v6 else (self.clients, self.servers)
        server = int(len(servers) * draw.random() ** 2)
        return (
            Host(ROUTER, draw.choice(clients), draw.choice((52, 54, 57, 110, 118, 241))),
            Host(self.macs[server % len(self.macs)], servers[server], 64),
        )

    def _connection(self) -> None:
        draw = self.random
        client, server = self.pick_hosts()
        port = draw.choices(list(PORTS), list(PORTS.values()))[0]
        connection = Connection(self, client, server, port)
        fate = draw.random()
        if fate < 0.02:
            connection.unanswered()
        elif fate < 0.03:
            connection.refused()
        else:
            connection.run(self._exchange(port))

    def _exchange(self, port: int) -> Exchange:
        return {443: self._tls, 80: self._http, 8080: self._http, 22: self._ssh, 25: self._smtp}.get(port, self._database)()

    def _tls(self) -> Exchange:
        draw = self.random
        said = [
            (CLIENT, client_hello(draw)),
            (SERVER, server_hello(draw) + self._tls_records(draw.randrange(900, 3500))),
            (CLIENT, self._tls_records(80)),
        ]
        for _ in range(draw.choices((0, 1, 2, 3, 5), (10, 40, 25, 15, 10))[0]):
            said.append((CLIENT, self._tls_records(draw.randrange(100, 900))))
            said.append((SERVER, self._tls_records(draw.choices(self.tls_sizes, [size**-0.39 for size in self.tls_sizes])[0])))
        return said

    def _tls_records(self, length: int) -> bytes:
        records = bytearray()
        while len(records) < length:
            body = min(self.random.choice((16_401, 16_401, 4113, 1200, 350)), max(40, length - len(records)))
            records += struct.pack(">BHH", 23, 0x0303, body) + self.some_noise(body)
        return bytes(records)

    def _http(self) -> Exchange:
        draw = self.random
        said: Exchange = []
        for _ in range(draw.choice((1, 1, 2, 4))):
            request = f"GET /path/{draw.randrange(10_000)} HTTP/1.1\r\nHost: host{draw.randrange(64)}.example.org\r\nAccept: */*\r\n\r\n"
            length = min(int(math.exp(draw.gauss(8, 1.5))), 600_000)
            answer = f"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
            said += [(CLIENT, request.encode()), (SERVER, answer.encode() + self.some_noise(length))]
        return said

    def _ssh(self) -> Exchange:
        draw = self.random
        said: Exchange = [(SERVER, b"SSH-2.0-server_1.0\r\n"), (CLIENT, b"SSH-2.0-client_1.0\r\n")]
        said += [(draw.randrange(2), self.some_noise(36 + draw.randrange(80))) for _ in range(draw.randrange(5, 60))]
        return said

    def _smtp(self) -> Exchange:
        lines = (b"220 mx ESMTP", b"EHLO c", b"250 OK", b"MAIL FROM:<a@example.org>", b"250 OK", b"QUIT", b"221 bye")
        return [(CLIENT if number % 2 else SERVER, line + b"\r\n") for number, line in enumerate(lines)]

    def _database(self) -> Exchange:
        said: Exchange = []
        for _ in range(self.random.randrange(2, 40)):
            said += [(CLIENT, b"Q\0\0\0\x20select some from things   \0"), (SERVER, self.some_noise(self.random.randrange(60, 1400)))]
        return said

    def _dns(self) -> None:
        draw = self.random
        client, server = self.pick_hosts()
        server = Host(self.macs[0], (self.servers if len(client.ip) == 4 else self.servers_v6)[draw.randrange(4)], 64)
        labels = (f"host{draw.randrange(500)}", "example", "org")
        question = b"".join(bytes([len(label)]) + label.encode() for label in labels) + struct.pack(">BHH", 0, 1, 1)
        ident, port, time_us = draw.getrandbits(16), draw.randrange(1024, 65_535), self.any_time()
        query = struct.pack(">6H", ident, 0x0100, 1, 0, 0, 0) + question
        answer = struct.pack(">6H", ident, 0x8180, 1, 1, 0, 0) + question + struct.pack(">HHHIH", 0xC00C, 1, 1, 60, 4) + draw.randbytes(4)
        self.send(time_us, client, server, UDP, udp(port, 53, query))
        self.send(time_us + draw.randrange(50, 3000), server, client, UDP, udp(53, port, answer))

    def _quic(self) -> None:
        draw = self.random
        client, server = Host(ROUTER, draw.choice(self.clients), 54), Host(self.macs[3], draw.choice(self.servers), 64)
        time_us, port = self.any_time(), draw.randrange(1024, 65_535)
        for _ in range(draw.randrange(4, 60)):
            time_us += draw.randrange(50, 20_000)
            if draw.random() < 0.7:
                self.send(time_us, server, client, UDP, udp(443, port, b"\x40" + self.some_noise(1200)))
            else:
                self.send(time_us, client, server, UDP, udp(port, 443, b"\x40" + self.some_noise(draw.randrange(30, 100))))

    def _ping(self, number: int) -> None:
        draw = self.random
        client, server = Host(ROUTER, draw.choice(self.clients), 54), Host(self.macs[1], draw.choice(self.servers), 64)
        time_us = self.any_time()
        echo = struct.pack(">HHH", 0, draw.getrandbits(16), number & 0xFFFF) + bytes(56)
        self.send(time_us, client, server, ICMP, b"\x08\0" + echo)
        self.send(time_us + 100, server, client, ICMP, b"\0\0" + echo)

    def _housekeeping(self, number: int) -> None:
        """ARP and neighbour discovery, and by turns IGMP, a fragmented datagram, and spanning tree."""
        draw = self.random
        time_us, mac = self.any_time(), draw.choice(self.macs)
        asks, asked = draw.choice(self.servers), draw.choice(self.servers)
        arp = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + mac + asks + bytes(6) + asked
        self.send_frame(time_us, mac, b"\xff" * 6, 0x0806, arp)
        wanted = draw.choice(self.servers_v6)
        group = Host(b"\x33\x33\xff" + wanted[13:], bytes.fromhex("ff0200000000000000000001ff") + wanted[13:], 255)
        self.send(time_us + 5, Host(mac, wanted, 255), group, ICMPV6, struct.pack(">BBHI", 135, 0, 0, 0) + wanted + b"\1\1" + mac)
        host = Host(mac, asks, 1)
        if number % 4 == 0:
            report = b"\x22\0\xf9\x02\0\0\0\1\4\0\0\0\xe0\0\0\xfb"
            routers = Host(bytes.fromhex("01005e000016"), bytes([224, 0, 0, 22]), 1)
            self.send_frame(time_us + 9, mac, routers.mac, 0x0800, ipv4(host, routers, IGMP, report, ident=0, options=b"\x94\4\0\0"))
        elif number % 4 == 1:
            target = Host(ROUTER, draw.choice(self.clients), 64)
            ident, data = draw.getrandbits(16), udp(5000, 6000, self.some_noise(2272))
            for offset, more in ((0, 0x2000), (1480, 0)):
                part = data[offset : offset + 1480]
                fragment = ipv4(Host(mac, asks, 64), target, UDP, part, ident=ident, fragment=more | offset // 8)
                self.send_frame(time_us + 9 + bool(offset), mac, ROUTER, 0x0800, fragment)
        elif number % 4 == 2:
            bridge = bytes.fromhex("0180c2000000") + mac + b"\0\x26\x42\x42\x03" + bytes(35)
            self.packets.append(Packet(time_us + 9, bridge.ljust(SMALLEST_FRAME, b"\0")))


class Connection:
    """One TCP connection: keeps both sides' sequence numbers and timestamps."""

    def __init__(self, traffic: Traffic, client: Host, server: Host, port: int) -> None:
        draw = traffic.random
        self._traffic = traffic
        self._hosts = (client, server)
        self._ports = (draw.randrange(1024, 65_535), port)
        self._vlan = draw.choice((100, 200)) if draw.random() < 0.10 else 0
        self._rtt_us = int(1000 * math.exp(draw.gauss(3, 0.9)))
        self._server_us = draw.randrange(30, 400)
        self._mss = 1440 if len(client.ip) == 16 else 1460
        self._timestamps = draw.random() < 0.85
        self._began = self._time = traffic.any_time()
        self._seq = [draw.getrandbits(32), draw.getrandbits(32)]
        self._clock = [draw.getrandbits(31), draw.getrandbits(31)]
        self._heard = [0, 0]

    def unanswered(self) -> None:
        """A SYN and its retransmission, one second later."""
        self._segment(CLIENT, SYN)
        self._seq[CLIENT] -= 1
        self._time += 1_000_000
        self._segment(CLIENT, SYN)

    def refused(self) -> None:
        """A SYN that a RST answers."""
        self._segment(CLIENT, SYN)
        self._time += self._server_us
        self._segment(SERVER, RST | ACK)

    def run(self, exchange: Exchange) -> None:
        """Open, say everything, close."""
        self._segment(CLIENT, SYN)
        self._time += self._server_us
        self._segment(SERVER, SYN | ACK)
        self._time += self._rtt_us
        self._segment(CLIENT, ACK)
        for side, data in exchange:
            self._say(side, data)
        if self._traffic.random.random() < 0.9:
            self._segment(CLIENT, FIN | ACK)
            self._time += self._server_us
            self._segment(SERVER, FIN | ACK)
            self._time += self._rtt_us
            self._segment(CLIENT, ACK)
        else:
            self._segment(CLIENT, RST)

    def _say(self, side: int, data: bytes) -> None:
        draw = self._traffic.random
        size = self._mss - (12 if self._timestamps else 0)
        count = 0
        for start in range(0, len(data), size):
            part, count = data[start : start + size], count + 1
            flags = PSH | ACK if start + size >= len(data) else ACK
            if draw.random() < 0.003:  # lost further on: it will come again
                self._segment(side, flags, part)
                self._seq[side] -= len(part)
            self._segment(side, flags, part)
            self._time += draw.randrange(2, 40)
            if count % 2 == 0 and draw.random() < 0.8:
                self._time += self._rtt_us // 20 if count % 20 == 0 else 5
                self._segment(1 - side, ACK)
        self._time += self._rtt_us if side == SERVER else self._server_us
        if count % 2:
            self._segment(1 - side, ACK)

    def _segment(self, side: int, flags: int, payload: bytes = b"") -> None:
        now = self._clock[side] + (self._time - self._began) // 1000 & 0xFFFFFFFF
        options = self._options(flags, now, self._heard[side])
        header = struct.pack(
            ">HHIIBBHHH",
            self._ports[side],
            self._ports[1 - side],
            self._seq[side] & 0xFFFFFFFF,
            self._seq[1 - side] & 0xFFFFFFFF if flags & ACK else 0,
            5 + len(options) // 4 << 4,
            flags,
            64_240 if flags & SYN else 501 + self._traffic.random.randrange(3),
            0,
            0,
        )
        self._traffic.send(self._time, self._hosts[side], self._hosts[1 - side], TCP, header + options + payload, vlan=self._vlan)
        self._seq[side] += len(payload) + bool(flags & (SYN | FIN))
        self._heard[1 - side] = now

    def _options(self, flags: int, now: int, echo: int) -> bytes:
        """MSS, SACK permitted, timestamps and window scale on a SYN; timestamps on all else."""
        if flags & SYN:
            sized = struct.pack(">BBH", 2, 4, self._mss)
            return sized + (struct.pack(">BBBBIIBBBB", 4, 2, 8, 10, now, echo, 1, 3, 3, 7) if self._timestamps else b"\1\3\3\x08\1\1\4\2")
        return struct.pack(">BBBBII", 1, 1, 8, 10, now, echo) if self._timestamps else b""


def ipv4(source: Host, target: Host, protocol: int, payload: bytes, *, ident: int, fragment: int = 0x4000, options: bytes = b"") -> bytes:
    """An IPv4 packet; `fragment` holds the flags and the offset."""
    length = 20 + len(options)
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x40 | length // 4, 0, length + len(payload), ident, fragment, source.ttl, protocol, 0, source.ip, target.ip
    )
    total = sum(struct.unpack(f">{length // 2}H", head + options))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack(">H", ~total & 0xFFFF) + head[12:] + options + payload


def udp(source: int, target: int, payload: bytes) -> bytes:
    """A UDP datagram; its checksum is not right, but not zero either, which IPv6 forbids (RFC 8200, section 8.1)."""
    return struct.pack(">HHHH", source, target, 8 + len(payload), 0xFFFF) + payload


def client_hello(draw: random.Random) -> bytes:
    """A TLS 1.3 ClientHello record that names its server (RFC 8446, section 4.1.2)."""
    name = f"host{draw.randrange(64)}.example.org".encode()
    server_name = struct.pack(">HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    versions = struct.pack(">HHBH", 43, 3, 2, 0x0304)
    key_share = struct.pack(">HHHHH", 51, 38, 36, 0x001D, 32) + draw.randbytes(32)
    return _hello(1, draw, struct.pack(">HHH", 4, 0x1301, 0x1302) + b"\1\0", server_name + versions + key_share)


def server_hello(draw: random.Random) -> bytes:
    """The ServerHello record that answers it."""
    versions = struct.pack(">HHH", 43, 2, 0x0304)
    key_share = struct.pack(">HHHH", 51, 36, 0x001D, 32) + draw.randbytes(32)
    return _hello(2, draw, struct.pack(">HB", 0x1301, 0), versions + key_share)


def _hello(kind: int, draw: random.Random, choices: bytes, extensions: bytes) -> bytes:
    body = b"\3\3" + draw.randbytes(32) + b"\x20" + draw.randbytes(32) + choices + struct.pack(">H", len(extensions)) + extensions
    message = struct.pack(">I", kind << 24 | len(body)) + body
    return struct.pack(">BHH", 22, 0x0301, len(message)) + message


def pcap(packets: Iterable[Packet], snap_length: int = SNAP_LENGTH) -> Iterator[bytes]:
    """The packets as a classic pcap file, little-endian, microseconds."""
    yield struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snap_length, 1)
    for time_us, frame in packets:
        kept = frame[:snap_length]
        yield struct.pack("<IIII", time_us // 1_000_000, time_us % 1_000_000, len(kept), len(frame)) + kept


def pcapng(packets: Iterable[Packet]) -> Iterator[bytes]:
    """The packets as a pcapng file with one interface, little-endian, microseconds."""
    yield struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    yield struct.pack("<IIHHII", 1, 20, 1, 0, SNAP_LENGTH, 20)
    for time_us, frame in packets:
        padded = frame + bytes(-len(frame) % 4)
        length = 32 + len(padded)
        head = struct.pack("<IIIIIII", 6, length, 0, time_us >> 32, time_us & 0xFFFFFFFF, len(frame), len(frame))
        yield head + padded + struct.pack("<I", length)


def main() -> None:
    """Write a pcap file."""
    out, connections, seed = (*sys.argv[1:], *("20000", "7")[len(sys.argv) - 2 :])
    packets = Traffic(int(connections), int(seed)).make()
    with Path(out).open("wb") as file:
        file.writelines(pcap(packets))
    print(f"{len(packets):,} packets, {sum(len(packet.frame) for packet in packets) / len(packets):.0f} bytes each on average")


if __name__ == "__main__":
    main()
