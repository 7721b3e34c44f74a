"""The packets of a batch by what they have in common, so that what is remembered from batch to batch is looked up once for many.

A lane is one direction of a conversation, within one minute and with the same headers around it: its packets have all of the sender,
the receiver, the protocols, the layers, the tunnel's ends and the minute in common. A batch of 80,000 packets has some thousands.

Nothing here depends on other batches, so that batches can be prepared side by side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .columns import Bool, Columns, Int32, Int64
from .formats.base import NO_TIME
from .keys import group
from .protocols.ports_only import DCCP, SCTP
from .protocols.tcp import NUMBER as TCP
from .protocols.udp import NUMBER as UDP
from .protocols.udp import NUMBER_LITE as UDP_LITE

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

NO_PORTS, TCP_STREAM, UDP_STREAM, UDP_LITE_STREAM, OTHER_TCP, OTHER_UDP, SCTP_PORTS, DCCP_PORTS = range(8)
"""Kinds of packets by their ports: those that belong to a stream, and those that do not, by transport."""
TRANSPORTS = (None, "TCP", "UDP", "UDP", "TCP", "UDP", "SCTP", "DCCP")
"""Transport of each kind; Wireshark counts UDP-Lite as UDP."""
_KIND_OF = np.full(257, NO_PORTS, dtype=np.uint8)
"""By the number of the transport plus one."""
for _number, _kind in ((TCP, TCP_STREAM), (UDP, UDP_STREAM), (UDP_LITE, UDP_LITE_STREAM), (SCTP, SCTP_PORTS), (DCCP, DCCP_PORTS)):
    _KIND_OF[_number + 1] = _kind

SEEN_SYN_ACK, SEEN_ACK, SEEN_DATA, SEEN_FIN, SEEN_RST = 2, 4, 8, 16, 32
"""Bits of Wireshark's tcp.completeness; 1 is for a SYN as the connection's first segment."""

COUNTERS = ("packets", "bytes", "payload_packets", "payload_packet_bytes", "payload_bytes")
"""What is counted, in the order of `Lanes.counts`."""
NO_MINUTE = -(1 << 28)
"""Minute of packets without a time; int64 nanoseconds reach neither this far nor its opposite."""
MINUTE_NS = 60_000_000_000

CONTEXT_FIELDS = (
    ("link_type", 17),
    ("ipv6_layers", 6),
    ("ipv4_layers", 6),
    ("ip_protocol", 9),
    ("ip_version", 3),
    ("in_icmp_error", 2),
    ("tcp_header_cut", 2),
)
"""What is packed into a context below the path and above the kind, highest first: names and bits; each value plus one."""
KIND_BITS = 3
_PORT_BITS = 17
_END_BITS = 24
"""Each lane has two ends, each packet at most one lane: `BATCH_PACKETS` ends twice over."""
_LOCAL_ADDRESSES = (1 << 14) - 1
"""With no more addresses than this in a batch, two endpoints fit into 62 bits."""


@dataclass(slots=True, eq=False, repr=False)
class Lanes:
    """The k lanes of a batch of n packets, in order of their first packets.

    Attributes:
        number: int32[n], the lane of each packet.
        first: int64[k], place of the first packet of each lane. last: int64[k], of the last one.
        answer: int64[k], place of the first segment without SYN of each lane of a TCP stream; -1 without one.
        counts: int64[5, k], see `COUNTERS`.
        minute: int64[k], minutes since the epoch, `NO_MINUTE` without a time.
        seen: uint8[k], bits of `SEEN_DATA` and so on, of lanes of TCP streams.
        kind: uint8[k], see `NO_PORTS`.
        context: int32[k], index into `contexts`. contexts: int64[c], see `pack_context`.
        pair: int32[k], number of the pair of peers in the batch: all lanes both ways between the same addresses and ports, of one
            transport (and, in ICMP errors, with the same ports quoted), whatever is around them.
        turned: bool[k], whether the sender is the second of the pair; which is the second is as good as random.
        pair_lane: int64[p], the first lane of each pair.
        quoted: int64[k], what an ICMP error quotes, see `pack_quoted`; 0 elsewhere.
        syns: int64[m], places of segments with SYN of TCP streams.
    """

    number: Int32
    first: Int64
    last: Int64
    answer: Int64
    counts: npt.NDArray[np.int64]
    minute: Int64
    seen: npt.NDArray[np.uint8]
    kind: npt.NDArray[np.uint8]
    context: Int32
    contexts: Int64
    pair: Int32
    turned: Bool
    pair_lane: Int64
    quoted: Int64
    syns: Int64

    def __len__(self) -> int:
        return len(self.first)


def find_lanes(columns: Columns) -> Lanes:
    """The lanes of a batch."""
    kind = _kinds(columns)
    context = pack_context(columns, kind)
    quoted = pack_quoted(columns) if columns.in_icmp_error.any() else None
    minute = _minutes(columns.ts_ns)
    sender = columns.src_ip.astype(np.int64) + 1 << _PORT_BITS | columns.src_port + 1
    receiver = columns.dst_ip.astype(np.int64) + 1 << _PORT_BITS | columns.dst_port + 1
    number, first = _group_directed(sender, receiver, len(columns.addresses))
    apart = [context]
    if quoted is not None:
        apart.append(quoted)
    if isinstance(minute, np.ndarray):
        apart.append(minute)
    if columns.headers is not None:
        apart.append(columns.headers.innermost.astype(np.int64))
    number, first = _split(number, first, apart)
    local_context, context_first = group(context[first])
    pair, turned, pair_lane = _pairs(sender[first], receiver[first], kind[first], None if quoted is None else quoted[first])
    lanes = Lanes(
        number=number,
        first=first,
        last=_EMPTY,
        answer=_EMPTY,
        counts=_EMPTY.reshape(len(COUNTERS), 0),
        minute=minute[first] if isinstance(minute, np.ndarray) else np.full(len(first), minute),
        seen=_EMPTY.astype(np.uint8),
        kind=kind[first],
        context=local_context,
        contexts=context[first[context_first]],
        pair=pair,
        turned=turned,
        pair_lane=pair_lane,
        quoted=np.zeros(len(first), dtype=np.int64) if quoted is None else quoted[first],
        syns=_EMPTY,
    )
    _summarise(lanes, columns)
    return lanes


def split_lanes(lanes: Lanes, columns: Columns, places: Int64, stream: Int32) -> tuple[Lanes, Int64]:
    """Split lanes whose packets turn out to be of several streams.

    Args:
        lanes: The lanes of a batch.
        columns: The batch.
        places: int64[m], places of all packets of the lanes in question, ascending.
        stream: int32[m], their streams.

    Returns:
        The lanes, and int64[k], the old lane that each one is of.
    """
    apart = np.zeros(len(columns), dtype=np.int64)
    apart[places] = stream
    number, first = _split(lanes.number, lanes.first, [apart])
    parent = lanes.number[first].astype(np.int64)
    result = replace(lanes, number=number, first=first)
    for name in ("minute", "kind", "context", "pair", "turned", "quoted"):
        setattr(result, name, getattr(lanes, name)[parent])
    _summarise(result, columns)
    # Numbers of lanes have moved; a pair's first packet has not.
    result.pair_lane = number[lanes.first[lanes.pair_lane]].astype(np.int64)
    return result, parent


_EMPTY: Int64 = np.zeros(0, dtype=np.int64)


def _kinds(columns: Columns) -> npt.NDArray[np.uint8]:
    kind: npt.NDArray[np.uint8] = _KIND_OF.take(columns.transport + np.int16(1))
    # Ports of an outer header stay where the inner packet has none: they are not the ports of its addresses.
    foreign = (columns.transport != columns.ip_protocol) | columns.in_icmp_error
    # Wireshark knows a connection from the window on.
    cut = (kind == TCP_STREAM) & (columns.tcp_window < 0)
    places = np.flatnonzero(((foreign | cut) & (kind != NO_PORTS)) & (kind <= UDP_LITE_STREAM))
    kind[places] = np.where(kind[places] == TCP_STREAM, OTHER_TCP, OTHER_UDP)
    return kind


def pack_context(columns: Columns, kind: npt.NDArray[np.uint8]) -> Int64:
    """The context of each packet as one number (int64[n]): path, link type, layers, version, protocol, and the kind lowest."""
    packed = columns.counted_path.astype(np.int64)
    for name, bits in CONTEXT_FIELDS:
        packed <<= bits
        packed += getattr(columns, name)
        packed += 1
    packed <<= KIND_BITS
    packed |= kind
    return packed


def unpack_context(packed: Int64) -> dict[str, Int64]:
    """The fields of contexts: those of `CONTEXT_FIELDS`, `path` and `kind`."""
    fields = {"kind": packed & (1 << KIND_BITS) - 1}
    packed = packed >> KIND_BITS
    for name, bits in reversed(CONTEXT_FIELDS):
        fields[name] = (packed & (1 << bits) - 1) - 1
        packed = packed >> bits
    return fields | {"path": packed}


def pack_quoted(columns: Columns) -> Int64:
    """Protocol and ports that ICMP errors quote, as one number (int64[n]), 0 where nothing is quoted."""
    packed = columns.error_ip_protocol.astype(np.int64) + 1
    for ports in (columns.error_src_port, columns.error_dst_port):
        packed <<= _PORT_BITS
        packed += ports
        packed += 1
    return packed


def unpack_quoted(packed: Int64) -> tuple[Int64, Int64, Int64]:
    """Protocol, source port and destination port, -1 where absent."""
    mask = (1 << _PORT_BITS) - 1
    return (packed >> 2 * _PORT_BITS) - 1, (packed >> _PORT_BITS & mask) - 1, (packed & mask) - 1


def _minutes(ts_ns: Int64) -> Int64 | int:
    """Minute of each packet; one number when it is the same for all."""
    if not len(ts_ns):
        return NO_MINUTE
    earliest, latest = int(ts_ns.min()), int(ts_ns.max())
    if earliest != NO_TIME and earliest // MINUTE_NS == latest // MINUTE_NS:
        return earliest // MINUTE_NS
    return np.where(ts_ns == NO_TIME, NO_MINUTE, ts_ns // MINUTE_NS)


def _group_directed(sender: Int64, receiver: Int64, addresses: int) -> tuple[Int32, Int64]:
    if addresses > _LOCAL_ADDRESSES:
        numbers, _ = group(np.concatenate([sender, receiver]))
        sender, receiver = np.split(numbers.astype(np.int64), 2)
    return group(sender << 31 | receiver)


def _split(number: Int32, first: Int64, columns: list[Int64]) -> tuple[Int32, Int64]:
    """Split groups until all columns are the same throughout each; groups stay in order of first appearance.

    Few groups are split, so only the packets of those are grouped anew.
    """
    differs = np.zeros(len(number), dtype=np.bool_)
    # Widened once, because each use as an index would do it again.
    index = number.astype(np.int64)
    for column in columns:
        differs |= column != column.take(first).take(index)
    if not differs.any():
        return number, first
    mixed = np.zeros(len(first), dtype=np.bool_)
    mixed[index[differs]] = True
    places = np.flatnonzero(mixed.take(index))
    parts, part_first = group(number[places], *(column[places] for column in columns))
    # The first part of a mixed group keeps its number; the others come behind, until all are put in order.
    first_places = places[part_first]
    goes_on = first[number[first_places]] == first_places
    renumbered = np.empty(len(part_first), dtype=np.int64)
    renumbered[goes_on] = number[first_places[goes_on]]
    renumbered[~goes_on] = len(first) + np.arange(np.count_nonzero(~goes_on))
    all_first = np.concatenate([first, first_places[~goes_on]])
    number = number.copy()
    number[places] = renumbered[parts]
    order = np.argsort(all_first)
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank.take(number), all_first[order]


def _pairs(sender: Int64, receiver: Int64, kind: npt.NDArray[np.uint8], quoted: Int64 | None) -> tuple[Int32, Bool, Int64]:
    """Pairs of peers among k lanes: number of each lane's, whether it is turned, and the first lane of each pair."""
    numbers, _ = group(np.concatenate([sender, receiver]))
    ends = numbers.astype(np.int64).reshape(2, -1)
    low, high = ends.min(axis=0), ends.max(axis=0)
    # UDP and UDP-Lite share Wireshark's udp.stream.
    transport = np.where(kind == UDP_LITE_STREAM, UDP_STREAM, kind).astype(np.int64)
    key = (low << _END_BITS | high) << KIND_BITS | transport
    pair, pair_lane = group(key) if quoted is None else group(key, quoted)
    return pair, ends[0] > ends[1], pair_lane


