"""Conversations for the samples: packets with believable times, sequence numbers and payloads, the same on every run."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

Part = tuple[bool, bytes]
"""One piece of a dialogue: whether the client sends it, and what."""

MSS = 1460


@dataclass(frozen=True)
class Host:
    """One end: its addresses."""

    ip: str
    mac: str


@dataclass
class Recorder:
    """Collects the packets of one capture.

    Attributes:
        chance: Source of all that is not fixed, so that every run makes the same bytes.
        packets: What was recorded; `sorted_packets` puts it in order of time.
    """

    chance: random.Random
    packets: list[Packet] = field(default_factory=list)

    def add(self, time: float, packet: Packet) -> None:
        """Record a packet at `time` (seconds since the epoch)."""
        packet.time = round(time, 6)
        self.packets.append(packet)

    def sorted_packets(self) -> list[Packet]:
        """All packets in order of time."""
        return sorted(self.packets, key=lambda packet: float(packet.time))

    def arp(self, time: float, asker: Host, asked: Host) -> None:
        """An address resolution and its answer."""
        self.add(time, Ether(src=asker.mac, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=asker.mac, psrc=asker.ip, pdst=asked.ip))
        answer = ARP(op=2, hwsrc=asked.mac, psrc=asked.ip, hwdst=asker.mac, pdst=asker.ip)
        self.add(time + 0.0002, Ether(src=asked.mac, dst=asker.mac) / answer)

    def ping(self, time: float, client: Host, server: Host, rtt: float, count: int) -> None:
        """Echo requests, one a second, and their replies."""
        for number in range(count):
            echo = {"id": 0x4242, "seq": number}
            self.add(time + number, _frame(client, server, 64, number) / ICMP(type=8, **echo) / Raw(bytes(range(48))))
            self.add(time + number + rtt, _frame(server, client, 64, number) / ICMP(type=0, **echo) / Raw(bytes(range(48))))

    def udp(self, time: float, client: Host, server: Host, ports: tuple[int, int], dialogue: Iterable[Part], rtt: float) -> None:
        """Datagrams in turns; `ports` are the client's and the server's."""
        for from_client, payload in dialogue:
            src, dst = (client, server) if from_client else (server, client)
            sport, dport = ports if from_client else ports[::-1]
            self.add(time, _frame(src, dst, 64, self.chance.randrange(65536)) / UDP(sport=sport, dport=dport) / Raw(payload))
            time += rtt

    def tcp(
        self, time: float, client: Host, server: Host, ports: tuple[int, int], dialogue: Sequence[Part] = (), *, rtt: float,
        client_rtt: float = 0.0001, lost_syns: int = 0,
    ) -> float:
        """A whole connection: handshake, dialogue, and an end by FIN.

        Args:
            time: When the first SYN is sent.
            client: Who connects.
            server: To whom.
            ports: The client's and the server's port.
            dialogue: What is said, in turns.
            rtt: Seconds from the capture point to the server and back.
            client_rtt: Seconds from there to the client and back.
            lost_syns: SYNs that get no answer, sent again after 1, 3, 7, ... seconds (RFC 6298, section 5.7).

        Returns:
            When it ended.
        """
        connection = _Connection(self, client, server, ports)
        time = connection.syn(time, lost_syns)
        time = connection.answer_syn(time + rtt, client_rtt)
        for from_client, payload in dialogue:
            time = connection.say(time + (client_rtt if from_client else rtt) + 0.0003, payload, from_client=from_client)
        return connection.finish(time + 0.01, rtt)

    def refused(self, time: float, client: Host, server: Host, ports: tuple[int, int], rtt: float) -> None:
        """A SYN answered by a reset: nothing listens on the port."""
        connection = _Connection(self, client, server, ports)
        time = connection.syn(time, 0)
        connection.send(time + rtt, "RA", from_client=False)

    def unanswered(self, time: float, client: Host, server: Host, ports: tuple[int, int], tries: int = 3) -> None:
        """SYNs into silence."""
        _Connection(self, client, server, ports).syn(time, tries - 1)


def _frame(src: Host, dst: Host, ttl: int, identification: int) -> Packet:
    return Ether(src=src.mac, dst=dst.mac) / IP(src=src.ip, dst=dst.ip, ttl=ttl, id=identification, flags="DF")


class _Connection:
    """Sequence numbers of both sides of a TCP connection."""

    def __init__(self, recorder: Recorder, client: Host, server: Host, ports: tuple[int, int]) -> None:
        self._recorder = recorder
        self._ends = {True: client, False: server}
        self._ports = {True: ports, False: ports[::-1]}
        chance = recorder.chance
        self._seq = {True: chance.getrandbits(32), False: chance.getrandbits(32)}
        self._id = {True: chance.getrandbits(16), False: chance.getrandbits(16)}

    def send(self, time: float, flags: str, payload: bytes = b"", *, from_client: bool, options: list[tuple[str, object]] | None = None) -> None:
        sport, dport = self._ports[from_client]
        segment = TCP(
            sport=sport, dport=dport, flags=flags, seq=self._seq[from_client], ack=self._seq[not from_client] if "A" in flags else 0,
            window=64240, options=options or [],
        )
        self._id[from_client] = (self._id[from_client] + 1) % 65536
        frame = _frame(self._ends[from_client], self._ends[not from_client], 128 if from_client else 64, self._id[from_client]) / segment
        self._recorder.add(time, frame / Raw(payload) if payload else frame)
        self._seq[from_client] = (self._seq[from_client] + len(payload) + ("S" in flags or "F" in flags)) % 2**32

    def syn(self, time: float, lost: int) -> float:
        for number in range(lost + 1):
            if number:
                time += 2 ** (number - 1)
                self._seq[True] = (self._seq[True] - 1) % 2**32
            self.send(time, "S", from_client=True, options=[("MSS", MSS), ("NOP", None), ("WScale", 8), ("NOP", None), ("NOP", None), ("SAckOK", b"")])
        return time

    def answer_syn(self, time: float, client_rtt: float) -> float:
        self.send(time, "SA", from_client=False, options=[("MSS", MSS), ("NOP", None), ("WScale", 7), ("NOP", None), ("NOP", None), ("SAckOK", b"")])
        self.send(time + client_rtt, "A", from_client=True)
        return time + client_rtt

    def say(self, time: float, payload: bytes, *, from_client: bool) -> float:
        pieces = [payload[at : at + MSS] for at in range(0, len(payload), MSS)]
        for number, piece in enumerate(pieces):
            self.send(time, "PA" if number == len(pieces) - 1 else "A", piece, from_client=from_client)
            time += 0.00002
        self.send(time + 0.0001, "A", from_client=not from_client)
        return time + 0.0001

    def finish(self, time: float, rtt: float) -> float:
        self.send(time, "FA", from_client=True)
        self.send(time + rtt, "FA", from_client=False)
        self.send(time + rtt + 0.0001, "A", from_client=True)
        return time + rtt + 0.0001
