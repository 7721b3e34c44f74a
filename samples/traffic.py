"""What the samples are made of: hosts, TCP connections and datagrams as a capturing machine sees them, and capture files.

Time runs in whole microseconds and chance comes from a seeded generator, so that a sample is the same bytes whenever it is made.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

MS = 1000
SECOND = 1_000_000
SEGMENT_BYTES = 1400
"""Payload of a full TCP segment."""
SYN_OPTIONS = [("MSS", 1460), ("NOP", None), ("WScale", 8), ("NOP", None), ("NOP", None), ("SAckOK", b"")]
ETHERNET = 1


@dataclass(frozen=True)
class Host:
    """A machine: its address, and the MAC address that its packets have where they are captured."""

    ip: str
    mac: str = "02:00:00:00:00:01"


@dataclass
class Capture:
    """Packets as one machine sees them.

    Attributes:
        machine: The machine that captures.
        start: When the capture begins, ISO 8601, UTC.
        random: Where all chance comes from.
        packets: Time in microseconds since the epoch, and bytes, in the order in which they were added.
    """

    machine: Host
    start: str
    random: Random
    packets: list[tuple[int, bytes]] = field(default_factory=list)
    _next_id: int = 1

    @property
    def epoch(self) -> int:
        """The start in microseconds since the epoch."""
        return int(datetime.fromisoformat(f"{self.start}+00:00").timestamp()) * SECOND

    def add(self, at: int, packet: Packet) -> None:
        """Add a packet `at` microseconds after the start."""
        self.packets.append((self.epoch + at, bytes(packet)))

    def ip(self, source: Host, destination: Host, *, ttl: int = 64) -> Packet:
        """Ethernet and IP headers from one host to another."""
        self._next_id = self._next_id % 0xFFFF + 1
        header = IP(src=source.ip, dst=destination.ip, id=self._next_id, flags="DF", ttl=ttl)
        return Ether(src=source.mac, dst=destination.mac, type=0x0800) / header

    def datagram(self, at: int, source: tuple[Host, int], destination: tuple[Host, int], payload: bytes) -> None:
        """Add a UDP datagram."""
        header = self.ip(source[0], destination[0])
        self.add(at, header / UDP(sport=source[1], dport=destination[1]) / Raw(payload))

    def ping(self, at: int, source: Host, destination: Host, round_trip: int) -> None:
        """Add an ICMP echo request and its reply."""
        payload = bytes(range(32))
        number = self.random.randrange(1 << 16)
        self.add(at, self.ip(source, destination) / ICMP(type=8, id=number, seq=1) / Raw(payload))
        self.add(at + round_trip, self.ip(destination, source) / ICMP(type=0, id=number, seq=1) / Raw(payload))

    def who_has(self, at: int, source: Host, wanted: Host) -> None:
        """Add an ARP request and its reply."""
        ask = ARP(op=1, hwsrc=source.mac, psrc=source.ip, hwdst="00:00:00:00:00:00", pdst=wanted.ip)
        self.add(at, Ether(src=source.mac, dst="ff:ff:ff:ff:ff:ff", type=0x0806) / ask)
        answer = ARP(op=2, hwsrc=wanted.mac, psrc=wanted.ip, hwdst=source.mac, pdst=source.ip)
        self.add(at + 300, Ether(src=wanted.mac, dst=source.mac, type=0x0806) / answer)

    def in_order(self) -> list[tuple[int, bytes]]:
        """The packets by time."""
        return sorted(self.packets, key=lambda packet: packet[0])


class Connection:
    """One TCP connection, made segment by segment where the machine that captures sees it.

    Args:
        capture: Takes the packets.
        at: When the first SYN is seen, microseconds after the start.
        client: Who connects, and from which port.
        server: To whom, and to which port.
        round_trip: Microseconds until a segment of the far side answers one of the near side, the machine that captures.
    """

    def __init__(self, capture: Capture, at: int, client: tuple[Host, int], server: tuple[Host, int], round_trip: int) -> None:
        self._capture = capture
        self.now = at
        self._ends = {"client": client, "server": server}
        self._round_trip = round_trip
        self._sequence = {side: capture.random.randrange(1 << 32) for side in ("client", "server")}
        self._actor = "client"
        # When the other side was seen to know the last payload, 0 when there is none that it has not answered; and its last such
        # segment.
        self._acknowledged_at = self._last_acknowledgment = 0

    def _other(self, side: str) -> str:
        return "server" if side == "client" else "client"

    def _answer_time(self, side: str) -> int:
        """Microseconds until a segment of `side` that answers the last one is seen; a little chance is in it."""
        chance = self._capture.random
        if self._ends[side][0] == self._capture.machine:
            return chance.randrange(30, 90)
        return self._round_trip + chance.randrange(-self._round_trip // 50 - 1, self._round_trip // 25 + 2)

    def _segment(self, side: str, flags: str, payload: bytes = b"", *, at: int | None = None, syn: bool = False) -> None:
        other = self._other(side)
        (source, source_port), (destination, destination_port) = self._ends[side], self._ends[other]
        header = TCP(
            sport=source_port,
            dport=destination_port,
            seq=self._sequence[side],
            ack=self._sequence[other] if "A" in flags else 0,
            flags=flags,
            window=64240,
            options=SYN_OPTIONS if syn else [],
        )
        packet = self._capture.ip(source, destination) / header
        self._capture.add(self.now if at is None else at, packet / Raw(payload) if payload else packet)

    def _advance(self, side: str, by: int) -> None:
        self._sequence[side] = (self._sequence[side] + by) % (1 << 32)

    def _turn(self, side: str, think: int = 0) -> None:
        """Go on to when `side` is seen to act next, `think` microseconds after it knows all that was sent before."""
        if side == self._actor:
            self.now += self._capture.random.randrange(8, 40)
        else:
            self.now = max(self.now + 1, self._acknowledged_at) if self._acknowledged_at else self.now + self._answer_time(side)
        self.now += think
        self._actor, self._acknowledged_at = side, 0

    def open(self, *, lost_syns: int = 0) -> Connection:
        """The three-way handshake, after SYNs that were lost on the way and sent again after 1, 2, 4 seconds."""
        for attempt in range(lost_syns):
            self._segment("client", "S", syn=True)
            self.now += SECOND << attempt
        self._segment("client", "S", syn=True)
        self._advance("client", 1)
        self._turn("server")
        self._segment("server", "SA", syn=True)
        self._advance("server", 1)
        self._turn("client")
        self._segment("client", "A")
        return self

    def refused(self) -> None:
        """A SYN and the server's reset."""
        self._segment("client", "S", syn=True)
        self._advance("client", 1)
        self._turn("server")
        self._sequence["server"] = 0
        self._segment("server", "RA")

    def unanswered(self, attempts: int = 3) -> None:
        """SYNs that nobody answers."""
        for attempt in range(attempts):
            self._segment("client", "S", syn=True)
            self.now += SECOND << attempt

    def send(self, side: str, payload: bytes, *, think: int = 0) -> Connection:
        """Payload from one side, in segments, of which the other acknowledges every second one and the last.

        Args:
            side: 'client' or 'server'.
            payload: The bytes.
            think: Microseconds that the side takes beyond the way of the packets.
        """
        other = self._other(side)
        pieces = [payload[start : start + SEGMENT_BYTES] for start in range(0, len(payload), SEGMENT_BYTES)]
        for number, piece in enumerate(pieces, 1):
            self._turn(side, think if number == 1 else 0)
            self._segment(side, "PA" if number == len(pieces) else "A", piece)
            self._advance(side, len(piece))
            if number % 2 == 0 or number == len(pieces):
                seen = max(self.now + self._answer_time(other), self._last_acknowledgment + 1)
                self._segment(other, "A", at=seen)
                self._last_acknowledgment = seen
        self._acknowledged_at = self._last_acknowledgment + 1
        return self

    def close(self) -> None:
        """Both sides say that they are done."""
        for side in ("client", "server"):
            self._turn(side)
            self._segment(side, "FA")
            self._advance(side, 1)
        self._turn("client")
        self._segment("client", "A")

    def reset(self, side: str) -> None:
        """One side gives up."""
        self._turn(side)
        self._segment(side, "RA")