def _summarise(lanes: Lanes, columns: Columns) -> None:
    """Fill in what is found by adding up the packets of each lane."""
    size = len(lanes.first)
    number = lanes.number.astype(np.int64)
    lanes.last = np.empty(size, dtype=np.int64)
    # Of several packets of a lane the last one written stays.
    lanes.last[number] = np.arange(len(number))
    has_payload = columns.payload_length > 0
    payload = np.flatnonzero(has_payload)
    of_payload = number[payload]
    wire_length = columns.wire_length
    counts = np.empty((len(COUNTERS), size), dtype=np.int64)
    counts[0] = np.bincount(number, minlength=size)
    # Sums in float64 are exact here: at most `BATCH_PACKETS` lengths below 2**32.
    counts[1] = np.bincount(number, wire_length, minlength=size)
    counts[2] = np.bincount(of_payload, minlength=size)
    counts[3] = np.bincount(of_payload, wire_length[payload], minlength=size)
    counts[4] = np.bincount(of_payload, columns.payload_length[payload], minlength=size)
    lanes.counts = counts
    _summarise_tcp(lanes, columns.tcp_flags, number, has_payload)


def _summarise_tcp(lanes: Lanes, flags: npt.NDArray[np.int16], number: Int64, has_payload: Bool) -> None:
    is_tcp = lanes.kind == TCP_STREAM
    size = len(is_tcp)
    lanes.seen = np.zeros(size, dtype=np.uint8)
    lanes.answer = np.full(size, -1, dtype=np.int64)
    lanes.syns = _EMPTY
    if not is_tcp.any():
        return
    # Nearly all segments have ACK and no SYN: the others are counted, and the rest is what remains.
    kind = flags & (SYN | ACK)
    unusual = np.flatnonzero((kind != ACK) & (flags >= 0))
    unusual = unusual[is_tcp[number[unusual]]]
    lanes.syns = unusual[kind[unusual] & SYN != 0]
    lane, with_payload = number[unusual], has_payload[unusual]
    data = lanes.counts[2] - np.bincount(lane[with_payload], minlength=size)
    acks = lanes.counts[0] - lanes.counts[2] - np.bincount(lane[~with_payload], minlength=size)
    lanes.seen[data > 0] |= SEEN_DATA
    lanes.seen[acks > 0] |= SEEN_ACK
    fins = np.flatnonzero((flags & (FIN | ACK) == FIN | ACK) & (flags >= 0))
    resets = np.flatnonzero((flags & RST != 0) & (flags >= 0))
    for places, bit in ((lanes.syns[kind[lanes.syns] == SYN | ACK], SEEN_SYN_ACK), (fins, SEEN_FIN), (resets, SEEN_RST)):
        # The same bit is set however often a lane occurs here.
        lanes.seen[number[places]] |= bit
    lanes.seen[~is_tcp] = 0
    lanes.answer = np.where(is_tcp, lanes.first, -1)
    begins_with_syn = is_tcp & (flags[lanes.first] & SYN != 0)
    lanes.answer[begins_with_syn] = -1
    if (begins_with_syn & (lanes.counts[0] > 1)).any():
        later = np.flatnonzero(begins_with_syn[number] & (flags & SYN == 0))[::-1]
        # Written backwards, so that the first segment of each lane is what stays.
        lanes.answer[number[later]] = later
