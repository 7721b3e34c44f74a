"""How each TCP connection was opened: the rows of `handshakes`.

While packets come, the segments that matter are picked out (`handshake_log`); at the end of the capture the rules are applied to them,
for plain handshakes at once (`plain_handshakes`), for the others one by one (`handshake_rules`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..warehouse.arrays import Rows
from ..warehouse.tables import HANDSHAKES, INGEST_ID
from .arrow_columns import numbers_or_null, texts_or_null, times_or_null
from .columns import Columns, Int32, Int64
from .formats.base import NO_TIME
from .handshake_log import FIELDS, HandshakeLog, TcpBatch
from .handshake_records import DURATIONS, STATUSES, Records, no_records, put
from .handshake_rules import examine
from .handshake_segments import Segment
from .keys import KeyTable
from .lanes import ACK, SYN, TCP_STREAM, Lanes
from .peers import Peers, address, port
from .plain_handshakes import PlainHandshakes
from .resting import Resting
from .vectors import Vector

if TYPE_CHECKING:
    from .addresses import AddressBook

SEEN_SYN = 1
"""Bit of Wireshark's tcp.completeness for a SYN as the first segment; `lanes` has the others."""


class Handshakes:
    """The handshakes of one capture, over its batches in file order; about 60 bytes a stream, and what rests in files."""

    def __init__(self) -> None:
        self._log = HandshakeLog()
        self._begun = Resting({"low": np.int64, "high": np.int64, "ts_ns": np.int64, "flow": np.int32})
        """Of each stream: its two ends, its first packet's time, and its flow."""
        self._interface = Vector(np.int32)
        """Interface that saw the first packet."""
        self._completeness = Vector(np.uint8)
        self._interfaces = Vector(np.int16, 1)
        self._elsewhere = KeyTable()
        """Streams and the interfaces that they were seen on, other than their first one."""

    def __len__(self) -> int:
        return len(self._completeness)

    def update(self, columns: Columns, lanes: Lanes, peers: Peers, stream: Int32, flow: Int32) -> None:
        """Take the next batch.

        Args:
            columns: The batch.
            lanes: Its lanes, peers: who they are between, stream: int32[k], as `Streams.number` gives them.
            flow: int32[k], as `Flows.update` gives it.
        """
        tcp = np.flatnonzero(lanes.kind == TCP_STREAM)
        if not len(tcp):
            return
        self._begin(columns, lanes, peers, stream, flow, tcp)
        np.bitwise_or.at(self._completeness.array, stream[tcp], lanes.seen[tcp])
        self._note_interfaces(columns, lanes, stream, tcp)
        self._log.update(TcpBatch(columns, lanes, stream, peers.turned), len(self))

    def _begin(self, columns: Columns, lanes: Lanes, peers: Peers, stream: Int32, flow: Int32, tcp: Int64) -> None:
        """Note the first segments of new streams; streams are numbered in the order of these, and so are lanes."""
        highest = np.maximum.accumulate(np.maximum(stream[tcp], len(self) - 1))
        added = tcp[np.flatnonzero(np.diff(highest, prepend=len(self) - 1))]
        first, pair = lanes.first[added], lanes.pair[added]
        self._begun.put(
            np.arange(len(self), len(self) + len(added)),
            {"low": peers.low[pair], "high": peers.high[pair], "ts_ns": columns.ts_ns[first], "flow": flow[added]},
        )
        self._interface.append(columns.interface_id[first])
        self._completeness.append(np.where(columns.tcp_flags[first] & (SYN | ACK) == SYN, SEEN_SYN, 0))
        self._interfaces.grow(len(self))

    def _note_interfaces(self, columns: Columns, lanes: Lanes, stream: Int32, tcp: Int64) -> None:
        interfaces = columns.interface_id
        one = bool((interfaces == interfaces[0]).all())
        places = lanes.first[tcp] if one else np.flatnonzero((lanes.kind == TCP_STREAM)[lanes.number])
        own = stream[lanes.number[places]]
        other = np.flatnonzero(interfaces[places] != self._interface.array[own])
        if len(other):
            keys = own[other].astype(np.int64) << 32 | interfaces[places[other]] + 1
            _, added = self._elsewhere.number(keys)
            np.add.at(self._interfaces.array, keys[added] >> 32, 1)

    def finish(self, book: AddressBook, last_ts_ns: int | None) -> Iterator[Rows]:
        """The rows of `handshakes`, without `ingest_id`, for so many streams at a time.

        Args:
            book: The capture's addresses.
            last_ts_ns: Time of the capture's last packet.
        """
        for part, log in self._log.parts(len(self)):
            records = _records(log, part)
            for stream, (syns, syn_acks) in self._log.beyond.items():
                if part.start <= stream < part.stop:
                    records["syn_count"][stream - part.start] += syns
                    records["syn_ack_count"][stream - part.start] += syn_acks
                    records["retransmitted"][stream - part.start] = True
            columns = self._columns(part, records, last_ts_ns)
            texts = {"status": pa.array(STATUSES, pa.string()), "client_ip": book.text, "server_ip": book.text}
            yield {name: _column(name, columns[name], kind, texts.get(name)) for name, kind in _TYPES.items()}

    def _columns(self, part: slice, records: Records, last_ts_ns: int | None) -> Records:
        """The columns of `handshakes` as numbers."""
        is_high = records["client_side"] == 1
        begun = self._begun.of(part)
        client = np.where(is_high, begun["high"], begun["low"])
        server = np.where(is_high, begun["low"], begun["high"])
        ends = {"client_ip": address(client), "client_port": port(client), "server_ip": address(server), "server_port": port(server)}
        durations = (records[name] for name in DURATIONS)
        last_ns = records["last_ns"]
        return {
            **records,
            **{name: np.where(records["client_side"] < 0, -1, numbers) for name, numbers in ends.items()},
            "tcp_stream": np.arange(part.start, part.stop),
            "flow_id": begun["flow"],
            "first_ts_ns": begun["ts_ns"],
            "clock_anomaly": np.any([(duration < 0) & (duration != NO_TIME) for duration in durations], axis=0),
            "interfaces": self._interfaces.array[part],
            "completeness": self._completeness.array[part],
            "to_capture_end_ns": np.where(last_ns == NO_TIME, NO_TIME, (last_ts_ns or 0) - last_ns),
        }


def _records(log: dict[str, npt.NDArray[Any]], part: slice) -> Records:
    """The answers about a range of streams."""
    records = no_records(part.stop - part.start)
    if not len(log["stream"]):
        return records
    plain = PlainHandshakes(log)
    places = plain.stream - np.int32(part.start)
    for name, values in plain.records().items():
        records[name][places[plain.plain]] = values[plain.plain]
    hard = np.flatnonzero(~plain.plain)
    fields = [log[name] for name in FIELDS]
    for place, start, end in zip(places[hard].tolist(), plain.starts[hard].tolist(), plain.ends[hard].tolist(), strict=True):
        rows = zip(*(values[start:end].tolist() for values in fields), strict=True)
        put(records, place, examine([Segment(*row) for row in rows]))
    return records


_TYPES = {field.name: field.type for field in HANDSHAKES.arrow_schema if field.name != INGEST_ID.name}


def _column(name: str, values: npt.NDArray[Any], kind: pa.DataType, texts: pa.Array | None) -> pa.Array:
    """A column of `handshakes`: NULL where a time or duration is `NO_TIME`, where another number is negative."""
    if texts is not None:
        return texts_or_null(values, texts)
    return times_or_null(values) if name.endswith("_ns") else numbers_or_null(values, kind)
