"""One capture: from its content to rows of all tables, and its own row of `captures`.

The packets go through in batches; only what spans packets (open conversations, addresses) is carried from batch to batch, so that
memory does not grow with the file.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from random import SystemRandom
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ..warehouse.arrays import Rows, arrow
from ..warehouse.errors import CaptureError, EmptyCapture, SourceVanished, UnsupportedFormat
from ..warehouse.snapshot import utc_date
from ..warehouse.staging import StagedWriter
from .applications import Applications, Matcher
from .columns import Bool, Columns, Int64
from .compression import MAX_EXPANSION
from .content import Content
from .conversations import Conversations
from .decode import DECODER_VERSION, Decoder
from .formats import open_reader
from .formats.base import BATCH_BYTES, NO_TIME, PacketBatch, Problem, Reader
from .formats.link_types import link_type_name
from .lanes import Lanes, find_lanes
from .processors import processors
from .protocols import registry
from .rows import packet_rows
from .sources import Source

BATCHES_AHEAD = min(max(processors() - 2, 0), 2)
"""Batches that are decoded while an earlier one is worked on. With two processors none: reading and encoding keep the second one busy,
and two threads of NumPy's small calls would only take the interpreter's lock from each other, a tenth of the time."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user says about the captures of one ingest."""

    host: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    keep_originals: bool = False
    max_expansion: int | None = MAX_EXPANSION


class Ingested(NamedTuple):
    """One capture whose rows are written and not committed.

    Attributes:
        row: Its row of `captures`.
        message: What is wrong with it, in a sentence, or None.
    """

    row: dict[str, Any]
    message: str | None


@cache
def _matcher() -> Matcher:
    return Matcher.load()


@cache
def _known_ports() -> Bool:
    return _matcher().known_ports()


def load_tables() -> None:
    """Load the tables of protocols and applications, which are kept for all captures of this process."""
    registry()
    _known_ports()


def ingest_content(
    source: Source,
    content: Content,
    writer: StagedWriter,
    options: Options,
    advance: Callable[[int], None],
    pool: Executor | None = None,
    *,
    keep_packets: bool = True,
    last: bool = False,
) -> Ingested:
    """Write the rows of one capture, whatever state it is in. One that cannot be read to its end is 'interrupted', where packets were read.

    Args:
        source: Where it comes from.
        content: Its content, at the start.
        writer: Takes the rows; they count for nothing before the row of `captures` is committed.
        options: What the user says about it.
        advance: Told the number of packets after each batch.
        pool: Threads to read and decode in; None to do that in this one.
        keep_packets: Whether rows of `packets` are written.
        last: Whether the writer gets no packets after these.

    Raises:
        CaptureError: The source cannot be read, or not to its end and there is nothing of it to keep: not one packet, or an earlier row.
        SourceVanished: The file was begun anew while it was read.
    """
    reader: Reader | None = None
    tally = Tally()
    ingest_id = _new_ingest_id()
    problems: list[Problem] = []
    status = "complete"
    try:
        reader = open_reader(content)
    except EmptyCapture as error:
        status, problems = "empty", [Problem(0, error.message)]
    except UnsupportedFormat as error:
        status, problems = "unsupported", [Problem(error.offset or 0, error.message)]
    if reader is not None:
        # Uncompressing alone keeps a processor busy, and so does reading when several threads decode. Only with two processors and nothing
        # to uncompress does reading share the one other thread.
        with ThreadPoolExecutor(1, thread_name_prefix="caphouse-read") as alone:
            if pool is not None:
                content.read_ahead(alone if BATCHES_AHEAD or content.compression is not None else pool, BATCH_BYTES)
            ingest_packets(reader, writer, ingest_id, tally, advance, pool, keep_packets=keep_packets, last=last)
        problems = list(reader.state.problems)
    digest = content.digest()
    problems += content.problems
    if reader is not None and problems:
        status = "cut-short" if _is_cut(problems) else "damaged"
    if content.failure is not None:
        if not tally.packets or source.again is not None:
            raise CaptureError(content.failure.reason, source=source.display, offset=content.failure.offset)
        # That the last record is not there in full is no news then.
        status, problems = "interrupted", [content.failure, *(problem for problem in problems if problem.kind == "damaged")]
    if _is_written(source, content) and reader is not None and _is_cut(problems):
        status, problems = "growing", []  # half a record is one that is not there yet
    row = _capture_row(source, content, reader, tally, options)
    first = problems[0] if problems else None
    row |= {
        "capture_id": digest,
        "ingest_id": ingest_id,
        "status": status,
        "error": first.reason if first else None,
        "error_offset": first.offset if first and status != "empty" else None,
        "unread_records": sum(problem.unread_records for problem in problems),
        "unread_reasons": _by_reason(problems),
    }
    return Ingested(row, _message(problems, status))


def _new_ingest_id() -> int:
    return SystemRandom().getrandbits(63)


