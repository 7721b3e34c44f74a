"""Conversations: every packet of a capture is counted in exactly one flow.

Two packets are of one flow when they have the same context (protocols, link type and layers around them), the same pair of tunnel ends,
and the same peers:

- the same TCP or UDP stream, where they have one;
- else the same unordered pair of addresses and ports, of which either may be absent, and in an ICMP error the same quoted ports.

Counts are kept by direction of the flow's first packet, because who is client may come out later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..warehouse.tables import FLOW_MINUTES, FLOWS
from .applications import SOURCES as LABEL_SOURCES
from .columns import Bool, Columns, Int32, Int64
from .formats.base import NO_TIME
from .formats.link_types import link_type_name
from .keys import KeyTable, group, group_all
from .protocols.ports_only import DCCP, SCTP
from .protocols.tcp import NUMBER as TCP
from .protocols.udp import NUMBER as UDP
from .protocols.udp import NUMBER_LITE as UDP_LITE
from .roles import BY_FIRST, BY_PORT, ROLE_SOURCES, StreamRoles, by_port
from .rollup import COUNTERS, NO_MINUTE, Rollup
from .vectors import Vector

if TYPE_CHECKING:
    from ..warehouse.schema import Table
    from .addresses import AddressBook
    from .applications import Labels

TRANSPORTS = {TCP: "TCP", UDP: "UDP", UDP_LITE: "UDP", SCTP: "SCTP", DCCP: "DCCP"}
"""Values of `flows.transport`; Wireshark counts UDP-Lite as UDP."""
SYN = 0x02
_NO_STREAM, _TCP_STREAM, _UDP_STREAM = 0, 1, 2
_KIND_BITS = 2


@dataclass(slots=True)
class _Peers:
    """Who talks in each packet of a batch, apart from what is around it.

    Attributes:
        key: int64[n], capture-wide: number of the stream or of the pair of peers, and below it which of these it is.
        turned: bool[n], whether the sender is the second of the two.
    """

    key: Int64
    turned: Bool


class Flows:
    """The flows of one capture, over its batches in file order.

    Costs about 70 bytes a flow, and 48 for each minute and direction in which it has packets.

    Args:
        known_ports: bool[65536], ports on which applications are known to serve: they tell client from server where no SYN does.
    """

    def __init__(self, known_ports: Bool | None = None) -> None:
        self._known_ports = known_ports
        self._contexts = KeyTable()
        self._tunnels = KeyTable()
        self._pairs = KeyTable(3)
        self._keys = KeyTable(2)
        self._roles = StreamRoles()
        self._rollup = Rollup()
        self._first: dict[str, Vector[Any]] = {
            "src": Vector(np.int32), "dst": Vector(np.int32), "src_port": Vector(np.int32), "dst_port": Vector(np.int32),
            "transport": Vector(np.int16), "turned": Vector(np.bool_), "ts_ns": Vector(np.int64), "frame": Vector(np.int64),
        }  # fmt: skip
        self._last_ts_ns = Vector(np.int64)

    def __len__(self) -> int:
        return len(self._keys)

    def update(self, columns: Columns, stream: Int32, src: Int32, dst: Int32, numbers: Int32) -> Int32:
        """Count the packets of the next batch.

        Args:
            columns: The batch.
            stream: int32[n], as `Streams.number` gives it.
            src: int32[n], capture-wide number of `src_ip`, dst: of `dst_ip`.
            numbers: What `AddressBook.add` gave for the batch.

        Returns:
            int32[n], the flow of each packet; flows are numbered from 0 in order of their first packets.
        """
        if not len(columns):
            return np.zeros(0, dtype=np.int32)
        context, context_first, context_numbers = self._contexts_of(columns)
        peers = self._peers_of(columns, stream, src, dst)
        tunnels = self._tunnels_of(columns, numbers, peers.turned)
        if tunnels is None:
            local, first = group(peers.key << 17 | context)
        else:
            around, _ = group(context.astype(np.int64) << 32 | tunnels + 1)
            local, first = group(peers.key << 17 | around)
        around_first = context_numbers[context[first]].astype(np.int64) << 32
        if tunnels is not None:
            around_first |= tunnels[first] + 1
        flows, added = self._keys.number(peers.key[first], around_first)
        self._note_first(columns, src, dst, peers.turned, first[added])
        self._note_last(columns, local, flows)
        self._note_roles(columns, stream, peers.turned)
        backward = peers.turned ^ self._first["turned"].array[flows][local]
        self._rollup.add(local, flows, backward, columns.ts_ns, columns.wire_length, columns.payload_length)
        return flows[local]

    def _contexts_of(self, columns: Columns) -> tuple[Int32, Int64, Int32]:
        """Number of each packet's context in the batch (int32[n]), the first packet of each, and their capture-wide numbers."""
        packed = _Context.pack(columns)
        local, first = group(packed)
        numbers, _ = self._contexts.number(packed[first])
        return local, first, numbers

    def _peers_of(self, columns: Columns, stream: Int32, src: Int32, dst: Int32) -> _Peers:
        sender = src.astype(np.int64) << 17 | columns.src_port + 1
        receiver = dst.astype(np.int64) << 17 | columns.dst_port + 1
        turned = sender > receiver
        kind = np.where(columns.tcp_flags < 0, _UDP_STREAM, _TCP_STREAM)
        key = stream.astype(np.int64) << _KIND_BITS | kind
        rows = np.flatnonzero(stream < 0)
        if len(rows):
            words = _pair_words(columns, rows, sender[rows], receiver[rows])
            pairs, first = group_all(*words)
            numbers, _ = self._pairs.number(*(word[first] for word in words))
            key[rows] = numbers[pairs].astype(np.int64) << _KIND_BITS | _NO_STREAM
        return _Peers(key, turned)

    def _tunnels_of(self, columns: Columns, numbers: Int32, turned: Bool) -> Int64 | None:
        """Number of the pair of tunnel ends of each packet (int64[n]), -1 without; None when no packet has any."""
        rows = np.flatnonzero(columns.tunnel_src_ip >= 0)
        if not len(rows):
            return None
        near = numbers[columns.tunnel_src_ip[rows]].astype(np.int64)
        far = numbers[columns.tunnel_dst_ip[rows]].astype(np.int64)
        # The end on the sender's side first, or last where the sender is the second of the peers.
        ends = np.where(turned[rows], far << 32 | near, near << 32 | far)
        pairs, first = group(ends)
        known, _ = self._tunnels.number(ends[first])
        tunnels = np.full(len(columns), -1, dtype=np.int64)
        tunnels[rows] = known[pairs]
        return tunnels

    def _note_first(self, columns: Columns, src: Int32, dst: Int32, turned: Bool, rows: Int64) -> None:
        for name, values in (
            ("src", src), ("dst", dst), ("src_port", columns.src_port), ("dst_port", columns.dst_port), ("transport", columns.transport),
            ("turned", turned), ("ts_ns", columns.ts_ns),
        ):  # fmt: skip
            self._first[name].append(values[rows])
        self._first["frame"].append(columns.first_frame + rows)

    def _note_last(self, columns: Columns, local: Int32, flows: Int32) -> None:
        last = np.empty(len(flows), dtype=np.int64)
        # Of several packets for one flow the last one written stays.
        last[local] = np.arange(len(local))
        self._last_ts_ns.grow(len(self._keys))[flows] = columns.ts_ns[last]

    def _note_roles(self, columns: Columns, stream: Int32, turned: Bool) -> None:
        rows = np.flatnonzero((columns.tcp_flags >= 0) & (columns.tcp_flags & SYN != 0) & (stream >= 0))
        self._roles.update(stream[rows], turned[rows], columns.tcp_flags[rows])

    def finish(self, book: AddressBook, path_texts: list[str], labels: Labels) -> tuple[pa.Table, pa.Table]:
        """The rows of `flows` and `flow_minutes`, without `ingest_id`.

        Args:
            book: The capture's addresses.
            path_texts: Text of each protocol path, by its number.
            labels: The verdict on every flow.
        """
        first = {name: vector.array for name, vector in self._first.items()}
        role_source, from_client = self._client_first(first)
        peer_key, around = (word.array for word in self._keys.words)
        context = _Context.unpack(self._contexts.words[0].array[around >> 32])
        tunnel_src, tunnel_dst = self._tunnel_ends(around & 0xFFFFFFFF, first["turned"])
        error = self._quoted(peer_key, context["in_icmp_error"])
        kind = peer_key & (1 << _KIND_BITS) - 1
        addresses = {
            name: _sides(*pair, from_client)
            for name, pair in (("ip", (first["src"], first["dst"])), ("tunnel", (tunnel_src, tunnel_dst)), ("port", (first["src_port"], first["dst_port"])))
        }
        totals, minutes = self._counts(from_client)
        text = book.text
        size = len(self)
        flows = {
            "flow_id": pa.array(np.arange(size, dtype=np.int32)),
            "link_type": _coded(context["link_type"], link_type_name),
            "protocols": _coded(context["path"], path_texts.__getitem__),
            "transport": _coded(first["transport"], TRANSPORTS.get),
            "ip_version": _nullable(context["ip_version"], np.int16),
            "ip_protocol": _nullable(context["ip_protocol"], np.int16),
            "stream": _nullable(np.where(kind == _NO_STREAM, -1, peer_key >> _KIND_BITS), np.int32),
            "client_ip": _text(addresses["ip"][0], text),
            "client_port": _nullable(addresses["port"][0], np.int32),
            "server_ip": _text(addresses["ip"][1], text),
            "server_port": _nullable(addresses["port"][1], np.int32),
            "role_source": _text(role_source, pa.array(ROLE_SOURCES)),
            "first_from_client": pa.array(from_client),
            "tunnel_client_ip": _text(addresses["tunnel"][0], text),
            "tunnel_server_ip": _text(addresses["tunnel"][1], text),
            "ipv4_layers": pa.array(context["ipv4_layers"].astype(np.int16)),
            "ipv6_layers": pa.array(context["ipv6_layers"].astype(np.int16)),
            "in_icmp_error": pa.array(context["in_icmp_error"] != 0),
            "error_ip_protocol": _nullable(error[0], np.int16),
            "error_src_port": _nullable(error[1], np.int32),
            "error_dst_port": _nullable(error[2], np.int32),
            "application": _text(labels.application, pa.array(labels.names, pa.string())),
            "application_source": _text(labels.source, pa.array(LABEL_SOURCES)),
            **totals,
            "first_ts_ns": _time(first["ts_ns"]),
            "last_ts_ns": _time(self._last_ts_ns.array),
            "first_frame": pa.array(first["frame"]),
        }
        return _table(flows, FLOWS), _table(minutes, FLOW_MINUTES)

    def _client_first(self, first: dict[str, npt.NDArray[Any]]) -> tuple[npt.NDArray[np.int8], Bool]:
        """How each flow's client is known (int8, of `ROLE_SOURCES`), and whether it sent the first packet."""
        source = np.full(len(self), BY_FIRST, dtype=np.int8)
        tells, from_client = by_port(first["src_port"], first["dst_port"], self._known_ports)
        source[tells] = BY_PORT
        from_client = from_client | ~tells
        peer_key = self._keys.words[0].array
        tcp = np.flatnonzero(peer_key & (1 << _KIND_BITS) - 1 == _TCP_STREAM)
        known_by, client = self._roles.client(peer_key[tcp] >> _KIND_BITS)
        known = known_by >= 0
        source[tcp[known]] = known_by[known]
        from_client[tcp[known]] = client[known] == first["turned"][tcp[known]]
        return source, from_client

    def _tunnel_ends(self, tunnel: Int64, turned: Bool) -> tuple[Int64, Int64]:
        """Tunnel ends on the side of the first packet's sender and receiver: addresses, -1 without a tunnel."""
        ends = np.append(self._tunnels.words[0].array, np.int64(-1))[tunnel - 1]
        low, high = ends >> 32, (ends & 0xFFFFFFFF).astype(np.int32).astype(np.int64)
        return np.where(turned, high, low), np.where(turned, low, high)

    def _quoted(self, peer_key: Int64, in_error: Int64) -> tuple[Int64, Int64, Int64]:
        """Protocol and ports of the packets that ICMP errors are about, -1 elsewhere."""
        quoted = np.zeros(len(self), dtype=np.int64)
        rows = np.flatnonzero(in_error)
        quoted[rows] = self._pairs.words[2].array[peer_key[rows] >> _KIND_BITS]
        return _unpack_quoted(quoted)

    def _counts(self, from_client: Bool) -> tuple[dict[str, pa.Array], dict[str, pa.Array]]:
        """The counters of `flows` and the columns of `flow_minutes`."""
        sums = self._rollup.finish()
        row_key = sums.flow << 32 | sums.minute - NO_MINUTE
        row = np.cumsum(np.diff(row_key, prepend=-1) != 0) - 1
        starts = np.flatnonzero(np.diff(row_key, prepend=-1) != 0)
        to_client = sums.backward == from_client[sums.flow]
        counts = np.zeros((len(starts), 2, len(COUNTERS)), dtype=np.int64)
        counts[row, to_client.astype(np.int64)] = sums.counts
        flow = sums.flow[starts]
        total = np.zeros((0, 2, len(COUNTERS)), dtype=np.int64)
        if len(flow):
            total = np.add.reduceat(counts, np.flatnonzero(np.diff(flow, prepend=-1)), axis=0)
        minute = sums.minute[starts]
        minutes = {
            "flow_id": pa.array(flow.astype(np.int32)),
            "minute": pa.array(minute.astype(np.int32), mask=minute == NO_MINUTE),
            **_each_way(counts, COUNTERS[:4]),
        }
        return _each_way(total, COUNTERS), minutes


