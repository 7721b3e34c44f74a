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

from .address_table import INNERMOST, OUTER, TUNNEL, AddressPairs, address_table, mac_texts
from .columns import TUNNEL as TUNNEL_PAYLOAD
from .columns import Columns
from .formats.base import LARGEST_FRAME_LENGTH, PacketBatch
from .formats.gather import Heads, gather
from .formats.link_types import NO_LINK_TYPE, link_type_name
from .header_stacks import OuterHeaders
from .keys import group
from .paths import ROOT, Paths
from .protocols import NOTHING, Registry, registry
from .protocols.base import Layer, Values

DECODER_VERSION = 1
"""Raised whenever the same capture would give other rows."""

MAX_LAYERS = 32
"""Layers of one packet that are followed; what lies deeper is not looked at."""

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

    _WORKING: Mapping[str, np.generic] = {
        "mac_dst": np.uint64(0),
        "mac_src": np.uint64(0),
        "has_mac": np.False_,
        "foreign_ports": np.False_,
    }
    """Columns that only the decoder itself needs; `foreign_ports` tells where the ports are not of the innermost IP header."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def __missing__(self, name: str) -> npt.NDArray[Any]:
        made = self[name] = np.full(self._size, self._default(name))
        return made

    def _default(self, name: str) -> np.generic:
        default = _DEFAULTS.get(name, self._WORKING.get(name))
        if default is None:
            raise KeyError(name)
        return default

    def put(self, name: str, rows: Int64 | None, values: Values) -> None:
        """Set a column for the packets `rows` (int64[m]), or for all of them."""
        default = self._default(name)
        if rows is None:
            self[name] = np.full(self._size, values, dtype=default.dtype)
        elif isinstance(values, np.ndarray):
            # Converting beforehand takes half of the time that assigning another type takes.
            self[name][rows] = values.astype(default.dtype, copy=False)
        else:
            self[name][rows] = values

    def reset(self, name: str, rows: Int64) -> None:
        """Let a column of the packets `rows` be as if it had never been set."""
        if name in self:
            self[name][rows] = self._default(name)

    def column(self, name: str) -> npt.NDArray[Any]:
        """A column as it is now; one that was never asked for is its default in a read-only array without memory of its own."""
        return self[name] if name in self else np.broadcast_to(_DEFAULTS[name], self._size)


class Frames:
    """Working state of one batch while it is decoded; protocols reach it through their `Layer`."""

    def __init__(self, batch: PacketBatch, paths: Paths, protocols: Registry) -> None:
        size = len(batch)
        self.batch = batch
        self.registry = protocols
        self.data = protocols.number("data")
        self.paths = paths
        self.arrays = Arrays(size)
        self.every_row = np.arange(size)
        self.path = np.full(size, ROOT, dtype=np.int64)
        self._counted_path: Int64 | None = None
        """Made when it begins to differ from `path`."""
        self._outside_tree: npt.NDArray[np.bool_] | None = None
        self.addresses: dict[str, AddressPairs] = {INNERMOST: AddressPairs(size)}
        self.outer_headers: OuterHeaders | None = None
        self._dissected: list[Int64] = []
        self._layers: npt.NDArray[np.int16] | None = None
        self._heads = batch.heads
        self._waiting: dict[tuple[int, bool], list[Layer]] = {}

    @property
    def counted_path(self) -> Int64:
        """The places in the tree of Wireshark's Protocol Hierarchy."""
        return self.path if self._counted_path is None else self._counted_path

    def pairs(self, kind: str) -> AddressPairs:
        """The `INNERMOST`, `TUNNEL` or `QUOTED` pairs of addresses."""
        pairs = self.addresses.get(kind)
        if pairs is None:
            pairs = self.addresses[kind] = AddressPairs(len(self.batch))
        return pairs

    def gather(self, start: Int64, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Records of `dtype` that begin at `start` (int64[m]) in the batch's buffer."""
        return gather(self.batch.buffer, start, dtype)

    def headers(self, rows: Int64, start: Int64, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """`gather` for the packets `rows` (int64[m]), out of what was gathered before where that has them."""
        offset = self.batch.offset
        if self._heads is None:
            if 2 * len(rows) < len(offset):
                return self.gather(start, dtype)
            self._heads = Heads.of_records(self.batch.buffer, offset, 0)
        everything = rows is self.every_row
        found = self._heads.headers(None if everything else rows, start - (offset if everything else offset.take(rows)), dtype)
        return self.gather(start, dtype) if found is None else found

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
        if where is not None and not where.any():
            return
        embedded = embedded or layer.embedded
        start = layer.start + length
        # A header that claims to be longer than what is there ends the packet: nothing follows it.
        fits = start <= layer.end
        if where is not None:
            fits &= where
        if isinstance(protocols, int):
            self._wait(layer, protocols, start, fits, embedded=embedded)
            return
        if not fits.all():
            protocols = np.where(fits, protocols, np.int16(NOTHING))
        for number in (np.flatnonzero(np.bincount(protocols + np.int16(1))) - 1).tolist():
            if number != NOTHING:
                self._wait(layer, number, start, protocols == number, embedded=embedded)

    def _wait(self, layer: Layer, number: int, start: Int64, mask: npt.NDArray[np.bool_], *, embedded: bool) -> None:
        if number == self.data:
            # No bytes are no data.
            mask &= start < layer.end
        if mask.all():
            following = Layer(self, layer.rows, start, layer.end, layer.reported_end, embedded=embedded)
        else:
            places = np.flatnonzero(mask)
            following = Layer(
                self,
                layer.rows.take(places),
                start.take(places),
                layer.end.take(places),
                layer.reported_end.take(places),
                embedded=embedded,
            )
        if len(following):
            self._waiting.setdefault((number, embedded), []).append(following)

    def enter_ip(self, rows: Int64) -> None:
        """Make room for the addresses of another IP header: the outermost ones of a tunnel are kept apart."""
        innermost = self.pairs(INNERMOST)
        present = innermost.is_present(rows)
        if present.any():
            again = rows[present]
            outermost = self.pairs(TUNNEL)
            outermost.copy_from(innermost, again[~outermost.is_present(again)])
            if self.outer_headers is None:
                self.outer_headers = OuterHeaders(self.arrays)
            self.outer_headers.keep(again, innermost)

    def hand_on_ports(self, layer: Layer, table: str, length: int) -> None:
        """Hand packets on by one of their two ports, the lower one first as Wireshark does; most go nowhere."""
        entries = self.registry.table(table)
        src, dst = layer.get("src_port"), layer.get("dst_port")
        tunnel = np.flatnonzero((entries.take(src) != NOTHING) | (entries.take(dst) != NOTHING))
        if not len(tunnel):
            return
        low, high = entries[np.minimum(src[tunnel], dst[tunnel])], entries[np.maximum(src[tunnel], dst[tunnel])]
        chosen = np.full(len(layer), NOTHING, dtype=np.int16)
        chosen[tunnel] = np.where(low != NOTHING, low, high)
        self.queue(layer, chosen, length, layer.captured > length)

    def show(self, rows: Int64, number: int, *, embedded: bool) -> None:
        """Add the name of protocol `number` to the paths of the packets `rows`, and its node to their places in the tree."""
        node, shown = self.registry.nodes[number], self.registry.protocols[number].shown
        if embedded or not shown or node != number:
            self._own_tree()
        if shown:
            self.path[rows] = self.paths.extend(self.path.take(rows), number)
        if self._counted_path is not None and node != NOTHING and not embedded:
            self.show_node(rows, node)

    def _own_tree(self) -> Int64:
        """The places in the tree of Wireshark's Protocol Hierarchy, from now on apart from the paths."""
        if self._counted_path is None:
            self._counted_path = self.path.copy()
        return self._counted_path

    def show_node(self, rows: Int64, number: int) -> None:
        """Add protocol `number` to the packets' places in the tree of Wireshark's Protocol Hierarchy alone."""
        counted_path = self._own_tree()
        if self._outside_tree is not None:
            rows = rows[~self._outside_tree[rows]]
        counted_path[rows] = self.paths.extend(counted_path.take(rows), number)

    def drop_node(self, rows: Int64) -> None:
        """Take the last node away again."""
        counted_path = self._own_tree()
        if self._outside_tree is not None:
            rows = rows[~self._outside_tree[rows]]
        counted_path[rows] = self.paths.parents(counted_path.take(rows))

    def _drop_cut_nodes(self, layer: Layer, number: int) -> None:
        """Take the node of protocol `number`, just shown, away where there is too little of the header for Wireshark to make it."""
        cut = layer.captured < self.registry.protocols[number].node_bytes
        if self.registry.nodes[number] != NOTHING and cut.any():
            self.drop_node(layer.rows[cut])

    def leave_tree(self, rows: Int64) -> None:
        """Let nothing that comes further inside be a node."""
        self._own_tree()
        if self._outside_tree is None:
            self._outside_tree = np.zeros(len(self.path), dtype=np.bool_)
        self._outside_tree[rows] = True

    def run(self) -> None:
        """Dissect until nothing waits."""
        protocols = self.registry.protocols
        while self._waiting:
            # Quoted packets come last.
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
                self.arrays["payload_captured"][layer.rows[over_udp]] = TUNNEL_PAYLOAD
            layer = self._count(layer)
            if not len(layer):
                continue
            if protocol.shown or protocol.node:
                self.show(layer.rows, number, embedded=embedded)
                if protocol.node_bytes and not embedded:
                    self._drop_cut_nodes(layer, number)
            if protocol.dissect is not None:
                protocol.dissect(layer)

    def _count(self, layer: Layer) -> Layer:
        """The packets that do not have `MAX_LAYERS` layers yet; they are counted only when so many layers came that one may have."""
        counted = [layer.rows]
        if self._layers is None:
            self._dissected += counted
            if len(self._dissected) <= MAX_LAYERS:
                return layer
            self._layers = np.zeros(len(self.batch), dtype=np.int16)
            counted, self._dissected = self._dissected, []
        for rows in counted:
            self._layers[rows] += 1
        return layer.select(self._layers[layer.rows] <= MAX_LAYERS)


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
            batch: Up to `BATCH_PACKETS` packets over a padded buffer.

        Returns:
            The columns, in the order of the batch.
        """
        frames = Frames(batch, self.paths, self._registry)
        decoded = self._start(frames)
        frames.run()
        arrays = frames.arrays
        outer = frames.outer_headers
        tables, indexes = address_table(len(batch), frames.addresses if outer is None else frames.addresses | {OUTER: outer.pairs})
        headers = None if outer is None else outer.finish(indexes)
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
            path=frames.path.astype(np.int32),
            counted_path=frames.counted_path.astype(np.int32),
            decoded=decoded,
            eth_src=eth_src,
            eth_dst=eth_dst,
            macs=macs,
            headers=headers,
            **cast("dict[str, npt.NDArray[Any]]", {name: index for name, index in indexes.items() if not name.startswith(OUTER)}),
            **{name: arrays.column(name) for name in _DEFAULTS},
        )

    def _start(self, frames: Frames) -> npt.NDArray[np.bool_]:
        """Queue every packet with the protocol of its link type; returns which have one that is dissected."""
        batch = frames.batch
        size = len(batch)
        if not size:
            return np.zeros(0, dtype=np.bool_)
        # Wire lengths are claims (up to 4 GB): they bound what is reported, and never what is read.
        end = batch.offset + batch.captured_length
        reported = np.minimum(np.maximum(batch.wire_length, batch.captured_length), LARGEST_FRAME_LENGTH)
        everything = Layer(frames, frames.every_row, batch.offset, end, batch.offset + reported, embedded=False)
        link_types = batch.link_type
        uniform = bool((link_types == link_types[0]).all())
        numbers = self._registry.lookup("link_type", link_types[:1] if uniform else link_types, None)
        named = numbers != NOTHING
        frames.queue(everything, int(numbers[0]) if uniform and named[0] else np.broadcast_to(numbers, size), 0)
        if not named.all():
            unnamed = np.flatnonzero(np.broadcast_to(~named, size))
            distinct, inverse = np.unique(link_types[unnamed], return_inverse=True)
            names = ["data" if number == NO_LINK_TYPE else link_type_name(number).lower() for number in distinct.tolist()]
            frames.path[unnamed] = np.array([self.paths.named(name) for name in names])[inverse]
        return np.broadcast_to(named & self._dissected[numbers], size)


def _macs(arrays: Arrays) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], pa.Array]:
    """Indexes (int32[n], int32[n]; -1 without) of the destination and source MAC addresses, and the texts of the distinct ones."""
    has, dst, src = arrays["has_mac"], arrays["mac_dst"], arrays["mac_src"]
    rows = None if has.all() else np.flatnonzero(has)
    if rows is not None:
        dst, src = dst.take(rows), src.take(rows)
    # There are few pairs, and fewer addresses.
    pair, first = group(dst, src)
    addresses = np.concatenate([dst.take(first), src.take(first)])
    number, first_of = group(addresses)
    texts = mac_texts(addresses.take(first_of))
    columns = number[: len(first)].take(pair), number[len(first) :].take(pair)
    if rows is None:
        return *columns, texts
    eth_dst, eth_src = np.full(len(has), -1, dtype=np.int32), np.full(len(has), -1, dtype=np.int32)
    eth_dst[rows], eth_src[rows] = columns
    return eth_dst, eth_src, texts