def _is_cut(problems: list[Problem]) -> bool:
    return all(problem.kind == "cut-short" for problem in problems)


def _is_written(source: Source, content: Content) -> bool:
    """Whether more was, or will be, written to a source that was read.

    That it was modified a moment ago is no sign: so was any copy of a capture that is cut short.
    """
    try:
        change = content.change() or source.change()
    except OSError:
        if content.failure is None:
            raise
        change = None  # storage that cannot be read cannot be asked
    if change == "rewritten":
        raise SourceVanished("it was overwritten while it was read; nothing of it is kept", source=source.display)
    return source.growing or change == "grown"


def _message(problems: list[Problem], status: str) -> str | None:
    if not problems:
        return None
    first = problems[0]
    more = f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else ""
    where = "" if status in {"empty", "unsupported"} else f" at byte {first.offset:,}"
    return f"{first.reason}{where}{more}"


def _by_reason(problems: list[Problem]) -> dict[str, int]:
    reasons: dict[str, int] = {}
    for problem in problems:
        if problem.unread_records:
            reasons[problem.reason] = reasons.get(problem.reason, 0) + problem.unread_records
    return reasons


@dataclass(slots=True, eq=False, repr=False)
class Tally:
    """What is added up over the packets of a capture."""

    packets: int = 0
    captured_bytes: int = 0
    wire_bytes: int = 0
    truncated_packets: int = 0
    undecoded_packets: int = 0
    out_of_order_packets: int = 0
    first_ts_ns: int | None = None
    last_ts_ns: int | None = None
    previous_ts_ns: int | None = None
    date: dt.date | None = None

    def add(self, batch: PacketBatch, undecoded: int) -> None:
        """Add one batch, `undecoded` of whose packets have a link type that is not decoded."""
        self.packets += len(batch)
        self.captured_bytes += int(batch.captured_length.sum())
        self.wire_bytes += int(batch.wire_length.sum())
        self.truncated_packets += int(np.count_nonzero(batch.captured_length < batch.wire_length))
        self.undecoded_packets += undecoded
        times = _times(batch)
        if not len(times):
            return
        self.out_of_order_packets += int(np.count_nonzero(times[1:] < times[:-1]))
        if self.previous_ts_ns is not None and int(times[0]) < self.previous_ts_ns:
            self.out_of_order_packets += 1
        self.previous_ts_ns = int(times[-1])
        first, last = int(times.min()), int(times.max())
        self.first_ts_ns = first if self.first_ts_ns is None else min(first, self.first_ts_ns)
        self.last_ts_ns = last if self.last_ts_ns is None else max(last, self.last_ts_ns)

    def set_date(self, batch: PacketBatch) -> None:
        """Set the capture's day from its first packet that has a time."""
        if self.date is None and len(times := _times(batch)):
            self.date = utc_date(int(times[0]))


def _times(batch: PacketBatch) -> Int64:
    """The times of those packets that have one."""
    known = batch.ts_ns != NO_TIME
    return batch.ts_ns if known.all() else batch.ts_ns[known]


def _prepare(decoder: Decoder, batch: PacketBatch) -> tuple[Columns, Lanes]:
    """What can be done to a batch without knowing those before it."""
    columns = decoder.decode(batch)
    batch.heads = None  # several megabytes, which only decoding needs
    return columns, find_lanes(columns)


def _prepared(batches: Iterator[PacketBatch], decoder: Decoder, pool: Executor | None) -> Iterator[tuple[PacketBatch, Columns, Lanes]]:
    """Prepare batches, with a pool some ahead of the one that is given out; the order stays."""
    if pool is None or not BATCHES_AHEAD:
        for batch in batches:
            yield batch, *_prepare(decoder, batch)
            del batch
        return
    waiting: deque[tuple[PacketBatch, Future[tuple[Columns, Lanes]]]] = deque()
    for batch in batches:
        waiting.append((batch, pool.submit(_prepare, decoder, batch)))
        if len(waiting) > BATCHES_AHEAD:
            first, prepared = waiting.popleft()
            yield first, *prepared.result()
    for first, prepared in waiting:
        yield first, *prepared.result()


