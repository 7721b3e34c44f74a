"""What a process that ingests writes: data files in their final place, which nobody sees before they are committed.

Neither this module nor those it imports load deltalake: worker processes write, one process commits (`store.Warehouse.commit`).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
import time
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from blake3 import blake3

from .errors import WarehouseError, reason
from .parquet import ROW_GROUP_ROWS, Bounds, ParquetSink, conform
from .tables import BY_NAME

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Executor, Future

    import pyarrow as pa

    from .arrays import Rows
    from .locations import Location

FILE_BYTES = 256 << 20
"""Size after which a new file is begun, so that queries can share out the work and compaction stays within memory."""

BUFFERED_ROWS = ROW_GROUP_ROWS + ROW_GROUP_ROWS // 2
"""Rows held back over all tables and days before the largest lot is written, row group full or not."""

MOST_PENDING = 2
"""Row groups that may wait to be encoded; more would only take memory."""

COMPLETED_AT_ONCE = 8
"""Files that are completed side by side: that is hardly work, and waiting for the disk."""

NO_DATE = "__HIVE_DEFAULT_PARTITION__"
"""Folder name of NULL, by the convention that Delta, Hive and Spark share."""


class DataFile(NamedTuple):
    """A Parquet file that is complete but not registered.

    Attributes:
        table: Name of its table.
        path: Path below the table's folder, '/' separated.
        date: Its partition; None for captures without packets.
        bytes: Size.
        rows: Number of rows.
        bounds: Minimum, maximum and number of NULLs per column that keeps statistics.
        finished: When its last bytes were about to be written, by the clock of `time.monotonic`, which nobody sets back.
    """

    table: str
    path: str
    date: dt.date | None
    bytes: int
    rows: int
    bounds: dict[str, Bounds]
    finished: float


Partition = tuple[str, "dt.date | None"]


class OpenFile:
    """A data file while it is written: a local one under a name that no reader of '*.parquet' takes for a table's.

    The name of a local file ends in the digest of its content, so that any change to it can be noticed. In object storage, where
    files cannot be given a name afterwards, the storage itself sees to that.
    """

    def __init__(self, root: Location, table: str, date: dt.date | None) -> None:
        self.table = table
        self.date = date
        self._name = os.urandom(8).hex()
        # captures is small and rewritten as a whole: it has no partitions.
        self._folder = "" if table == "captures" else f"date={date.isoformat() if date else NO_DATE}/"
        self._parent = root.join(table, self._folder)
        self._is_local = root.is_local
        self._output = self._parent.join(f".{self._name}.part" if self._is_local else f"{self._name}.parquet")
        with self._told():
            self._parent.make_folder()
            output = self._output.open_output()
            try:
                self._sink = ParquetSink(BY_NAME[table], output)
            except OSError:
                with contextlib.suppress(OSError):
                    output.close()
                with contextlib.suppress(OSError):
                    self._output.delete()
                raise

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Tell a full disk, or storage that cannot be reached, as what it is."""
        try:
            yield
        except OSError as error:
            raise WarehouseError(f"{self._parent}: cannot be written: {reason(error)}.") from error

    def write(self, pieces: Sequence[pa.Table]) -> None:
        """Write a row group; see `ParquetSink.write`.

        Raises:
            WarehouseError: The disk is full, or the storage refuses.
        """
        with self._told():
            self._sink.write(pieces)
            if self._is_local:
                _begin_sync(self._output.path)

    @property
    def bytes_written(self) -> int:
        """Bytes that it has so far."""
        return self._sink.bytes_written

    @property
    def is_large(self) -> bool:
        """Whether it is time to begin another file."""
        return self.bytes_written >= FILE_BYTES

    def finish(self) -> DataFile:
        """Complete the file and give it its name.

        Raises:
            WarehouseError: The disk is full, or the storage refuses.
        """
        name = self._output.name
        finished = time.monotonic()
        with self._told():
            written = self._sink.close()
            if self._is_local:
                _sync(self._output.path)
                name = f"{self._name}-{_digest(self._output.path)}.parquet"
                Path(self._output.path).replace(self._parent.join(name).path)
        return DataFile(self.table, self._folder + name, self.date, written.bytes, written.rows, written.bounds, finished)

    def abandon(self) -> None:
        """Remove what was written, where that can be done; else a vacuum does it later."""
        self._sink.abandon()
        with contextlib.suppress(OSError):
            self._output.delete()


