"""Compressed captures: told by their magic number, decompressed as a stream in bounded memory.

Damage raises nothing: what was decompressed before it is kept, and a `Problem` says what happened.
"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from .formats.base import Problem

HEAD_BYTES = 4096
"""Bytes that `detect` wants to see; a skippable frame may come first, as pzstd writes it."""
INPUT_BYTES = 1 << 18
"""Compressed bytes that are read in one go."""
OUTPUT_BYTES = 1 << 18
"""Uncompressed bytes that one call gives at most. After each of them other threads may hold the interpreter's lock for a while: with a
quarter of it a capture takes a twentieth longer."""
LOST_BYTES = 1 << 16
"""The same where what a call had before it came to damage cannot be had again: so many are lost then."""
XZ_MEMORY_BYTES = 256 << 20
"""What the largest preset of xz needs, four times over; a stream that claims to need more is refused."""


MAX_EXPANSION = 250
"""How many times the size of the compressed data its content may be: captures are below 20, but for some that were made up."""
ALWAYS_BYTES = 256 << 20
"""Content up to this size is read whatever it was compressed to."""


class ByteSource(Protocol):
    """Something that gives bytes front to back."""

    problems: list[Problem]

    def read_into(self, view: memoryview) -> int:
        """Fill `view` from its beginning; gives the bytes that were read, 0 only at the end."""
        ...

    @property
    def can_restart(self) -> bool:
        """Whether `restart` is possible; it is not in a pipe."""
        ...

    def restart(self, position: int) -> bool:
        """Go back to byte `position`; False where that is impossible."""
        ...


class Decompressor(Protocol):
    """One compressed stream; the interface of `bz2.BZ2Decompressor`, which most libraries follow."""

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was reached."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether nothing more can be given without more input."""
        ...

    @property
    def unused_data(self) -> bytes | None:
        """What follows the end of the stream, empty or None for nothing."""
        ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Feed `data`, give at most `max_length` bytes."""
        ...


MAGIC = {
    "gzip": re.compile(rb"\x1f\x8b\x08[\0-\x1f]"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
    "lz4": re.compile(rb"\x04\x22\x4d\x18"),
    "bz2": re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),  # pi, or its square root where there is no block
    "xz": re.compile(rb"\xfd7zXZ\0"),
}
MAGIC_BYTES = 10
"""The longest of these."""
SKIPPABLE = {"zstd", "lz4"}
"""Their streams may have frames between others that hold something else (RFC 8878, 3.1.2)."""
SKIPPABLE_HEADER_BYTES = 8


def detect(head: bytes) -> str | None:
    """Name of the compression that the first bytes of a file belong to; None for none."""
    while (skippable := _skippable_bytes(head)) is not None and skippable < len(head):
        head = head[skippable:]
    return next((name for name, magic in MAGIC.items() if magic.match(head)), None)


def _skippable_bytes(data: bytes) -> int | None:
    """Size of the skippable frame that `data` begins with; None where it begins with something else."""
    if len(data) < SKIPPABLE_HEADER_BYTES or data[1:4] != b"\x2a\x4d\x18" or data[0] >> 4 != 5:
        return None
    return SKIPPABLE_HEADER_BYTES + int.from_bytes(data[4:8], "little")


class Decompressing:
    """The uncompressed bytes of a compressed source, all its members or frames one after the other.

    Args:
        source: The compressed bytes.
        compression: A name that `detect` gives.
        max_expansion: How many times the size of the compressed data is read beyond `ALWAYS_BYTES`; None for all there is.

    Attributes:
        problems: What was wrong with the compressed data; offsets are those in the uncompressed bytes.
    """

    def __init__(self, source: ByteSource, compression: str, max_expansion: int | None = MAX_EXPANSION) -> None:
        self.problems: list[Problem] = []
        self._source = source
        self._compression = compression
        self._max_expansion = max_expansion
        self._chunks = self._decompress()
        self._chunk = b""
        self._given = 0
        self._taken = 0  # bytes of the source
        self._scratch = memoryview(bytearray(INPUT_BYTES))

    def read_into(self, view: memoryview) -> int:
        """See `ByteSource`."""
        if not self._chunk:
            self._chunk = next(self._chunks, b"")
        part = self._chunk[: len(view)]
        view[: len(part)] = part
        self._chunk = self._chunk[len(part) :]
        self._given += len(part)
        if self._max_expansion is not None and self._given > max(ALWAYS_BYTES, self._max_expansion * self._taken):
            self._chunk, self._chunks = b"", iter(())
            reason = f"the compressed data gives more than {self._max_expansion} times its size, as no capture does; the rest was not read"
            self._problem(f"{reason} (--max-expansion)", "damaged")
            self._max_expansion = None
        return len(part)

    def _input(self) -> bytes:
        count = self._source.read_into(self._scratch)
        self._taken += count
        return bytes(self._scratch[:count])

    def _decompress(self) -> Iterator[bytes]:
        """Chunks of a bounded size."""
        magic = MAGIC[self._compression]
        make = _decompressor(self._compression)
        most = OUTPUT_BYTES if self._can_salvage else LOST_BYTES
        data = self._more(b"", MAGIC_BYTES)
        while data:
            if self._compression in SKIPPABLE and (skippable := _skippable_bytes(data)) is not None:
                data = self._skip(data, skippable)
                continue
            if not magic.match(data):
                self._problem(f"something that is not {self._compression} follows the compressed data", "damaged")
                return
            stream = make()
            begin, given = self._taken - len(data), 0
            while not stream.eof:
                if not data and stream.needs_input and not (data := self._input()):
                    self._problem("the compressed data is cut short", "cut-short")
                    return
                try:
                    chunk = stream.decompress(data, most)
                except Exception as error:  # noqa: BLE001 - each library has its own, of no common base
                    yield from self._salvage(begin, given)
                    self._problem(f"the compressed data is damaged: {error}", "damaged")
                    return
                data = b""
                if chunk:
                    given += len(chunk)
                    yield chunk
            data = stream.unused_data or b""
            while not (data := data.lstrip(b"\0")) and (data := self._input()):  # some writers fill up with zeros
                pass
            data = self._more(data, MAGIC_BYTES)

    @property
    def _can_salvage(self) -> bool:
        # A block of zstd decompresses whole or not at all.
        return self._compression != "zstd" and self._source.can_restart

    def _salvage(self, begin: int, given: int) -> Iterator[bytes]:
        """What the call that failed had decompressed before the damage and lost with its exception.

        The stream is decompressed once more: as before up to the input that was fed last, then byte by byte, in and out, so that the
        last good byte and the damage never meet in one call. How the source cuts its pieces makes no difference then.

        Args:
            begin: Where in the source the stream begins.
            given: Bytes of it that were given already.
        """
        last = max(self._taken - INPUT_BYTES, begin)
        if not self._can_salvage or not self._source.restart(begin):
            return
        self._taken = begin
        stream = _Zlib() if self._compression == "gzip" else _decompressor(self._compression)()  # isal reads ahead
        rescued = bytearray()
        while not stream.eof and (data := self._input()):
            bulk = max(last - (self._taken - len(data)), 0)
            for piece in (data[:bulk], *(bytes((byte,)) for byte in data[bulk:])):
                fed = piece
                while fed or not stream.needs_input:
                    if stream.eof:
                        break
                    try:
                        chunk = stream.decompress(fed, min(given, OUTPUT_BYTES) or 1)
                    except Exception:  # noqa: BLE001 - the same again
                        if rescued:
                            yield bytes(rescued)
                        return
                    fed = b""
                    rescued += chunk[given:]
                    given -= min(given, len(chunk))
                    if len(rescued) >= OUTPUT_BYTES:
                        yield bytes(rescued)
                        rescued.clear()
        if rescued:
            yield bytes(rescued)

    def _more(self, data: bytes, least: int) -> bytes:
        """`data`, and so much more that it is `least` bytes long, unless the source ends."""
        while len(data) < least and (more := self._input()):
            data += more
        return data

    def _skip(self, data: bytes, count: int) -> bytes:
        """What follows the next `count` bytes, the first of which are `data`."""
        while len(data) < count:
            count -= len(data)
            if not (data := self._input()):
                self._problem("the compressed data is cut short", "cut-short")
                return b""
        return self._more(data[count:], MAGIC_BYTES)

    def _problem(self, reason: str, kind: str) -> None:
        self.problems.append(Problem(self._given, reason, kind=kind))


class _Zlib:
    """`zlib.decompressobj` with the interface of `Decompressor`; for machines that isal has no wheel for, and where it stops too early."""

    _PART_BYTES = 1 << 12
    """Fed at a time: what zlib does not use comes back as a copy."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)
        self._pending = memoryview(b"")
        self._part: bytes | memoryview = b""
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data + bytes(self._pending)

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        if data:
            self._pending = memoryview(bytes(self._pending) + data)
        if not self._part:
            self._part, self._pending = self._pending[: self._PART_BYTES], self._pending[self._PART_BYTES :]
        chunk = self._stream.decompress(self._part, max(max_length, 0))
        self._part = self._stream.unconsumed_tail
        self.needs_input = not self._part and not self._pending and len(chunk) < max_length
        return chunk


