"""From capture files to committed rows.

A capture goes through in batches: read, decode, then in file order streams, flows, applications and handshakes, then Parquet. Only
what spans packets (open conversations, addresses) is carried from batch to batch, so that memory does not grow with the file.

Captures are ingested in chunks: all captures of a chunk share their Parquet files and one commit, because ten thousand small captures
must not become fifty thousand small files. A capture that fails half-way leaves rows that no row of `captures` points to; they do not
exist for any reader.
"""

from __future__ import annotations

import datetime
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ..warehouse.errors import CaptureError, EmptyCapture, UnsupportedFormat
from ..warehouse.locations import Location
from ..warehouse.snapshot import utc_date
from ..warehouse.staging import DataFile, StagedWriter
from .addresses import AddressBook
from .applications import Applications, Matcher
from .content import Content, open_content
from .decode import DECODER_VERSION, Decoder
from .flows import Flows
from .formats import open_reader
from .formats.base import NO_TIME, PacketBatch, Problem, Reader
from .formats.link_types import link_type_name
from .handshakes import Handshakes
from .rows import packet_rows
from .sources import Source, find_sources
from .streams import Streams

if TYPE_CHECKING:
    from ..warehouse.store import KnownCaptures, Warehouse

CHUNK_BYTES = 128 << 20
"""A chunk is closed when its files reach this size ..."""
CHUNK_CAPTURES = 256
"""... or this number."""
NO_INTERFACE = -1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ingest is.

    Attributes:
        captures: Captures done, of `total`.
        packets: Packets read so far.
        file_bytes: Bytes of files done so far, as found (compressed or not).
    """

    captures: int
    total: int
    packets: int
    file_bytes: int


@dataclass(frozen=True, slots=True)
class CaptureResult:
    """What became of one source.

    Attributes:
        source: The source as it is shown to people.
        capture_id: BLAKE3 of its content; None when it could not be opened at all.
        status: As in `captures.status`.
        packets: Packets written.
        message: What is wrong with it, or None.
        already_present: True when the warehouse had this capture, whatever its name was then.
    """

    source: str
    capture_id: str | None
    status: str
    packets: int
    message: str | None = None
    already_present: bool = False

    def as_present(self) -> CaptureResult:
        """The same for a capture that turned out to be in the warehouse."""
        return CaptureResult(self.source, self.capture_id, self.status, 0, None, already_present=True)

    @property
    def failed(self) -> bool:
        """Whether something of the capture could not be read."""
        return not self.already_present and (self.message is not None or self.status not in {"complete", "growing"})


@dataclass(slots=True)
class IngestReport:
    """What became of all sources, in the order in which they were done."""

    results: list[CaptureResult] = field(default_factory=list)

    @property
    def failed(self) -> list[CaptureResult]:
        """Those of which something could not be read."""
        return [result for result in self.results if result.failed]

    @property
    def packets(self) -> int:
        """Packets that this ingest added."""
        return sum(result.packets for result in self.results if not result.already_present)


@dataclass(frozen=True, slots=True)
class Options:
    """What the user says about the captures of one ingest."""

    host: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class ChunkResult:
    """What a worker gives back for one chunk: files that nobody sees yet, and the rows that would make them count."""

    files: list[DataFile]
    captures: list[dict[str, Any]]
    results: list[CaptureResult]
    ingest_ids: list[int | None]
    file_bytes: int


def ingest(
    warehouse: Warehouse,
    sources: Sequence[str],
    *,
    host: str | None = None,
    tags: Mapping[str, str] | None = None,
    jobs: int = 1,
    recursive: bool = True,
    progress: Callable[[Progress], None] | None = None,
) -> IngestReport:
    """Ingest captures; what is already in the warehouse is recognised by content and skipped.

    Args:
        warehouse: Where the rows go.
        sources: Paths, globs, folders, or "-" for standard input.
        host: The machine that captured, for sources whose path does not tell.
        tags: Tags for every capture.
        jobs: Processes that read captures side by side.
        recursive: Whether folders are searched with their sub-folders.
        progress: Called from time to time in this process.

    Returns:
        One result per source. A source that cannot be read is a result, not an exception.

    Raises:
        UsageError: A source names nothing.
        WarehouseError: The rows could not be committed.
    """
    found = find_sources(sources, recursive=recursive)
    chunks = list(_chunks(found, most=max(1, -(-len(found) // jobs)) if jobs > 1 else CHUNK_CAPTURES))
    known = warehouse.known()
    options = Options(host, dict(tags or {}))
    tracker = _Tracker(len(found), progress)
    report = IngestReport()
    for chunk in _run(warehouse, chunks, known, options, jobs, tracker):
        committed = warehouse.commit(chunk.files, chunk.captures)
        late = set(committed.already_present)
        for result, ingest_id in zip(chunk.results, chunk.ingest_ids, strict=True):
            # Another writer, or another file of this run, brought the same capture first.
            report.results.append(result.as_present() if ingest_id in late else result)
        tracker.done(chunk)
    return report


class _Tracker:
    """Adds up progress and reports it a few times a second."""

    def __init__(self, total: int, report: Callable[[Progress], None] | None) -> None:
        self._total = total
        self._report = report
        self._captures = self._packets = self._file_bytes = 0
        self._next = 0.0

    def read(self, packets: int) -> None:
        """Count packets of a capture that is being read in this process."""
        self._tell(self._packets + packets, self._file_bytes)

    def done(self, chunk: ChunkResult) -> None:
        """Count a finished chunk."""
        self._captures += len(chunk.results)
        self._packets += sum(result.packets for result in chunk.results)
        self._file_bytes += chunk.file_bytes
        self._next = 0.0
        self._tell(self._packets, self._file_bytes)

    def _tell(self, packets: int, file_bytes: int) -> None:
        now = time.monotonic()
        if self._report is not None and now >= self._next:
            self._next = now + 0.1
            self._report(Progress(self._captures, self._total, packets, file_bytes))


def _chunks(sources: list[Source], most: int) -> Iterator[list[Source]]:
    chunk: list[Source] = []
    size = 0
    for source in sources:
        chunk.append(source)
        size += CHUNK_BYTES if source.file_bytes is None else source.file_bytes
        if size >= CHUNK_BYTES or len(chunk) >= min(CHUNK_CAPTURES, most):
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _run(
    warehouse: Warehouse, chunks: list[list[Source]], known: KnownCaptures, options: Options, jobs: int, tracker: _Tracker
) -> Iterator[ChunkResult]:
    if jobs <= 1 or len(chunks) <= 1:
        for chunk in chunks:
            yield ingest_chunk(warehouse.root, chunk, known, options, tracker.read)
        return
    # Not forked: the parent has threads (Arrow, the log's object store) that a fork would leave without their locks.
    with ProcessPoolExecutor(max_workers=jobs, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(ingest_chunk, warehouse.root, chunk, known, options) for chunk in chunks]
        for future in as_completed(waiting):
            yield future.result()


def ingest_chunk(
    root: Location, sources: list[Source], known: KnownCaptures, options: Options, progress: Callable[[int], None] | None = None
) -> ChunkResult:
    """Read captures into uncommitted files of the warehouse at `root`; runs in any process."""
    writer = StagedWriter(root)
    chunk = ChunkResult([], [], [], [], 0)
    seen: set[str] = set()
    packets = 0

    def advance(number: int) -> None:
        nonlocal packets
        packets += number
        if progress is not None:
            progress(packets)

    for source in sources:
        row, result = _ingest_source(source, writer, known, options, advance)
        if row is not None and row["capture_id"] in seen:
            row, result = None, result.as_present()
        if row is not None:
            seen.add(row["capture_id"])
            chunk.captures.append(row)
        chunk.results.append(result)
        chunk.ingest_ids.append(row["ingest_id"] if row is not None else None)
        chunk.file_bytes += source.file_bytes or 0
    chunk.files = writer.finish()
    return chunk


def _ingest_source(
    source: Source, writer: StagedWriter, known: KnownCaptures, options: Options, advance: Callable[[int], None]
) -> tuple[dict[str, Any] | None, CaptureResult]:
    """One source: its row of `captures` (None when there is nothing to add) and what to tell."""
    try:
        if source.file_bytes is not None and known.may_have(source.file_bytes):
            capture_id = _identify(source)
            if known.has(capture_id, DECODER_VERSION):
                status = known.by_content[capture_id].status
                return None, CaptureResult(source.display, capture_id, status, 0, None, already_present=True)
        with open_content(source.open(), name=source.display) as content:
            return _ingest_content(source, content, writer, options, advance)
    except CaptureError as error:
        error.source = error.source or source.display
        return None, CaptureResult(source.display, None, "unsupported", 0, error.message)
    except OSError as error:
        return None, CaptureResult(source.display, None, "unsupported", 0, error.strerror or str(error))


def _identify(source: Source) -> str:
    with open_content(source.open(), name=source.display) as content:
        return content.digest()


def _ingest_content(
    source: Source, content: Content, writer: StagedWriter, options: Options, advance: Callable[[int], None]
) -> tuple[dict[str, Any], CaptureResult]:
    reader: Reader | None = None
    tally = Tally()
    ingest_id = secrets.randbits(63)
    problems: list[Problem] = []
    status = "complete"
    try:
        reader = open_reader(content)
    except EmptyCapture as error:
        status, problems = "empty", [Problem(0, error.message)]
    except UnsupportedFormat as error:
        status, problems = "unsupported", [Problem(error.offset or 0, error.message)]
    if reader is not None:
        ingest_packets(reader, writer, ingest_id, tally, advance)
        problems = list(reader.state.problems)
    digest = content.digest()
    problems += content.problems
    if reader is not None and problems:
        status = "cut-short" if all(problem.kind == "cut-short" for problem in problems) else "damaged"
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
    return row, CaptureResult(source.display, digest, status, tally.packets, _message(problems, status))


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


@dataclass(slots=True)
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
    date: datetime.date | None = None

    def add(self, batch: PacketBatch, undecoded: int) -> None:
        """Add one batch, `undecoded` of whose packets have a link type that is not decoded."""
        self.packets += len(batch)
        self.captured_bytes += int(batch.captured_length.sum())
        self.wire_bytes += int(batch.wire_length.sum())
        self.truncated_packets += int(np.count_nonzero(batch.captured_length < batch.wire_length))
        self.undecoded_packets += undecoded
        times = batch.ts_ns[batch.ts_ns != NO_TIME]
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
        times = batch.ts_ns[batch.ts_ns != NO_TIME]
        if self.date is None and len(times):
            self.date = utc_date(int(times[0]))


def ingest_packets(reader: Reader, writer: StagedWriter, ingest_id: int, tally: Tally, advance: Callable[[int], None]) -> None:
    """Read, decode and write all packets of one capture, then its conversations.

    Args:
        reader: The capture.
        writer: Takes the rows.
        ingest_id: The attempt that the rows belong to.
        tally: Is added up.
        advance: Told the number of packets after each batch.
    """
    decoder = Decoder()
    book, streams, flows, handshakes = AddressBook(), Streams(), Flows(), Handshakes()
    applications = Applications(Matcher.load())
    for batch in reader.batches():
        columns = decoder.decode(batch)
        tally.set_date(batch)
        numbers = book.add(columns.addresses)
        src, dst = _renumber(numbers, columns.src_ip), _renumber(numbers, columns.dst_ip)
        stream = streams.number(columns, src, dst)
        flow_id = flows.update(columns, stream, src, dst, numbers)
        application = applications.update(columns, flow_id)
        handshakes.update(columns, stream, flow_id, src, dst)
        rows = packet_rows(
            columns, ingest_id=ingest_id, stream=stream, flow_id=flow_id, application=application, application_names=applications.names, paths=decoder.paths
        )
        writer.write("packets", rows, tally.date)
        tally.add(batch, len(batch) - int(np.count_nonzero(columns.decoded)))
        advance(len(batch))
    labels = applications.finish()
    flow_rows, minute_rows = flows.finish(book, decoder.paths.texts, labels)
    for name, rows in (
        ("flows", flow_rows),
        ("flow_minutes", minute_rows),
        ("handshakes", handshakes.finish(book, tally.last_ts_ns)),
        ("addresses", book.to_arrow()),
        ("interfaces", _interface_rows(reader)),
    ):
        if rows.num_rows:
            writer.write(name, _with_ingest_id(rows, ingest_id), tally.date)


def _renumber(numbers: np.ndarray[Any, np.dtype[np.int32]], local: np.ndarray[Any, np.dtype[np.int32]]) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Capture-wide numbers of a batch's address numbers; -1 stays -1."""
    return np.append(numbers, np.int32(-1))[local]


