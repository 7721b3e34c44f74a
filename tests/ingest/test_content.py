"""Windows of a capture's bytes: complete, hashed, padded, and safe to hold."""

from __future__ import annotations

import bz2
import errno
import gc
import gzip
import io
import os
import random
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from made_captures import Pipe

from caphouse.ingest.compression import detect
from caphouse.ingest.content import Content, open_content
from caphouse.ingest.formats.base import PADDING_BYTES, Problem
from caphouse.warehouse.errors import CaptureError, SourceVanished

DATA = random.Random(1).randbytes(100_000)


def walk(content: Content, least: int, most: int, step: int) -> bytes:
    """Read all, `step` bytes at a time."""
    parts: list[bytes] = []
    while True:
        window = content.window(least, most)
        assert window.position == content.position
        assert len(window.buffer) >= window.size + PADDING_BYTES
        assert window.size >= least or window.last
        assert window.size <= most
        if not window.size:
            assert window.last
            return b"".join(parts)
        taken = min(step, window.size)
        parts.append(window.buffer[:taken].tobytes())
        content.advance(taken)


@settings(deadline=None, max_examples=60)
@given(
    st.binary(max_size=3000).filter(lambda data: detect(data) is None),
    st.integers(1, 500),
    st.integers(0, 3000),
    st.integers(1, 4000),
    st.integers(1, 700),
    st.booleans(),
)
def test_everything_comes_once(data: bytes, least: int, more: int, step: int, most_read: int, known_size: bool) -> None:  # noqa: FBT001
    source = io.BytesIO(data) if known_size else Pipe(data, most_read)
    with open_content(source, name="made") as content:
        assert walk(content, least, least + more, step) == data
        assert content.digest() == blake3(data).hexdigest()
        assert content.content_bytes == len(data)


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    with open_content(path, name="file") as content:
        assert (content.size, content.file_bytes, content.compression) == (len(DATA), len(DATA), None)
        window = content.window(10, 1000)
        assert (window.size, window.last) == (1000, False)
        content.advance(99_990)
        window = content.window(1, 1000)
        assert window.buffer[: window.size].tobytes() == DATA[-10:]
        assert window.buffer[window.size :].tobytes() == bytes(PADDING_BYTES)
        assert window.last
        assert content.digest() == blake3(DATA).hexdigest()


def test_the_digest_reads_what_is_left() -> None:
    with open_content(Pipe(DATA, 7000), name="pipe") as content:
        content.window(10, 10)
        assert content.digest() == blake3(DATA).hexdigest()
        assert content.content_bytes == len(DATA)
        assert content.size is None


def test_a_digest_must_be_asked_for() -> None:
    with open_content(io.BytesIO(b"x"), name="made", hash_content=False) as content, pytest.raises(ValueError, match="hashing"):
        content.digest()


def test_advancing_beyond_the_window_and_beyond_the_end() -> None:
    with open_content(Pipe(DATA, 3000), name="pipe") as content:
        content.window(10, 100)
        content.advance(50_000)
        assert content.window(4, 4).buffer[:4].tobytes() == DATA[50_000:50_004]
        content.advance(10**9)
        assert content.position == len(DATA)
        assert content.window(1, 10).size == 0
        assert content.digest() == blake3(DATA).hexdigest()


def test_windows_stay_valid_while_they_are_held() -> None:
    with open_content(Pipe(DATA), name="pipe") as content:
        held = []
        for _ in range(10):
            window = content.window(10_000, 10_000)
            held.append(np.ndarray((window.size,), "u1", buffer=window.buffer, strides=(1,)))
            content.advance(10_000)
        assert b"".join(part.tobytes() for part in held) == DATA


def test_buffers_are_used_again() -> None:
    with open_content(Pipe(DATA), name="pipe") as content:
        places = set()
        for _ in range(10):
            window = content.window(10_000, 10_000)
            places.add(window.buffer.__array_interface__["data"][0])
            content.advance(10_000)
            del window
            gc.collect()
        assert len(places) <= 3


def test_one_thread_reads_while_others_look_at_earlier_windows() -> None:
    wrong: list[int] = []
    threads = []

    def look(buffer: np.ndarray[tuple[int], np.dtype[np.uint8]], expected: bytes) -> None:
        wrong.extend(1 for _ in range(20) if buffer[: len(expected)].tobytes() != expected)

    with open_content(Pipe(DATA * 20, 50_000), name="pipe") as content:
        for number in range(200):
            window = content.window(10_000, 10_000)
            expected = (DATA * 2)[number * 10_000 % len(DATA) :][:10_000]
            threads.append(threading.Thread(target=look, args=(window.buffer, expected)))
            threads[-1].start()
            content.advance(10_000)
        for thread in threads:
            thread.join()
    assert not wrong


