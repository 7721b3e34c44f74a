"""Windows are read and batches decoded ahead by several threads, and come out as they are in the file."""

from __future__ import annotations

import io
import random
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from made_captures import Pipe

from caphouse.ingest import capture, pipeline
from caphouse.ingest.compression import detect
from caphouse.ingest.content import Content, open_content
from caphouse.ingest.formats import open_reader
from caphouse.ingest.sources import find_sources
from caphouse.warehouse.errors import SourceVanished
from caphouse.warehouse.store import Warehouse

DATA = random.Random(1).randbytes(100_000)
SAMPLES = Path(__file__).parents[2] / "samples"

pytestmark = pytest.mark.usefixtures("quick_switches")


@pytest.fixture
def quick_switches() -> Iterator[None]:
    """Threads that take turns as often as can be, so that an order that is left to chance is not kept by chance."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Slow(Pipe):
    """A source that tells when what lies behind the first bytes is read, and takes its time for it."""

    def __init__(self, data: bytes, quick: int) -> None:
        super().__init__(data, 1000)
        self.reading = Event()
        self.is_reading = False
        self._quick = quick

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self.tell() >= self._quick and not self.reading.is_set():
            self.is_reading = True
            self.reading.set()
            time.sleep(0.1)
        count = super().readinto(buffer)
        self.is_reading = False
        return count


class AtOnce(Executor):
    """Does what it is given before it returns: as early as any thread could."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_running_or_notify_cancel()
        done.set_result(fn(*args, **kwargs))
        return done


@settings(deadline=None, max_examples=60)
@given(
    st.binary(max_size=3000).filter(lambda data: detect(data) is None),
    st.lists(st.tuples(st.integers(1, 600), st.integers(0, 900)), min_size=1),
    st.integers(1, 700),
    st.sampled_from([1, 2]),
    st.booleans(),
)
def test_everything_comes_once_and_in_order(
    data: bytes,
    steps: list[tuple[int, int]],
    most_ahead: int,
    workers: int,
    known_size: bool,  # noqa: FBT001
) -> None:
    """Windows of other sizes than were read ahead, and steps that leave some of them, end in them, or go beyond."""
    source = io.BytesIO(data) if known_size else Pipe(data, 90)
    with ThreadPoolExecutor(workers) as pool, open_content(source, name="made") as content:
        content.read_ahead(pool, most_ahead)
        for least, step in steps:
            window = content.window(least, least + 50)
            begin = content.position
            assert window.position == begin
            assert min(least, len(data) - begin) <= window.size <= least + 50
            assert window.buffer[: window.size].tobytes() == data[begin : begin + window.size]
            assert begin + window.size == len(data) or not window.last
            content.advance(step)
            assert content.position == min(begin + step, len(data))
        assert content.digest() == blake3(data).hexdigest()
        assert content.content_bytes == len(data)


def test_the_next_window_is_read_while_nobody_has_asked_for_it() -> None:
    source = Slow(DATA, 10_000)
    with ThreadPoolExecutor(1) as pool, open_content(source, name="made") as content:
        content.window(10_000, 10_000)
        content.advance(9_000)
        content.read_ahead(pool, 11_000)
        assert source.reading.wait(10)
        assert content.window(5_000, 11_000).buffer[:11_000].tobytes() == DATA[9_000:20_000]
        source.reading.clear()
        content.advance(11_000)
        assert source.reading.wait(10)


def test_what_ends_the_reading_is_raised_where_it_is_asked_for() -> None:
    class Vanishing(Pipe):
        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            if self.tell() >= 20_000:
                raise FileNotFoundError
            return super().readinto(buffer)

    with ThreadPoolExecutor(1) as pool, open_content(Vanishing(DATA, 100), name="made") as content:
        content.read_ahead(pool, 20_000)
        assert content.window(1, 20_000).size == 20_000
        content.advance(20_000)
        with pytest.raises(SourceVanished):
            content.window(1, 20_000)


