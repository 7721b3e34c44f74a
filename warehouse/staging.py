"""What a process that ingests writes: data files in their final place, which nobody sees before they are committed.

Neither this module nor those it imports load deltalake: worker processes write, one process commits (`store.Warehouse.commit`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import threading
import time
from collections import defaultdict, deque
from concurrent.futures import wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from blake3 import blake3

from .errors import WarehouseError, reason
from .parquet import ROW_GROUP_ROWS, Bounds, ParquetSink, conform
from .tables import BY_NAME

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Executor, Future

    import pyarrow as pa

    from .locations import Location

FILE_BYTES = 256 << 20
"""Size after which a new file is begun, so that queries can share out the work and compaction stays within memory."""

BUFFERED_ROWS = ROW_GROUP_ROWS + ROW_GROUP_ROWS // 2
"""Rows held back over all tables and days before the largest lot is written, row group full or not."""

MOST_PENDING = 2
"""Row groups that may wait to be encoded; more would only take memory."""

DIGEST_IN_NAME = re.compile(r"-([0-9a-f]{32})\.parquet$")

NO_DATE = "__HIVE_DEFAULT_PARTITION__"
"""Folder name of NULL, by the convention that Delta, Hive and Spark share."""


@dataclass(frozen=True, slots=True)
class DataFile:
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
    bounds: dict[str, Bounds] = field(hash=False)
    finished: float


Partition = tuple[str, "dt.date | None"]
Item = TypeVar("Item")


class OpenFile:
    """A data file while it is written: a local one under a name that no reader of '*.parquet' takes for a table's.

    The name of a local file ends in the digest of its content, so that any change to it can be noticed. In object storage, where
    files cannot be given a name afterwards, the storage itself sees to that.
    """

    def __init__(self, root: Location, table: str, date: dt.date | None) -> None:
        self.table = table
        self.date = date
        self._name = secrets.token_hex(8)
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

    @property
    def is_large(self) -> bool:
        """Whether it is time to begin another file."""
        return self._sink.bytes_written >= FILE_BYTES

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
    match = DIGEST_IN_NAME.search(location.name)
    return match is None or not location.is_local or _digest(location.path) == match[1]


def _digest(path: str) -> str:
    """The first 128 bits of a file's BLAKE3, in hexadecimal digits."""
    # Not mapped: all of a large file would count as this process's memory.
    with Path(path).open("rb", buffering=0) as file:
        return hashlib.file_digest(file, cast("Any", blake3)).digest()[:16].hex()


def _sync(path: str) -> None:
    """Bring the file to the disk: the log must never name a file that a power cut leaves empty."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


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
        self._pending: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.abandon()

    def write(self, table: str, data: pa.Table | pa.RecordBatch, date: dt.date | None) -> None:
        """Add rows of one table.

        Args:
            table: Name of the table.
            data: Rows; text may be dictionary-encoded, nullable columns may be missing.
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
            if self._rows[partition] < ROW_GROUP_ROWS:
                if sum(self._rows.values()) < BUFFERED_ROWS:
                    return
                partition = max(self._rows, key=self._rows.__getitem__)
            pieces = self._take(partition)
        if self._executor is None:
            self._encode(partition, pieces)
            return
        self._pending.append(self._executor.submit(self._encode, partition, pieces))
        self._settle(MOST_PENDING)

    def _settle(self, most: int) -> None:
        """Wait until no more than `most` row groups are on their way; raises what went wrong with one."""
        while len(self._pending) > most:
            self._pending.popleft().result()

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

    def finish(self) -> list[DataFile]:
        """Write what is left and complete all files. The writer can be used again afterwards.

        Returns:
            The files to hand to `Warehouse.commit`; they are no part of the warehouse before.

        Raises:
            WarehouseError: The disk is full, or the storage refuses.
        """
        self._settle(0)
        self._side_by_side(self._encode_rest, list(self._pieces))
        self._side_by_side(self._complete, list(self._open))
        self._idle.clear()
        files, self._finished = sorted(self._finished, key=lambda file: file.path), []
        return files

    def _encode_rest(self, partition: Partition) -> None:
        with self._lock:
            pieces = self._take(partition)
        self._encode(partition, pieces)

    def _side_by_side(self, work: Callable[[Item], None], items: Sequence[Item]) -> None:
        """Do some work for every item, with an executor for several at once; raises what went wrong with one when all are done."""
        if self._executor is None:
            for item in items:
                work(item)
            return
        futures = [self._executor.submit(work, item) for item in items]
        self._pending.extend(futures)
        try:
            # This thread has nothing else to do: it begins with those that would be the last.
            for item, future in zip(reversed(items), reversed(futures), strict=True):
                if future.cancel():
                    self._pending.remove(future)
                    work(item)
        finally:
            wait(self._pending)
        self._settle(0)

    def abandon(self) -> None:
        """Remove everything that was written since the last `finish`."""
        for future in self._pending:
            future.cancel()
        wait(self._pending)
        self._pending.clear()
        self._pieces.clear()
        self._rows.clear()
        self._idle.clear()
        for file in self._open:
            file.abandon()
        self._open.clear()
        remove_files(self._root, self._finished)
        self._finished = []