def test_a_small_pipe_takes_a_small_buffer() -> None:
    with open_content(Pipe(b"x" * 100), name="pipe") as content:
        assert content.window(100, 1 << 30).size == 100
        assert content._window.buffer.base.nbytes < 2 << 20  # type: ignore[union-attr]


def test_a_file_that_is_cut_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ring.pcap"
    path.write_bytes(DATA)
    with open_content(path, name="ring") as content:
        window = content.window(10_000, 10_000)
        os.truncate(path, 15_000)
        assert window.buffer[:10_000].tobytes() == DATA[:10_000]
        content.advance(10_000)
        assert content.window(50_000, 50_000).size == 5000
        assert content.digest() == blake3(DATA[:15_000]).hexdigest()
        (problem,) = content.problems
        assert (problem.kind, problem.offset) == ("cut-short", 15_000)


def test_a_file_that_grows_ends_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "growing.pcap"
    path.write_bytes(DATA)
    with open_content(path, name="growing") as content, path.open("ab") as writer:
        content.window(10, 10)
        writer.write(b"more")
        writer.flush()
        assert content.digest() == blake3(DATA).hexdigest()


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceVanished, match="no such file"):
        open_content(tmp_path / "nothing", name="nothing")
    with pytest.raises(CaptureError, match="cannot be opened"):
        open_content(tmp_path, name="folder")


class Failing(io.RawIOBase):
    """Gives some bytes, then an error of the disk."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._data:
            raise OSError(errno.EIO, "Input/output error")
        count = min(len(buffer), 1000)
        part, self._data = self._data[:count], self._data[count:]
        memoryview(buffer)[: len(part)] = part
        return len(part)

    def readable(self) -> bool:
        return True


def test_errors_of_the_disk_are_no_end_of_the_capture() -> None:
    """What comes before them is given, and then they are told."""
    with open_content(Failing(DATA[:30_000]), name="broken") as content:  # type: ignore[arg-type]
        assert content.digest() == blake3(DATA[:30_000]).hexdigest()
        assert content.problems == [Problem(30_000, "reading failed: Input/output error", kind="interrupted")]
        assert content.failure == content.problems[0]
    with pytest.raises(CaptureError, match="reading failed") as caught:
        open_content(Failing(b""), name="broken")  # type: ignore[arg-type]
    assert caught.value.source == "broken"


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress], ids=["gzip", "bz2"])
def test_errors_of_the_disk_in_compressed_data_are_told_with_their_place_in_the_content(compress: Callable[[bytes], bytes]) -> None:
    data = DATA * 30
    with open_content(Failing(compress(data)[:-50_000]), name="broken") as content:  # type: ignore[arg-type]
        digest = content.digest()
        assert 0 < content.content_bytes < len(data)
        assert digest == blake3(data[: content.content_bytes]).hexdigest()
        assert content.failure == Problem(content.content_bytes, "reading failed: Input/output error", kind="interrupted")


def test_a_pipe_of_the_operating_system() -> None:
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as file:
            file.write(DATA)

    thread = threading.Thread(target=write)
    thread.start()
    with open_content(os.fdopen(reading, "rb", buffering=0), name="-") as content:
        assert (content.size, content.file_bytes) == (None, None)
        assert walk(content, 10, 30_000, 20_000) == DATA
    thread.join()


def test_memory_of_a_content_that_was_not_read_to_its_end_is_given_back() -> None:
    """Found by the fuzzer: a window kept its content alive, and the content its window."""
    content = open_content(Pipe(bytes(100_000)), name="made")
    content.window(1000, 2000)
    gone = weakref.ref(content)
    content.close()
    del content
    gc.collect()
    assert gone() is None


def test_a_content_that_nobody_closes_gives_its_memory_back() -> None:
    """As where editcap's output is looked into before it is read."""
    content = open_content(Pipe(bytes(1000)), name="made")
    window = content.window(1, 1000)
    gone = weakref.ref(content)
    buffer = weakref.ref(window.buffer.base)
    del content, window
    assert gone() is None
    assert buffer() is None