def pcap(packets: list[tuple[int, bytes]], *, link_type: int = ETHERNET, order: str = "<", nanoseconds: bool = False) -> bytes:
    """A classic capture file (draft-ietf-opsawg-pcap)."""
    magic, scale = (0xA1B23C4D, 1000) if nanoseconds else (0xA1B2C3D4, 1)
    records = [struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262144, link_type)]
    for time, content in packets:
        records.append(struct.pack(f"{order}IIII", time // SECOND, time % SECOND * scale, len(content), len(content)) + content)
    return b"".join(records)


def _block(kind: int, body: bytes) -> bytes:
    length = 12 + len(body)
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


_END_OF_OPTIONS = struct.pack("<HH", 0, 0)


def pcapng(interfaces: list[tuple[str, list[tuple[int, bytes]]]], *, application: str, comment: str) -> bytes:
    """A pcapng file (draft-ietf-opsawg-pcapng) with an interface for each list of packets, times in nanoseconds.

    Args:
        interfaces: Name and packets of each interface.
        application: Name of the program that captured.
        comment: Comment on the whole file.
    """
    options = _option(1, comment.encode()) + _option(4, application.encode()) + _END_OF_OPTIONS
    blocks = [_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + options)]
    for name, _ in interfaces:
        options = _option(2, name.encode()) + _option(9, b"\x09") + _END_OF_OPTIONS
        blocks.append(_block(1, struct.pack("<HHI", ETHERNET, 0, 262144) + options))
    packets = sorted((time, number, content) for number, (_, captured) in enumerate(interfaces) for time, content in captured)
    for time, number, content in packets:
        head = struct.pack("<IIIII", number, time * 1000 >> 32, time * 1000 & 0xFFFFFFFF, len(content), len(content))
        blocks.append(_block(6, head + content + bytes(-len(content) % 4)))
    for number, (_, captured) in enumerate(interfaces):
        times = [time for time, _ in captured]
        statistics = _option(4, struct.pack("<Q", len(captured))) + _option(5, struct.pack("<Q", 0)) + _END_OF_OPTIONS
        blocks.append(_block(5, struct.pack("<III", number, max(times) * 1000 >> 32, max(times) * 1000 & 0xFFFFFFFF) + statistics))
    return b"".join(blocks)
