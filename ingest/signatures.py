"""Finds which application protocol a packet's payload shows: all signatures against a whole batch of payloads at once.

Every signature of a transport is one bit. For each of the first payload bytes there is a table from the byte's 256 values to the
signatures that allow it there; likewise from the payload's length, the captured length and the two ports. A row per payload is
and-ed over these tables (Baeza-Yates and Gonnet's Shift-And, without the shift), and what is left after a few bytes is next to
nothing. Only those pairs of payload and signature are looked at in full, signature by signature.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, reduce
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .application_table import LONGEST_BOUND, TRANSPORTS, Length, Pattern, Protocol, Signature, load_table
from .columns import Bool, Int16, Int32, Int64
from .payloads import CHECKS, SEARCHED_BYTES, Payloads

Bits = npt.NDArray[np.uint64]

NO_MATCH = 0
OFF_PORT = 1
FLOW_TEST = 2
WEAK_ON_PORT = 3
ON_PORT = 4
PROOF = 5
PROOF_ON_PORT = 6
"""How good a match is, from worst to best. `FLOW_TEST`: the packet alone proves nothing, its flow may (RTP)."""

_FILTER_BYTES = 24
"""Payload bytes that are filtered by table; few signatures look further."""
_DROP_EVERY = 4
"""After so many bytes the payloads that are decided, mostly because they match nothing any more, are put aside."""


@dataclass(frozen=True, slots=True)
class _Test:
    """A signature of a protocol, made ready.

    Attributes:
        protocol: Number of the protocol.
        signature: The signature.
        conditions: Those of its conditions that the tables of the filter do not decide.
        on_port: Quality of a match on the protocol's own port.
        off_port: Quality of a match elsewhere.
    """

    protocol: int
    signature: Signature
    conditions: tuple[tuple[Pattern, ...], ...]
    on_port: int
    off_port: int

    @staticmethod
    def of(protocol: int, signature: Signature) -> _Test:
        open_ = tuple(patterns for patterns in signature.conditions if not _is_exact(patterns))
        if signature.check == "rtp":
            return _Test(protocol, signature, open_, FLOW_TEST, FLOW_TEST)
        on_port, off_port = {3: (PROOF_ON_PORT, PROOF), 2: (ON_PORT, OFF_PORT), 1: (WEAK_ON_PORT, NO_MATCH)}[signature.confidence]
        return _Test(protocol, signature, open_, on_port, off_port)

    @property
    def anywhere(self) -> bool:
        """Whether it counts for anything off the protocol's own ports."""
        return not self.signature.on_port and self.off_port != NO_MATCH

    def passes(self, payloads: Payloads) -> Bool:
        """bool[n]: which of the payloads that the filter left match."""
        found = np.ones(len(payloads), dtype=np.bool_)
        for patterns in self.conditions:
            found &= _matches_any(payloads, patterns)
        if self.signature.length is not None:
            found &= _declares(payloads, self.signature.length)
        if self.signature.check is not None:
            found &= CHECKS[self.signature.check](payloads)
        return found


def _matches_any(payloads: Payloads, patterns: tuple[Pattern, ...]) -> Bool:
    found = np.zeros(len(payloads), dtype=np.bool_)
    read: dict[int, Int64] = {}
    for pattern in patterns:
        hit = payloads.captured >= pattern.end
        for start in range(0, len(pattern.value), 8):
            at = pattern.at + start
            if at not in read:
                read[at] = payloads.words(at)
            value, mask = (
                int.from_bytes(part[start : start + 8].ljust(8, b"\0"), "big", signed=True) for part in (pattern.value, pattern.mask)
            )
            hit &= (read[at] & mask) == value
        found |= hit
    return found


def _declares(payloads: Payloads, length: Length) -> Bool:
    declared = payloads.number(length.at, length.size, length.endian) + length.add
    readable = payloads.captured >= length.at + length.size
    if length.rel == "max":
        return readable & (declared > 0) & (declared <= length.limit)
    return readable & ((declared == payloads.length) if length.rel == "eq" else (declared <= payloads.length))


