"""How each TCP connection was opened: the rows of `handshakes`.

While packets come, the segments that matter are picked out (`handshake_log`); at the end of the capture the rules are applied to them,
for plain handshakes at once (`plain_handshakes`), for the others one by one (`handshake_rules`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..warehouse.tables import HANDSHAKES
from .columns import Columns, Int32
from .formats.base import NO_TIME
from .handshake_log import ACK, FIELDS, FIN, RST, SYN, HandshakeLog, Segments
from .handshake_records import DURATIONS, STATUSES, no_records, to_record
from .handshake_rules import Segment, examine
from .keys import KeyTable, group
from .plain_handshakes import PlainHandshakes
from .vectors import Vector

if TYPE_CHECKING:
    from .addresses import AddressBook

SEEN_SYN, SEEN_SYN_ACK, SEEN_ACK, SEEN_DATA, SEEN_FIN, SEEN_RST = 1, 2, 4, 8, 16, 32
"""Bits of Wireshark's tcp.completeness."""


class Handshakes:
    """The handshakes of one capture, over its batches in file order; about 270 bytes a stream with a plain handshake, 90 without any."""

    def __init__(self) -> None:
        self._log = HandshakeLog()
        self._first: dict[str, Vector[Any]] = {
            "ts_ns": Vector(np.int64), "flow_id": Vector(np.int32), "src": Vector(np.int32), "dst": Vector(np.int32), "src_port": Vector(np.int32),
            "dst_port": Vector(np.int32), "side": Vector(np.bool_), "interface_id": Vector(np.int32),
        }  # fmt: skip
        self._completeness = Vector(np.uint8)
        self._interfaces = Vector(np.int16, 1)
        self._elsewhere = KeyTable()
        """Streams and the interfaces that they were seen on, other than their first one."""

    def __len__(self) -> int:
        return len(self._completeness)

    def update(self, columns: Columns, stream: Int32, flow_id: Int32, src: Int32, dst: Int32) -> None:
        """Take the next batch.

        Args:
            columns: The batch.
            stream: int32[n], as `Streams.number` gives it.
            flow_id: int32[n], as `Flows.update` gives it.
            src: int32[n], capture-wide number of `src_ip`, dst: of `dst_ip`.
        """
        rows = np.flatnonzero((columns.tcp_flags >= 0) & (stream >= 0))
        if not len(rows):
            return
        segments = Segments(columns, rows, stream[rows], columns.tcp_flags[rows], src, dst)
        self._begin(segments, flow_id)
        self._complete(segments)
        self._note_interfaces(segments)
        self._log.update(segments, len(self))

    def _begin(self, segments: Segments, flow_id: Int32) -> None:
        """Note the first segments of new streams; streams are numbered in the order of these."""
        highest = np.maximum.accumulate(np.maximum(segments.stream, len(self) - 1))
        at = np.flatnonzero(np.diff(highest, prepend=len(self) - 1))
        rows = segments.rows[at]
        columns = segments.columns
        for name, values in (
            ("ts_ns", columns.ts_ns), ("flow_id", flow_id), ("src", segments.src), ("dst", segments.dst), ("src_port", columns.src_port),
            ("dst_port", columns.dst_port), ("interface_id", columns.interface_id),
        ):  # fmt: skip
            self._first[name].append(values[rows])
        self._first["side"].append(segments.side(at))
        self._completeness.append(np.where(segments.flags[at] & (SYN | ACK) == SYN, SEEN_SYN, 0))
        self._interfaces.grow(len(self))

    def _complete(self, segments: Segments) -> None:
        seen = self._completeness.array
        flags = segments.flags
        kind = flags & (SYN | ACK)
        has_payload = segments.columns.payload_length[segments.rows] > 0
        for mask, bit in (
            (kind == SYN | ACK, SEEN_SYN_ACK),
            ((kind == ACK) & ~has_payload, SEEN_ACK),
            ((kind == ACK) & has_payload, SEEN_DATA),
            (flags & (FIN | ACK) == FIN | ACK, SEEN_FIN),
            (flags & RST != 0, SEEN_RST),
        ):
            # The same bit is set however often a stream occurs here.
            seen[segments.stream[mask]] |= bit

    def _note_interfaces(self, segments: Segments) -> None:
        interfaces = segments.columns.interface_id[segments.rows]
        other = np.flatnonzero(interfaces != self._first["interface_id"].array[segments.stream])
        if len(other):
            keys = segments.stream[other].astype(np.int64) << 32 | interfaces[other]
            distinct = keys[group(keys)[1]]
            _, added = self._elsewhere.number(distinct)
            np.add.at(self._interfaces.array, distinct[added] >> 32, 1)

    def finish(self, book: AddressBook, last_ts_ns: int | None) -> pa.Table:
        """The rows of `handshakes`, without `ingest_id`.

        Args:
            book: The capture's addresses.
            last_ts_ns: Time of the capture's last packet.
        """
        records = self._records()
        first = {name: vector.array for name, vector in self._first.items()}
        client_side = records["client_side"]
        first_is_client = client_side == first["side"]
        ends = {
            "client_ip": np.where(first_is_client, first["src"], first["dst"]),
            "server_ip": np.where(first_is_client, first["dst"], first["src"]),
            "client_port": np.where(first_is_client, first["src_port"], first["dst_port"]),
            "server_port": np.where(first_is_client, first["dst_port"], first["src_port"]),
        }
        last_ns = records["last_ns"]
        durations = (records[name] for name in DURATIONS)
        columns: dict[str, npt.NDArray[Any]] = {name: records[name] for name in records.dtype.names or ()}
        columns |= {name: np.where(client_side < 0, -1, numbers) for name, numbers in ends.items()}
        columns |= {
            "tcp_stream": np.arange(len(self)),
            "flow_id": first["flow_id"],
            "first_ts_ns": first["ts_ns"],
            "clock_anomaly": np.any([(duration < 0) & (duration != NO_TIME) for duration in durations], axis=0),
            "interfaces": self._interfaces.array,
            "completeness": self._completeness.array,
            "to_capture_end_ns": np.where(last_ns == NO_TIME, NO_TIME, (last_ts_ns or 0) - last_ns),
        }
        texts = {"status": pa.array(STATUSES), "client_ip": book.text, "server_ip": book.text}
        rows: dict[str, pa.Array] = {}
        for field in HANDSHAKES.arrow_schema:
            if field.name in texts:
                numbers = _nullable(field.name, columns[field.name], pa.int32())
                rows[field.name] = pa.DictionaryArray.from_arrays(numbers, texts[field.name])
            elif field.name != "ingest_id":
                rows[field.name] = _nullable(field.name, columns[field.name], field.type)
        return pa.table(rows)

    def _records(self) -> npt.NDArray[np.void]:
        records = no_records(len(self))
        log = self._log.columns()
        if not len(log["stream"]):
            return records
        plain = PlainHandshakes(log)
        overflowing = np.isin(plain.stream, list(self._log.beyond))
        easy = plain.plain & ~overflowing
        records[plain.stream[easy]] = plain.records()[easy]
        hard = np.flatnonzero(~easy)
        fields = [name for name in FIELDS if name != "stream"]
        for stream, start, end in zip(plain.stream[hard].tolist(), plain.starts[hard].tolist(), plain.ends[hard].tolist(), strict=True):
            values = (log[name][start:end].tolist() for name in fields)
            records[stream] = to_record(examine([Segment(*row) for row in zip(*values, strict=True)]))
        for stream, (syns, syn_acks) in self._log.beyond.items():
            records["syn_count"][stream] += syns
            records["syn_ack_count"][stream] += syn_acks
            records["retransmitted"][stream] = True
        return records


def _nullable(name: str, values: npt.NDArray[Any], kind: pa.DataType) -> pa.Array:
    """A column of `handshakes`: NULL where a time or duration is `NO_TIME`, where another number is negative."""
    if values.dtype == np.bool_:
        return pa.array(values)
    absent = values == NO_TIME if name.endswith("_ns") else values < 0
    return pa.array(values.astype(kind.to_pandas_dtype()), mask=absent)
