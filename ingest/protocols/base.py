"""What a protocol file declares, and the view of the packets that its `dissect` gets.

A protocol never sees one packet. It gets a `Layer`: all packets of a batch that have this protocol next, as arrays. It gathers
its header for all of them at once, sets columns, and hands the packets on to whatever comes inside.

Nothing can be read beyond what was captured: `Layer.require` sets the packets aside whose header was cut, and they keep the
protocol's name and nothing more. Lengths in headers can shorten a layer, never lengthen it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ..decode import Frames

Int64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Values = npt.NDArray[Any] | int | bool
_BYTE = np.dtype("u1")
_WORD = np.dtype(">u2")


class Rank:
    """Order in which waiting protocols are taken, outer ones first, so that packets which reach IP on different ways meet there."""

    LINK = 0
    TAG = 10
    LLC = 20
    NETWORK = 30
    TRANSPORT = 40
    TUNNEL = 50
    LEAF = 90


@dataclass(frozen=True, eq=False)
class Protocol:
    """One protocol.

    Attributes:
        name: Wireshark's name of it (the item of frame.protocols).
        under: Where it is found: table name ("link_type", "ethertype", "ip.proto", "udp.port", ...) to the numbers it has there.
        dissect: Reads the layer and hands the packets on; None for a protocol that is named and not looked into.
        rank: See `Rank`.
        shown: Whether it is an item of `protocols`.
        key: Name to hand packets to it by, where that is not `name`.
        accept: Tells (bool[m]) which packets really are of this protocol, for those found by a port or another weak sign.
        node: Key of the protocol that the tree of Wireshark's Protocol Hierarchy has in its place; None where that is this one (none
            when it is not `shown`), "" for none.
        node_bytes: Captured bytes from which on it is a node of that tree; Wireshark shows no header that was cut before its item was made.
        quoted_bytes: Bytes from which on it is named where an ICMP error quotes it; Wireshark drops the name with less.
        otherwise: Key of the protocol that the others are handed to; "" where they end, unnamed.
    """

    name: str
    under: Mapping[str, Sequence[int]] = field(default_factory=dict)
    dissect: Callable[[Layer], None] | None = None
    rank: int = Rank.LEAF
    shown: bool = True
    node: str | None = None
    node_bytes: int = 1
    key: str = ""
    accept: Callable[[Layer], Mask] | None = None
    otherwise: str = ""
    quoted_bytes: int = 1


def leaves(table: str, names: Mapping[int, str]) -> tuple[Protocol, ...]:
    """Protocols that are only named: one for each distinct name, under its numbers of `table`."""
    return tuple(
        Protocol(name, under={table: tuple(number for number, other in names.items() if other == name)})
        for name in dict.fromkeys(names.values())
    )


class Layer:
    """Packets that have one protocol next.

    Attributes:
        rows: int64[m], the packets' places in the batch.
        start: int64[m], where in the batch's buffer the header begins.
        end: int64[m], where in the buffer the captured bytes of this layer end; `start <= end`.
        reported_end: int64[m], where it would end by the length fields of the layers around it, captured or not.
        embedded: True for the packet quoted in an ICMP error.
    """

    __slots__ = ("embedded", "end", "frames", "reported_end", "rows", "start")

    def __init__(self, frames: Frames, rows: Int64, start: Int64, end: Int64, reported_end: Int64, *, embedded: bool) -> None:
        self.frames = frames
        self.rows = rows
        self.start = start
        self.end = end
        self.reported_end = reported_end
        self.embedded = embedded

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def captured(self) -> Int64:
        """int64[m], captured bytes from the header on."""
        return self.end - self.start

    @property
    def reported(self) -> Int64:
        """int64[m], bytes from the header on by the length fields, captured or not."""
        return self.reported_end - self.start

    def select(self, mask: Mask) -> Layer:
        """The packets for which `mask` (bool[m]) is true; this layer itself when that is all of them."""
        if mask.all():
            return self
        places = np.flatnonzero(mask)
        return Layer(
            self.frames,
            self.rows.take(places),
            self.start.take(places),
            self.end.take(places),
            self.reported_end.take(places),
            embedded=self.embedded,
        )

    def require(self, length: int) -> Layer:
        """The packets of which at least `length` bytes of this layer were captured."""
        return self.select(self.end - self.start >= length)

    def gather(self, dtype: np.dtype[Any], at: Int64 | int = 0) -> npt.NDArray[Any]:
        """`dtype`-shaped records at `at` bytes from the start of each layer; the caller has made sure that they were captured."""
        return self.frames.headers(self.rows, self.start + at if isinstance(at, np.ndarray) or at else self.start, dtype)

    def byte(self, at: Int64 | int = 0) -> npt.NDArray[np.uint8]:
        """uint8[m], one byte `at` bytes from the start of each layer; the caller has made sure that it was captured."""
        return self.gather(_BYTE, at)

    def word(self, at: Int64 | int = 0) -> npt.NDArray[np.uint16]:
        """uint16[m], two bytes in network order, likewise."""
        return self.gather(_WORD, at).astype(np.uint16)

    def set(self, column: str, values: Values, where: Mask | None = None) -> None:
        """Set a column for the packets (where `where` is true)."""
        rows: Int64 | None = self.rows
        if where is not None:
            places = np.flatnonzero(where)
            rows = self.rows.take(places)
            if isinstance(values, np.ndarray):
                values = values[places]
        elif rows is self.frames.every_row:
            rows = None
        self.frames.arrays.put(column, rows, values)

    def reset(self, column: str) -> None:
        """Let a column be for the packets as if no header around this one had set it."""
        self.frames.arrays.reset(column, self.rows)

    def is_set(self, column: str) -> bool:
        """Whether any packet of the batch has had a value set."""
        return column in self.frames.arrays

    def get(self, column: str) -> npt.NDArray[Any]:
        """The column's values for the packets, as set so far."""
        return self.frames.arrays[column].take(self.rows)

    def trim(self, reported_end: Int64) -> None:
        """Let the layer end at `reported_end` at the latest."""
        np.minimum(self.reported_end, reported_end, out=reported_end)
        self.reported_end = reported_end
        self.end = np.minimum(self.end, reported_end)

    def hand_on(
        self,
        table: str,
        keys: npt.NDArray[Any],
        length: Int64 | int,
        where: Mask | None = None,
        *,
        default: str | None = "data",
        embedded: bool = False,
    ) -> None:
        """Hand the packets to the protocols that `table` names for `keys`, `length` bytes further on.

        Args:
            table: Name of a dispatch table.
            keys: Integers[m].
            length: Bytes of this layer's header.
            where: Only these packets.
            default: Protocol for keys that the table does not hold; None to stop there.
            embedded: What follows is quoted in an error.
        """
        self.frames.queue(self, self.frames.registry.lookup(table, keys, default), length, where, embedded=embedded)

    def show(self, name: str, where: Mask | None = None) -> None:
        """Add a protocol that has no header of its own to the packets' paths (where `where` is true)."""
        rows = self.rows if where is None else self.rows[where]
        if len(rows):
            self.frames.show(rows, self.frames.registry.number(name), embedded=self.embedded)

    def show_node(self, name: str, where: Mask | None = None) -> None:
        """Add a protocol to the packets' places in the tree alone (where `where` is true)."""
        if not self.embedded:
            self.frames.show_node(self.rows if where is None else self.rows[where], self.frames.registry.number(name))

    def drop_node(self, where: Mask) -> None:
        """Take the last node away from the packets' places in the tree where `where` is true."""
        if not self.embedded:
            self.frames.drop_node(self.rows[where])

    def leave_tree(self, where: Mask | None = None) -> None:
        """Let nothing that comes further inside be a node of the tree, because Wireshark shows it below an item of this layer."""
        if not self.embedded:
            self.frames.leave_tree(self.rows if where is None else self.rows[where])

    def hand_to(self, name: str, length: Int64 | int, where: Mask | None = None, *, embedded: bool = False) -> None:
        """Hand the packets to one protocol, `length` bytes further on; `embedded` when it is quoted in an ICMP error."""
        self.frames.queue(self, self.frames.registry.number(name), length, where, embedded=embedded)
