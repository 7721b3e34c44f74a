"""Whether everything that was put into a warehouse is still there, unharmed: every byte is read and every receipt checked."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

import pyarrow as pa

from . import originals
from .compaction import row_groups
from .errors import WarehouseError
from .locations import Entry
from .schema import Table
from .snapshot import Snapshot
from .staging import is_unharmed
from .store import Warehouse
from .tables import BY_NAME, CAPTURES, PACKETS


class Finding(NamedTuple):
    """Something that is not as it should be.

    Attributes:
        kind: 'missing-file', 'damaged-file', 'wrong-size', 'wrong-rows', 'receipt', 'duplicate', 'damaged-original', 'orphan-rows' or
            'orphan-files'.
        damage: False for what costs only space.
        table: Name of the table.
        what: The file or the capture.
        message: A sentence for people.
    """

    kind: str
    damage: bool
    table: str
    what: str
    message: str


class Verification(NamedTuple):
    """The result: what was read, and what was found."""

    files: int
    rows: int
    bytes: int
    captures: int
    seconds: float
    findings: tuple[Finding, ...]

    @property
    def damaged(self) -> bool:
        """Whether anything is lost or wrong."""
        return any(finding.damage for finding in self.findings)


SUMS: dict[str, tuple[str, ...]] = {
    "packets": ("frame_number", "captured_length", "wire_length"),
    "flows": ("packets_to_server", "packets_to_client", "bytes_to_server", "bytes_to_client"),
    "flow_minutes": ("packets_to_server", "packets_to_client", "bytes_to_server", "bytes_to_client"),
}
"""Columns whose sum over a capture's rows is held against its row of `captures`."""


@dataclass
class _Tally:
    """Rows and sums per attempt, over all files of one table."""

    rows: Counter[int] = field(default_factory=Counter)
    sums: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))


def verify(warehouse: Warehouse, *, jobs: int = 1, progress: Callable[[int], None] | None = None) -> Verification:
    """Read every file of the warehouse with its page checksums, hold its rows against the receipts in `captures`, and read the originals.

    Args:
        warehouse: The warehouse.
        jobs: Files that are read at a time.
        progress: Called with the bytes of each file that has been read.

    Raises:
        WarehouseError: The log of a table cannot be read, so that there is nothing to check, or the storage cannot be listed.
    """
    began = time.monotonic()
    snapshot = warehouse.snapshot()
    findings: list[Finding] = []
    tallies = {name: _Tally() for name in BY_NAME}
    tasks = [
        (BY_NAME[name], row["path"], row["size_bytes"], row["num_records"])
        for name, files in snapshot.actions.items()
        for row in files.select(["path", "size_bytes", "num_records"]).to_pylist()
    ]
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        results = pool.map(lambda task: _check_file(snapshot, *task), tasks)
        for (table, _, size, _), (tally, found) in zip(tasks, results, strict=True):
            findings += found
            _merge(tallies[table.name], tally)
            if progress is not None:
                progress(size)
    kept = list(originals.kept(snapshot.root))
    # Without `captures` it is not known what should be there.
    is_readable = not any(finding.table == CAPTURES.name for finding in findings)
    if is_readable:
        there = set(snapshot.captures["capture_id"].to_pylist())
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            harmed = pool.map(lambda item: _check_original(snapshot, *item), (item for item in kept if item[0] in there))
            findings += chain(_duplicates(snapshot), _receipts(snapshot, tallies), filter(None, harmed))
        findings += _orphans(snapshot, tallies)
        findings += _orphan_files(warehouse, snapshot, [entry for capture_id, entry in kept if capture_id not in there])
    return Verification(
        files=len(tasks) + len(kept),
        rows=sum(tally.rows.total() for tally in tallies.values()),
        bytes=sum(size for _, _, size, _ in tasks) + sum(entry.size for _, entry in kept),
        captures=snapshot.captures.num_rows if is_readable else 0,
        seconds=time.monotonic() - began,
        findings=tuple(findings),
    )


def _check_file(snapshot: Snapshot, table: Table, path: str, size: int, rows: int) -> tuple[_Tally, list[Finding]]:
    """Read one file to its end."""
    location = snapshot.root.join(table.name, *path.split("/"))
    tally = _Tally()

    def finding(kind: str, message: str) -> tuple[_Tally, list[Finding]]:
        return tally, [Finding(kind, damage=True, table=table.name, what=location.uri, message=message)]

    found = location.size()
    if found is None:
        return finding("missing-file", f"The file is gone; it had {rows:,} rows.")
    if found != size:
        return finding("wrong-size", f"The file has {found:,} bytes where {size:,} were written.")
    try:
        for piece in row_groups(location, table):
            _count(tally, table, piece)
    except WarehouseError as error:
        return finding("damaged-file", str(error))
    if not is_unharmed(location):
        # Outside the pages, which have checksums of their own: their headers, or the footer with its minima and maxima.
        return finding("damaged-file", "The file is not as it was written.")
    if tally.rows.total() != rows:
        return finding("wrong-rows", f"The file has {tally.rows.total():,} rows where {rows:,} were written.")
    return tally, []