def remove_files(root: Location, files: Iterable[DataFile]) -> None:
    """Remove files that are no part of the warehouse; what the storage does not remove now, a vacuum removes later."""
    for file in files:
        with contextlib.suppress(OSError):
            root.join(file.table, *file.path.split("/")).delete()


def is_unharmed(location: Location) -> bool:
    """Whether a data file's content is what was written; True where its name does not tell."""
    from .locations import DATA_FILE

    match = DATA_FILE.search(location.name)
    return match is None or match["digest"] is None or not location.is_local or _digest(location.path) == match["digest"]


def _digest(path: str) -> str:
    """The first 128 bits of a file's BLAKE3, in hexadecimal digits."""
    # Not mapped: all of a large file would count as this process's memory.
    # `hashlib.file_digest` does the same, and OpenSSL, which comes with it, takes 4 ms to load.
    digest, buffer = blake3(), bytearray(1 << 18)
    with Path(path).open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(memoryview(buffer)[:count])
    return digest.digest()[:16].hex()


def _sync(path: str) -> None:
    """Bring the file to the disk: the log must never name a file that a power cut leaves empty."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _begin_sync(path: str) -> None:
    """Let the disk begin with what a file has so far, where the system can be asked to, so that `_sync` has little left to wait for."""
    if sys.platform != "linux":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # Whether it does or not, `_sync` will tell what goes wrong.
        _libc().sync_file_range(descriptor, ctypes.c_int64(0), ctypes.c_int64(0), _SYNC_FILE_RANGE_WRITE)
    except AttributeError:  # another C library than glibc
        pass
    finally:
        os.close(descriptor)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


_SYNC_FILE_RANGE_WRITE = 2
"""Flag of Linux's sync_file_range(2): begin to write what is not being written yet, and do not wait."""


class _Job:
    """Work that is done once, by whoever comes first; it holds what it works on until then."""

    def __init__(self, work: Callable[..., None], arguments: tuple[object, ...]) -> None:
        self._left = [(work, arguments)]

    def __call__(self) -> None:
        work, arguments = self._left.pop()
        work(*arguments)


class _Pending(NamedTuple):
    """A row group that was handed in."""

    future: Future[None]
    job: _Job
    partition: Partition


