"""Reading formats that are one chain of records behind a file header; what `pcap`, `snoop` and `erf` have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..content import Content, Window
from .base import BATCH_BYTES, BATCH_PACKETS, PacketBatch, Problem
from .records import Int64, Layout, Walk, walk

Check = Callable[[Window, Walk], Walk]
MakeBatch = Callable[[Window, Int64, int], PacketBatch]


def chained_batches(
    content: Content, layout: Layout, problems: list[Problem], make: MakeBatch, check: Check | None = None
) -> Iterator[PacketBatch]:
    """Read records up to the end of the content or the first that is damaged, because nothing tells where the next one begins then.

    Args:
        content: Stands at the first record.
        layout: How records follow each other.
        problems: Where damage is noted.
        make: Makes a batch of the records that begin at `starts` (int64[n]) of a window, given the frame number of the first. It may
            leave some out.
        check: Cuts a walk at the first record that is not sound.
    """
    first_frame = 1
    least = layout.least
    while least:
        window = content.window(least, max(least, BATCH_BYTES))
        found = walk(window.buffer, 0, window.size, layout)
        if check is not None:
            found = check(window, found)
        # Others may read on from now on.
        content.advance(found.stop)
        for begin in range(0, len(found.starts), BATCH_PACKETS):
            batch = make(window, found.starts[begin : begin + BATCH_PACKETS], first_frame)
            first_frame += len(batch)
            if len(batch):
                yield batch
            del batch  # or its window would take memory while the next one is looked at
        offset = window.position + found.stop
        if found.damage is not None:
            problems.append(Problem(offset, found.damage, unread_records=1))
        elif window.last and found.stop < window.size:
            problems.append(Problem(offset, "the file ends inside a packet record", kind="cut-short", unread_records=1))
        least = 0 if window.last else found.missing


def without_rows(
    problems: list[Problem], window: Window, starts: Int64, bad: np.ndarray[tuple[int], np.dtype[np.bool_]], reason: str
) -> Int64:
    """Rows (int64[k]) of the records that are not `bad` (bool[n]); those that are become one problem."""
    rows = np.flatnonzero(bad)
    if len(rows):
        problems.append(Problem(window.position + int(starts[rows[0]]), reason, unread_records=len(rows)))
    return np.flatnonzero(~bad)
