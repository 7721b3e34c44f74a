"""The warehouse: Delta tables, commits that count every capture exactly once, and snapshots to read from.

How an ingest becomes visible: data files are registered first, in any order, and count for nothing. The row of `captures` that
names their `ingest_id` makes all of them count at once. That row is committed by compare-and-swap: the writer looks at all of
`captures`, decides, and commits as the very next version; when another writer was faster it looks and decides again. So no
capture gets in twice, whatever is killed, retried or done at the same time, and what an attempt leaves behind never shows.

Methods that write import pyarrow themselves: loading it takes as long as many an answer, and a question needs none of it.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from deltalake.exceptions import CommitFailedError, DeltaError

from . import delta
from .captures import (
    BURIALS,
    CapturesFile,
    CapturesState,
    KnownCapture,
    KnownCaptures,
    Plan,
    capture_rows,
    dead_key,
    decide,
    known_captures,
    select,
)
from .errors import WarehouseConflict, WarehouseError, WarehouseNotFound, reason
from .locations import Location
from .snapshot import Snapshot, TableFiles, utc_date
from .tables import BY_NAME, CAPTURES, TABLES

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction, RemoveAction

    from .snapshot import Columns
    from .staging import DataFile, StagedWriter

__all__ = ["CommitResult", "KnownCapture", "KnownCaptures", "Snapshot", "Warehouse", "utc_date"]

FORMAT = 1
"""Version of how a warehouse is laid out; a program refuses what is newer than itself."""

FORMAT_KEY = "caphouse.format"

PATIENCE_SECONDS = 120.0
"""How long a commit keeps trying while others are faster."""

LOG_ENTRY = re.compile(r"\d{20}\.(json|checkpoint\.parquet)$")
"""Names in a table's log that begin with a version."""

REUSE_SECONDS = 3600.0
"""How long a loaded table may serve while no newer version is seen; far less than log entries are kept for."""

VACUUMED = "vacuumed"
"""Mark in the log of a table: files that were last written before this time (milliseconds since the epoch) and are no part of it are
being removed, and must not become one."""

CLOCKS_APART_MS = 600_000
"""How far the clocks of those who write, of those who vacuum and of the storage may be apart."""

WAITED_MS = 1_800_000
"""Files that have waited for their commit for less are never refused, whatever was done to a clock: every vacuum lets them be for an hour.
Others are committed with a look at the mark in the same step."""

SMALL_ROWS = 4096
SMALL_FILES = 8
"""`captures` files of fewer rows are merged, by the commit that adds one, when there are this many."""


Decision = tuple[Plan, "pa.Table"]
"""What a commit does, and the rows of `captures` that it adds."""


class CommitResult(NamedTuple):
    """What became of the captures of one commit.

    Attributes:
        added: `ingest_id` of the captures that are in the warehouse now.
        already_present: `ingest_id` of those that were not added, because their content was there already.
        replaced: `ingest_id` of the rows that were taken out in exchange: older decoders, files that have grown.
    """

    added: tuple[int, ...] = ()
    already_present: tuple[int, ...] = ()
    replaced: tuple[int, ...] = ()

    @classmethod
    def of(cls, plan: Plan) -> CommitResult:
        """The result of a plan that was carried out."""
        return cls(
            added=tuple(capture.ingest_id for capture in [*plan.done, *plan.add]),
            already_present=tuple(capture.ingest_id for capture in plan.present),
            replaced=tuple(sorted(plan.replace)),
        )