def _with_ingest_id(rows: pa.Table, ingest_id: int) -> pa.Table:
    return rows.add_column(0, pa.field("ingest_id", pa.int64(), nullable=False), pa.array(np.full(rows.num_rows, ingest_id, dtype=np.int64)))


def _interface_rows(reader: Reader) -> pa.Table:
    interfaces = reader.state.interfaces
    return pa.table(
        {
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
    )


def _capture_row(source: Source, content: Content, reader: Reader | None, tally: Tally, options: Options) -> dict[str, Any]:
    interfaces = reader.state.interfaces if reader is not None else []
    info = reader.state.info if reader is not None else None
    snap_lengths = [interface.snap_length or 0 for interface in interfaces]
    drops = [interface.dropped_packets for interface in interfaces if interface.dropped_packets is not None]
    filters = [interface.capture_filter for interface in interfaces if interface.capture_filter]
    facts = source.facts
    return {
        "source_uri": source.uri,
        "file_name": source.file_name,
        "host": options.host or facts.host,
        "vm": facts.vm,
        "resource_group": facts.resource_group,
        "subscription_id": facts.subscription_id,
        "tags": dict(options.tags),
        "format": reader.format if reader is not None else None,
        "compression": content.compression,
        "converted_by": getattr(reader, "converted_by", None),
        "file_bytes": content.file_bytes,
        "content_bytes": content.content_bytes,
        "modified_ns": source.modified_ns,
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
        "packets": tally.packets,
        "captured_bytes": tally.captured_bytes,
        "wire_bytes": tally.wire_bytes,
        "truncated_packets": tally.truncated_packets,
        "undecoded_packets": tally.undecoded_packets,
        "out_of_order_packets": tally.out_of_order_packets,
        "dropped_packets": sum(drops) if drops else None,
        "decoder_version": DECODER_VERSION,
        "ingested_ns": time.time_ns(),
        "date": tally.date,
    }
