"""A capture's bytes, front to back: whatever it is stored in, uncompressed, in windows of bounded size, hashed on the way.

Reading never trusts a size that a file states about itself, and memory stays bounded whatever the input is: each window lies in a
buffer of its own that is used again once nobody holds a reference to it. Files are read, not mapped: a mapped file that somebody
cuts (tcpdump does that to the oldest file of its ring) would kill the process with SIGBUS in the middle of a batch.
"""

from __future__ import annotations

import os
import stat
import weakref
from collections.abc import Callable, Collection
from concurrent.futures import Executor, Future, wait
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from ..warehouse.errors import CaptureError, SourceVanished
from ..warehouse.errors import reason as error_reason
from .compression import HEAD_BYTES, MAX_EXPANSION, Decompressing, detect
from .formats.base import PADDING_BYTES, Problem
from .hashing import Hash

READ_BYTES = 1 << 22
"""Bytes that are read and hashed in one go: small enough to be in a cache still when they are hashed, large enough that the thread that
does so rarely waits for the interpreter's lock, twice each time."""
FIRST_BUFFER_BYTES = 1 << 20
"""Size of the first buffer where the content's size is not known; later ones grow with what was really read."""
BEGINNING_BYTES = 1 << 12
"""Bytes that tell a file that was added to from one that was begun anew: they hold the time of the first packet."""

Change = Literal["grown", "rewritten"]
"""What others did to a file while it was read."""


class Window(NamedTuple):
    """A stretch of the content, contiguous in memory.

    Attributes:
        buffer: uint8[size + PADDING_BYTES]; the content, then zeros. Valid as long as anything refers to it.
        size: Bytes of content in it.
        position: Where in the content it begins.
        last: Whether the content ends with it.
    """

    buffer: npt.NDArray[np.uint8]
    size: int
    position: int
    last: bool


