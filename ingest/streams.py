"""Numbers of conversations: Wireshark's tcp.stream and udp.stream.

A UDP stream is an unordered pair of endpoints (address and port). A TCP stream is that too, until its ports are used again (see
`tcp_pairs`). FIN and RST end nothing, and neither VLAN nor interface nor tunnel tells streams apart: packets with the same innermost
endpoints are of one stream, as in Wireshark 4.0.
"""

from __future__ import annotations

import numpy as np

from .columns import Bool, Columns, Int32, Int64
from .keys import KeyTable, group
from .tcp_pairs import Segments, TcpPairs

TCP, UDP, UDP_LITE = 6, 17, 136
_LOCAL_ADDRESSES = 1 << 15
"""With no more addresses than this in a batch, two endpoints and the protocol fit into 63 bits."""


class Streams:
    """Stream numbers of one capture, over its batches in file order; about 50 bytes a pair of TCP endpoints, 30 a UDP one."""

    def __init__(self) -> None:
        self._tcp = TcpPairs()
        self._udp = KeyTable(2)

    @property
    def tcp(self) -> int:
        """TCP streams so far."""
        return self._tcp.streams

    @property
    def udp(self) -> int:
        """UDP streams so far."""
        return len(self._udp)

    def number(self, columns: Columns, src: Int32, dst: Int32) -> Int32:
        """Number the packets of the next batch.

        Args:
            columns: The batch.
            src: int32[n], capture-wide numbers of `src_ip`.
            dst: int32[n], capture-wide numbers of `dst_ip`.

        Returns:
            int32[n]: number of the TCP or UDP stream, each counted from 0; -1 where the innermost IP header carries neither, in ICMP
            errors, and where a TCP header was cut before its flags.
        """
        streams = np.full(len(columns), -1, dtype=np.int32)
        rows, is_udp = _members(columns)
        if not len(rows):
            return streams
        source, destination = _endpoints(columns, rows)
        turned = source > destination
        pairs, first = group((np.minimum(source, destination) << 31 | np.maximum(source, destination)) << 1 | is_udp)
        words, turned_first = _pair_words(columns, src, dst, rows[first])
        # The batch numbers addresses in its own order; a pair that lies the other way round in the capture's order is turned.
        turned ^= (turned[first] ^ turned_first)[pairs]
        udp = is_udp[first]
        if udp.any():
            numbers = np.full(len(first), -1, dtype=np.int32)
            numbers[udp], _ = self._udp.number(words[0][udp], words[1][udp])
            streams[rows] = numbers[pairs]
            among = np.flatnonzero(~is_udp)
            rows, turned = rows[among], turned[among]
            pairs = (np.cumsum(~udp, dtype=np.int32) - np.int32(1))[pairs[among]]
            words = (words[0][~udp], words[1][~udp])
        if len(rows):
            segments = Segments(
                pair=pairs,
                side=turned,
                flags=columns.tcp_flags[rows],
                seq=columns.tcp_seq[rows],
                ack=columns.tcp_ack[rows],
                measured=columns.payload_length[rows] >= 0,
            )
            streams[rows] = self._tcp.number(words, segments)
        return streams


def _members(columns: Columns) -> tuple[Int64, Bool]:
    """Packets that belong to a stream (int64[m]), and which of them are UDP (bool[m])."""
    transport = columns.transport
    tcp = (transport == TCP) & (columns.tcp_flags >= 0)
    udp = (transport == UDP) | (transport == UDP_LITE)
    # Ports of an outer header stay where the inner packet has none: they are not the ports of its addresses.
    own = (transport == columns.ip_protocol) & ~columns.in_icmp_error
    rows = np.flatnonzero((tcp | udp) & own)
    return rows, udp[rows]


def _endpoints(columns: Columns, rows: Int64) -> tuple[Int64, Int64]:
    """Sender and receiver of each packet as numbers below 2**31 that mean something in this batch only."""
    source = columns.src_ip[rows].astype(np.int64) << 16 | columns.src_port[rows]
    destination = columns.dst_ip[rows].astype(np.int64) << 16 | columns.dst_port[rows]
    if len(columns.addresses) > _LOCAL_ADDRESSES:
        numbers, _ = group(np.concatenate([source, destination]))
        source, destination = np.split(numbers.astype(np.int64), 2)
    return source, destination


def _pair_words(columns: Columns, src: Int32, dst: Int32, rows: Int64) -> tuple[tuple[Int64, Int64], Bool]:
    """Capture-wide keys of the pairs of endpoints of some packets, and whether the sender is the second of the two."""
    source = src[rows].astype(np.int64) << 16 | columns.src_port[rows]
    destination = dst[rows].astype(np.int64) << 16 | columns.dst_port[rows]
    return (np.minimum(source, destination), np.maximum(source, destination)), source > destination