def _count(tally: _Tally, table: Table, rows: pa.Table) -> None:
    names = SUMS.get(table.name, ())
    sums = rows.select(["ingest_id", *names]).group_by("ingest_id").aggregate([("ingest_id", "count"), *((name, "sum") for name in names)])
    for row in sums.to_pylist():
        ingest_id = row["ingest_id"]
        tally.rows[ingest_id] += row["ingest_id_count"]
        for name in names:
            tally.sums[ingest_id][name] += row[f"{name}_sum"] or 0


def _merge(into: _Tally, tally: _Tally) -> None:
    into.rows.update(tally.rows)
    for ingest_id, sums in tally.sums.items():
        into.sums[ingest_id].update(sums)


def _duplicates(snapshot: Snapshot) -> Iterator[Finding]:
    for column in ("capture_id", "ingest_id"):
        for value, count in Counter(snapshot.captures[column].to_pylist()).items():
            if count > 1:
                yield Finding("duplicate", damage=True, table=CAPTURES.name, what=str(value), message=f"{count} rows have this {column}.")


def _receipts(snapshot: Snapshot, tallies: dict[str, _Tally]) -> Iterator[Finding]:
    """Hold what the tables have of each capture against what its row says."""
    columns = ["capture_id", "file_name", "ingest_id", "packets", "captured_bytes", "wire_bytes", "packets_pruned_ns"]
    for row in snapshot.captures.select(columns).to_pylist():
        packets = row["packets"]
        # Frame numbers 1 ... n, each once, have this sum.
        frames = packets * (packets + 1) // 2
        expected: list[tuple[str, str, int, int]] = []
        for name in ("flows", "flow_minutes"):
            sums = tallies[name].sums[row["ingest_id"]]
            expected.append((name, "packets", packets, sums["packets_to_server"] + sums["packets_to_client"]))
            expected.append((name, "bytes", row["wire_bytes"], sums["bytes_to_server"] + sums["bytes_to_client"]))
        if row["packets_pruned_ns"] is None:
            sums = tallies[PACKETS.name].sums[row["ingest_id"]]
            expected.append((PACKETS.name, "rows", packets, tallies[PACKETS.name].rows[row["ingest_id"]]))
            expected.append((PACKETS.name, "as the sum of frame numbers", frames, sums["frame_number"]))
            expected.append((PACKETS.name, "captured bytes", row["captured_bytes"], sums["captured_length"]))
            expected.append((PACKETS.name, "bytes", row["wire_bytes"], sums["wire_length"]))
        what = f"{row['capture_id'][:12]} {row['file_name'] or ''}".rstrip()
        for name, unit, right, found in expected:
            if right != found:
                yield Finding(
                    "receipt",
                    damage=True,
                    table=name,
                    what=what,
                    message=f"The table has {found:,} {unit} of this capture, the receipt says {right:,}.",
                )


def _check_original(snapshot: Snapshot, capture_id: str, entry: Entry) -> Finding | None:
    """Unpack an original and compare its content with the digest that names it."""
    if originals.is_intact(snapshot.root, capture_id):
        return None
    message = "The original does not have the content any more that its name says."
    return Finding("damaged-original", damage=True, table=originals.FOLDER, what=entry.location.uri, message=message)


def _orphan_files(warehouse: Warehouse, snapshot: Snapshot, stray: list[Entry]) -> Iterator[Finding]:
    """Files on the disk that no log knows, and originals of captures that are not there."""
    left = {originals.FOLDER: stray}
    for table in BY_NAME:
        folder = snapshot.root.join(table)
        # What was replaced stays for a while, for readers that have it open; the log still knows it.
        replaced = warehouse.table(table).vacuum(retention_hours=0, dry_run=True, enforce_retention_duration=False)
        known = {folder.join(*path.split("/")).path for path in [*snapshot.actions[table].column("path").to_pylist(), *replaced]}
        left[table] = [
            entry for entry in folder.contents() if entry.location.path not in known and "_delta_log" not in entry.location.path.split("/")
        ]
    for name, entries in left.items():
        if entries:
            size = sum(entry.size for entry in entries)
            message = (
                f"{len(entries):,} files with {size:,} bytes belong to killed or running ingests; `caphouse vacuum` removes them later."
            )
            yield Finding("orphan-files", damage=False, table=name, what=name, message=message)


def _orphans(snapshot: Snapshot, tallies: dict[str, _Tally]) -> Iterator[Finding]:
    for name, tally in tallies.items():
        if name == CAPTURES.name:
            continue
        rows = sum(count for ingest_id, count in tally.rows.items() if ingest_id not in snapshot.ingest_ids)
        if rows:
            message = f"{rows:,} rows belong to no capture: killed, replaced or running ingests; `caphouse compact` removes them."
            yield Finding("orphan-rows", damage=False, table=name, what=name, message=message)
