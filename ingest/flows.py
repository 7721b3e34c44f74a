"""Conversations: every packet of a capture is counted in exactly one flow.

Two packets are of one flow when they have the same context (protocols, link type and layers around them), in a tunnel the same IP
headers with the same UDP ports behind them, and the same peers:

- the same TCP or UDP stream, where they have one;
- else the same unordered pair of addresses and ports, of which either may be absent, and in an ICMP error the same quoted ports.

Counts are kept by direction of the flow's first packet, because who is client may come out later.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..warehouse.arrays import Rows, arrow
from ..warehouse.tables import FLOW_MINUTES, FLOWS
from ..warehouse.texts import take
from .applications import SOURCES as LABEL_SOURCES
from .arrow_columns import named, numbers_or_null, texts_or_null, times_or_null
from .columns import Bool, Columns, Int32, Int64
from .formats.link_types import link_type_name
from .keys import KeyTable
from .lanes import COUNTERS, KIND_BITS, NO_MINUTE, TCP_STREAM, TRANSPORTS, UDP_LITE_STREAM, Lanes, unpack_context, unpack_quoted
from .peers import Peers, address, port
from .resting import Resting, parts
from .roles import BY_FIRST, BY_PORT, ROLE_SOURCES, StreamRoles, by_port
from .rollup import Rollup, Sums
from .vectors import Vector

if TYPE_CHECKING:
    from .addresses import AddressBook
    from .applications import Labels

_NO_STREAM, _TCP, _UDP = 0, 1, 2
_STREAM_BITS = 2
_PORT_BITS = 32
"""Each port plus one, 0 without UDP."""


class Flows:
    """The flows of one capture, over its batches in file order.

    Costs about 50 bytes a flow; what is read at the end only rests in a file.

    Args:
        known_ports: bool[65536], ports on which applications are known to serve: they tell client from server where no SYN does.
    """

    def __init__(self, known_ports: Bool | None = None) -> None:
        self._known_ports = known_ports
        self._contexts = KeyTable()
        self._headers = KeyTable(3)
        """IP headers in tunnels: the one inside plus one or 0, both addresses, UDP ports (see `_PORT_BITS`)."""
        self._pairs = KeyTable(3)
        self._keys = KeyTable(2)
        self._roles = StreamRoles()
        self._rollup = Rollup()
        self._first = Resting({**dict.fromkeys(("sender", "receiver", "ts_ns", "frame"), np.int64), "headers_turned": np.bool_})
        """First packet of each flow: the ends that sent it and were to receive it, its time, its frame number, and whether the sender's
        end is the second one of its IP headers in a tunnel."""
        self._turned = Vector(np.bool_)
        """Whether the first packet's sender is the second of the flow's peers."""
        self._last_ts_ns = Vector(np.int64)

    def __len__(self) -> int:
        return len(self._keys)

    def update(self, columns: Columns, lanes: Lanes, peers: Peers, stream: Int32, numbers: Int32) -> Int32:
        """Count the lanes of the next batch.

        Args:
            columns: The batch.
            lanes: Its lanes, peers: who they are between, as `Streams.number` gives them.
            stream: int32[k], as `Streams.number` gives it.
            numbers: What `AddressBook.add` gave for the batch.

        Returns:
            int32[k], the flow of each lane; flows are numbered from 0 in order of their first packets.
        """
        peer_key = self._peer_keys(lanes, peers, stream)
        contexts, _ = self._contexts.number(lanes.contexts)
        outermost, headers_turned = self._outermost(columns, lanes, peers, numbers)
        around = contexts[lanes.context].astype(np.int64) << 32 | outermost + 1
        flows, added = self._keys.number(peer_key, around)
        self._note_first(columns, lanes, peers, headers_turned, added)
        # Of several lanes of one flow the one written last stays: that with the last packet.
        order = np.argsort(lanes.last)
        self._last_ts_ns.grow(len(self._keys))[flows[order]] = columns.ts_ns[lanes.last[order]]
        syn_lanes = lanes.number[lanes.syns]
        self._roles.update(stream[syn_lanes], peers.turned[syn_lanes], columns.tcp_flags[lanes.syns])
        backward = peers.turned ^ self._turned.array[flows]
        self._rollup.add(flows, lanes.minute, backward, lanes.counts)
        return flows

    def _peer_keys(self, lanes: Lanes, peers: Peers, stream: Int32) -> Int64:
        """Number of each lane's stream, else of its pair of peers, and below it which of these it is."""
        kind = np.where(lanes.kind == TCP_STREAM, _TCP, _UDP)
        key = stream.astype(np.int64) << _STREAM_BITS | kind
        pairs = np.flatnonzero((lanes.kind[lanes.pair_lane] < TCP_STREAM) | (lanes.kind[lanes.pair_lane] > UDP_LITE_STREAM))
        if len(pairs):
            first = lanes.pair_lane[pairs]
            numbers = np.empty(len(lanes.pair_lane), dtype=np.int64)
            quoted = lanes.quoted[first] << KIND_BITS | lanes.kind[first]
            numbers[pairs], _ = self._pairs.number(peers.low[pairs], peers.high[pairs], quoted)
            places = np.flatnonzero((lanes.kind < TCP_STREAM) | (lanes.kind > UDP_LITE_STREAM))
            key[places] = numbers[lanes.pair[places]] << _STREAM_BITS | _NO_STREAM
        return key

    def _outermost(self, columns: Columns, lanes: Lanes, peers: Peers, numbers: Int32) -> tuple[Int64, Bool]:
        """Number of the outermost IP header of each lane (int64[k]), -1 where it has no more than one; and which end comes first.

        They are numbered from the inside out, so that a number stands for the header and all that are inside. The end on the side of
        the first peer comes first. Where the peers are one and the same that is no side, and the innermost header with two ends decides:
        of these the one with the lower number comes first.

        Returns:
            The numbers; bool[k], whether the sender's end is the second one.
        """
        found = np.full(len(lanes), -1, dtype=np.int64)
        every_turned = peers.turned.copy()
        headers = columns.headers
        if headers is None:
            return found, every_turned
        tied = (peers.low == peers.high)[lanes.pair]
        header = headers.innermost.take(lanes.first)
        places = np.flatnonzero(header >= 0)
        header = header.take(places)
        while len(places):
            near, far = numbers[headers.src_ip[header]].astype(np.int64), numbers[headers.dst_ip[header]].astype(np.int64)
            near_port, far_port = headers.src_port[header].astype(np.int64) + 1, headers.dst_port[header].astype(np.int64) + 1
            undecided = tied[places] & ((near != far) | (near_port != far_port))
            every_turned[places[undecided]] = ((near > far) | ((near == far) & (near_port > far_port)))[undecided]
            tied[places[undecided]] = False
            turned = every_turned[places]
            found[places], _ = self._headers.number(
                found[places] + 1,
                np.where(turned, far << 32 | near, near << 32 | far),
                np.where(turned, far_port << _PORT_BITS | near_port, near_port << _PORT_BITS | far_port),
            )
            header = headers.around.take(header)
            places, header = places[header >= 0], header[header >= 0]
        return found, every_turned

    def _note_first(self, columns: Columns, lanes: Lanes, peers: Peers, headers_turned: Bool, added: Int64) -> None:
        low, high, turned = peers.low[lanes.pair[added]], peers.high[lanes.pair[added]], peers.turned[added]
        first = lanes.first[added]
        sender, receiver = np.where(turned, high, low), np.where(turned, low, high)
        number = np.arange(len(self._turned), len(self._turned) + len(added))
        self._turned.append(sender > receiver)
        self._first.put(
            number,
            {
                "sender": sender,
                "receiver": receiver,
                "headers_turned": headers_turned[added],
                "ts_ns": columns.ts_ns[first],
                "frame": columns.first_frame + first,
            },
        )

    def finish(self, book: AddressBook, path_texts: list[str], labels: Labels) -> Iterator[tuple[Rows, Rows]]:
        """The rows of `flows` and `flow_minutes`, without `ingest_id`, for so many flows at a time.

        Args:
            book: The capture's addresses.
            path_texts: Text of each protocol path, by its number.
            labels: The verdict on every flow.
        """
        for part in parts(len(self), len(self._rollup)):
            first = self._first.of(part)
            role_source, from_client = self._client_first(part, first)
            totals, minutes = count_rows(self._rollup.of_flows(part), from_client, part.start)
            columns = totals | self._rows(part, first, from_client, path_texts, book.text)
            columns |= {
                "role_source": texts_or_null(role_source, pa.array(ROLE_SOURCES, pa.string())),
                "application": texts_or_null(labels.application[part], pa.array(labels.names, pa.string())),
                "application_source": texts_or_null(labels.source[part], pa.array(LABEL_SOURCES, pa.string())),
            }
            yield columns, {name: counts for name, counts in minutes.items() if name in FLOW_MINUTES.by_name}

    def _rows(
        self, part: slice, first: npt.NDArray[Any], from_client: Bool, path_texts: list[str], addresses: pa.Array
    ) -> dict[str, pa.Array]:
        """What does not come of counting or of payload: columns of `flows`."""
        sender, receiver = first["sender"], first["receiver"]
        peer_key, around = (word.array[part] for word in self._keys.words)
        context = unpack_context(self._contexts.words[0].array[around >> 32])
        quoted_protocol, quoted_src, quoted_dst = self._quoted(peer_key, context["in_icmp_error"])
        streams = np.where(peer_key & (1 << _STREAM_BITS) - 1 == _NO_STREAM, -1, peer_key >> _STREAM_BITS)
        outermost = (around & 0xFFFFFFFF) - 1
        near, far = self._tunnel_ends(outermost, first["headers_turned"])
        columns = {
            "flow_id": np.arange(part.start, part.stop),
            "stream": streams,
            "ip_version": context["ip_version"],
            "ip_protocol": context["ip_protocol"],
            "first_from_client": from_client,
            "ipv4_layers": context["ipv4_layers"],
            "ipv6_layers": context["ipv6_layers"],
            "in_icmp_error": context["in_icmp_error"] != 0,
            "tcp_header_cut": context["tcp_header_cut"] != 0,
            "error_ip_protocol": quoted_protocol,
            "error_src_port": quoted_src,
            "error_dst_port": quoted_dst,
            "first_frame": first["frame"],
        }
        ends = zip(("client", "server"), _sides(sender, receiver, from_client), _sides(near, far, from_client), strict=True)
        texts: dict[str, pa.Array] = {}
        for side, end, tunnel in ends:
            columns[f"{side}_port"] = port(end)
            texts[f"{side}_ip"] = texts_or_null(address(end), addresses)
            texts[f"tunnel_{side}_ip"] = texts_or_null(tunnel, addresses)
        return {
            **{name: numbers_or_null(values, FLOWS.by_name[name].type.arrow()) for name, values in columns.items()},
            **texts,
            "link_type": named(context["link_type"], link_type_name),
            "protocols": named(context["path"], path_texts.__getitem__),
            "transport": named(context["kind"], TRANSPORTS.__getitem__),
            "ip_headers": self._header_lists(outermost, first["headers_turned"] == from_client, addresses),
            "first_ts_ns": times_or_null(first["ts_ns"]),
            "last_ts_ns": times_or_null(self._last_ts_ns.array[part]),
        }

    def _client_first(self, part: slice, first: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int8], Bool]:
        """How the client of each flow of a part is known (int8, of `ROLE_SOURCES`), and whether it sent the first packet."""
        sender, receiver = first["sender"], first["receiver"]
        source = np.full(len(first), BY_FIRST, dtype=np.int8)
        tells, from_client = by_port(port(sender), port(receiver), self._known_ports)
        source[tells] = BY_PORT
        from_client = from_client | ~tells
        peer_key = self._keys.words[0].array[part]
        tcp = np.flatnonzero(peer_key & (1 << _STREAM_BITS) - 1 == _TCP)
        known_by, client = self._roles.client(peer_key[tcp] >> _STREAM_BITS)
        known = known_by >= 0
        source[tcp[known]] = known_by[known]
        from_client[tcp[known]] = client[known] == (sender > receiver)[tcp[known]]
        return source, from_client

    def _tunnel_ends(self, outermost: Int64, turned: Bool) -> tuple[Int64, Int64]:
        """Tunnel ends on the side of the first packet's sender and receiver: addresses, -1 without a tunnel."""
        low, high = _halves(np.append(self._headers.words[1].array, np.int64(-1))[outermost])
        return np.where(turned, high, low), np.where(turned, low, high)

    def _header_lists(self, outermost: Int64, turned: Bool, addresses: pa.Array) -> pa.Array:
        """The IP headers of each flow, outermost first; NULL without a tunnel.

        Args:
            outermost: int64[k], -1 without a tunnel.
            turned: bool[k], whether the client's end of each header is the second one.
            addresses: Text of all addresses.
        """
        inside, ends, ports = (word.array for word in self._headers.words)
        flow = np.flatnonzero(outermost >= 0)
        header = outermost[flow]
        levels = [(flow, header)]
        while len(flow):
            header = inside[header] - 1
            flow, header = flow[header >= 0], header[header >= 0]
            levels.append((flow, header))
        flow, header = (np.concatenate(column) for column in zip(*levels, strict=True))
        # Stable, so that outer headers stay before inner ones.
        order = np.argsort(flow, kind="stable")
        flow, header = flow[order], header[order]
        lengths = np.bincount(flow, minlength=len(outermost))
        kind = FLOWS.by_name["ip_headers"].type.arrow()
        values: dict[str, pa.Array] = {}
        (low, high), (low_port, high_port) = _halves(ends[header]), _halves(ports[header])
        for side, swap in (("client", turned[flow]), ("server", ~turned[flow])):
            values[f"{side}_ip"] = take(addresses, np.where(swap, high, low))
            values[f"{side}_udp_port"] = numbers_or_null(np.where(swap, high_port, low_port) - 1, pa.int32())
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        records = pa.StructArray.from_arrays([values[field.name] for field in kind.value_type], fields=list(kind.value_type))
        # `ListArray.from_arrays` with a mask would load Arrow's functions, see `warehouse.texts`.
        validity = pa.py_buffer(np.packbits(lengths > 0, bitorder="little"))
        return pa.Array.from_buffers(kind, len(lengths), [validity, pa.py_buffer(offsets)], children=[records])

    def _quoted(self, peer_key: Int64, in_error: Int64) -> tuple[Int64, Int64, Int64]:
        """Protocol and ports of the packets that ICMP errors are about, -1 elsewhere."""
        quoted = np.zeros(len(peer_key), dtype=np.int64)
        rows = np.flatnonzero(in_error)
        quoted[rows] = self._pairs.words[2].array[peer_key[rows] >> _STREAM_BITS] >> KIND_BITS
        return unpack_quoted(quoted)