class _Filter:
    """The signatures of one transport as bits."""

    def __init__(self, tests: list[_Test], port_row: Int16, own: Bool) -> None:
        """Build the tables.

        Args:
            tests: The signatures, in their order of precedence.
            port_row: int16[65536], row in `own` of each port.
            own: bool[rows, protocols], which protocols a port belongs to.
        """
        self._tests = tests
        self._port_row = port_row
        self._own = own
        self._words = range(0, len(tests), 64)
        signatures = [test.signature for test in tests]
        lengths, captured = np.arange(LONGEST_BOUND + 2), np.arange(SEARCHED_BYTES + 1)
        self._by_length = self._tables(
            [(lengths >= signature.least) & (lengths <= (signature.most or lengths[-1])) for signature in signatures]
        )
        self._by_captured = self._tables([captured >= _needed(signature) for signature in signatures])
        self._by_port = self._tables([own[:, test.protocol] | test.anywhere for test in tests])
        allowed = np.array([_allowed_bytes(signature) for signature in signatures])
        # The signatures that places after each one in the order have a say on, as tables of a single entry.
        order = _best_order(allowed.mean(axis=2))
        open_ = [np.logical_or.reduce(~allowed[:, order[step:]], axis=(1, 2), keepdims=True)[:, 0] for step in range(1, len(order) + 1)]
        self._by_byte = [
            (place, self._tables(list(allowed[:, place])), self._tables(list(later))) for place, later in zip(order, open_, strict=True)
        ]

    def _tables(self, columns: list[Bool]) -> list[Bits]:
        """One uint64 table for every 64 signatures: bit k of an entry says what the k-th column says there."""
        tables = []
        for word in self._words:
            table = np.zeros(len(columns[0]), dtype=np.uint64)
            for number, column in enumerate(columns[word : word + 64]):
                table |= column.astype(np.uint64) << np.uint64(number)
            tables.append(table)
        return tables

    def matches(self, payloads: Payloads) -> Iterator[tuple[_Test, Int64, Bool]]:
        """Test after test: the rows of the payloads (int64[k]) that match it, and which of them are on a port of the protocol."""
        src, dst = self._port_row[payloads.src_port], self._port_row[payloads.dst_port]
        for test, left in self._left(payloads, src, dst):
            rows = left[test.passes(payloads.take(left))]
            yield test, rows, self._own[src[rows], test.protocol] | self._own[dst[rows], test.protocol]

    def _left(self, payloads: Payloads, src: Int16, dst: Int16) -> Iterator[tuple[_Test, Int64]]:
        """What the tables leave: a test, and the rows of the payloads (int64[k]) that may match it."""
        length = np.minimum(payloads.length, LONGEST_BOUND + 1)
        captured = np.minimum(payloads.captured, SEARCHED_BYTES)
        words = [
            by_length[length] & by_captured[captured] & (by_port[src] | by_port[dst])
            for by_length, by_captured, by_port in zip(self._by_length, self._by_captured, self._by_port, strict=True)
        ]
        rows = np.arange(len(payloads))
        offset = payloads.offset
        finished: list[tuple[Int64, list[Bits]]] = []
        for step, (place, tables, later) in enumerate(self._by_byte, 1):
            byte = payloads.buffer[offset + place]
            for bits, table in zip(words, tables, strict=True):
                np.bitwise_and(bits, table[byte], out=bits)
            if step % _DROP_EVERY == 0 or step == len(self._by_byte):
                undecided = reduce(np.bitwise_or, (bits & mask for bits, mask in zip(words, later, strict=True)))
                done = np.flatnonzero((undecided == 0) & (reduce(np.bitwise_or, words) != 0))
                finished.append((rows[done], [bits[done] for bits in words]))
                left = np.flatnonzero(undecided)
                if not len(left):
                    break
                rows, offset, words = rows[left], offset[left], [bits[left] for bits in words]
        rows = np.concatenate([part for part, _ in finished])
        for number, word in enumerate(self._words):
            left_bits = np.concatenate([part[number] for _, part in finished])
            alive = int(np.bitwise_or.reduce(left_bits))
            for bit, test in enumerate(self._tests[word : word + 64]):
                if alive >> bit & 1:
                    yield test, rows[(left_bits & np.uint64(1 << bit)) != 0]


def _best_order(share: npt.NDArray[np.float64]) -> list[int]:
    """The places at which any signature restricts the byte, those first after which least is left of random payloads.

    Args:
        share: float64[signatures, places], share of byte values that each signature allows at each place.
    """
    left = np.ones(len(share))
    rest = np.flatnonzero((share < 1).any(axis=0)).tolist()
    order = []
    while rest:
        best = min(rest, key=lambda place: float((left * share[:, place]).sum()))
        left *= share[:, best]
        rest.remove(best)
        order.append(best)
    return order


def _needed(signature: Signature) -> int:
    """Fewest captured bytes with which the signature can match."""
    ends = [min(pattern.end for pattern in patterns) for patterns in signature.conditions]
    if signature.length is not None:
        ends.append(signature.length.at + signature.length.size)
    return max(ends, default=1)