class _Zstd:
    """One zstd frame with the interface of `Decompressor`: fed block by block, each of which holds at most 128 KiB (RFC 8878, 3.1.1.2).

    The library's own interface has no bound on what one call may give, and its streams take a frame that is cut for a whole one.
    """

    def __init__(self) -> None:
        import zstandard

        self._stream = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
        self._pending = b""
        self._next: Callable[[bytes], int | None] = self._frame_header
        self._checksum = False
        self.eof = False
        self.needs_input = True
        self.unused_data = b""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:  # noqa: ARG002 - a block is small enough
        self._pending += data
        size = self._next(self._pending)
        self.needs_input = size is None
        if size is None:
            return b""
        part, self._pending = self._pending[:size], self._pending[size:]
        chunk = self._stream.decompress(part)
        if self.eof:
            self.unused_data = self._pending
        return chunk

    def _frame_header(self, data: bytes) -> int | None:
        if len(data) < 5:
            return None
        descriptor = data[4]
        single_segment = descriptor >> 5 & 1
        self._checksum = bool(descriptor >> 2 & 1)
        size_bytes = (single_segment, 2, 4, 8)[descriptor >> 6]
        size = 5 + (1 - single_segment) + (0, 1, 2, 4)[descriptor & 3] + size_bytes
        if len(data) < size:
            return None
        self._next = self._block
        return size

    def _block(self, data: bytes) -> int | None:
        if len(data) < 3:
            return None
        header = int.from_bytes(data[:3], "little")
        last = bool(header & 1)
        run_length = header >> 1 & 3 == 1
        size = 3 + (1 if run_length else header >> 3)
        if len(data) < size:
            return None
        if last and self._checksum:
            self._next = self._trailer
        else:
            self.eof = last
        return size

    def _trailer(self, data: bytes) -> int | None:
        """The checksum, apart from the last block, so that the block is given even where it is wrong."""
        if len(data) < 4:
            return None
        self.eof = True
        return 4


def _decompressor(compression: str) -> Callable[[], Decompressor]:
    if compression == "gzip":
        try:
            from isal import igzip_lib
        except ImportError:
            return _Zlib
        return lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    if compression == "zstd":
        return _Zstd
    if compression == "lz4":
        from lz4.frame import LZ4FrameDecompressor

        return LZ4FrameDecompressor  # type: ignore[no-any-return]
    if compression == "bz2":
        return bz2.BZ2Decompressor
    return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)
