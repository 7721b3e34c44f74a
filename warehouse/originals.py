"""The captures themselves, kept in the warehouse as evidence: `originals/AB/ABCD....zst`, named by `capture_id`.

What is kept is the uncompressed content, packed with zstd, whatever the file was packed with before; so a capture and its gzip are
one original, and its name is also its checksum. An original is complete when it has its name, and never changes; one that no row
of `captures` refers to any more (the ingest was killed, the capture was forgotten, the file has grown) is removed by `sweep`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, BinaryIO, Self, cast

from blake3 import blake3

from .errors import WarehouseError, reason

if TYPE_CHECKING:
    from .locations import Entry, Location

FOLDER = "originals"

IS_ORIGINAL = re.compile(r"(?:^|/)originals/[0-9a-f]{2}/[0-9a-f]{64}\.zst$")
"""Paths of originals: what is found by it in a folder of captures is in the warehouse already."""

IS_CAPTURE_ID = re.compile(r"[0-9a-f]{64}")

LEVEL = 2
"""Level of zstd: as fast as level 1 on captures, 300 MB/s on one core, and a quarter smaller; level 3 takes twice the time."""

SWEEP_AGE_SECONDS = 24 * 3600.0
"""Originals that are younger may belong to an ingest that has not committed yet."""


def location(root: Location, capture_id: str) -> Location:
    """Where the original of a capture is, or would be.

    Args:
        root: The warehouse.
        capture_id: BLAKE3 of the content, 64 hex digits.

    Raises:
        WarehouseError: It is something else, which as a path might lead anywhere.
    """
    if not IS_CAPTURE_ID.fullmatch(capture_id):
        raise WarehouseError(f"{root}: {capture_id!r} is no capture_id.")
    return root.join(FOLDER, capture_id[:2], f"{capture_id}.zst")


def exists(root: Location, capture_id: str) -> bool:
    """Whether the original of a capture is kept."""
    return location(root, capture_id).exists()


def open_original(root: Location, capture_id: str) -> BinaryIO | None:
    """The content of a capture as it was ingested, to be read front to back; None when no original is kept.

    Raises:
        WarehouseError: It is there and cannot be read.
    """
    import zstandard

    place = location(root, capture_id)
    try:
        if not place.exists():
            return None
        packed = Path(place.path).open("rb") if place.is_local else place.open_input()  # noqa: SIM115 - closed with the reader
    except OSError as error:
        raise WarehouseError(f"{place}: the original cannot be read: {reason(error)}") from error
    return cast("BinaryIO", zstandard.ZstdDecompressor().stream_reader(packed, closefd=True))


def is_intact(root: Location, capture_id: str) -> bool:
    """Whether the original of a capture is there and its content still has the digest that names it."""
    import zstandard

    digest = blake3()
    try:
        original = open_original(root, capture_id)
        if original is None:
            return False
        with original:
            while piece := original.read(1 << 20):
                digest.update(piece)
    except (OSError, WarehouseError, zstandard.ZstdError):
        return False
    return digest.hexdigest() == capture_id


def remove(root: Location, capture_id: str) -> None:
    """Remove the original of a capture; it is no error when there is none.

    Raises:
        WarehouseError: The storage refuses.
    """
    place = location(root, capture_id)
    try:
        place.delete()
    except OSError as error:
        raise WarehouseError(f"{place}: the original cannot be removed: {reason(error)}.") from error


def kept(root: Location) -> Iterator[tuple[str, Entry]]:
    """All originals: their `capture_id` and the files."""
    for entry in root.join(FOLDER).contents():
        if IS_ORIGINAL.search(entry.location.path):
            yield entry.location.name.removesuffix(".zst"), entry


def sweep(root: Location, capture_ids: Collection[str], *, age_seconds: float = SWEEP_AGE_SECONDS, dry_run: bool = False) -> list[Entry]:
    """Remove originals of captures that are not in the warehouse, and what killed processes left half written.

    Args:
        root: The warehouse.
        capture_ids: All that are in it.
        age_seconds: What is younger stays, for those who ingest at this moment.
        dry_run: Only say which.

    Returns:
        What was removed, or would be.
    """
    before = time.time_ns() - int(age_seconds * 1e9)
    there = set(capture_ids)
    going = [
        entry
        for entry in root.join(FOLDER).contents()
        if (entry.modified_ns is None or entry.modified_ns < before)
        and not (IS_ORIGINAL.search(entry.location.path) and entry.location.name.removesuffix(".zst") in there)
    ]
    for entry in going if not dry_run else ():
        entry.location.delete()
    return going


class OriginalWriter:
    """Takes the content of a capture while it is read, before its `capture_id` is known.

    On this machine it packs into the warehouse, under a name that is exchanged at the end. Object storage has no such exchange, so
    for it the packed content waits in a private temporary file. Leaving the context without `keep` removes everything.

    Args:
        root: The warehouse.
    """

    def __init__(self, root: Location) -> None:
        import zstandard

        self._root = root
        self._part: Path | None = None
        self._file: IO[bytes]
        with self._told():
            if root.is_local:
                folder = root.join(FOLDER)
                folder.make_folder()
                self._part = Path(folder.join(f".{os.urandom(8).hex()}.part").path)
                self._file = self._part.open("wb+")
            else:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        # A thread of zstd's own packs, so that `write` hardly waits.
        self._frame_end = zstandard.FLUSH_FRAME
        self._packer = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True, threads=1).stream_writer(self._file, closefd=False)

    def write(self, content: memoryview) -> None:
        """Take the next piece.

        Raises:
            WarehouseError: The disk is full.
        """
        with self._told():
            self._packer.write(content)

    def keep(self, capture_id: str) -> None:
        """Complete the original, under the name that its content gives it.

        Raises:
            WarehouseError: The disk is full, or the storage refuses.
        """
        target = location(self._root, capture_id)
        with self._told():
            self._packer.flush(self._frame_end)
            self._file.flush()
            if self._part is not None:
                os.fdatasync(self._file.fileno())
                target.parent.make_folder()
                self._part.replace(target.path)
                self._part = None
            elif not target.exists():
                self._file.seek(0)
                with target.open_output() as output:
                    shutil.copyfileobj(self._file, output, 1 << 20)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Tell a full disk, or storage that cannot be reached, as what it is: not the capture's fault."""
        try:
            yield
        except OSError as error:
            place = self._root.join(FOLDER) if self._part is not None else f"{self._root.join(FOLDER)}, by way of {tempfile.gettempdir()}"
            raise WarehouseError(f"{place}: the original cannot be written: {reason(error)}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(OSError):  # what is still to be written has no space
            self._file.close()
        if self._part is not None:
            self._part.unlink(missing_ok=True)
