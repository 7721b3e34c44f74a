"""Packets to columns, a batch at a time.

All packets of a batch that have the same protocol next are dissected together (`protocols.base.Layer`). Waiting protocols are taken
outer ones first, so that the packets of a batch reach IP and TCP in one go whatever was around them; tunnels come round again.
There is no loop over packets, and none over layers of one packet: a packet nested `MAX_LAYERS` deep costs its batch that many steps
over one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .address_table import address_table, mac_texts
from .columns import TUNNEL, Columns
from .formats.base import LARGEST_FRAME_LENGTH, PacketBatch
from .formats.link_types import NO_LINK_TYPE, link_type_name
from .paths import ROOT, Paths
from .protocols import NOTHING, Registry, registry
from .protocols.base import Layer

DECODER_VERSION = 1
"""Raised whenever the same capture would give other rows."""

MAX_LAYERS = 32
"""Layers of one packet that are followed; what lies deeper is not looked at."""

HEAD_BYTES = 128
"""First bytes of each packet that are copied together; enough for Ethernet, two VLAN tags, IPv6 and the longest TCP header."""

Int64 = npt.NDArray[np.int64]

_DEFAULTS: dict[str, np.generic] = {
    **dict.fromkeys(
        ("vlan_id", "ip_version", "ip_protocol", "ip_ttl", "ip_dscp", "icmp_type", "icmp_code", "error_ip_protocol", "transport",
         "tcp_flags", "tcp_window_scale"),
        np.int16(-1),
    ),
    **dict.fromkeys(("ipv4_layers", "ipv6_layers"), np.int16(0)),
    **dict.fromkeys(
        ("ip_fragment_offset", "src_port", "dst_port", "error_src_port", "error_dst_port", "tcp_window", "tcp_mss"), np.int32(-1)
    ),
    **dict.fromkeys(("ip_id", "payload_length", "tcp_seq", "tcp_ack", "tcp_ts_val", "tcp_ts_ecr"), np.int64(-1)),
    **dict.fromkeys(("payload_offset", "payload_captured"), np.int64(0)),
    **dict.fromkeys(("ip_more_fragments", "in_icmp_error", "tcp_sack_permitted", "tcp_header_cut"), np.False_),
}  # fmt: skip
"""The columns that protocols set, and what a packet has where none does."""


class Arrays(dict[str, npt.NDArray[Any]]):
    """The columns of a batch by name, each made when it is first asked for: most batches have no VLAN, no fragment, no ICMP error."""

    _WORKING: Mapping[str, np.generic] = {"mac_dst": np.uint64(0), "mac_src": np.uint64(0), "has_mac": np.False_}
    """Columns that only the decoder itself needs."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def __missing__(self, name: str) -> npt.NDArray[Any]:
        default = _DEFAULTS.get(name, self._WORKING.get(name))
        if default is None:
            raise KeyError(name)
        made = self[name] = np.full(self._size, default)
        return made

    def column(self, name: str) -> npt.NDArray[Any]:
        """A column as it is now; one that was never asked for is its default in a read-only array without memory of its own."""
        return self[name] if name in self else np.broadcast_to(_DEFAULTS[name], self._size)


