"""The IP addresses of a batch: kept by pairs of source and destination while it is decoded, then numbered and turned to text once each."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..warehouse.texts import take
from .columns import AddressTable, Int32, Int64
from .keys import group

Words = Sequence[npt.NDArray[np.uint64]]

_MAPPED = np.uint64(0x0000FFFF_00000000)
"""IPv4 in the low half of the IPv4-mapped form (RFC 4291, section 2.5.5.2)."""
_HALF = np.uint64(32)
_LOW_HALF = np.uint64(0xFFFFFFFF)

INNERMOST, TUNNEL, QUOTED = "", "tunnel_", "error_"
"""Kinds of address pairs: what the names of their columns begin with."""
OUTER = "outer_"
"""One more: pairs of all headers but the innermost, of those packets alone that have several (see `header_stacks`)."""
_NONE, _IPV4, _IPV6, _IPV4_SOURCE, _IPV6_SOURCE = 0, 4, 6, -4, -6


class AddressPairs:
    """One pair of addresses of each packet (of the innermost header, of the outermost one of a tunnel, of a quoted one)."""

    __slots__ = ("_family", "_ipv4", "_ipv6")

    def __init__(self, size: int) -> None:
        self._family = np.zeros(size, dtype=np.int8)
        """4 or 6, negative where the source alone is known, 0 where there is neither."""
        self._ipv4 = np.zeros(size, dtype=np.uint64)
        """The source in the upper half, the destination in the lower."""
        self._ipv6: npt.NDArray[np.uint64] | None = None
        """uint64[4, n], made when the first IPv6 packet comes: the source's upper and lower half, then the destination's."""

    def set_ipv4(self, rows: Int64, pairs: npt.NDArray[np.uint64]) -> None:
        """Set the pairs (uint64[m], see `_ipv4`) of the packets `rows`."""
        self._family[rows] = _IPV4
        self._ipv4[rows] = pairs

    def set_ipv4_source(self, rows: Int64, sources: npt.NDArray[np.uint64]) -> None:
        """Set the source addresses (uint64[m], in host order) of packets whose destination was not captured."""
        self._family[rows] = _IPV4_SOURCE
        self._ipv4[rows] = sources << _HALF

    def set_ipv6(self, rows: Int64, words: npt.NDArray[np.uint64]) -> None:
        """Set pairs: uint64[4, m], as in `_ipv6`; or uint64[2, m] where the source alone was captured."""
        if self._ipv6 is None:
            self._ipv6 = np.zeros((4, len(self._family)), dtype=np.uint64)
        self._family[rows] = _IPV6 if len(words) > 2 else _IPV6_SOURCE
        for own, word in zip(self._ipv6, words, strict=False):
            own[rows] = word

    def is_present(self, rows: Int64) -> npt.NDArray[np.bool_]:
        """Which of the packets `rows` have addresses already (bool[m])."""
        present: npt.NDArray[np.bool_] = self._family.take(rows) != _NONE
        return present

    def is_ipv6(self, rows: Int64) -> npt.NDArray[np.bool_]:
        """Which of the pairs `rows` are IPv6 addresses (bool[m])."""
        found: npt.NDArray[np.bool_] = self._family.take(rows) == _IPV6
        return found

    def append(self, other: AddressPairs, rows: Int64) -> None:
        """Add copies of the pairs `rows` of `other` at the end."""
        before = len(self._family)
        for name in ("_family", "_ipv4"):
            setattr(self, name, np.concatenate([getattr(self, name), getattr(other, name).take(rows)]))
        if self._ipv6 is None and other._ipv6 is None:
            return
        own = np.zeros((4, before), dtype=np.uint64) if self._ipv6 is None else self._ipv6
        added = np.zeros((4, len(rows)), dtype=np.uint64) if other._ipv6 is None else other._ipv6[:, rows]
        self._ipv6 = np.concatenate([own, added], axis=1)

    def __len__(self) -> int:
        return len(self._family)

    def copy_from(self, other: AddressPairs, rows: Int64) -> None:
        """Take over the pairs of the packets `rows` from `other`."""
        self._family[rows] = other._family[rows]
        self._ipv4[rows] = other._ipv4[rows]
        if other._ipv6 is not None:
            if self._ipv6 is None:
                self._ipv6 = np.zeros_like(other._ipv6)
            self._ipv6[:, rows] = other._ipv6[:, rows]

    def ipv4_ends(self) -> list[_End]:
        """The distinct IPv4 pairs taken apart."""
        rows = np.flatnonzero(self._family == _IPV4)
        pairs = self._ipv4 if len(rows) == len(self._ipv4) else self._ipv4.take(rows)
        number, first = group(pairs)
        pairs = pairs.take(first)
        ends = [_End("src_ip", rows, number, [pairs >> _HALF]), _End("dst_ip", rows, number, [pairs & _LOW_HALF])]
        alone = np.flatnonzero(self._family == _IPV4_SOURCE)
        return [*ends, *_alone(alone, [self._ipv4.take(alone) >> _HALF])]

    def ipv6_ends(self) -> list[_End]:
        """The distinct IPv6 pairs taken apart."""
        if self._ipv6 is None:
            return []
        rows = np.flatnonzero(self._family == _IPV6)
        words = [word.take(rows) for word in self._ipv6]
        number, first = group(*words)
        words = [word.take(first) for word in words]
        ends = [_End("src_ip", rows, number, words[:2]), _End("dst_ip", rows, number, words[2:])]
        alone = np.flatnonzero(self._family == _IPV6_SOURCE)
        return [*ends, *_alone(alone, [word.take(alone) for word in self._ipv6[:2]])]


def _alone(rows: Int64, words: Words) -> list[_End]:
    return [_End("src_ip", rows, np.arange(len(rows), dtype=np.int32), words)] if len(rows) else []


class _End(NamedTuple):
    """One side of address pairs.

    Attributes:
        name: "src_ip" or "dst_ip".
        rows: int64[m], packets. number: int32[m], the pair of each.
        words: uint64[k] each, the addresses by number of the pair: one word of IPv4, two of IPv6.
    """

    name: str
    rows: Int64
    number: Int32
    words: Words


def address_table(size: int, pairs: Mapping[str, AddressPairs]) -> tuple[AddressTable, dict[str, Int32]]:
    """Number the distinct addresses of a batch of `size` packets.

    Args:
        pairs: What there is of `INNERMOST`, `TUNNEL`, `QUOTED` and `OUTER` pairs.

    Returns:
        The table, and for each of src_ip, dst_ip, tunnel_src_ip, tunnel_dst_ip, error_src_ip, error_dst_ip an int32[n] of rows of
        the table, -1 where the packet has no such address; outer_src_ip and outer_dst_ip, as long as these pairs, where there are any.
    """
    columns: dict[str, Int32] = {}
    sizes = {kind: len(of_kind) for kind, of_kind in pairs.items()}
    (low4,) = _number({kind: of_kind.ipv4_ends() for kind, of_kind in pairs.items()}, 1, 0, sizes, columns)
    high6, low6 = _number({kind: of_kind.ipv6_ends() for kind, of_kind in pairs.items()}, 2, len(low4), sizes, columns)
    table = AddressTable(
        family=np.concatenate([np.full(len(low4), 4, dtype=np.int16), np.full(len(low6), 6, dtype=np.int16)]),
        high=np.concatenate([np.zeros(len(low4), dtype=np.uint64), high6]),
        low=np.concatenate([low4 | _MAPPED, low6]),
        text=pa.concat_arrays([ipv4_texts(low4.astype(np.uint32)), ipv6_texts(high6, low6)]),
    )
    absent = np.full(size, -1, dtype=np.int32)
    names = [f"{kind}{side}" for kind in (INNERMOST, TUNNEL, QUOTED) for side in ("src_ip", "dst_ip")]
    return table, dict.fromkeys(names, absent) | columns


def _number(
    ends: Mapping[str, list[_End]], width: int, start: int, sizes: Mapping[str, int], columns: dict[str, Int32]
) -> list[npt.NDArray[np.uint64]]:
    """Number the distinct addresses of some ends from `start` on, and put the numbers into `columns`; returns the addresses' words."""
    every = [(kind, end) for kind, of_kind in ends.items() for end in of_kind]
    words = [np.concatenate([end.words[word] for _, end in every] or [np.zeros(0, dtype=np.uint64)]) for word in range(width)]
    numbers, first = group(*words)
    numbers += np.int32(start)
    at = 0
    for kind, end in every:
        count = len(end.words[0])
        values = numbers[at : at + count].take(end.number)
        at += count
        name = f"{kind}{end.name}"
        if len(values) == sizes[kind]:
            columns[name] = values
            continue
        if name not in columns:
            columns[name] = np.full(sizes[kind], -1, dtype=np.int32)
        columns[name][end.rows] = values
    return [word.take(first) for word in words]