class _Context:
    """Context of a packet as one number below 2**62: its fields, each plus one, above one another."""

    FIELDS = (("link_type", 20), ("ipv6_layers", 6), ("ipv4_layers", 6), ("ip_protocol", 9), ("ip_version", 4), ("in_icmp_error", 2))
    """Names and bits, highest first, below the path."""

    @classmethod
    def pack(cls, columns: Columns) -> Int64:
        """int64[n] of a batch."""
        packed = columns.counted_path.astype(np.int64)
        for name, bits in cls.FIELDS:
            packed <<= bits
            packed += getattr(columns, name)
            packed += 1
        return packed

    @classmethod
    def unpack(cls, packed: Int64) -> dict[str, Int64]:
        """The fields and the path."""
        fields = {}
        for name, bits in reversed(cls.FIELDS):
            fields[name] = (packed & (1 << bits) - 1) - 1
            packed = packed >> bits
        return fields | {"path": packed}


def _pair_words(columns: Columns, rows: Int64, sender: Int64, receiver: Int64) -> tuple[Int64, Int64, Int64]:
    """Three words that stand for the unordered peers of packets without a stream, and for what an ICMP error quotes."""
    quoted = np.zeros(len(rows), dtype=np.int64)
    for values in (columns.error_ip_protocol, columns.error_src_port, columns.error_dst_port):
        quoted = quoted << 17 | values[rows] + 1
    # Transports have their own ports.
    transport = columns.transport[rows].astype(np.int64) + 1
    return np.minimum(sender, receiver), np.maximum(sender, receiver), transport << 51 | quoted


