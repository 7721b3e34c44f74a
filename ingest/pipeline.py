"""From capture files to committed rows: many captures, one or several processes.

Captures are ingested in chunks: all captures of a chunk share their Parquet files and one commit, because ten thousand small captures
must not become fifty thousand small files. A capture that is given up half-way leaves rows that no row of `captures` points to; they do
not exist for any reader.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ..warehouse import originals
from ..warehouse.errors import CaptureError, SourceVanished, WarehouseError
from ..warehouse.locations import Location
from ..warehouse.staging import DataFile, StagedWriter
from .capture import Ingested, Options, failed_row, ingest_content
from .compression import MAX_EXPANSION
from .content import open_content
from .decode import DECODER_VERSION
from .memory import forget_delta, keep_small
from .processors import processors
from .sessions import session_of
from .sources import Source, find_sources

if TYPE_CHECKING:
    from ..warehouse.compaction import Compacted
    from ..warehouse.store import KnownCaptures, Warehouse

CHUNK_BYTES = 128 << 20
"""A chunk is closed when its files reach this size ..."""
CHUNK_CAPTURES = 256
"""... or this number."""
THREADED_BYTES = 8 << 20
"""Captures from this size on, and streams, are decoded and encoded by several threads; for less they do not pay."""


TOLD = ("source_uri", "file_name", "host", "vm", "resource_group", "subscription_id", "packets_pruned_ns")
"""Columns of `captures` that do not come from the content, and that a capture keeps when it is read again."""


class Progress(NamedTuple):
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


class CaptureResult(NamedTuple):
    """What became of one source.

    Attributes:
        source: The source as it is shown to people.
        capture_id: BLAKE3 of its content; None when it could not be opened at all.
        status: As in `captures.status`, or 'vanished'.
        packets: Packets written.
        message: What is wrong with it, or None.
        already_present: True when the warehouse had this capture, whatever its name was then.
        uri: The source as it is stored.
        warning: What is wrong with the files beside it, or None.
    """

    source: str
    capture_id: str | None
    status: str
    packets: int
    message: str | None = None
    already_present: bool = False
    uri: str = ""
    warning: str | None = None

    def as_present(self) -> CaptureResult:
        """The same for a capture that turned out to be in the warehouse; that it could not be read to its end remains true."""
        return self._replace(packets=0, message=self.message if self.status == "interrupted" else None, already_present=True)

    @property
    def failed(self) -> bool:
        """Whether something of the capture could not be read."""
        return self.message is not None or not (self.already_present or self.status in {"complete", "growing"})


@dataclass(slots=True)
class IngestReport:
    """What became of all sources, in the order in which they were done.

    Attributes:
        results: One per source.
        compacted: What was compacted at the end, because the warehouse had come to have many small files.
        trouble: Why that could not be done, or None; the captures are in all the same.
    """

    results: list[CaptureResult] = field(default_factory=list)
    compacted: list[Compacted] = field(default_factory=list)
    trouble: str | None = None

    @property
    def failed(self) -> list[CaptureResult]:
        """Those of which something could not be read."""
        return [result for result in self.results if result.failed]

    @property
    def packets(self) -> int:
        """Packets that this ingest added."""
        return sum(result.packets for result in self.results if not result.already_present)


@dataclass(slots=True, eq=False, repr=False)
class ChunkResult:
    """What a worker gives back for one chunk: files that nobody sees yet, and the rows that would make them count."""

    files: list[DataFile] = field(default_factory=list)
    captures: list[dict[str, Any]] = field(default_factory=list)
    results: list[CaptureResult] = field(default_factory=list)
    ingest_ids: list[int | None] = field(default_factory=list)
    beginnings: dict[int, dict[str, bool]] = field(default_factory=dict)
    instead_of: dict[int, int] = field(default_factory=dict)
    file_bytes: int = 0


def ingest(
    warehouse: Warehouse,
    sources: Sequence[str],
    *,
    host: str | None = None,
    tags: Mapping[str, str] | None = None,
    jobs: int = 1,
    recursive: bool = True,
    keep_originals: bool = False,
    max_expansion: int | None = MAX_EXPANSION,
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
        keep_originals: Whether the captures themselves are kept in the warehouse, too.
        max_expansion: How many times its size a compressed capture may give; None for whatever it gives.
        progress: Called from time to time in this process.

    Returns:
        One result per source. A source that cannot be read is a result, not an exception.

    Raises:
        UsageError: A source names nothing.
        WarehouseError: The rows could not be committed.
    """
    found = find_sources(sources, recursive=recursive)
    return ingest_sources(warehouse, found, Options(host, dict(tags or {}), keep_originals, max_expansion), jobs=jobs, progress=progress)


