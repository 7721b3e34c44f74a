"""Finds which application protocol a packet's payload shows: all signatures against a whole batch of payloads at once.

Every signature is one bit. For each of the first payload bytes there is a table from the byte's 256 values to the
signatures that allow it there; likewise from the payload's length, the captured length, and each of the two ports and its transport.
A row per payload is
and-ed over these tables (Baeza-Yates and Gonnet's Shift-And, without the shift), and what is left after a few bytes is next to
nothing. Only those pairs of payload and signature are looked at in full, signature by signature.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .application_table import LONGEST_BOUND, TRANSPORTS, Length, Pattern, Protocol, Signature, load_table
from .columns import Bool, Int16, Int64
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


class _Alternative(NamedTuple):
    """A pattern in words of 8 bytes.

    Attributes:
        end: Payload bytes that must be there.
        words: Place, value and mask of each word, in network order.
    """

    end: int
    words: tuple[tuple[int, int, int], ...]

    @staticmethod
    def of(pattern: Pattern) -> _Alternative:
        words = []
        for start in range(0, len(pattern.value), 8):
            parts = (part[start : start + 8].ljust(8, b"\0") for part in (pattern.value, pattern.mask))
            value, mask = (int.from_bytes(part, "big", signed=True) for part in parts)
            words.append((pattern.at + start, value, mask))
        return _Alternative(pattern.end, tuple(words))


class _Test(NamedTuple):
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
    conditions: tuple[tuple[_Alternative, ...], ...]
    on_port: int
    off_port: int

    @staticmethod
    def of(protocol: int, signature: Signature) -> _Test:
        open_ = tuple(tuple(map(_Alternative.of, patterns)) for patterns in signature.conditions if not _is_exact(patterns))
        if signature.check == "rtp":
            return _Test(protocol, signature, open_, FLOW_TEST, FLOW_TEST)
        on_port, off_port = {3: (PROOF_ON_PORT, PROOF), 2: (ON_PORT, OFF_PORT), 1: (WEAK_ON_PORT, NO_MATCH)}[signature.confidence]
        return _Test(protocol, signature, open_, on_port, off_port)

    @property
    def anywhere(self) -> bool:
        """Whether it counts for anything off the protocol's own ports."""
        return not self.signature.on_port and self.off_port != NO_MATCH

    @property
    def is_decided(self) -> bool:
        """Whether all that the filter leaves matches."""
        return not self.conditions and self.signature.length is None and self.signature.check is None

    def passes(self, payloads: Payloads) -> Bool:
        """bool[n]: which of the payloads that the filter left match."""
        found = np.ones(len(payloads), dtype=np.bool_)
        for alternatives in self.conditions:
            found &= _matches_any(payloads, alternatives)
        if self.signature.length is not None:
            found &= _declares(payloads, self.signature.length)
        if self.signature.check is not None:
            found &= CHECKS[self.signature.check](payloads)
        return found


