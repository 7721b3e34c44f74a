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
from .vectors import Vector

if TYPE_CHECKING:
    from .addresses import AddressBook

SEEN_SYN = 1
"""Bit of Wireshark's tcp.completeness for a SYN as the first segment; `lanes` has the others."""


class Handshakes:
    """The handshakes of one capture, over its batches in file order; about 270 bytes a stream with a plain handshake, 80 without any."""

    def __init__(self) -> None:
        self._log = HandshakeLog()
        self._low = Vector(np.int64)
        self._high = Vector(np.int64)
        """The two ends of each stream."""
        self._first_ts_ns = Vector(np.int64)
        self._flow = Vector(np.int32)
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
        self._low.append(peers.low[pair])
        self._high.append(peers.high[pair])
        self._first_ts_ns.append(columns.ts_ns[first])
        self._flow.append(flow[added])
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

    def finish(self, book: AddressBook, last_ts_ns: int | None) -> pa.Table:
        """The rows of `handshakes`, without `ingest_id`.

        Args:
            book: The capture's addresses.
            last_ts_ns: Time of the capture's last packet.
        """
        records = self._records()
        client_side = records["client_side"]
        client = np.where(client_side == 1, self._high.array, self._low.array)
        server = np.where(client_side == 1, self._low.array, self._high.array)
        ends = {"client_ip": address(client), "client_port": port(client), "server_ip": address(server), "server_port": port(server)}
        last_ns = records["last_ns"]
        durations = (records[name] for name in DURATIONS)
        columns = records | {name: np.where(client_side < 0, -1, numbers) for name, numbers in ends.items()}
        columns |= {
            "tcp_stream": np.arange(len(self)),
            "flow_id": self._flow.array,
            "first_ts_ns": self._first_ts_ns.array,
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

    def _records(self) -> Records:
        records = no_records(len(self))
        log = self._log.columns()
        if not len(log["stream"]):
            return records
        plain = PlainHandshakes(log)
        easy = plain.plain & ~np.isin(plain.stream, list(self._log.beyond))
        for name, values in plain.records().items():
            records[name][plain.stream[easy]] = values[easy]
        hard = np.flatnonzero(~easy)
        fields = [log[name] for name in FIELDS if name != "stream"]
        for stream, start, end in zip(plain.stream[hard].tolist(), plain.starts[hard].tolist(), plain.ends[hard].tolist(), strict=True):
            rows = zip(*(values[start:end].tolist() for values in fields), strict=True)
            put(records, stream, examine([Segment(*row) for row in rows]))
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