def ingest_sources(
    warehouse: Warehouse,
    found: Sequence[Source],
    options: Options,
    *,
    jobs: int = 1,
    progress: Callable[[Progress], None] | None = None,
    committed: Callable[[list[CaptureResult]], None] | None = None,
) -> IngestReport:
    """Ingest captures that were found.

    Args:
        warehouse: Where the rows go.
        found: The captures.
        options: What the user says about them.
        jobs: Processes that read captures side by side.
        progress: Called from time to time in this process, while captures are read and never while they are committed. What it raises
            ends the ingest: what is committed stays, the rest leaves nothing behind.
        committed: Called with the results of each commit.

    Returns:
        One result per source. A source that cannot be read is a result, not an exception.

    Raises:
        WarehouseError: The rows could not be committed.
    """
    chunks = list(_chunks(found, most=max(1, -(-len(found) // jobs)) if jobs > 1 else CHUNK_CAPTURES))
    known = warehouse.known()
    tracker = _Tracker(len(found), progress)
    report = IngestReport()
    files = 0
    with closing(_run(warehouse, chunks, known, options, jobs, tracker)) as done:
        for chunk in done:
            commit = warehouse.commit(chunk.files, chunk.captures, instead_of=chunk.instead_of, beginnings=chunk.beginnings)
            late = set(commit.already_present)
            results = [
                # Another writer, or another file of this run, brought the same capture first.
                result.as_present() if ingest_id in late else result
                for result, ingest_id in zip(chunk.results, chunk.ingest_ids, strict=True)
            ]
            report.results += results
            files += len(chunk.files)
            _drop_originals(warehouse, known, commit.replaced)
            tracker.done(chunk)
            if committed is not None:
                committed(results)
    if any(not result.already_present for result in report.results):
        _compact(warehouse, report, files)
    return report


def _compact(warehouse: Warehouse, report: IngestReport, files: int) -> None:
    """Merge small files when there are many, `files` of them new. What was ingested is in whatever comes of it."""
    from ..warehouse.due import is_due

    try:
        if is_due(warehouse, files):
            from ..warehouse.compaction import compact

            report.compacted = compact(warehouse)
    except WarehouseError as error:
        report.trouble = str(error)


def _drop_originals(warehouse: Warehouse, known: KnownCaptures, replaced: Collection[int]) -> None:
    """Remove the originals of captures that were replaced by what their files have grown into."""
    gone = {capture.capture_id for capture in known.by_content.values() if capture.ingest_id in replaced} if replaced else set()
    for capture_id in gone - set(warehouse.known().by_content) if gone else ():
        originals.remove(warehouse.root, capture_id)


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


def _chunks(sources: Sequence[Source], most: int) -> Iterator[list[Source]]:
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
) -> Generator[ChunkResult]:
    here = [chunk for chunk in chunks if jobs <= 1 or len(chunks) == 1 or any(source.is_stream for source in chunk)]
    elsewhere = [chunk for chunk in chunks if chunk not in here]
    for chunk in here:
        yield ingest_chunk(warehouse.root, chunk, known, options, threads=processors(), progress=tracker.read)
    if not elsewhere:
        return
    # Imported here, because most ingests are of one process.
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    # Not forked: the parent has threads (Arrow, the log's object store) that a fork would leave without their locks.
    with ProcessPoolExecutor(min(jobs, len(elsewhere)), get_context("spawn"), initializer=_end_with_parent) as pool:
        waiting = {pool.submit(ingest_chunk, warehouse.root, chunk, known, options): chunk for chunk in elsewhere}
        try:
            for future in as_completed(list(waiting)):
                chunk = waiting.pop(future)
                try:
                    result = future.result()
                except BrokenProcessPool:
                    result = _unread(chunk, "the process that was to read it was ended from outside, perhaps for want of memory")
                yield result
        finally:
            # Something went wrong, with a chunk or its commit: what others have written meanwhile is not to stay behind.
            for future in waiting:
                if not future.cancel() and future.exception() is None:
                    warehouse.discard(future.result().files)


def _end_with_parent() -> None:
    """Let this process end when the one that it works for is killed; without that it would wait for work for ever."""
    from multiprocessing import parent_process

    def wait() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _unread(sources: Sequence[Source], message: str) -> ChunkResult:
    """The result for captures that could not be read for a reason that is not theirs."""
    results = [CaptureResult(source.display, None, "unsupported", 0, message, uri=source.uri) for source in sources]
    return ChunkResult(results=results, ingest_ids=[None] * len(results), file_bytes=sum(source.file_bytes or 0 for source in sources))


def ingest_chunk(
    root: Location,
    sources: list[Source],
    known: KnownCaptures,
    options: Options,
    *,
    threads: int = 1,
    progress: Callable[[int], None] | None = None,
) -> ChunkResult:
    """Read captures into uncommitted files of the warehouse at `root`; runs in any process.

    Args:
        root: The warehouse.
        sources: The captures.
        known: What the warehouse had at the start.
        options: What the user says about the captures.
        threads: Threads that large captures are worked on in, this one among them.
        progress: Told the packets read so far.
    """
    keep_small()
    forget_delta()
    # This thread works, too: one more would take its processor away, and all wait for it.
    with ThreadPoolExecutor(max_workers=max(threads - 1, 1), thread_name_prefix="caphouse") as pool:
        several = pool if threads > 1 and any(_is_large(source) for source in sources) else None
        with StagedWriter(root, executor=several) as writer:
            reader = _ChunkReader(root, writer, known, options, several, progress)
            for source in sources:
                reader.read(source, last=source is sources[-1])
            reader.chunk.files = writer.finish()
            return reader.chunk


def _is_large(source: Source) -> bool:
    return source.file_bytes is None or source.file_bytes >= THREADED_BYTES


class _ChunkReader:
    """Reads the captures of a chunk, one after the other."""

    def __init__(
        self,
        root: Location,
        writer: StagedWriter,
        known: KnownCaptures,
        options: Options,
        pool: Executor | None,
        progress: Callable[[int], None] | None,
    ) -> None:
        self.chunk = ChunkResult()
        self._root = root
        self._writer = writer
        self._known = known
        self._options = options
        self._pool = pool
        self._progress = progress
        self._packets = 0
        self._seen: set[str] = set()

    def read(self, source: Source, *, last: bool) -> None:
        """Add one source to the chunk, whatever comes of it; after the last one no packets come."""
        result, row = self._read(source, last=last)
        if row is not None and row["capture_id"] in self._seen:
            result, row = result.as_present(), None
        if row is not None:
            self._seen.add(row["capture_id"])
            self.chunk.captures.append(row)
        self.chunk.results.append(result._replace(uri=source.uri))
        self.chunk.ingest_ids.append(row["ingest_id"] if row is not None else None)
        self.chunk.file_bytes += source.file_bytes or 0

    def _read(self, source: Source, *, last: bool) -> tuple[CaptureResult, dict[str, Any] | None]:
        try:
            present = self._recognise(source)
            if present is not None:
                return present, None
            ingested = self._ingest(source, last=last)
            warning = None
            if source.again is not None:
                self._take_over(source, source.again, ingested.row)
            else:
                warning = _add_session(source, ingested.row)
            return _result(source, ingested)._replace(warning=warning), ingested.row
        except CaptureError as error:
            status = "vanished" if isinstance(error, SourceVanished) else "unsupported"
            where = f" at byte {error.offset:,}" if error.offset is not None else ""
            return CaptureResult(source.display, None, status, 0, error.message + where), None
        except WarehouseError:
            raise  # not the capture's fault: nothing is to be said of it, and all of the chunk is to be read again
        except OSError as error:
            return CaptureResult(source.display, None, "unsupported", 0, error.strerror or str(error)), None
        except Exception as error:  # noqa: BLE001 - a defect here must not cost the user the other captures
            return self._defect(source, error)

    def _ingest(self, source: Source, *, last: bool) -> Ingested:
        """Read a capture; an earlier state of the same file is recognised by what this one begins with."""
        earlier = [capture for capture in self._known.at(source.uri) if capture.content_bytes is not None]
        marks = {capture.content_bytes for capture in earlier if capture.content_bytes is not None}
        with ExitStack() as stack:
            keeper = stack.enter_context(originals.OriginalWriter(self._root)) if self._options.keep_originals else None
            copy = keeper.write if keeper is not None else None
            limit = None if _is_original(source) else self._options.max_expansion
            opened = open_content(source.open(), name=source.display, marks=marks, copy=copy, max_expansion=limit)
            content = stack.enter_context(opened)
            pool = self._pool if _is_large(source) else None
            keep_packets = source.again is None or source.again["packets_pruned_ns"] is None
            ingested = ingest_content(
                source, content, self._writer, self._options, self._advance, pool, keep_packets=keep_packets, last=last
            )
            if keeper is not None and ingested.row["format"] is not None and content.failure is None:
                keeper.keep(ingested.row["capture_id"])
        self.chunk.beginnings[ingested.row["ingest_id"]] = {
            capture.capture_id: content.digests[capture.content_bytes] == capture.capture_id
            for capture in earlier
            if capture.content_bytes in content.digests
        }
        return ingested

    def _take_over(self, source: Source, before: Mapping[str, Any], row: dict[str, Any]) -> None:
        """Let a capture that was read once more take the place of its earlier row, with what people have said about it.

        Raises:
            CaptureError: The place holds another content now.
        """
        if row["capture_id"] != before["capture_id"]:
            raise CaptureError("it is not the capture any more that was ingested; `caphouse ingest` reads what is there now")
        row.update({name: before[name] for name in TOLD})
        if _is_original(source):  # packed in its own way
            row.update({name: before[name] for name in ("compression", "file_bytes", "modified_ns")})
        row["capture_filter"] = row["capture_filter"] or before["capture_filter"]
        row["tags"] = dict(before["tags"])
        self.chunk.instead_of[row["ingest_id"]] = before["ingest_id"]

    def _defect(self, source: Source, error: Exception) -> tuple[CaptureResult, dict[str, Any] | None]:
        """The result for a capture that this program fails on. Rows written so far stay without a row of `captures`: they do not exist."""
        message = f"cannot be decoded, which is a defect of caphouse ({type(error).__name__}: {error}); please report it"
        capture_id = None if source.is_stream or source.again is not None else _digest(source, self._options.max_expansion)
        if capture_id is None:
            return CaptureResult(source.display, None, "damaged", 0, message), None
        row = failed_row(source, capture_id, message, self._options)
        return CaptureResult(source.display, capture_id, "damaged", 0, message), row

    def _recognise(self, source: Source) -> CaptureResult | None:
        """The result for a capture that the warehouse has. Content is hashed beforehand only when some capture had the same size."""
        if source.again is not None or source.is_stream or source.file_bytes is None or not self._known.may_have(source.file_bytes):
            return None
        capture_id = _digest(source, self._options.max_expansion)
        if capture_id is None or not self._known.has(capture_id, DECODER_VERSION):
            return None
        if self._options.keep_originals:
            self._keep(source, capture_id)
        return CaptureResult(source.display, capture_id, self._known.by_content[capture_id].status, 0, already_present=True)

    def _keep(self, source: Source, capture_id: str) -> None:
        """Keep the original of a capture that was ingested without it."""
        if self._known.by_content[capture_id].status in {"empty", "unsupported"} or originals.exists(self._root, capture_id):
            return
        limit = self._options.max_expansion
        with (
            originals.OriginalWriter(self._root) as keeper,
            open_content(source.open(), name=source.display, copy=keeper.write, max_expansion=limit) as content,
        ):
            if content.digest() == capture_id:
                keeper.keep(capture_id)

    def _advance(self, packets: int) -> None:
        self._packets += packets
        if self._progress is not None:
            self._progress(self._packets)


def _is_original(source: Source) -> bool:
    """Whether a capture that is read again comes from the warehouse itself."""
    return source.again is not None and source.location is not None and source.location.uri != source.uri


def _digest(source: Source, max_expansion: int | None) -> str | None:
    """The digest of a capture's content; None when it cannot be read to its end."""
    with open_content(source.open(), name=source.display, max_expansion=max_expansion) as content:
        digest = content.digest()
        return digest if content.failure is None else None


def _add_session(source: Source, row: dict[str, Any]) -> str | None:
    """Add what an exported session beside a capture says, where its file, its path and the user do not; returns what is wrong with it."""
    session, warning = session_of(source)
    if session is not None:
        row["tags"] = {**session.tags, **row["tags"]}
        row["capture_filter"] = row["capture_filter"] or session.capture_filter
        for name in ("host", "vm", "resource_group", "subscription_id"):
            row[name] = row[name] or getattr(session.facts, name)
    return warning


def _result(source: Source, ingested: Ingested) -> CaptureResult:
    row = ingested.row
    return CaptureResult(source.display, row["capture_id"], row["status"], row["packets"], ingested.message)
