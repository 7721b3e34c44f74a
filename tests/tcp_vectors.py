"""Handshakes as they occur, packet by packet, and what is to be said of each.

`initial_rtt_ms` and, where no other number is given, `rtt_ms` are what tshark 4.0.17 said of exactly these packets; statuses and marks
are caphouse's own rules. Times are milliseconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from made_columns import ACK, FIN, PSH, RST, SYN, Packet

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
C_ISN, S_ISN = 1000, 5000
CLIENT, SERVER = ("10.0.0.1", 40_000), ("10.0.0.2", 80)


def c(ms: float, flags: int, seq: int = C_ISN + 1, ack: int = S_ISN + 1, length: int = 0, **more: Any) -> Packet:
    """A packet of the client."""
    return _packet(CLIENT, SERVER, ms, flags, seq, ack if flags & ACK else 0, length, more)


def s(ms: float, flags: int, seq: int = S_ISN + 1, ack: int = C_ISN + 1, length: int = 0, **more: Any) -> Packet:
    """A packet of the server."""
    return _packet(SERVER, CLIENT, ms, flags, seq, ack if flags & ACK else 0, length, more)


def _packet(
    src: tuple[str, int], dst: tuple[str, int], ms: float, flags: int, seq: int, ack: int, length: int, more: dict[str, Any]
) -> Packet:
    ends = Packet(src_ip=src[0], src_port=src[1], dst_ip=dst[0], dst_port=dst[1])
    return dataclasses.replace(
        ends,
        ts_ns=START_NS + round(ms * MS),
        tcp_flags=flags,
        tcp_seq=seq % 2**32,
        tcp_ack=ack % 2**32,
        payload_length=length,
        wire_length=54 + length,
        **more,
    )


def syn(ms: float, isn: int = C_ISN, length: int = 0, **more: Any) -> Packet:
    """A SYN of the client."""
    return c(ms, SYN, isn, length=length, **more)


def syn_ack(ms: float, ack: int = C_ISN + 1, isn: int = S_ISN, **more: Any) -> Packet:
    """A SYN/ACK of the server."""
    return s(ms, SYN | ACK, isn, ack, **more)


def ack(ms: float, **more: Any) -> Packet:
    """An ACK of the client."""
    return c(ms, ACK, **more)


@dataclass(frozen=True)
class Vector:
    """Packets of one pair of endpoints, and the expected rows of `handshakes`, one for each stream.

    In `expected` durations are in milliseconds under the name without its unit ("rtt" for `rtt_ns`).
    """

    name: str
    packets: Sequence[Packet]
    expected: Sequence[dict[str, Any]]
    tshark_two_passes: bool = True
    """False where tshark's second pass finds an initial RTT that the first does not."""
    durations: Sequence[str] = field(default=("rtt", "client_rtt", "initial_rtt"))


def one(
    status: str, rtt: float | None = None, client_rtt: float | None = None, initial_rtt: float | None = None, **more: Any
) -> dict[str, Any]:
    """Expected values of one stream; marks that are not named are expected to be false."""
    marks = dict.fromkeys(("retransmitted", "clock_anomaly", "reordered", "tcp_fast_open"), False)
    return {"status": status, "rtt": rtt, "client_rtt": client_rtt, "initial_rtt": initial_rtt, "duplicates": 0, **marks, **more}


