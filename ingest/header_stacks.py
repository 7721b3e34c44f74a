"""The IP headers of packets in tunnels, all of them: Wireshark's endpoints and conversations count each, and each UDP header behind one.

Nothing of this is made for a batch without tunnels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .address_table import AddressPairs
from .columns import HeaderStacks, Int32, Int64
from .keys import group
from .protocols.udp import NUMBER, NUMBER_LITE

if TYPE_CHECKING:
    from .decode import Arrays


class OuterHeaders:
    """The outer IP headers of a batch, kept when the one inside comes.

    Attributes:
        pairs: Their addresses, of all entries one behind the other.
    """

    def __init__(self, arrays: Arrays) -> None:
        self.pairs = AddressPairs(0)
        self._arrays = arrays
        self._entries: list[tuple[Int64, Int32, Int32]] = []

    def keep(self, rows: Int64, innermost: AddressPairs) -> None:
        """Keep the header that is the innermost one so far of the packets `rows`, which come to another."""
        self.pairs.append(innermost, rows)
        self._entries.append((rows, *self._udp_ports(rows)))
        # What stays of the ports is not of the header that comes.
        self._arrays["foreign_ports"][rows] = True

    def _udp_ports(self, rows: Int64) -> tuple[Int32, Int32]:
        arrays = self._arrays
        transport = arrays["transport"].take(rows)
        own = ((transport == NUMBER) | (transport == NUMBER_LITE)) & ~arrays["foreign_ports"].take(rows)
        src, dst = (np.where(own, arrays[name].take(rows), np.int32(-1)) for name in ("src_port", "dst_port"))
        return src, dst

    def finish(self, addresses: Mapping[str, Int32]) -> HeaderStacks:
        """The stacks of the batch, the innermost headers on top.

        Args:
            addresses: Columns of `address_table`.
        """
        innermost = np.full(len(addresses["src_ip"]), -1, dtype=np.int32)
        headers: list[tuple[Int32, ...]] = []
        ipv6 = np.zeros(len(innermost), dtype=np.int16)
        count = at = 0
        for rows, *ports in self._entries:
            part = slice(at, at + len(rows))
            at += len(rows)
            ipv6[rows] += self.pairs.is_ipv6(np.arange(part.start, part.stop))
            count = _stack(innermost, rows, (addresses["outer_src_ip"][part], addresses["outer_dst_ip"][part], *ports), headers, count)
        # Wireshark does not count the header of a later IPv6 fragment.
        counted = (innermost >= 0) & ((self._arrays["ip_version"] != 6) | (self._arrays["ipv6_layers"] > ipv6))
        rows = np.flatnonzero(counted)
        ends = addresses["src_ip"].take(rows), addresses["dst_ip"].take(rows), *self._udp_ports(rows)
        _stack(innermost, rows, ends, headers, count)
        return HeaderStacks(innermost, *(np.concatenate(column) for column in zip(*headers, strict=True)))


def _stack(innermost: Int32, rows: Int64, header: tuple[Int32, ...], headers: list[tuple[Int32, ...]], count: int) -> int:
    """Put one more header into the packets `rows`; returns how many distinct ones there are now, of `count` before."""
    around = innermost.take(rows)
    numbers, first = group(around, *header)
    innermost[rows] = numbers + np.int32(count)
    headers.append((around.take(first), *(column.take(first) for column in header)))
    return count + len(first)