class StagedWriter:
    """Collects rows of any tables and days, also of many captures, and writes them in large row groups.

    `write` may be called by several threads: each writes its row groups to a file of its own, side by side.
    As a context manager it removes its files when an exception leaves the block.

    Args:
        location: The warehouse.
        executor: Encodes row groups, so that `write` returns at once; without one `write` does it.
    """

    def __init__(self, location: Location | str | Path, *, executor: Executor | None = None) -> None:
        from .locations import Location

        self._root = Location.parse(location)
        self._lock = threading.Lock()
        self._pieces: dict[Partition, list[pa.Table]] = defaultdict(list)
        self._rows: dict[Partition, int] = defaultdict(int)
        self._idle: dict[Partition, list[OpenFile]] = defaultdict(list)
        self._open: set[OpenFile] = set()
        self._finished: list[DataFile] = []
        self._executor = executor
        self._pending: deque[_Pending] = deque()
        self._least_rows = ROW_GROUP_ROWS
        self._completing: list[Future[None]] = []
        self._aside: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.abandon()

    def write(self, table: str, data: Rows | pa.Table, date: dt.date | None) -> None:
        """Add rows of one table.

        Args:
            table: Name of the table.
            data: The rows; text may be dictionary-encoded, nullable columns may be missing.
            date: Day (UTC) of the capture's first packet: the partition. None for a capture without packets.

        Raises:
            ValueError: The rows are not of that table.
            WarehouseError: The disk is full, or the storage refuses.
        """
        rows = conform(data, BY_NAME[table])
        if not rows.num_rows:
            return
        partition = (table, date)
        with self._lock:
            self._pieces[partition].append(rows)
            self._rows[partition] += rows.num_rows
            if self._rows[partition] < self._least_rows:
                if sum(self._rows.values()) < BUFFERED_ROWS:
                    return
                partition = max(self._rows, key=self._rows.__getitem__)
            pieces = self._take(partition)
        self._hand_in(partition, pieces)
        self._settle(MOST_PENDING)

    def _hand_in(self, partition: Partition, pieces: list[pa.Table]) -> None:
        """Have a row group encoded by the executor; without one do it."""
        job = _Job(self._encode, (partition, pieces))
        if self._executor is None:
            job()
        else:
            self._pending.append(_Pending(self._executor.submit(job), job, partition))

    def _settle(self, most: int) -> None:
        """Wait until no more than `most` pieces of work are on their way; raises what went wrong with one."""
        while len(self._pending) > most:
            self._pending.popleft().future.result()

    def _work_off(self) -> None:
        """Do what the executor has not begun, from the last on, and wait for the rest; raises what went wrong with one."""
        left: deque[_Pending] = deque()
        try:
            for pending in reversed(self._pending):
                if pending.future.cancel():
                    pending.job()
                else:
                    left.appendleft(pending)
        finally:
            wait([pending.future for pending in self._pending])
        self._pending = left
        self._settle(0)

    def _take(self, partition: Partition) -> list[pa.Table]:
        del self._rows[partition]
        return self._pieces.pop(partition)

    def _encode(self, partition: Partition, pieces: list[pa.Table]) -> None:
        with self._lock:
            idle = self._idle[partition]
            file = idle.pop() if idle else None
        if file is None:
            file = OpenFile(self._root, *partition)
            with self._lock:
                self._open.add(file)
        file.write(pieces)
        if file.is_large:
            self._complete(file)
        else:
            with self._lock:
                self._idle[partition].append(file)

    def _complete(self, file: OpenFile) -> None:
        done = file.finish()
        with self._lock:
            self._open.discard(file)
            self._finished.append(done)

    def end(self, table: str) -> None:
        """Write what is left of a table and complete its files, with an executor while rows of other tables are still made.

        For when no more rows of it are to come before `finish`; those that do come go to further files.
        """
        if self._executor is None:
            return
        with self._lock:
            rest = [(partition, self._take(partition)) for partition in list(self._pieces) if partition[0] == table]
        for partition, pieces in rest:
            self._hand_in(partition, pieces)
        self._complete_aside(self._end, table, [pending.future for pending in self._pending])
        # What comes now is the end of a capture, and what is not begun early is what all wait for.
        self._least_rows = ROW_GROUP_ROWS // 2

    def _end(self, table: str, before: list[Future[None]]) -> None:
        wait(before)
        # A file that is written all the same, because `_work_off` took its work over, is not idle: `finish` will complete it.
        for file in self._take_idle(table):
            self._complete(file)

    def _take_idle(self, table: str | None = None) -> list[OpenFile]:
        """The files (of one table) that nobody writes to."""
        with self._lock:
            return [file for partition in list(self._idle) if table in {None, partition[0]} for file in self._idle.pop(partition)]

    def _complete_aside(self, work: Callable[..., None], *arguments: object) -> None:
        """Have files completed in a thread of their own: all processors would wait for the disk otherwise."""
        if self._aside is None:
            self._aside = ThreadPoolExecutor(COMPLETED_AT_ONCE, thread_name_prefix="caphouse-complete")
        self._completing.append(self._aside.submit(work, *arguments))

    def finish(self) -> list[DataFile]:
        """Write what is left and complete all files. The writer can be used again afterwards.

        Returns:
            The files to hand to `Warehouse.commit`; they are no part of the warehouse before.

        Raises:
            WarehouseError: The disk is full, or the storage refuses.
        """
        # What is left of a table goes into the file that it has: not before that is free again.
        busy = {pending.partition for pending in self._pending if not pending.future.done()}
        for ready in (self._pieces.keys() - busy, busy & self._pieces.keys()):
            # The longest work first, or all would wait for it at the end.
            for partition in sorted(ready, key=self._rows.__getitem__, reverse=True):
                self._hand_in(partition, self._take(partition))
            self._work_off()
        self._least_rows = ROW_GROUP_ROWS
        for file in self._take_idle():
            self._complete_aside(self._complete, file)
        self._wait_aside()
        while self._completing:
            self._completing.pop().result()
        files, self._finished = sorted(self._finished, key=lambda file: file.path), []
        return files

    def _wait_aside(self) -> None:
        wait(self._completing)
        if self._aside is not None:
            self._aside.shutdown()
            self._aside = None

    def abandon(self) -> None:
        """Remove everything that was written since the last `finish`."""
        for pending in self._pending:
            pending.future.cancel()
        wait([pending.future for pending in self._pending])
        self._pending.clear()
        self._wait_aside()
        self._completing.clear()
        self._pieces.clear()
        self._rows.clear()
        self._idle.clear()
        for file in self._open:
            file.abandon()
        self._open.clear()
        remove_files(self._root, self._finished)
        self._finished = []