def both(packet: Packet) -> list[Packet]:
    """A packet as two taps capture it."""
    return [packet, dataclasses.replace(packet, ts_ns=packet.ts_ns + MS // 10, interface_id=1)]


CLOSED = [
    syn(0), syn_ack(10), ack(15), c(20, PSH | ACK, length=10), s(30, ACK, ack=C_ISN + 11), c(40, FIN | ACK, C_ISN + 11),
    s(50, FIN | ACK, ack=C_ISN + 12), c(60, ACK, C_ISN + 12, S_ISN + 2),
]  # fmt: skip

VECTORS = [
    Vector("clean", [syn(0), syn_ack(10), ack(15)], [one("complete", 10, 5, 15, handshake=15, rtt_last_syn=10)]),
    Vector(
        "syn lost",
        [syn(0), syn(1000), syn_ack(1010), ack(1015)],
        [one("complete", 1010, 5, 15, retransmitted=True, rtt_last_syn=10, handshake=15, syn_count=2)],
    ),
    Vector(
        "syn/ack sent again",
        [syn(0), syn_ack(10), syn_ack(1010), ack(1015)],
        [one("complete", 10, 5, 1015, retransmitted=True, syn_ack_count=2)],
    ),
    Vector(
        "syn and syn/ack sent again",
        [syn(0), syn(1000), syn_ack(1001), ack(1002), syn_ack(1800), ack(1810)],
        [one("complete", 1001, 1, 2, retransmitted=True, rtt_last_syn=1)],
    ),
    Vector("refused", [syn(0), s(10, RST | ACK, 0)], [one("refused", None, None, 10, rst_rtt=10)]),
    Vector(
        "refused twice",
        [syn(0, 100), s(10, RST | ACK, 0, 101), syn(500, 9100), s(510, RST | ACK, 0, 9101)],
        [one("refused", None, None, 10, rst_rtt=10), one("refused", None, None, 10, rst_rtt=10)],
    ),
    Vector("unanswered", [syn(0), syn(1000), syn(3000)], [one("unanswered", retransmitted=True, syn_count=3)]),
    Vector(
        "half-open",
        [syn(0), syn_ack(10), syn_ack(1010), syn_ack(3010)],
        [one("half-open", 10, retransmitted=True, syn_ack_count=3)],
    ),
    Vector("reset by client", [syn(0), syn_ack(10), c(11, RST)], [one("reset-by-client", 10)]),
    Vector("no syn", [syn_ack(10), ack(15), c(16, PSH | ACK, length=5)], [one("no-syn", syn_ack_count=1, syn_count=0)]),
    Vector("no syn/ack", [syn(0), ack(15), c(20, PSH | ACK, length=5)], [one("no-synack", None, None, 15)]),
    Vector(
        "simultaneous open",
        [syn(0), s(4, SYN, S_ISN), syn_ack(10), c(14, SYN | ACK, C_ISN), c(20, ACK)],
        [one("simultaneous", 10, 10, 16, syn_sides=2, syn_count=2, syn_ack_count=2)],
    ),
    Vector(
        "fast open accepted",
        [syn(0, length=20), syn_ack(10, C_ISN + 21), s(12, PSH | ACK, ack=C_ISN + 21, length=30), c(15, ACK, C_ISN + 21, S_ISN + 31)],
        [one("complete", 10, 5, 12, tcp_fast_open=True, tcp_fast_open_accepted=True)],
    ),
    Vector(
        "fast open ignored",
        [syn(0, length=20), syn_ack(10), c(15, PSH | ACK, length=20)],
        [one("complete", 10, 5, 15, tcp_fast_open=True, tcp_fast_open_accepted=False)],
    ),
    Vector(
        "server speaks before the client's ack",
        [syn(0), syn_ack(10), s(11, PSH | ACK, length=5), c(15, ACK, ack=S_ISN + 6)],
        [one("complete", 10, 5, 11)],
    ),
    Vector(
        "challenge ack, reset, syn again",
        [syn(0), s(5, ACK, 7000, 3000), c(10, RST, 3000), syn(1000), syn_ack(1010), ack(1015)],
        [one("complete", 1010, 5, 5, retransmitted=True, syn_count=2)],
    ),
    Vector(
        "two taps",
        [copy for packet in (syn(0), syn_ack(10), ack(15)) for copy in both(packet)],
        [one("complete", 10, 5, 14.9, duplicates=3, interfaces=2, syn_count=1, syn_ack_count=1, interface_id=0)],
    ),
    Vector("reordered", [syn_ack(10), syn(0), ack(15)], [one("complete", 10, 5, 15, reordered=True)]),
    Vector(
        "stepped clock",
        [syn(10_000), syn_ack(9_900), ack(10_100)],
        [one("complete", -100, 200, 100, clock_anomaly=True)],
    ),
    Vector(
        "coarse clock",
        [syn(1000), syn_ack(1000), ack(1000), c(1500, PSH | ACK, length=5)],
        [one("complete", 0, 0, 500)],
    ),
    Vector(
        "ports used again",
        [*CLOSED, syn(90, 77_000), syn_ack(110, 77_001, 88_000), c(113, ACK, 77_001, 88_001)],
        [one("complete", 10, 5, 15), one("complete", 20, 3, 23)],
    ),
    Vector(
        "same sequence number after a minute",
        [*CLOSED, syn(60_060), syn_ack(60_090), c(60_100, ACK)],
        [one("complete", 10, 5, 15, syn_count=2, retransmitted=True)],
    ),
    Vector(
        "sequence numbers wrap",
        [syn(0, 2**32 - 1), syn_ack(10, 0, 2**32 - 1), c(15, ACK, 0, 0)],
        [one("complete", 10, 5, 15)],
    ),
    Vector(
        "syn and fin",
        [c(0, SYN | FIN, C_ISN), syn_ack(10, C_ISN + 2), c(11, RST)],
        [one("bad-synack")],
    ),
]  # fmt: skip