class Warehouse:
    """A warehouse at some place; made by `open`, `create` or `open_or_create`. May be used by several threads."""

    def __init__(self, root: Location) -> None:
        self.root = root
        self._lock = threading.RLock()
        self._loaded: dict[str, tuple[float, DeltaTable]] = {}
        self._captures: dict[str, CapturesFile] = {}
        self._ready: set[str] = set()

    def __repr__(self) -> str:
        return f"Warehouse({self.root.uri!r})"

    @classmethod
    def open(cls, location: str | os.PathLike[str] | Location, *, tables: Sequence[str] = ()) -> Warehouse:
        """Open the warehouse that is there.

        Args:
            location: Where it is.
            tables: Tables that are sure to be asked for: their logs are read beside that of `captures`.

        Raises:
            WarehouseNotFound: There is none.
            WarehouseError: It cannot be read, or was made by a newer version of this program.
        """
        warehouse = cls(Location.parse(location))
        if warehouse.root.is_local and not warehouse.root.join(CAPTURES.name, "_delta_log").exists():
            raise WarehouseNotFound(f"{warehouse.root}: there is no warehouse here; `caphouse ingest` makes one.")
        names = {CAPTURES.name, *tables}
        with ThreadPoolExecutor(max_workers=len(names)) as pool:
            found = dict(zip(names, pool.map(warehouse._table_or_none, names), strict=True))
        warehouse._check_format(found[CAPTURES.name] or warehouse._table(CAPTURES.name))
        return warehouse

    @classmethod
    def create(cls, location: str | os.PathLike[str] | Location) -> Warehouse:
        """Make the warehouse; one that is there already is left as it is and opened."""
        root = Location.parse(location)
        configuration = {FORMAT_KEY: str(FORMAT)}
        with ThreadPoolExecutor(max_workers=len(TABLES)) as pool:
            others = [table for table in TABLES if table is not CAPTURES]
            made = list(pool.map(lambda table: delta.create(root, table, configuration), others))
        # captures comes last: while it is missing there is no warehouse.
        made.append(delta.create(root, CAPTURES, configuration))
        warehouse = cls(root)
        # What was made just now need not be loaded.
        warehouse._loaded |= {dt.metadata().name: (time.monotonic(), dt) for dt in made if dt is not None}
        warehouse._check_format(warehouse._table(CAPTURES.name))
        return warehouse

    @classmethod
    def open_or_create(cls, location: str | os.PathLike[str] | Location) -> Warehouse:
        """Open the warehouse, or make it where there is none."""
        try:
            return cls.open(location)
        except WarehouseNotFound:
            return cls.create(location)

    def writer(self) -> StagedWriter:
        """A writer of data files for this warehouse."""
        from .staging import StagedWriter

        return StagedWriter(self.root)

    def snapshot(self, tables: Iterable[str] | None = None) -> Snapshot:
        """The warehouse as it is now.

        Args:
            tables: The tables whose files are of interest, for all when left out; `captures` is always there.

        Raises:
            WarehouseError: A table cannot be read.
        """
        names = [table.name for table in TABLES if table is not CAPTURES and (tables is None or table.name in set(tables))]
        for _ in range(20):
            state = self.captures_state()
            versions = self._newest_versions(names)
            # A capture may have been replaced, removed or pruned after the look at `captures`, and compaction may have dropped its
            # rows before the look at another table. As long as its row still stands as it was, nothing can have been dropped.
            if not self._has_version(CAPTURES.name, state.dt.version() + 1) or _standing(state) <= _standing(self.captures_state()):
                return Snapshot(
                    self.root,
                    partial(getattr, state, "rows"),
                    {CAPTURES.name: state.dt.version(), **versions},
                    TableFiles({CAPTURES.name: actions_of(state.dt)}, versions, self._files_at),
                )
        raise WarehouseConflict(f"{self.root}: captures are being replaced faster than they can be read; try again.")

    def known(self) -> KnownCaptures:
        """The captures that are in the warehouse."""
        rows = list(self.captures_state())
        return KnownCaptures(
            by_content={known.capture_id: known for known in rows},
            by_source={(known.source_uri, known.file_bytes, known.modified_ns): known for known in rows},
            file_sizes=frozenset(known.file_bytes for known in rows),
        )

    def commit(
        self,
        files: Sequence[DataFile],
        captures: Sequence[Mapping[str, object]],
        *,
        instead_of: Mapping[int, int] | None = None,
        beginnings: Mapping[int, Mapping[str, bool]] | None = None,
    ) -> CommitResult:
        """Make captures count.

        A capture whose content (`capture_id`) is there is not added again, unless the one that is there is a part (still growing, or
        interrupted by a failure to read) or was read by an older decoder; then it is replaced. The row of a part is also replaced by what
        the same place holds later.

        Args:
            files: Data files with the captures' rows, from `StagedWriter.finish`, of any number of processes.
            captures: Rows of `captures`: stored columns by name; what is left out is NULL.
            instead_of: By `ingest_id` of a capture: that of the same capture's row whose place it takes, whatever its decoder version.
                Where that row is not there any more, or its packets were pruned meanwhile, the capture is not added.
            beginnings: By `ingest_id` of a capture and `capture_id` of what was read from the same place before: whether this is how
                the capture begins, byte for byte. What is, is replaced, whatever it was taken for then; what is not, stays.

        Returns:
            What became of each capture.

        Raises:
            WarehouseConflict: Other writers were faster for `PATIENCE_SECONDS`.
            WarehouseError: The warehouse cannot be written, or a row is not one of `captures`.
        """
        rows = capture_rows(captures)
        offered = known_captures(rows)

        def decision(state: CapturesState) -> Decision:
            plan = decide(state, offered, instead_of=instead_of, beginnings=beginnings)
            return plan, select(rows, {capture.ingest_id for capture in plan.add})

        state = self.captures_state()
        plan, _ = decision(state)
        if plan.add:
            self.register(files)
        else:
            self.discard(files)
        return self._swap_captures(state, decision)

    def remove(self, ingest_ids: Collection[int]) -> int:
        """Make captures count no longer; their rows stay in the files until a compaction.

        Returns:
            How many there were.
        """

        def decision(state: CapturesState) -> Decision:
            return Plan(replace=set(state.ingest_ids.intersection(ingest_ids))), CAPTURES.arrow_schema.empty_table()

        return len(self._swap_captures(self.captures_state(), decision).replaced)

    def amend(self, ingest_ids: Collection[int], column: str, value: object) -> int:
        """Set one column in rows of `captures`.

        Returns:
            How many rows there were.
        """
        import pyarrow as pa

        index = CAPTURES.arrow_schema.get_field_index(column)
        field = CAPTURES.arrow_schema.field(index)

        def decision(state: CapturesState) -> Decision:
            wanted = state.ingest_ids.intersection(ingest_ids)
            rows = select(state.rows, wanted)
            return Plan(replace=set(wanted)), rows.set_column(index, field, pa.array([value] * rows.num_rows, field.type))

        return len(self._swap_captures(self.captures_state(), decision).replaced)

    def discard(self, files: Iterable[DataFile]) -> None:
        """Remove files that were written and not registered; see `staging.remove_files`."""
        from .staging import remove_files

        remove_files(self.root, files)

    def register(self, files: Sequence[DataFile]) -> None:
        """Register data files; their rows count when a row of `captures` says so.

        Raises:
            WarehouseConflict: Other writers were faster for `PATIENCE_SECONDS`, or a vacuum has removed some of the files meanwhile.
            WarehouseError: The warehouse cannot be written.
        """
        by_table: dict[str, list[DataFile]] = {}
        for file in files:
            by_table.setdefault(file.table, []).append(file)
        try:
            for name, written in by_table.items():
                self._prepare(name)
                self._check_files(self._table(name), written)
        except WarehouseConflict:
            self.discard(files)
            raise
        if not by_table:
            return
        with ThreadPoolExecutor(max_workers=len(by_table)) as pool:
            list(pool.map(self._append, by_table, by_table.values()))

    def files_at_most(self) -> int | None:
        """How many data files the warehouse had at the last look at its tables; None where not every one was looked at.

        Without a look of its own: what others register meanwhile is not in it.
        """
        names = [table.name for table in TABLES if table is not CAPTURES]
        if not self._loaded.keys() >= set(names):
            return None
        return sum(actions_of(self._loaded[name][1]).num_rows for name in names)

    def captures_state(self) -> CapturesState:
        """The newest state of `captures`."""
        with self._lock:
            dt = self._table(CAPTURES.name)
            actions = actions_of(dt)
            paths = actions.column("path").to_pylist()
            files = {}
            for path, size in zip(paths, actions.column("size_bytes").to_pylist(), strict=True):
                files[path] = self._captures.get(path) or CapturesFile(path, size, partial(self._read_captures, path))
            self._captures = files
        return CapturesState(dt, tuple(files.values()))

    def mark_dead(self, ingest_ids: Collection[int]) -> frozenset[int]:
        """Give attempts up, for good, that have rows in the files and do not count: no writer can make them count from now on.

        Returns:
            Those of `ingest_ids` that do not count now and never will.
        """
        wanted = frozenset(ingest_ids)
        for _ in self.attempts():
            state = self.captures_state()
            dead = wanted - state.ingest_ids
            marks = {dead_key(ingest_id): 1 for ingest_id in dead if not state.is_dead(ingest_id)}
            if not marks or delta.compare_and_swap(state.dt, CAPTURES, [], marks | {BURIALS: state.burials + 1}, expiring=marks):
                return dead
        raise AssertionError("unreachable: attempts raises")

    def swap_files(self, table: str, going: pa.Table, coming: Sequence[DataFile]) -> bool:
        """Put files in the place of others that hold the same rows that count.

        Args:
            table: Name of a data table.
            going: Rows of `Snapshot.actions[table]`.
            coming: Files that are complete.

        Returns:
            False when some of the files that go have gone already; then nothing is changed.

        Raises:
            WarehouseConflict: Other writers were faster for `PATIENCE_SECONDS`, or a vacuum has removed some of `coming` meanwhile.
        """
        paths = set(going.column("path").to_pylist())
        removes = [
            delta.remove_action(path, size, date.isoformat() if date else None, moved=True)
            for path, size, date in zip(*(going.column(name).to_pylist() for name in ("path", "size_bytes", "partition.date")), strict=True)
        ]
        adds = [delta.add_action(file, moved=True) for file in coming]
        self._prepare(table)
        for attempt in self.attempts():
            dt = self._table(table)
            there = set(actions_of(dt).column("path").to_pylist())
            if attempt and coming and there.issuperset(file.path for file in coming):
                return True  # an earlier try went through though it was told otherwise
            if not paths <= there:
                return False
            self._check_files(dt, coming)
            if delta.compare_and_swap(dt, BY_NAME[table], [*removes, *adds]):
                return True
        raise AssertionError("unreachable: attempts raises")

    def holds(self, table: str, paths: Iterable[str]) -> bool:
        """Whether all of these files are part of a table at this moment."""
        return set(paths) <= set(actions_of(delta.load(self.root, table)).column("path").to_pylist())

    def table(self, name: str) -> DeltaTable:
        """The newest state of a table, freshly loaded and with all declared columns, for maintenance."""
        self._prepare(name)
        return delta.load(self.root, name)

    def mark_vacuumed(self, name: str, before_ms: int) -> DeltaTable:
        """Have a table refuse files that are about to be removed.

        Args:
            name: The table.
            before_ms: Files that were last written before this time and are no part of the table may go from now on.

        Returns:
            The table, with the mark: what was registered before it is in there, what comes after it is refused.
        """
        self._prepare(name)
        for _ in self.attempts():
            dt = delta.load(self.root, name)
            if (dt.transaction_version(VACUUMED) or 0) >= before_ms or delta.compare_and_swap(dt, BY_NAME[name], [], {VACUUMED: before_ms}):
                return delta.load(self.root, name)
        raise AssertionError("unreachable: attempts raises")

    def merge_captures(self) -> None:
        """Write the small files of `captures` as one, for maintenance; commits do so themselves when there are `SMALL_FILES`."""
        self._swap_captures(self.captures_state(), lambda _: (Plan(), CAPTURES.arrow_schema.empty_table()), merge_from=2)

    def attempts(self) -> Iterator[int]:
        """Count attempts, wait a random while between them, and raise when patience is at its end.

        Raises:
            WarehouseConflict: Other writers were faster for `PATIENCE_SECONDS`.
        """
        end = time.monotonic() + PATIENCE_SECONDS
        attempt = 0
        while time.monotonic() < end:
            yield attempt
            attempt += 1
            time.sleep(random.uniform(0, min(1.0, 0.005 * 2**attempt)))  # noqa: S311 - only spreads the writers
        raise WarehouseConflict(f"{self.root}: other writers were faster for {PATIENCE_SECONDS:.0f} seconds; try again.")

    def _swap_captures(
        self, state: CapturesState, decision: Callable[[CapturesState], Decision], *, merge_from: int | None = None
    ) -> CommitResult:
        """Take rows out of `captures` and put rows in, in one commit.

        Args:
            state: A state from before the data files of the rows to add were registered.
            decision: What to do, given a state.
            merge_from: Number of small files from which on they are merged, even if there is nothing else to do.
        """
        if self._prepare(CAPTURES.name):
            state = self.captures_state()
        burials = state.burials
        written: DataFile | None = None
        for attempt in self.attempts():
            if attempt:
                state = self.captures_state()
                # Only the log can tell whether the last try really failed: an answer may get lost on its way from object storage.
                if written is not None and written.path not in {file.path for file in state.files}:
                    self.discard([written])
            plan, new = decision(state)
            small = [file for file in state.files if file.rows.num_rows < SMALL_ROWS]
            merged = small if len(small) >= (merge_from or SMALL_FILES) else []
            if not plan.replace and not new.num_rows and not (merged and merge_from):
                return CommitResult.of(plan)
            if state.burials != burials and any(state.is_dead(capture.ingest_id) for capture in plan.add):
                raise WarehouseConflict(f"{self.root}: this attempt stood still for so long that its rows were cleared away; ingest again.")
            going = [file for file in state.files if file in merged or file.has_any(plan.replace)]
            actions, written = self._captures_actions(going, new, plan.replace)
            if delta.compare_and_swap(state.dt, CAPTURES, actions):
                return CommitResult.of(plan)
        raise AssertionError("unreachable: attempts raises")

    def _captures_actions(
        self, going: Sequence[CapturesFile], new: pa.Table, replaced: set[int]
    ) -> tuple[list[AddAction | RemoveAction], DataFile | None]:
        """Write one file with `new` and the rows of the files that go, without those that are replaced."""
        import pyarrow as pa

        from .parquet import conform
        from .staging import OpenFile

        kept = [select(file.rows, replaced, inside=False) for file in going]
        rows = pa.concat_tables([*kept, new])
        actions: list[AddAction | RemoveAction] = [delta.remove_action(file.path, file.size, None, partitioned=False) for file in going]
        if not rows.num_rows:
            return actions, None
        output = OpenFile(self.root, CAPTURES.name, None)
        try:
            output.write([conform(rows, CAPTURES)])
            written = output.finish()
        except BaseException:
            output.abandon()
            raise
        return [*actions, delta.add_action(written)], written

    def _read_captures(self, path: str) -> pa.Table:
        import pyarrow as pa

        from .parquet import UNREADABLE, read

        location = self.root.join(CAPTURES.name, *path.split("/"))
        try:
            with location.open_input() as source:
                found = read(source.readall())  # one request in object storage
        except UNREADABLE as error:
            raise WarehouseError(f"{location}: cannot be read: {reason(error)}.") from error
        present = dict(zip(found.column_names, found.columns, strict=True))
        columns = []
        for field in CAPTURES.arrow_schema:
            column = present.get(field.name)
            if column is None:
                column = pa.chunked_array([pa.nulls(found.num_rows, field.type)])
            columns.append(column if column.type == field.type else column.cast(field.type))
        return pa.Table.from_arrays(columns, schema=CAPTURES.arrow_schema)

    def _check_files(self, dt: DeltaTable, files: Iterable[DataFile]) -> None:
        """Refuse files that are gone, or may be going: a vacuum takes away what was written long ago and is no part of a table.

        Whether they are there is looked at on a local disk only; in object storage that would cost a request for each.
        """
        mark = (dt.transaction_version(VACUUMED) or 0) + CLOCKS_APART_MS
        now = time.time_ns() // 1_000_000
        gone = [
            file
            for file in files
            if ((age := _age_ms(file)) > WAITED_MS and now - age < mark)
            or (self.root.is_local and not self.root.join(file.table, *file.path.split("/")).exists())
        ]
        if gone:
            raise WarehouseConflict(
                f"{self.root}: {len(gone)} of the files to commit are gone or going, perhaps by a vacuum, for which they waited too long; "
                "nothing was changed. Do it again: ingest again what was being ingested."
            )

    def _append(self, name: str, files: Sequence[DataFile]) -> None:
        actions = [delta.add_action(file) for file in files]
        have_waited = any(_age_ms(file) > WAITED_MS for file in files)
        try:
            for _ in self.attempts():
                dt = self._table(name)
                self._check_files(dt, files)
                try:
                    if not have_waited:
                        delta.append(dt, BY_NAME[name], actions)
                    elif not delta.compare_and_swap(dt, BY_NAME[name], actions):
                        continue
                except CommitFailedError:
                    continue
                return
        except (DeltaError, OSError) as error:
            # A commit may have gone through though it was told otherwise: what is named in the log must never be removed.
            if not self.holds(name, [file.path for file in files]):
                # In object storage an answer may have got lost, and what was asked for may still be done.
                if self.root.is_local:
                    self.discard(files)
                raise WarehouseError(f"{self.root.join(name)}: cannot be written: {reason(error)}.") from error

    def _newest_versions(self, names: Sequence[str]) -> dict[str, int]:
        """The newest version of each table; 0 for a table that was declared after the warehouse was made.

        On this machine listing the log is a hundred times faster than loading the table, which may not be needed at all.
        """
        if self.root.is_local:
            return {name: self._newest_local_version(name) for name in names}
        with ThreadPoolExecutor(max_workers=max(1, len(names))) as pool:
            return dict(zip(names, pool.map(self._newest_remote_version, names), strict=True))

    def _newest_local_version(self, name: str) -> int:
        try:
            entries = os.listdir(self.root.join(name, "_delta_log").path)  # noqa: PTH208 - ten thousand Path objects take 10 ms
        except FileNotFoundError:
            return 0
        # Versions have leading zeros.
        return next((int(entry[:20]) for entry in sorted(entries, reverse=True) if LOG_ENTRY.match(entry)), 0)

    def _newest_remote_version(self, name: str) -> int:
        table = self._table_or_none(name)
        return 0 if table is None else table.version()

    def _files_at(self, name: str, version: int) -> Columns | None:
        """The files of a table in a version that was the newest just now."""
        loaded = self._loaded.get(name)
        if loaded is not None and loaded[1].version() == version:
            return actions_of(loaded[1])
        table = self._table_or_none(name)
        if table is None:
            return None
        return actions_of(table if table.version() == version else delta.load(self.root, name, version=version))

    def _table(self, name: str) -> DeltaTable:
        """The newest state of a table; not loaded again while there is no newer version."""
        loaded = self._loaded.get(name)
        now = time.monotonic()
        if loaded is None or now - loaded[0] > REUSE_SECONDS or self._has_version(name, loaded[1].version() + 1):
            loaded = (now, delta.load(self.root, name))
            self._loaded[name] = loaded
        return loaded[1]

    def _table_or_none(self, name: str) -> DeltaTable | None:
        """The same; None where the warehouse was made by an older version, before this table was declared."""
        try:
            return self._table(name)
        except WarehouseNotFound:
            return None

    def _has_version(self, name: str, version: int) -> bool:
        return self.root.join(name, "_delta_log", f"{version:020d}.json").exists()

    def _check_format(self, dt: DeltaTable) -> None:
        text = dt.metadata().configuration.get(FORMAT_KEY)
        if text is None or not text.isdigit():
            raise WarehouseError(f"{self.root}: this is a Delta table, but not a warehouse of caphouse.")
        if int(text) > FORMAT:
            raise WarehouseError(
                f"{self.root}: this warehouse has format {text}, made by a newer caphouse; this one knows format {FORMAT}. Update caphouse."
            )

    def _prepare(self, name: str) -> bool:
        """Before the first write: create the table, or its columns, when declared after the warehouse was made; whether that was so."""
        if name in self._ready:
            return False
        table = BY_NAME[name]
        for _ in self.attempts():
            try:
                changed = delta.add_missing_columns(self._table(name), table)
            except WarehouseNotFound:
                delta.create(self.root, table, {FORMAT_KEY: str(FORMAT)})
            except CommitFailedError:
                continue  # another process does the same
            else:
                self._ready.add(name)
                return changed
        raise AssertionError("unreachable: attempts raises")


def actions_of(dt: DeltaTable) -> Columns:
    """The files of a table, with the columns that `Snapshot.actions` describes."""
    return dt.get_add_actions(flatten=True)


def _age_ms(file: DataFile) -> float:
    """How long ago a file was finished."""
    return (time.monotonic() - file.finished) * 1000


def _standing(state: CapturesState) -> set[tuple[int, bool]]:
    """The attempts whose rows are there, and whether those of `packets` are."""
    return {(known.ingest_id, known.packets_pruned_ns is None) for known in state}