class AddressSlot:
    """One address of each packet (the source, the destination, ...) as numbers, before the batch's distinct addresses are known.

    `low` alone holds IPv4; `high` is made when the first IPv6 address comes.
    """

    __slots__ = ("family", "high", "low")

    def __init__(self, size: int) -> None:
        self.family = np.zeros(size, dtype=np.int8)
        self.low = np.zeros(size, dtype=np.uint64)
        self.high: npt.NDArray[np.uint64] | None = None

    def set_ipv4(self, rows: Int64, addresses: npt.NDArray[np.uint32]) -> None:
        """Set IPv4 addresses (uint32[m] in host order) of the packets `rows`."""
        self.family[rows] = 4
        self.low[rows] = addresses

    def set_ipv6(self, rows: Int64, high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> None:
        """Set IPv6 addresses (two uint64[m] in host order) of the packets `rows`."""
        if self.high is None:
            self.high = np.zeros(len(self.low), dtype=np.uint64)
        self.family[rows] = 6
        self.high[rows] = high
        self.low[rows] = low

    def is_absent(self, rows: Int64) -> npt.NDArray[np.bool_]:
        """Which of the packets `rows` have no address yet (bool[m])."""
        absent: npt.NDArray[np.bool_] = self.family[rows] == 0
        return absent

    def copy_from(self, other: AddressSlot, rows: Int64) -> None:
        """Take over the addresses of the packets `rows` from `other`."""
        self.family[rows] = other.family[rows]
        self.low[rows] = other.low[rows]
        if other.high is not None:
            if self.high is None:
                self.high = np.zeros(len(self.low), dtype=np.uint64)
            self.high[rows] = other.high[rows]


class Frames:
    """Working state of one batch while it is decoded; protocols reach it through their `Layer`."""

    def __init__(self, batch: PacketBatch, paths: Paths, protocols: Registry) -> None:
        size = len(batch)
        self.batch = batch
        self.registry = protocols
        self.data = protocols.number("data")
        self.paths = paths
        self.arrays = Arrays(size)
        self.path = np.full(size, ROOT, dtype=np.int32)
        self.counted_path = np.full(size, ROOT, dtype=np.int32)
        self._any_cut = bool((batch.captured_length < batch.wire_length).any())
        self._trees_differ = False
        """Whether `counted_path` is more than `path` without what is quoted."""
        self._outside_tree: npt.NDArray[np.bool_] | None = None
        self.layers = np.zeros(size, dtype=np.int16)
        self.src = AddressSlot(size)
        self.dst = AddressSlot(size)
        self._optional: dict[str, AddressSlot] = {}
        # One pass over the capture's memory instead of one for every layer: 41 ns a packet against 140 for four gathers.
        self._heads = self._view(batch.buffer, HEAD_BYTES)[batch.offset].view(np.uint8)
        self._waiting: dict[tuple[int, bool], list[Layer]] = {}

    def optional_slot(self, name: str) -> AddressSlot:
        """One of the address slots that few batches need ("tunnel_src", "error_dst", ...)."""
        slot = self._optional.get(name)
        if slot is None:
            slot = self._optional[name] = AddressSlot(len(self.path))
        return slot

    def optional_slots(self) -> dict[str, AddressSlot]:
        """The optional address slots that were needed."""
        return self._optional

    def gather(self, rows: Int64, start: Int64, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Records of `dtype`, `start` bytes (int64[m]) into the packets `rows` (int64[m]).

        One fancy index over a view of all overlapping records. (`take` would copy the view, gigabytes.) It reads from the heads,
        which lie together and stay in the cache, and goes back to the capture for what lies deeper.
        """
        width = dtype.itemsize
        records: npt.NDArray[Any]
        if not len(start) or int(start.max()) + width <= HEAD_BYTES:
            records = self._view(self._heads, width)[rows * HEAD_BYTES + start].view(dtype)
        else:
            records = self._view(self.batch.buffer, width)[self.batch.offset[rows] + start].view(dtype)
        return records

    def gather_pseudo_header(self, rows: Int64, before: Int64 | int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Records of `dtype`, `before` bytes (int64[m]) before the packets `rows`: of the pseudo-header that the reader left there."""
        records: npt.NDArray[Any] = self._view(self.batch.buffer, dtype.itemsize)[self.batch.offset[rows] - before].view(dtype)
        return records

    @staticmethod
    def _view(buffer: npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.void]:
        return np.ndarray((max(len(buffer) - width + 1, 0),), f"V{width}", buffer=buffer.data, strides=(1,))

    def queue(
        self,
        layer: Layer,
        protocols: npt.NDArray[np.int16] | int,
        length: Int64 | int,
        where: npt.NDArray[np.bool_] | None = None,
        *,
        embedded: bool = False,
    ) -> None:
        """Let packets of `layer` go on with `protocols` (one, or int16[m]), `length` bytes further on."""
        embedded = embedded or layer.embedded
        start = layer.start + length
        # A header that claims to be longer than what is there ends the packet: nothing follows it.
        fits = start <= layer.end
        if where is not None:
            fits &= where
        if isinstance(protocols, int):
            if protocols == self.data:
                fits &= start < layer.end
            self._wait(layer, protocols, start, None if fits.all() else fits, embedded=embedded)
            return
        present = np.flatnonzero(np.bincount(protocols[fits] + 1)) - 1
        for number in present.tolist():
            if number == self.data:
                # No bytes are no data.
                self._wait(layer, number, start, fits & (protocols == number) & (start < layer.end), embedded=embedded)
            elif number != NOTHING:
                self._wait(layer, number, start, fits & (protocols == number), embedded=embedded)

    def _wait(self, layer: Layer, number: int, start: Int64, mask: npt.NDArray[np.bool_] | None, *, embedded: bool) -> None:
        if mask is None:
            following = Layer(self, layer.rows, start, layer.end, layer.reported_end, embedded=embedded)
        else:
            following = Layer(self, layer.rows[mask], start[mask], layer.end[mask], layer.reported_end[mask], embedded=embedded)
        if len(following):
            self._waiting.setdefault((number, embedded), []).append(following)

    def enter_ip(self, rows: Int64) -> None:
        """Make room for the addresses of another IP header: the outermost ones of a tunnel are kept apart."""
        again = rows[self.src.family[rows] != 0]
        if len(again):
            src, dst = self.optional_slot("tunnel_src"), self.optional_slot("tunnel_dst")
            outermost = again[src.family[again] == 0]
            src.copy_from(self.src, outermost)
            dst.copy_from(self.dst, outermost)

    def hand_on_ports(self, layer: Layer, table: str, length: int) -> None:
        """Hand packets on by one of their two ports, the lower one first as Wireshark does; most go nowhere."""
        entries = self.registry.table(table)
        src, dst = layer.get("src_port"), layer.get("dst_port")
        tunnel = np.flatnonzero((entries[src] != NOTHING) | (entries[dst] != NOTHING))
        if not len(tunnel):
            return
        low, high = entries[np.minimum(src[tunnel], dst[tunnel])], entries[np.maximum(src[tunnel], dst[tunnel])]
        chosen = np.full(len(layer), NOTHING, dtype=np.int16)
        chosen[tunnel] = np.where(low != NOTHING, low, high)
        self.queue(layer, chosen, length, layer.captured > length)

    def show(self, rows: Int64, number: int, *, embedded: bool) -> None:
        """Add the name of protocol `number` to the paths of the packets `rows`, and its node to their places in the tree."""
        node = self.registry.nodes[number]
        if self.registry.protocols[number].shown:
            path = self.paths.extend(self.path[rows], number)
            self.path[rows] = path
            if node == number and not embedded and not self._trees_differ:
                self.counted_path[rows] = path
                return
        if not embedded:
            self._trees_differ = True
            if node != NOTHING:
                self.show_node(rows, node)

    def show_node(self, rows: Int64, number: int) -> None:
        """Add protocol `number` to the packets' places in the tree of Wireshark's Protocol Hierarchy alone."""
        self._trees_differ = True
        if self._outside_tree is not None:
            rows = rows[~self._outside_tree[rows]]
        self.counted_path[rows] = self.paths.extend(self.counted_path[rows], number)

    def drop_node(self, rows: Int64) -> None:
        """Take the last node away again."""
        self._trees_differ = True
        if self._outside_tree is not None:
            rows = rows[~self._outside_tree[rows]]
        self.counted_path[rows] = self.paths.parents(self.counted_path[rows])

    def _drop_cut_nodes(self, layer: Layer, number: int) -> None:
        """Take the node of protocol `number`, just shown, away where too little of the header was captured for Wireshark to make it."""
        cut = layer.captured < self.registry.protocols[number].node_bytes
        if self.registry.nodes[number] != NOTHING and cut.any():
            self.drop_node(layer.rows[cut])

    def leave_tree(self, rows: Int64) -> None:
        """Let nothing that comes further inside be a node."""
        self._trees_differ = True
        if self._outside_tree is None:
            self._outside_tree = np.zeros(len(self.path), dtype=np.bool_)
        self._outside_tree[rows] = True

    def run(self) -> None:
        """Dissect until nothing waits."""
        protocols = self.registry.protocols
        while self._waiting:
            number, embedded = key = min(self._waiting, key=lambda item: (item[1], protocols[item[0]].rank, item[0]))
            layer = _join(self._waiting.pop(key))
            protocol = protocols[number]
            if protocol.accept is not None:
                accepted = protocol.accept(layer)
                if protocol.otherwise and not accepted.all():
                    self.queue(layer, self.registry.number(protocol.otherwise), 0, ~accepted)
                layer = layer.select(accepted)
            if embedded:
                layer = layer.select(layer.reported >= protocol.quoted_bytes)
            if "udp.port" in protocol.under:
                # What a tunnel carries is no payload for an application to be found in.
                over_udp = self.arrays["transport"][layer.rows] >= 0
                self.arrays["payload_captured"][layer.rows[over_udp]] = TUNNEL
            self.layers[layer.rows] += 1
            layer = layer.select(self.layers[layer.rows] <= MAX_LAYERS)
            if not len(layer):
                continue
            if protocol.shown or protocol.node:
                self.show(layer.rows, number, embedded=embedded)
                if self._any_cut and not embedded:
                    self._drop_cut_nodes(layer, number)
            if protocol.dissect is not None:
                protocol.dissect(layer)


def _join(layers: list[Layer]) -> Layer:
    first = layers[0]
    if len(layers) == 1:
        return first
    return Layer(
        first.frames,
        np.concatenate([layer.rows for layer in layers]),
        np.concatenate([layer.start for layer in layers]),
        np.concatenate([layer.end for layer in layers]),
        np.concatenate([layer.reported_end for layer in layers]),
        embedded=first.embedded,
    )


class Decoder:
    """Decodes the batches of one capture; `decode` may be called from several threads at once."""

    def __init__(self) -> None:
        self._registry = registry()
        self.paths = Paths(self._registry.names)
        self._dissected = np.array([protocol.dissect is not None for protocol in self._registry.protocols])

    def decode(self, batch: PacketBatch) -> Columns:
        """Columns of one batch.

        Args:
            batch: Up to 65,536 packets over a padded buffer.

        Returns:
            The columns, in the order of the batch.
        """
        frames = Frames(batch, self.paths, self._registry)
        decoded = self._start(frames)
        frames.run()
        arrays = frames.arrays
        tables, indexes = address_table(frames.src, frames.dst, frames.optional_slots())
        eth_dst, eth_src, macs = _macs(arrays)
        return Columns(
            first_frame=batch.first_frame,
            ts_ns=batch.ts_ns,
            interface_id=batch.interface_id,
            captured_length=batch.captured_length,
            wire_length=batch.wire_length,
            record_offset=batch.record_offset,
            link_type=batch.link_type,
            buffer=batch.buffer,
            addresses=tables,
            path=frames.path,
            counted_path=frames.counted_path,
            decoded=decoded,
            eth_src=eth_src,
            eth_dst=eth_dst,
            macs=macs,
            **cast("dict[str, npt.NDArray[Any]]", indexes),
            **{name: arrays.column(name) for name in _DEFAULTS},
        )

    def _start(self, frames: Frames) -> npt.NDArray[np.bool_]:
        """Queue every packet with the protocol of its link type; returns which have one that is dissected."""
        batch = frames.batch
        size = len(batch)
        start = np.zeros(size, dtype=np.int64)
        # Wire lengths are claims (up to 4 GB): they bound what is reported, and never what is read.
        reported_end = np.minimum(np.maximum(batch.wire_length, batch.captured_length), LARGEST_FRAME_LENGTH)
        everything = Layer(frames, np.arange(size), start, batch.captured_length, reported_end, embedded=False)
        link_types = batch.link_type
        if not size:
            return np.zeros(0, dtype=np.bool_)
        numbers = self._registry.lookup("link_type", link_types, None)
        named = numbers != NOTHING
        first = int(numbers[0])
        frames.queue(everything, first if (numbers == first).all() and named[0] else numbers, 0)
        if not named.all():
            distinct, inverse = np.unique(link_types[~named], return_inverse=True)
            names = ["data" if number == NO_LINK_TYPE else link_type_name(number).lower() for number in distinct.tolist()]
            paths = np.array([self.paths.named(name) for name in names], dtype=np.int32)
            frames.path[~named] = frames.counted_path[~named] = paths[inverse]
        decoded: npt.NDArray[np.bool_] = named & self._dissected[numbers]
        return decoded


def _macs(arrays: Arrays) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], pa.Array]:
    """Indexes (int32[n], int32[n]; -1 without) of the destination and source MAC addresses, and the texts of the distinct ones."""
    has = arrays["has_mac"]
    size = len(has)
    rows = None if has.all() else np.flatnonzero(has)
    dst = arrays["mac_dst"] if rows is None else arrays["mac_dst"][rows]
    src = arrays["mac_src"] if rows is None else arrays["mac_src"][rows]
    encoded = pa.array(np.concatenate([dst, src])).dictionary_encode()
    indexes = encoded.indices.to_numpy(zero_copy_only=False)
    texts = mac_texts(encoded.dictionary.to_numpy(zero_copy_only=False))
    if rows is None:
        return indexes[:size], indexes[size:], texts
    eth_dst = np.full(size, -1, dtype=np.int32)
    eth_src = np.full(size, -1, dtype=np.int32)
    eth_dst[rows] = indexes[: len(rows)]
    eth_src[rows] = indexes[len(rows) :]
    return eth_dst, eth_src, texts
