"""Batches are read and decoded ahead by several threads, and come out as they are in the file."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any, cast

import pyarrow.parquet as pq
import pytest

from caphouse.ingest import capture, pipeline
from caphouse.ingest.sources import find_sources
from caphouse.warehouse.errors import CaptureError
from caphouse.warehouse.store import Warehouse

SAMPLES = Path(__file__).parents[2] / "samples"

pytestmark = pytest.mark.usefixtures("quick_switches")


@pytest.fixture
def quick_switches() -> Iterator[None]:
    """Threads that take turns as often as can be, so that an order that is left to chance is not kept by chance."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def _read(numbers: Iterator[int], workers: int) -> Iterator[int]:
    with ThreadPoolExecutor(workers) as pool, capture._read_ahead(cast("Any", numbers), pool) as reading:
        yield from cast("Iterator[int]", reading)


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_order_is_kept(workers: int) -> None:
    assert list(_read(iter(range(2000)), workers)) == list(range(2000))


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_what_ends_the_reading_is_raised_behind_the_batches_before_it(workers: int) -> None:
    def numbers() -> Iterator[int]:
        yield from range(5)
        raise CaptureError("the disk is broken")

    reading = _read(numbers(), workers)
    assert [next(reading) for _ in range(5)] == list(range(5))
    with pytest.raises(CaptureError, match="the disk is broken"):
        next(reading)


def test_who_needs_a_batch_reads_it_when_all_others_are_busy() -> None:
    busy = Event()
    with ThreadPoolExecutor(1) as pool:
        try:
            pool.submit(busy.wait, 60)
            with capture._read_ahead(cast("Any", iter(range(100))), pool) as reading:
                assert list(cast("Iterator[int]", reading)) == list(range(100))
            assert not busy.is_set()
        finally:
            busy.set()


def test_nothing_is_read_once_nobody_asks() -> None:
    running = [False]

    def numbers() -> Iterator[int]:
        for number in range(1000):
            running[0] = True
            time.sleep(0.005)
            running[0] = False
            yield number

    source = numbers()
    with ThreadPoolExecutor(2) as pool:
        with capture._read_ahead(cast("Any", source), pool) as reading:
            assert cast("int", next(reading)) == 0
        assert not running[0]
        assert next(source) <= 1 + capture.READS_AHEAD


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
