"""When a compaction is due. Apart from `compaction`, because every ingest asks and few compact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .staging import FILE_BYTES
from .tables import CAPTURES

if TYPE_CHECKING:
    from .snapshot import Snapshot
    from .store import Warehouse

SMALL_BYTES = FILE_BYTES // 4
"""A file below this size is worth being merged with others."""

DUE_FILES = 500
"""A compaction is due when it would leave so many files fewer: opening them takes a query about 0.1 s."""


def is_due(warehouse: Warehouse, added: int = DUE_FILES) -> bool:
    """Whether there are enough small files for a compaction to be worth its while.

    Args:
        warehouse: The warehouse.
        added: Files that were added since it was looked at; with few files in all there is no need for another look.
    """
    before = warehouse.files_at_most()
    if before is not None and before + added < DUE_FILES:
        return False
    return small_files(warehouse.snapshot()) >= DUE_FILES


def small_files(snapshot: Snapshot) -> int:
    """How many files fewer a compaction would leave: the measure of when it is due."""
    saved = 0
    for name, files in snapshot.actions.items():
        if name != CAPTURES.name and files.num_rows:
            sizes, dates = files.column("size_bytes").to_pylist(), files.column("partition.date").to_pylist()
            small = [date for size, date in zip(sizes, dates, strict=True) if size < SMALL_BYTES]
            saved += len(small) - len(set(small))
    return saved
