"""A warehouse in Azure Blob Storage and in S3, on emulators: the same promises as on a local disk."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter

import pytest
import synthetic_warehouse
from synthetic_warehouse import capture, ingest, ingest_all, live, read_until, stage

from caphouse.warehouse.compaction import compact
from caphouse.warehouse.errors import WarehouseConflict, WarehouseError, WarehouseNotFound
from caphouse.warehouse.maintenance import forget, vacuum
from caphouse.warehouse.store import Warehouse
from caphouse.warehouse.verification import verify

NAMES = [str(index) for index in range(4)]
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([synthetic_warehouse.__name__])


def test_everything_that_is_done_to_a_warehouse(place: str) -> None:
    with pytest.raises(WarehouseNotFound):
        Warehouse.open(place)
    warehouse = Warehouse.open_or_create(place)
    items = [capture(name, day=int(name) % 2) for name in NAMES]
    for item in items[:3]:
        ingest(warehouse, [item])
    assert ingest(warehouse, [capture("0")]).added == ()
    ingest(Warehouse.open(place), items[3:])
    assert warehouse.snapshot().ingest_ids == {item.ingest_id for item in items}
    assert verify(warehouse, jobs=4).findings == ()
    compact(warehouse)
    assert warehouse.snapshot().actions["packets"].num_rows == 2
    assert forget(warehouse, ["3.pcap"]).captures == 1
    vacuum(warehouse, retention_hours=1)
    assert Counter(live(warehouse, "packets")["ingest_id"].to_pylist()) == {item.ingest_id: 40 for item in items[:3]}
    assert verify(warehouse, jobs=4).findings == ()


def test_files_that_a_vacuum_may_be_removing_are_refused(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether they are there still is not asked: they have waited for longer than the vacuum lets files be."""
    warehouse = Warehouse.open_or_create(place)
    slow, monotonic = capture("slow"), time.monotonic
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: monotonic() - 2 * 3600)
        files = stage(warehouse, [slow])
    vacuum(Warehouse.open(place), retention_hours=1)
    with pytest.raises(WarehouseConflict, match="gone or going"):
        warehouse.commit(files, [slow.row])
    assert warehouse.snapshot().captures.num_rows == 0
    ingest(warehouse, [capture("slow")])
    assert warehouse.snapshot().captures.num_rows == 1
    assert verify(warehouse, jobs=4).findings == ()


def test_writers_of_the_same_captures_and_a_reader_at_once(place: str) -> None:
    Warehouse.create(place)
    with CONTEXT.Manager() as manager:
        stop, seen = manager.Event(), manager.list()
        reader = CONTEXT.Process(target=with_environment, args=(dict(os.environ), read_until, place, stop, seen))
        writers = [
            CONTEXT.Process(target=with_environment, args=(dict(os.environ), ingest_all, place, NAMES[:2], per_commit, per_commit))
            for per_commit in (1, 2)
        ]
        for process in (reader, *writers):
            process.start()
        for process in writers:
            process.join()
        stop.set()
        reader.join()
        assert [process.exitcode for process in (reader, *writers)] == [0] * 3
        assert [complaint for complaint in seen if not complaint.startswith("looks")] == []
    warehouse = Warehouse.open(place)
    assert sorted(warehouse.snapshot().captures["file_name"].to_pylist()) == [f"{name}.pcap" for name in NAMES[:2]]
    assert set(Counter(live(warehouse, "packets")["ingest_id"].to_pylist()).values()) == {40}


def test_what_is_wrong_is_told_in_one_line(place: str) -> None:
    with pytest.raises(WarehouseError) as refusal:
        Warehouse.open(place.replace("box", "nobox"))
    assert str(refusal.value).isprintable()
    assert "nobox" in str(refusal.value)


def with_environment(environment: dict[str, str], target: object, *arguments: object) -> None:
    """Run `target` in a process that has been started from one with another environment."""
    os.environ.update(environment)
    target(*arguments)  # type: ignore[operator]