# Typed, as all text given to pyarrow for every capture: to find the type of text it looks for dateutil each time.
_OCTETS = pa.array([f"{number}{end}" for end in (".", "") for number in range(256)], pa.string())
"""The 256 octets with a dot behind them, and without."""
_PARTS = np.array([0, 0, 0, 256])
"""Where in `_OCTETS` those of each of the four places begin."""


def ipv4_texts(addresses: npt.NDArray[np.uint32]) -> pa.Array:
    """Dotted decimal of uint32[k] in host order."""
    if not len(addresses):
        return pa.array([], pa.string())
    octets = addresses.astype(">u4").view(np.uint8).reshape(-1, 4)
    # The four parts of each address lie side by side: what is between every fourth offset is its text.
    _, offsets, data = take(_OCTETS, (octets + _PARTS).ravel()).buffers()
    return pa.StringArray.from_buffers(len(addresses), pa.py_buffer(np.frombuffer(offsets, dtype=np.int32)[::4].copy()), data)


def ipv6_texts(high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> pa.Array:
    """Canonical text (RFC 5952) of addresses given as two uint64[k] in host order."""
    packed = np.stack([high, low], axis=1).astype(">u8").tobytes()
    return pa.array([_ipv6_text(packed[at : at + 16]) for at in range(0, len(packed), 16)], pa.string())


@lru_cache(maxsize=4096)
def _ipv6_text(packed: bytes) -> str:
    """Cached, because most addresses of a batch were in the one before."""
    return socket.inet_ntop(socket.AF_INET6, packed)


def mac_texts(addresses: npt.NDArray[np.uint64]) -> pa.Array:
    """Colon-separated hex of uint64[k] that hold the six bytes in their low 48 bits, first byte lowest."""
    packed = addresses.astype("<u8").tobytes()
    return pa.array([packed[at : at + 6].hex(":") for at in range(0, len(packed), 8)], pa.string())