def _matches_any(payloads: Payloads, alternatives: tuple[_Alternative, ...]) -> Bool:
    found = np.zeros(len(payloads), dtype=np.bool_)
    read: dict[int, Int64] = {}
    for alternative in alternatives:
        hit = payloads.captured >= alternative.end
        for at, value, mask in alternative.words:
            if at not in read:
                read[at] = payloads.words(at)
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
    """The signatures as bits."""

    def __init__(self, tests: list[_Test], port_row: Int16, own: Bool) -> None:
        """Build the tables.

        Args:
            tests: The signatures, in their order of precedence.
            port_row: int16[131072], row in `own` of each TCP port and, after them, of each UDP port.
            own: bool[rows, protocols], which protocols a port belongs to.
        """
        self._tests = tests
        self._port_row = port_row
        self._own = own
        self._words = range(0, len(tests), 64)
        signatures = [test.signature for test in tests]
        lengths, captured = np.arange(LONGEST_BOUND + 2), np.arange(SEARCHED_BYTES + 1)
        self._by_length = self._tables(
            np.array([(lengths >= signature.least) & (lengths <= (signature.most or lengths[-1])) for signature in signatures])
        )
        self._by_captured = self._tables(np.array([captured >= _needed(signature) for signature in signatures]))
        is_over = {over: np.isin(np.arange(len(own)), port_row[half << 16 : (half + 1) << 16]) for half, over in enumerate(TRANSPORTS)}
        self._by_port = self._tables(np.array([(own[:, test.protocol] | test.anywhere) & is_over[test.signature.over] for test in tests]))
        allowed = np.array([_allowed_bytes(signature) for signature in signatures])
        # The signatures that places after each one in the order have a say on, as tables of a single entry.
        order = _best_order(allowed.mean(axis=2))
        restricted: Bool = np.any(~allowed, axis=2)
        open_ = [np.any(restricted[:, order[step:]], axis=1)[:, np.newaxis] for step in range(1, len(order) + 1)]
        self._by_byte = [(place, self._tables(allowed[:, place]), self._tables(later)) for place, later in zip(order, open_, strict=True)]

    def _tables(self, says: Bool) -> list[Bits]:
        """One uint64 table for every 64 signatures: bit k of its n-th entry is `says[k, n]`."""
        bits = np.zeros((says.shape[1], 64 * len(self._words)), dtype=np.bool_)
        bits[:, : len(says)] = says.T
        words = np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64, copy=False)
        return [np.ascontiguousarray(words[:, word]) for word in range(len(self._words))]

    def matches(self, payloads: Payloads, src: Int64, dst: Int64) -> Iterator[tuple[_Test, Int64, Bool]]:
        """Test after test: the rows of the payloads (int64[k]) that match it, and which of them are on a port of the protocol.

        Args:
            payloads: Of n packets.
            src: int64[n], source port, plus 65,536 over UDP.
            dst: int64[n], destination port, likewise.
        """
        src_row, dst_row = self._port_row[src], self._port_row[dst]
        for test, left in self._left(payloads, src_row, dst_row):
            rows = left if test.is_decided else left[test.passes(payloads.take(left))]
            yield test, rows, self._own[src_row[rows], test.protocol] | self._own[dst_row[rows], test.protocol]

    def _left(self, payloads: Payloads, src_row: Int16, dst_row: Int16) -> Iterator[tuple[_Test, Int64]]:
        """What the tables leave: a test, and the rows of the payloads (int64[k]) that may match it."""
        length = np.minimum(payloads.length, LONGEST_BOUND + 1)
        captured = np.minimum(payloads.captured, SEARCHED_BYTES)
        words = [
            by_length.take(length) & by_captured.take(captured) & (by_port.take(src_row) | by_port.take(dst_row))
            for by_length, by_captured, by_port in zip(self._by_length, self._by_captured, self._by_port, strict=True)
        ]
        rows = np.arange(len(payloads))
        offset = payloads.offset
        finished: list[tuple[Int64, list[Bits]]] = []
        for step, (place, tables, later) in enumerate(self._by_byte, 1):
            byte = payloads.buffer[offset + place]
            for bits, table in zip(words, tables, strict=True):
                np.bitwise_and(bits, table.take(byte), out=bits)
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
            while alive:
                bit = alive & -alive
                alive ^= bit
                yield self._tests[word + bit.bit_length() - 1], rows[(left_bits & np.uint64(bit)) != 0]


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
        # Where one of the patterns says nothing, every value may be.
        begin, end = max(pattern.at for pattern in patterns), min(*(pattern.end for pattern in patterns), _FILTER_BYTES)
        any_of = np.zeros((max(end - begin, 0), 256), dtype=np.bool_)
        for pattern in patterns:
            mask, value = (
                np.frombuffer(part, dtype=np.uint8)[begin - pattern.at : end - pattern.at, np.newaxis]
                for part in (pattern.mask, pattern.value)
            )
            any_of |= (values & mask) == value
        allowed[begin : begin + len(any_of)] &= any_of
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
        port_row, own = _port_rows(protocols)
        tests = [_Test.of(number, signature) for number, protocol in enumerate(protocols) for signature in protocol.signatures]
        self._filter = _Filter(tests, port_row, own)
        self._by_port = np.full(2 << 16, -1, dtype=np.int16)
        for number in reversed(range(len(protocols))):
            if protocols[number].by_port:
                self._by_port[_port_keys(protocols[number])] = number

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

    def by_port(self, port: Int64) -> Int16:
        """int16[n]: number of the protocol that a port (over UDP plus 65,536) alone stands for, -1 for none."""
        return self._by_port[port]

    def match(self, payloads: Payloads, src: Int64, dst: Int64) -> tuple[Int16, Int16]:
        """The best match of each payload.

        Args:
            payloads: Of n packets; at least one byte of each is captured.
            src: int64[n], source port, plus 65,536 over UDP.
            dst: int64[n], destination port, likewise.

        Returns:
            int16[n], how good it is (`NO_MATCH` to `PROOF_ON_PORT`), and int16[n], number of the protocol.
        """
        # Better first, then the earlier protocol: both in one number, so that a maximum decides.
        best = np.zeros(len(payloads), dtype=np.int32)
        for test, rows, on_port in self._filter.matches(payloads, src, dst):
            rank = np.where(on_port, test.on_port << 16, test.off_port << 16) | (0xFFFF - test.protocol)
            # A row is there once, so that plain indexing does.
            best[rows] = np.maximum(best[rows], rank)
        quality = (best >> 16).astype(np.int16)
        return quality, np.where(quality > NO_MATCH, 0xFFFF - (best & 0xFFFF), -1).astype(np.int16)


def _port_keys(protocol: Protocol) -> list[int]:
    """The protocol's ports, those of UDP plus 65,536."""
    return [port + (half << 16) for half, over in enumerate(TRANSPORTS) for port in protocol.ports[over]]


def _port_rows(protocols: list[Protocol]) -> tuple[Int16, Bool]:
    """For each port of both transports a row, and for each row the protocols with such a port; the first two rows are of no protocol."""
    keys = sorted({key for protocol in protocols for key in _port_keys(protocol)})
    port_row = np.repeat(np.arange(2, dtype=np.int16), 1 << 16)
    port_row[keys] = np.arange(2, len(keys) + 2)
    own = np.zeros((len(keys) + 2, len(protocols)), dtype=np.bool_)
    for number, protocol in enumerate(protocols):
        own[port_row[_port_keys(protocol)], number] = True
    return port_row, own