def _is_exact(patterns: tuple[Pattern, ...]) -> bool:
    """Whether the filter's tables, byte by byte, say all that the patterns do: they differ in one byte at most."""
    if max(pattern.end for pattern in patterns) > _FILTER_BYTES or len({(pattern.at, pattern.end) for pattern in patterns}) > 1:
        return False
    columns = zip(*(zip(pattern.value, pattern.mask, strict=True) for pattern in patterns), strict=True)
    return sum(len(set(column)) > 1 for column in columns) <= 1


def _allowed_bytes(signature: Signature) -> Bool:
    """bool[_FILTER_BYTES, 256]: the values that the signature allows at each place."""
    allowed = np.ones((_FILTER_BYTES, 256), dtype=np.bool_)
    values = np.arange(256, dtype=np.uint8)
    for patterns in signature.conditions:
        for place in range(_FILTER_BYTES):
            if all(pattern.at <= place < pattern.end for pattern in patterns):
                any_of = np.zeros(256, dtype=np.bool_)
                for pattern in patterns:
                    any_of |= (values & pattern.mask[place - pattern.at]) == pattern.value[place - pattern.at]
                allowed[place] &= any_of
    return allowed


class Matcher:
    """All protocols, ready to be matched. Holds nothing of any capture and may be shared.

    Attributes:
        names: Name of each protocol, by its number.
        protocols: The protocols themselves.
    """

    def __init__(self, protocols: list[Protocol]) -> None:
        self.protocols = protocols
        self.names = [protocol.name for protocol in protocols]
        self._filters: dict[str, _Filter] = {}
        self._port_label: dict[str, Int16] = {}
        for over in TRANSPORTS:
            port_row, own = _port_rows(protocols, over)
            tests = [_Test.of(number, signature) for number, protocol in enumerate(protocols) for signature in protocol.signatures]
            self._filters[over] = _Filter([test for test in tests if test.signature.over == over], port_row, own)
            label = np.full(1 << 16, -1, dtype=np.int16)
            for number in reversed(range(len(protocols))):
                if protocols[number].by_port:
                    label[list(protocols[number].ports[over])] = number
            self._port_label[over] = label

    @staticmethod
    @lru_cache(maxsize=4)
    def load(extra: Path | None = None) -> Matcher:
        """The matcher of the built-in table and, before it, of a user's own.

        Raises:
            UsageError: `extra` is not a table of protocols.
        """
        return Matcher(load_table(extra))

    def known_ports(self) -> Bool:
        """bool[65536]: the ports of any protocol over any transport, where rather a server than a client is found."""
        known = np.zeros(1 << 16, dtype=np.bool_)
        for protocol in self.protocols:
            for ports in protocol.ports.values():
                known[list(ports)] = True
        return known

    def by_port(self, over: str, port: Int32) -> Int16:
        """int16[n]: number of the protocol that a port alone stands for, -1 for none."""
        return self._port_label[over][port]

    def match(self, over: str, payloads: Payloads) -> tuple[Int16, Int16]:
        """The best match of each payload.

        Args:
            over: 'tcp' or 'udp'.
            payloads: Of n packets; at least one byte of each is captured.

        Returns:
            int16[n], how good it is (`NO_MATCH` to `PROOF_ON_PORT`), and int16[n], number of the protocol.
        """
        # Better first, then the earlier protocol: both in one number, so that a maximum decides.
        best = np.zeros(len(payloads), dtype=np.int32)
        for test, rows, on_port in self._filters[over].matches(payloads):
            rank = np.where(on_port, test.on_port << 16, test.off_port << 16) | (0xFFFF - test.protocol)
            # A row is there once, so that plain indexing does.
            best[rows] = np.maximum(best[rows], rank)
        quality = (best >> 16).astype(np.int16)
        return quality, np.where(quality > NO_MATCH, 0xFFFF - (best & 0xFFFF), -1).astype(np.int16)


def _port_rows(protocols: list[Protocol], over: str) -> tuple[Int16, Bool]:
    """For each port a row number, and for each row which protocols have such a port; row 0 is of the ports of none."""
    ports = sorted({port for protocol in protocols for port in protocol.ports[over]})
    port_row = np.zeros(1 << 16, dtype=np.int16)
    port_row[ports] = np.arange(1, len(ports) + 1)
    own = np.zeros((len(ports) + 1, len(protocols)), dtype=np.bool_)
    for number, protocol in enumerate(protocols):
        own[port_row[list(protocol.ports[over])], number] = True
    return port_row, own
