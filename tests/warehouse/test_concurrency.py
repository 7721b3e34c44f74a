"""Processes that are killed, that race, and that read meanwhile: every capture counts once, whole, or not at all."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import synthetic_warehouse
from synthetic_warehouse import compact_until, grow, ingest_all, live, read_until

from caphouse.warehouse import compaction
from caphouse.warehouse.store import Warehouse
from caphouse.warehouse.tables import TABLES
from caphouse.warehouse.verification import verify

NAMES = [str(index) for index in range(24)]
ROWS = {"interfaces": 1, "packets": 40, "flows": 4, "flow_minutes": 4, "handshakes": 4, "addresses": 4}
"""Rows of each capture per table, as `synthetic_warehouse.capture` makes them."""

CONTEXT = multiprocessing.get_context("forkserver")
"""Children come from a process that has the imports done, so that a kill meets the work and not the start of Python."""
CONTEXT.set_forkserver_preload([synthetic_warehouse.__name__])


def exact(warehouse: Warehouse, names: list[str]) -> None:
    """Assert that each capture of `names` is there once with all its rows, and nothing else."""
    captures = warehouse.snapshot().captures
    assert sorted(captures["source_uri"].to_pylist()) == sorted(f"/captures/{name}.pcap" for name in names)
    ids = set(captures["ingest_id"].to_pylist())
    assert len(ids) == len(names)
    for table in TABLES[1:]:
        counts = Counter(live(warehouse, table.name)["ingest_id"].to_pylist())
        assert counts == dict.fromkeys(ids, ROWS[table.name]), table.name


def start(target: object, *arguments: object) -> multiprocessing.process.BaseProcess:
    process = CONTEXT.Process(target=target, args=arguments)  # type: ignore[arg-type]
    process.start()
    return process


def test_a_killed_ingest_is_made_good_by_running_it_again(tmp_path: Path) -> None:
    """At least 20 kills at random moments, from the making of the warehouse on."""
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    kills = rounds = 0
    while kills < 20:
        rounds += 1
        path = str(tmp_path / f"warehouse {rounds}")
        for _ in range(8):
            process = start(ingest_all, path, NAMES, rng.choice([1, 2, 5]), seed + kills)
            process.join(rng.uniform(0.02, 0.4))
            if process.exitcode is not None:
                break
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            kills += 1
        last = start(ingest_all, path, NAMES, 3, seed)
        last.join()
        assert last.exitcode == 0, f"seed {seed}"
        exact(Warehouse.open(path), NAMES)


def test_writers_of_the_same_captures_and_readers_at_once(tmp_path: Path) -> None:
    """Four writers have the same captures to bring, each in its own order, while readers look."""
    path = str(tmp_path / "warehouse")
    Warehouse.create(path)
    seed = random.randrange(10**6)
    with CONTEXT.Manager() as manager:
        stop, seen = manager.Event(), manager.list()
        readers = [start(read_until, path, stop, seen) for _ in range(2)]
        writers = [start(ingest_all, path, NAMES, per_commit, seed + per_commit) for per_commit in (1, 2, 3, 5)]
        for writer in writers:
            writer.join()
        stop.set()
        for reader in readers:
            reader.join()
        assert [process.exitcode for process in writers + readers] == [0] * 6, f"seed {seed}"
        assert [complaint for complaint in seen if not complaint.startswith("looks")] == [], f"seed {seed}"
        assert all(int(line.split()[1]) > 3 for line in seen), "the readers must have looked while writers wrote"
    exact(Warehouse.open(path), NAMES)


def test_a_warehouse_made_by_several_at_once(tmp_path: Path) -> None:
    for attempt in range(2):
        path = str(tmp_path / f"warehouse {attempt}")
        makers = [start(ingest_all, path, NAMES[:3], 3, attempt) for _ in range(4)]
        for maker in makers:
            maker.join()
        assert [maker.exitcode for maker in makers] == [0] * 4
        exact(Warehouse.open(path), NAMES[:3])


def test_a_grown_file_is_replaced_while_readers_look(tmp_path: Path) -> None:
    path = str(tmp_path / "warehouse")
    Warehouse.create(path)
    with CONTEXT.Manager() as manager:
        stop, seen = manager.Event(), manager.list()
        reader = start(read_until, path, stop, seen)
        growers = [start(grow, path, 12) for _ in range(2)]
        for grower in growers:
            grower.join()
        stop.set()
        reader.join()
        assert [process.exitcode for process in [*growers, reader]] == [0] * 3
        assert [complaint for complaint in seen if not complaint.startswith("looks")] == []
    warehouse = Warehouse.open(path)
    assert warehouse.snapshot().captures["packets"].to_pylist() == [120]
    assert live(warehouse, "packets").num_rows == 120


def test_compaction_runs_and_is_killed_while_others_write_and_read(tmp_path: Path) -> None:
    """The compactor spares no attempt that does not count yet, which is harsher than it ever is in practice."""
    path = str(tmp_path / "warehouse")
    Warehouse.create(path)
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    with CONTEXT.Manager() as manager:
        stop, seen = manager.Event(), manager.list()
        reader = start(read_until, path, stop, seen)
        writers = [start(ingest_all, path, NAMES, per_commit, seed + per_commit) for per_commit in (1, 3)]
        while any(writer.is_alive() for writer in writers):
            compactor = start(compact_until, path, stop)
            compactor.join(rng.uniform(0.1, 0.6))
            assert compactor.exitcode is None, f"seed {seed}"
            assert compactor.pid is not None
            os.kill(compactor.pid, signal.SIGKILL)
            compactor.join()
        last = start(compact_until, path, stop)
        time.sleep(0.5)
        stop.set()
        for process in (reader, last, *writers):
            process.join()
            assert process.exitcode == 0, f"seed {seed}"
        assert [complaint for complaint in seen if not complaint.startswith("looks")] == [], f"seed {seed}"
    warehouse = Warehouse.open(path)
    exact(warehouse, NAMES)
    compaction.compact(warehouse)
    exact(warehouse, NAMES)
    assert not verify(warehouse).damaged
