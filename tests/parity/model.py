"""One capture, as either side describes it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

Ends = tuple[str | None, str | None]
"""Source and destination address."""

Ports = tuple[int | None, int | None]
"""Source and destination port; a side that is not known is None."""


class Frame(NamedTuple):
    """One packet.

    `outer` holds the addresses of the outermost IP header, `inner` those of the innermost one of several; `ports` are those of the
    innermost header that has any. None of these is what an ICMP message quotes: its ports are `quoted_ports`. (None, None) means
    that there are none, None that the side does not say, which is not compared.
    """

    ts_ns: int | None
    wire_length: int
    captured_length: int
    interface_id: int | None
    path: tuple[str, ...]
    outer: Ends | None = None
    inner: Ends | None = None
    ports: Ports | None = None
    quoted_ports: Ports | None = None
    tcp_stream: int | None = None


class Handshake(NamedTuple):
    """The times of one TCP connection's opening, in nanoseconds; None where there is none or where a side does not say."""

    rtt_ns: int | None
    initial_rtt_ns: int | None


class Destination(NamedTuple):
    """One leaf of Wireshark's Destinations and Ports."""

    address: str
    protocol: str
    port: int


class Node(NamedTuple):
    """Counts of one node of the protocol hierarchy; bytes are whole frames."""

    frames: int
    bytes: int


class Conversation(NamedTuple):
    """One row of Wireshark's TCP conversations, as far as its text is exact; bytes as it writes them."""

    address_a: str
    port_a: int
    address_b: str
    port_b: int
    frames_to_a: int
    frames_to_b: int
    bytes_to_a: str
    bytes_to_b: str


@dataclass
class Capture:
    """All that is compared of one capture.

    Attributes:
        frames: The packets, in file order.
        handshakes: By the number of the TCP stream on that side.
        damaged: Whether the reader stopped early because the file makes no sense from there on.
    """

    frames: list[Frame] = field(default_factory=list)
    handshakes: dict[int, Handshake] = field(default_factory=dict)
    destinations: Counter[Destination] = field(default_factory=Counter)
    destinations_v6: Counter[Destination] = field(default_factory=Counter)
    hierarchy: dict[tuple[str, ...], Node] = field(default_factory=dict)
    conversations: Counter[Conversation] = field(default_factory=Counter)
    damaged: bool = False
