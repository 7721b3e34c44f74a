"""Numbers of conversations: Wireshark's tcp.stream and udp.stream.

A UDP stream is an unordered pair of endpoints (address and port). A TCP stream is that too, until its ports are used again (see
`tcp_pairs`). FIN and RST end nothing, and neither VLAN nor interface nor tunnel tells streams apart: packets with the same innermost
endpoints are of one stream, as in Wireshark 4.0.
"""

from __future__ import annotations

import numpy as np

from .columns import Columns, Int32
from .keys import KeyTable
from .lanes import TCP_STREAM, UDP_LITE_STREAM, UDP_STREAM, Lanes, split_lanes
from .peers import Peers
from .tcp_pairs import TcpPairs


class Streams:
    """Stream numbers of one capture, over its batches in file order; about 50 bytes a pair of TCP endpoints, 30 a UDP one."""

    def __init__(self) -> None:
        self._tcp = TcpPairs()
        self._udp = KeyTable(2)

    def number(self, columns: Columns, lanes: Lanes, peers: Peers) -> tuple[Int32, Lanes, Peers]:
        """Number the lanes of the next batch.

        Args:
            columns: The batch.
            lanes: Its lanes.
            peers: Who they are between.

        Returns:
            int32[k]: number of each lane's TCP or UDP stream, each counted from 0; -1 where the innermost IP header carries neither, in
            ICMP errors, and where a TCP header was cut before its flags. The lanes and peers, split where ports were used again.
        """
        kind = lanes.kind[lanes.pair_lane]
        of_pair = np.full(len(kind), -1, dtype=np.int32)
        udp = np.flatnonzero((kind == UDP_STREAM) | (kind == UDP_LITE_STREAM))
        if len(udp):
            of_pair[udp], _ = self._udp.number(peers.low[udp], peers.high[udp])
        tcp = np.flatnonzero(kind == TCP_STREAM)
        if not len(tcp):
            return of_pair[lanes.pair], lanes, peers
        numbered = self._tcp.number((peers.low[tcp], peers.high[tcp]), tcp, columns, lanes, peers.turned)
        of_pair[tcp] = numbered.stream
        if not len(numbered.places):
            return of_pair[lanes.pair], lanes, peers
        lanes, parent = split_lanes(lanes, columns, numbered.places, numbered.streams)
        streams: Int32 = of_pair[lanes.pair]
        place = np.minimum(np.searchsorted(numbered.places, lanes.first), len(numbered.places) - 1)
        known = numbered.places[place] == lanes.first
        streams[known] = numbered.streams[place[known]]
        return streams, lanes, Peers(peers.low, peers.high, peers.turned[parent])