def test_who_needs_a_window_reads_it_when_all_others_are_busy() -> None:
    busy = Event()
    with ThreadPoolExecutor(1) as pool:
        try:
            waiting = pool.submit(busy.wait, 60)
            with open_content(io.BytesIO(DATA), name="made") as content:
                content.read_ahead(pool, 1000)
                parts = []
                while (window := content.window(1, 1000)).size:
                    parts.append(window.buffer[: window.size].tobytes())
                    content.advance(window.size)
                assert b"".join(parts) == DATA
            assert not waiting.done()
        finally:
            busy.set()


def test_nobody_closes_the_file_under_a_read() -> None:
    """Else the next file that is opened might be what it reads."""
    source = Slow(DATA, 10_000)

    def broken_off() -> None:
        with open_content(source, name="made") as content:
            content.read_ahead(pool, 10_000)
            content.window(10_000, 10_000)
            content.advance(10_000)
            assert source.reading.wait(10)
            raise KeyboardInterrupt

    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(KeyboardInterrupt) as held:  # as whoever handles it holds it, and with it all that was under way
            broken_off()
        assert not source.is_reading
        assert held.tb is not None
    assert source.closed


@pytest.mark.parametrize(("name", "times"), [("packetcapture_09_04_47_518.cap", 1), ("notebook.pcapng", 8)])
def test_there_are_no_more_than_two_windows(monkeypatch: pytest.MonkeyPatch, name: str, times: int) -> None:
    """One that is looked at, and one that is read."""
    monkeypatch.setattr("caphouse.ingest.formats.HEAD_BYTES", 64)
    for constant in ("chained.BATCH_BYTES", "pcapng.BATCH_BYTES", "pcap.PROBE_BYTES"):
        monkeypatch.setattr(f"caphouse.ingest.formats.{constant}", 1600)
    make, made, most = Content._buffer, [], 0

    def count(content: Content, size: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
        nonlocal most
        buffer = make(content, size)
        made.append(weakref.ref(buffer))
        most = max(most, sum(one() is not None for one in made))
        return buffer

    monkeypatch.setattr(Content, "_buffer", count)
    (file,) = SAMPLES.rglob(name)
    with open_content(Pipe(file.read_bytes() * times), name=name) as content:
        reader = open_reader(content)
        content.read_ahead(AtOnce(), 1600)
        for batch in reader.batches():
            del batch
    assert len(made) > 5
    assert most == 2


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_more_threads_write_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    file = SAMPLES / "office" / "notebook.pcapng"
    monkeypatch.setattr(capture, "BATCHES_AHEAD", max(threads - 2, 0))
    monkeypatch.setattr("caphouse.ingest.formats.pcapng.BATCH_PACKETS", 16)
    monkeypatch.setattr("caphouse.ingest.pipeline.THREADED_BYTES", 0)

    def rows(name: str, threads: int) -> dict[str, list[str]]:
        warehouse = Warehouse.create(tmp_path / name)
        options = capture.Options()
        chunk = pipeline.ingest_chunk(warehouse.root, list(find_sources([str(file)])), warehouse.known(), options, threads=threads)
        assert [result.status for result in chunk.results] == ["complete"]
        found: dict[str, list[str]] = {}
        for data in chunk.files:
            table = pq.read_table(warehouse.root.join(data.table, *data.path.split("/")).path)
            found.setdefault(data.table, []).extend(map(repr, table.drop_columns(["ingest_id"]).to_pylist()))
        return {table: sorted(lines) for table, lines in found.items()}

    assert rows("several", threads) == rows("one", 1)


def test_captures_of_a_chunk_share_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of `packets` is completed ahead of the others, but not before the last capture."""
    monkeypatch.setattr("caphouse.ingest.pipeline.THREADED_BYTES", 0)
    warehouse = Warehouse.create(tmp_path / "warehouse")
    found = list(find_sources([str(SAMPLES / "network-watcher-logs")]))
    assert len(found) > 3
    chunk = pipeline.ingest_chunk(warehouse.root, found, warehouse.known(), capture.Options(), threads=2)
    by_day = {row["date"] for row in chunk.captures if row["packets"]}
    files = [data for data in chunk.files if data.table == "packets"]
    assert {data.date for data in files} == by_day
    assert len(files) == len(by_day)
    assert sum(data.rows for data in files) == sum(row["packets"] for row in chunk.captures) > 0
