"""What a capture's conversations leave behind and nobody looks at before the capture has ended: it rests in a temporary file.

So memory holds what is looked up for every batch, and grows neither with the packets of a conversation nor with its minutes.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..warehouse.errors import CaptureError, reason
from .columns import Int64

HELD_BYTES = 1 << 20
"""Rows of one kind that are held in memory."""
ROWS_AT_ONCE = 1 << 16
"""Rows that are read again, and made into rows of tables, at a time, so that a capture of millions does not need them all in memory."""
_STRIDE = 1 << 10
"""Of every so many rows in a file, the owner of the first is known without looking."""

Rows = npt.NDArray[Any]


class _Run(NamedTuple):
    """Rows in the file, in the order of their owners.

    Attributes:
        offset: Where in the file it begins.
        size: Number of its rows.
        owners: int64, the owner of every `_STRIDE`-th row.
    """

    offset: int
    size: int
    owners: Int64


class Resting:
    """Rows that belong to numbered owners (flows, streams): put away in any order, and read again for a range of owners at a time.

    Args:
        fields: Names and types of the rows' columns, `owner` apart.
    """

    def __init__(self, fields: dict[str, type[np.generic]]) -> None:
        self.dtype = np.dtype([("owner", np.int64), *fields.items()])
        self._held: list[Rows] = []
        self._held_bytes = 0
        self._runs: list[_Run] = []
        self._rows = 0
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return self._rows

    def put(self, owner: npt.NDArray[np.integer[Any]], columns: dict[str, npt.NDArray[Any]]) -> None:
        """Put rows away.

        Args:
            owner: integers[m], none negative.
            columns: Each an array of m values, for all fields.

        Raises:
            CaptureError: There is no room for temporary files.
        """
        rows = np.empty(len(owner), dtype=self.dtype)
        rows["owner"] = owner
        for name, values in columns.items():
            rows[name] = values
        self._rows += len(rows)
        self._held.append(rows)
        self._held_bytes += rows.nbytes
        if self._held_bytes >= HELD_BYTES:
            self._write()

    def of(self, owners: slice) -> Rows:
        """The rows of owners from `owners.start` to before `owners.stop`, in their order and, of one owner, in that of their arrival.

        Raises:
            CaptureError: The temporary file cannot be read.
        """
        parts = [self._read(run, owners) for run in self._runs]
        for rows in self._held:
            owner = rows["owner"]
            parts.append(rows[(owner >= owners.start) & (owner < owners.stop)])
        found = np.concatenate([np.empty(0, dtype=self.dtype), *parts])
        return found.take(np.argsort(found["owner"], kind="stable"))

    def _write(self) -> None:
        rows = np.concatenate(self._held)
        if (rows["owner"][1:] < rows["owner"][:-1]).any():
            rows = rows.take(np.argsort(rows["owner"], kind="stable"))
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it lives as long as this does
                weakref.finalize(self, self._file.close)
            offset = self._file.seek(0, os.SEEK_END)
            view = rows.view(np.uint8).data
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise _not_remembered("written to", reason(error)) from error
        self._runs.append(_Run(offset, len(rows), rows["owner"][::_STRIDE].copy()))
        self._held, self._held_bytes = [], 0

    def _read(self, run: _Run, owners: slice) -> Rows:
        # The last known owner below the range may go on behind its row; the first one beyond ends it.
        first = max(int(np.searchsorted(run.owners, owners.start)) - 1, 0) * _STRIDE
        end = min(int(np.searchsorted(run.owners, owners.stop)) * _STRIDE, run.size)
        if self._file is None or end <= first:
            return np.empty(0, dtype=self.dtype)
        rows = np.empty(end - first, dtype=self.dtype)
        view = rows.view(np.uint8).data
        try:
            self._file.seek(run.offset + first * self.dtype.itemsize)
            while view:
                size = self._file.readinto(view)  # type: ignore[attr-defined]
                if not size:
                    raise _not_remembered("read from", "it is not there any more")
                view = view[size:]
        except OSError as error:
            raise _not_remembered("read from", reason(error)) from error
        begin, stop = np.searchsorted(rows["owner"], [owners.start, owners.stop])
        return rows[begin:stop]


def _not_remembered(what: str, why: str) -> CaptureError:
    place = tempfile.tempdir or "the folder for temporary files"
    return CaptureError(f"what must be remembered of its conversations cannot be {what} {place}: {why}")


def parts(owners: int, rows: int) -> Iterator[slice]:
    """All owners, so many at a time as have about `ROWS_AT_ONCE` of all their `rows` together, and never more of them than that."""
    at_once = max(1, min(ROWS_AT_ONCE, ROWS_AT_ONCE * owners // max(rows, 1)))
    for start in range(0, owners, at_once):
        yield slice(start, min(start + at_once, owners))