class Content:
    """What `open_content` gives.

    Attributes:
        name: The source, for messages.
        compression: 'gzip', 'zstd', 'lz4', 'bz2', 'xz', or None.
        file_bytes: Size of the file as it was found, compressed or not; None where that cannot be known, as for a pipe.
        size: Size of the content where it is known beforehand, which is only so for a regular file that is not compressed.
        modified_ns: Modification time of the file as it was found, nanoseconds since the epoch; None for what is no regular file.
        position: Where the next window begins.
        digests: BLAKE3, 64 hex digits, of the content up to each of the marks that were passed so far.
    """

    def __init__(
        self,
        name: str,
        source: _RawSource,
        bytes_: Decompressing | _RawSource,
        compression: str | None,
        *,
        hash_content: bool,
        marks: Collection[int] = (),
        copy: Callable[[memoryview], object] | None = None,
    ) -> None:
        self.name = name
        self.compression = compression
        self.file_bytes = source.size
        self.modified_ns = source.modified_ns
        self.digests: dict[int, str] = {}
        self.size = source.size if compression is None else None
        self.position = 0
        self._source = source
        self._bytes = bytes_
        # Uncompressing alone keeps a thread busy.
        self._hash = Hash(aside=compression is not None) if hash_content else None
        self._marks = sorted(marks, reverse=True) if hash_content else []
        self._copy = copy
        self._read = 0  # bytes of content that were taken from `_bytes`; all of them are given to `_hash`
        self._window = Window(np.zeros(PADDING_BYTES, dtype=np.uint8), 0, 0, last=False)
        self._ended = False
        self._free: list[npt.NDArray[np.uint8]] = []
        self._executor: Executor | None = None
        self._most_ahead = 0
        self._reading: Future[None] | None = None
        self._is_ahead = False  # `_window` was read ahead, and nobody has asked for it yet

    def read_ahead(self, executor: Executor, most: int) -> None:
        """From now on let `executor` read, uncompress and hash the next window, of up to `most` bytes, while one is worked on.

        It begins now, and each time that `advance` has told where the next window begins. What nobody has begun to read when it is
        asked for is read by who asks, instead of waiting.
        """
        self._executor, self._most_ahead = executor, most
        self._begin()

    def _begin(self) -> None:
        if self._executor is not None and not self._ended and not self._is_ahead:
            self._reading = self._executor.submit(self._read_next)

    def _read_next(self) -> None:
        self._window = self._fill(self._held(), 1, self._most_ahead)

    def _join(self) -> None:
        """Let nobody read ahead; all that touches the source or the window comes after this.

        Raises:
            CaptureError: The source could not be read.
        """
        reading, self._reading = self._reading, None
        if reading is not None and not reading.cancel():
            reading.result()
            self._is_ahead = True

    def window(self, least: int, most: int) -> Window:
        """The content from `position` on.

        Args:
            least: Bytes that the window must have at least, unless the content ends before.
            most: Bytes that it has at most; not less than `least`.

        Raises:
            CaptureError: The source cannot be read.
        """
        self._join()
        held = self._held()
        is_ahead, self._is_ahead = self._is_ahead, False
        if not self._ended and len(held) < (least if is_ahead else most):
            self._window = self._fill(held, least, most)
        else:
            begin = self.position - self._window.position
            size = min(len(held), most)
            self._window = Window(self._window.buffer[begin:], len(held), self.position, last=self._ended)
            if size < len(held):
                return Window(self._window.buffer[: size + PADDING_BYTES], size, self.position, last=False)
        return self._window

    def advance(self, count: int) -> None:
        """Go on by `count` bytes, or to the end of the content; more than the window holds is read and thrown away.

        Raises:
            CaptureError: The source cannot be read.
        """
        self._join()
        self._advance(count)
        self._begin()

    def _advance(self, count: int) -> None:
        held = self._window.position + self._window.size - self.position
        if count <= held:
            self.position += count
            if self._ended and count == held:
                self._let_go()
            return
        missing = count - held
        self.position = self._window.position + self._window.size
        waste = memoryview(bytearray(min(missing, READ_BYTES)))
        while missing and (got := self._take(waste[:missing])):
            missing -= got
            self.position += got
            if self._hash is not None:
                self._hash.settle()
        self._window = Window(np.zeros(PADDING_BYTES, dtype=np.uint8), 0, self.position, last=self._ended)

    @property
    def problems(self) -> list[Problem]:
        """What was wrong with the compressed data or with reading the file, so far."""
        if self._bytes is self._source:
            return list(self._source.problems)
        # What ends the file ends the content.
        return [*(problem._replace(offset=self._read) for problem in self._source.problems), *self._bytes.problems]

    @property
    def failure(self) -> Problem | None:
        """Why the file could not be read any further, so that the content ended before its end; None when it was read in full."""
        return next((problem for problem in self.problems if problem.kind == "interrupted"), None)

    def digest(self) -> str:
        """BLAKE3 of the complete content, 64 hex digits, or of what can be read of it (`failure`); reads what is left of it.

        Raises:
            ValueError: The content was opened with `hash_content=False`.
            CaptureError: The source cannot be read.
        """
        if self._hash is None:
            msg = "the content was opened without hashing"
            raise ValueError(msg)
        self._join()
        waste = memoryview(bytearray(READ_BYTES if not self._ended else 0))
        while not self._ended:
            self._take(waste)
            self._hash.settle()
        return self._hash.hexdigest()

    def change(self) -> Change | None:
        """What others have done to the file since it was opened: added to it, begun it anew, or nothing that matters.

        A file that was moved or removed has not changed: what was opened is read to its end. Of a blob it is not known.
        """
        return self._source.change()

    @property
    def content_bytes(self) -> int:
        """Bytes of content read so far; the size of the content once `digest` was called."""
        return self._read

    def close(self) -> None:
        """Close the source; windows that others still refer to stay valid."""
        if self._reading is not None and not self._reading.cancel():
            wait([self._reading])  # nobody may close the source under a read
        self._ended = True
        self._let_go()
        if self._hash is not None:
            self._hash.close()
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _held(self) -> npt.NDArray[np.uint8]:
        """What of the last window lies behind `position`."""
        return self._window.buffer[self.position - self._window.position : self._window.size]

    def _fill(self, held: npt.NDArray[np.uint8], least: int, most: int) -> Window:
        room = most
        if self.size is not None:
            room = min(room, max(self.size - self.position, len(held)))
        elif self._read < most:
            # Not known beforehand: as much again as there was so far, so that a small capture takes a small buffer.
            room = min(room, max(least, 2 * self._read, FIRST_BUFFER_BYTES))
        buffer = self._buffer(room + PADDING_BYTES)
        view = buffer.data
        view[: len(held)] = held.data
        filled = len(held)
        while filled < room and (got := self._take(view[filled:room])):
            filled += got
        if self._hash is not None:
            self._hash.hand_over()
        buffer[filled : filled + PADDING_BYTES] = 0
        if self.size is not None and self._read >= self.size:
            self._ended = True
        return Window(buffer[: filled + PADDING_BYTES], filled, self.position, last=self._ended)

    def _let_go(self) -> None:
        """Give the memory of all windows back."""
        self._window = Window(np.zeros(PADDING_BYTES, dtype=np.uint8), 0, self.position, last=True)
        self._free.clear()

    def _take(self, into: memoryview) -> int:
        """Read and hash the next bytes; 0 at the end."""
        while self._marks and self._marks[-1] <= self._read and self._hash is not None:
            self.digests[self._marks.pop()] = self._hash.hexdigest()
        most = min(READ_BYTES, self._marks[-1] - self._read) if self._marks else READ_BYTES
        count = self._bytes.read_into(into[:most])
        if count == 0:
            self._ended = True
        elif self._hash is not None:
            self._hash.add(into[:count])
        if count and self._copy is not None:
            self._copy(into[:count])
        self._read += count
        return count

    def _buffer(self, size: int) -> npt.NDArray[np.uint8]:
        """A buffer of at least `size` bytes that nobody refers to. It comes back here when the last view of it is gone."""
        memory = np.empty(0, dtype=np.uint8)
        while self._free and not size <= len(memory) <= 2 * size:
            memory = self._free.pop()
        if not size <= len(memory) <= 2 * size:
            memory = np.empty(size, dtype=np.uint8)
        # The memoryview between the two makes `buffer`, not `memory`, the base of all views.
        buffer = np.frombuffer(memory.data, dtype=np.uint8)
        # Weakly, or a content that nobody closes would keep itself and its window for ever.
        weakref.finalize(buffer, _give_back, weakref.ref(self), memory).atexit = False
        return buffer