def ingest_packets(
    reader: Reader,
    writer: StagedWriter,
    ingest_id: int,
    tally: Tally,
    advance: Callable[[int], None],
    pool: Executor | None,
    *,
    keep_packets: bool = True,
    last: bool = False,
) -> None:
    """Read, decode and write all packets of one capture, then its conversations.

    What goes from packet to packet is done in this thread, in order; encoding in the pool, and decoding where that has threads to spare.

    Args:
        reader: The capture.
        writer: Takes the rows.
        pool: Threads to decode in; None to decode in this one.
        ingest_id: The attempt that the rows belong to.
        tally: Is added up.
        advance: Told the number of packets after each batch.
        keep_packets: Whether rows of `packets` are written.
        last: Whether the writer gets no packets after these.
    """
    # What is loaded for the first capture is loaded while its first bytes are read.
    decoder = Decoder()
    conversations = Conversations(_known_ports())
    applications = Applications(_matcher())
    for batch, columns, lanes in _prepared(reader.batches(), decoder, pool):
        tally.set_date(batch)
        stream, flow_id = conversations.update(columns, lanes)
        application = applications.update(columns, flow_id)
        rows = packet_rows(
            columns,
            ingest_id=ingest_id,
            stream=stream,
            flow_id=flow_id,
            application=application,
            application_names=applications.names,
            paths=decoder.paths,
        )
        if keep_packets:
            writer.write("packets", rows, tally.date)
        tally.add(batch, len(batch) - int(np.count_nonzero(columns.decoded)))
        advance(len(batch))
        del batch, columns, lanes, rows  # or the next but one would be made while they take memory
    if last:
        writer.end("packets")
    tables = conversations.finish(decoder.paths.texts, applications.finish(), tally.last_ts_ns)
    for name, rows in chain(tables, [("interfaces", _interface_rows(reader))]):
        size = len(next(iter(rows.values())))
        writer.write(name, {**rows, "ingest_id": arrow(np.full(size, ingest_id, dtype=np.int64))}, tally.date)


def _interface_rows(reader: Reader) -> Rows:
    interfaces = reader.state.interfaces
    return {
        "interface_id": pa.array(range(len(interfaces)), pa.int32()),
        "name": pa.array([interface.name for interface in interfaces], pa.string()),
        "description": pa.array([interface.description for interface in interfaces], pa.string()),
        "link_type": pa.array([link_type_name(interface.link_type) for interface in interfaces], pa.string()),
        "snap_length": pa.array([interface.snap_length or None for interface in interfaces], pa.int64()),
        "ts_resolution_ns": pa.array([interface.ts_resolution_ns for interface in interfaces], pa.float64()),
        "capture_filter": pa.array([interface.capture_filter for interface in interfaces], pa.string()),
        "received_packets": pa.array([interface.received_packets for interface in interfaces], pa.int64()),
        "dropped_packets": pa.array([interface.dropped_packets for interface in interfaces], pa.int64()),
    }


def failed_row(source: Source, capture_id: str, message: str, options: Options) -> dict[str, Any]:
    """The row of `captures` for a capture of which nothing could be kept."""
    row = _source_columns(source, options) | dict.fromkeys(_COUNTS, 0)
    return row | {
        "capture_id": capture_id, "ingest_id": _new_ingest_id(), "status": "damaged", "error": message, "file_bytes": source.file_bytes,
        "link_types": [], "unread_records": 0, "unread_reasons": {},
    }  # fmt: skip


_COUNTS = ("packets", "captured_bytes", "wire_bytes", "truncated_packets", "undecoded_packets", "out_of_order_packets")


def _source_columns(source: Source, options: Options) -> dict[str, Any]:
    facts = source.facts
    return {
        "source_uri": source.uri,
        "file_name": source.file_name,
        "host": options.host or facts.host,
        "vm": facts.vm,
        "resource_group": facts.resource_group,
        "subscription_id": facts.subscription_id,
        "tags": dict(options.tags),
        "modified_ns": source.modified_ns,
        "decoder_version": DECODER_VERSION,
        "ingested_ns": time.time_ns(),
    }


def _capture_row(source: Source, content: Content, reader: Reader | None, tally: Tally, options: Options) -> dict[str, Any]:
    interfaces = reader.state.interfaces if reader is not None else []
    info = reader.state.info if reader is not None else None
    snap_lengths = [interface.snap_length or 0 for interface in interfaces]
    drops = [interface.dropped_packets for interface in interfaces if interface.dropped_packets is not None]
    filters = [interface.capture_filter for interface in interfaces if interface.capture_filter]
    return _source_columns(source, options) | {
        "format": reader.format if reader is not None else None,
        "compression": content.compression,
        "converted_by": getattr(reader, "converted_by", None),
        "file_bytes": content.file_bytes if content.file_bytes is not None else source.file_bytes,
        "modified_ns": content.modified_ns if content.modified_ns is not None else source.modified_ns,
        "content_bytes": content.content_bytes,
        "link_types": list(dict.fromkeys(link_type_name(interface.link_type) for interface in interfaces)),
        "interfaces": len(interfaces) if reader is not None else None,
        "snap_length": max(snap_lengths) if snap_lengths and all(snap_lengths) else None,
        "capture_filter": filters[0] if filters else None,
        "hardware": info.hardware if info else None,
        "operating_system": info.operating_system if info else None,
        "capture_application": info.capture_application if info else None,
        "comment": info.comment if info else None,
        "first_ts_ns": tally.first_ts_ns,
        "last_ts_ns": tally.last_ts_ns,
        **{name: getattr(tally, name) for name in _COUNTS},
        "dropped_packets": sum(drops) if drops else None,
        "date": tally.date,
    }