def count_rows(sums: Sums, from_client: Bool, start: int) -> tuple[dict[str, pa.Array], dict[str, pa.Array]]:
    """The counters of `flows` and the columns of `flow_minutes`.

    Args:
        sums: Of flows without a gap.
        from_client: Whether the client sent the first packet, of each of the flows.
        start: Number of the first flow.
    """
    begins = np.diff(sums.flow << 32 | sums.minute - NO_MINUTE, prepend=-1) != 0
    starts = np.flatnonzero(begins)
    to_client = sums.backward == from_client[sums.flow - start]
    # Two places a row of `flow_minutes`, one for each way.
    place = (np.cumsum(begins) - 1) * 2 + to_client
    flow, minute = sums.flow[starts], sums.minute[starts]
    flow_starts = np.flatnonzero(np.diff(flow, prepend=-1))
    totals: dict[str, pa.Array] = {}
    minutes = {"flow_id": arrow(flow.astype(np.int32)), "minute": arrow(minute.astype(np.int32), minute != NO_MINUTE)}
    for name, counts in zip(COUNTERS, sums.counts, strict=True):
        both = np.zeros(2 * len(starts), dtype=np.int64)
        both[place] = counts
        for way, end in enumerate(("server", "client")):
            one_way = np.ascontiguousarray(both[way::2])
            minutes[f"{name}_to_{end}"] = arrow(one_way)
            totals[f"{name}_to_{end}"] = arrow(np.add.reduceat(one_way, flow_starts))
    return totals, minutes


def _halves(words: Int64) -> tuple[Int64, Int64]:
    """The upper and the lower 32 bits."""
    return words >> 32, (words & 0xFFFFFFFF).astype(np.int32).astype(np.int64)


def _sides(sender: npt.NDArray[Any], receiver: npt.NDArray[Any], from_client: Bool) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Client's and server's of a value that the first packet's sender and receiver have."""
    return np.where(from_client, sender, receiver), np.where(from_client, receiver, sender)