def _unpack_quoted(quoted: Int64) -> tuple[Int64, Int64, Int64]:
    return (quoted >> 34 & 0x1FFFF) - 1, (quoted >> 17 & 0x1FFFF) - 1, (quoted & 0x1FFFF) - 1


def _sides(sender: npt.NDArray[Any], receiver: npt.NDArray[Any], from_client: Bool) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Client's and server's of a value that the first packet's sender and receiver have."""
    return np.where(from_client, sender, receiver), np.where(from_client, receiver, sender)


def _each_way(counts: npt.NDArray[np.int64], names: tuple[str, ...]) -> dict[str, pa.Array]:
    return {
        f"{name}_to_{end}": pa.array(np.ascontiguousarray(counts[:, way, number]))
        for number, name in enumerate(names)
        for way, end in enumerate(("server", "client"))
    }


def _nullable(values: npt.NDArray[Any], dtype: type[np.generic]) -> pa.Array:
    """Integers, NULL where negative."""
    return pa.array(values.astype(dtype), mask=values < 0)


def _time(ts_ns: Int64) -> pa.Array:
    return pa.array(ts_ns, mask=ts_ns == NO_TIME)


def _text(numbers: npt.NDArray[Any], texts: pa.Array) -> pa.Array:
    """Dictionary array over `texts`, NULL where the number is negative."""
    return pa.DictionaryArray.from_arrays(_nullable(numbers, np.int32), texts)


def _coded(values: npt.NDArray[Any], text: Callable[[int], str | None]) -> pa.Array:
    """Dictionary array of the texts of few distinct values."""
    codes, first = group(values.astype(np.int64))
    return pa.DictionaryArray.from_arrays(codes, pa.array([text(value) for value in values[first].tolist()], pa.string())).cast(pa.string())


def _table(columns: dict[str, pa.Array], table: Table) -> pa.Table:
    """The columns in the order of the table's declaration."""
    names = [column.name for column in table.stored if column.name != "ingest_id"]
    return pa.table({name: columns[name] for name in names})