def _give_back(content: weakref.ref[Content], memory: npt.NDArray[np.uint8]) -> None:
    """Let a content use memory again, if it is still there and goes on."""
    there = content()
    if there is not None and not there._ended:  # noqa: SLF001 - a part of it that must not hold on to it
        there._free.append(memory)  # noqa: SLF001


class _RawSource:
    """The file, blob or pipe itself, as a `ByteSource`; a regular file ends where it ended when it was opened."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._name = name
        self._head = b""
        self._start = 0
        self._opened = _regular_status(file)
        self._beginning = b""
        if self._opened is not None:
            self._start = file.tell()
            self._beginning = self._current_beginning()
        self.size = max(self._opened.st_size - self._start, 0) if self._opened is not None else None
        self.modified_ns = self._opened.st_mtime_ns if self._opened is not None else None
        self._left = self.size
        self._read = 0

    def peek(self, count: int) -> bytes:
        """The first bytes, which `read_into` gives again."""
        while len(self._head) < count:
            part = bytearray(count - len(self._head))
            got = self._read_file(memoryview(part))
            if not got:
                break
            self._head += part[:got]
        return self._head

    def read_into(self, view: memoryview) -> int:
        """See `ByteSource`."""
        if self._head:
            part = self._head[: len(view)]
            view[: len(part)] = part
            self._head = self._head[len(part) :]
            return len(part)
        return self._read_file(view)

    @property
    def can_restart(self) -> bool:
        """See `ByteSource`."""
        try:
            return self._file.seekable()
        except OSError:
            return False

    def restart(self, position: int) -> bool:
        """See `ByteSource`."""
        if not self.can_restart:
            return False
        try:
            self._file.seek(self._start + position)
        except OSError:
            return False
        self._head = b""
        self._left = None if self.size is None else max(self.size - position, 0)
        self._read = position
        return True

    def _read_file(self, view: memoryview) -> int:
        if self._left is not None:
            view = view[: self._left]
        if not len(view):
            return 0
        try:
            # Every binary file can do this; typing.BinaryIO does not say so.
            count: int = self._file.readinto(view) or 0  # type: ignore[attr-defined]
        except FileNotFoundError as error:
            raise SourceVanished("it was removed while it was read", source=self._name, offset=self._read) from error
        except OSError as error:
            reason = f"reading failed: {error.strerror or error_reason(error)}"
            if not self._read:
                raise CaptureError(reason, source=self._name, offset=0) from error
            self.problems.append(Problem(self._read, reason, kind="interrupted"))
            self._left = 0
            return 0
        self._read += count
        if self._left is not None:
            if count == 0:
                reason = f"the file was cut from {self.size:,} to {self._read:,} bytes while it was read"
                self.problems.append(Problem(self._read, reason, kind="cut-short"))
                self._left = 0
            self._left -= count
        return count

    def change(self) -> Change | None:
        """See `Content.change`."""
        now = _regular_status(self._file)
        if self._opened is None or now is None or (now.st_mtime_ns, now.st_size) == (self._opened.st_mtime_ns, self._opened.st_size):
            return None
        if self._current_beginning()[: len(self._beginning)] != self._beginning:
            return "rewritten"
        return "grown" if now.st_size > self._opened.st_size else None

    def _current_beginning(self) -> bytes:
        try:
            return os.pread(self._file.fileno(), BEGINNING_BYTES, self._start)
        except OSError:  # a damaged disk; reading will tell
            return b""

    def close(self) -> None:
        self._file.close()


def open_content(
    source: Path | BinaryIO,
    *,
    name: str,
    hash_content: bool = True,
    marks: Collection[int] = (),
    copy: Callable[[memoryview], object] | None = None,
    max_expansion: int | None = MAX_EXPANSION,
) -> Content:
    """Open a capture for reading, whatever it is compressed with.

    Args:
        source: A path, or a file opened for reading bytes; the content closes it.
        name: How messages call it.
        hash_content: Whether `Content.digest` is wanted.
        marks: Positions in the content; `Content.digests` will have the digest of what lies before each of them.
        copy: Called with each piece of the content, front to back, all of it by the time that `Content.digest` has returned.
        max_expansion: See `Decompressing`.

    Raises:
        SourceVanished: There is no such file.
        CaptureError: It cannot be opened or read.
    """
    try:
        file = source.open("rb", buffering=0) if isinstance(source, Path) else source
    except FileNotFoundError as error:
        raise SourceVanished("there is no such file", source=name) from error
    except OSError as error:
        raise CaptureError(f"cannot be opened: {error.strerror or error_reason(error)}", source=name) from error
    raw = _RawSource(file, name)
    try:
        compression = detect(raw.peek(HEAD_BYTES))
        content_bytes = Decompressing(raw, compression, max_expansion) if compression is not None else raw
    except BaseException:
        file.close()
        raise
    return Content(name, raw, content_bytes, compression, hash_content=hash_content, marks=marks, copy=copy)


def _regular_status(file: BinaryIO) -> os.stat_result | None:
    """The state of a regular file; None for anything else."""
    try:
        status = os.fstat(file.fileno())
    except (AttributeError, OSError):  # not a file of the operating system
        return None
    return status if stat.S_ISREG(status.st_mode) else None
