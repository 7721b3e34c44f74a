"""The processes of an ingest with `--jobs`, when one of them is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from warehouse_rows import packets_by_file
from written_captures import pcap

from caphouse.ingest.pipeline import ingest
from caphouse.warehouse.errors import WarehouseConflict, WarehouseError
from caphouse.warehouse.staging import DataFile, StagedWriter
from caphouse.warehouse.store import Warehouse

PROGRAM = "import sys; from caphouse.cli.main import main; main(sys.argv[1:])"

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")


def parent_and_command(process: int) -> tuple[int, str]:
    """The parent of a process and its command line; 0 and nothing when there is no such process, or a dead one."""
    try:
        state, parent = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[:2]
        return (0, "") if state == "Z" else (int(parent), Path(f"/proc/{process}/cmdline").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0, ""


def readers_of(process: int) -> list[int]:
    """The processes that read captures for another."""
    numbers = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    found = {number: parent_and_command(number) for number in numbers}
    return [number for number, (parent, command) in found.items() if parent == process and "spawn_main" in command]


def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


@pytest.fixture
def running(tmp_path: Path) -> subprocess.Popen[str]:
    """An ingest by two processes that takes seconds, and has both."""
    (tmp_path / "in").mkdir()
    for number in range(2):
        (tmp_path / "in" / f"{number}.pcap").write_bytes(pcap(1_000_000 * number, 1_000_000 * number + 200_000))
    command = [sys.executable, "-c", PROGRAM, "ingest", "-w", str(tmp_path / "warehouse"), "--jobs", "2", str(tmp_path / "in")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    until(lambda: len(readers_of(process.pid)) == 2, "two processes")
    return process


def test_none_is_left_when_the_ingest_is_killed(running: subprocess.Popen[str]) -> None:
    readers = readers_of(running.pid)
    running.kill()
    running.communicate()
    until(lambda: not any(parent_and_command(reader)[0] for reader in readers), "the processes to end")


def test_one_that_is_killed_is_told(tmp_path: Path, running: subprocess.Popen[str]) -> None:
    os.kill(readers_of(running.pid)[0], signal.SIGKILL)
    talk = running.communicate(timeout=60)[1]
    assert running.returncode == 3, talk
    assert "Traceback" not in talk
    assert all("ended from outside" in line for line in talk.splitlines())
    assert ingest(Warehouse.open(tmp_path / "warehouse"), [str(tmp_path / "in")]).failed == []
    assert packets_by_file(tmp_path / "warehouse") == {"0.pcap": 200_000, "1.pcap": 200_000}


def test_trouble_with_the_warehouse_is_none_of_the_capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written while it was read has no row that calls it damaged, and is read by the next ingest."""
    (tmp_path / "x.pcap").write_bytes(pcap(0, 10))
    warehouse = Warehouse.create(tmp_path / "warehouse")

    def refuse(*_: object) -> None:
        raise WarehouseError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(StagedWriter, "write", refuse)
        with pytest.raises(WarehouseError, match="no space"):
            ingest(warehouse, [str(tmp_path / "x.pcap")])
    assert packets_by_file(warehouse) == {}
    assert ingest(warehouse, [str(tmp_path / "x.pcap")]).failed == []
    assert packets_by_file(warehouse) == {"x.pcap": 10}


def test_a_commit_that_fails_leaves_nothing_of_what_others_were_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process is at work when the rows of the first are refused; the next ingest reads it all."""
    expected = {"a.pcap": 10, "b.pcap": 10, "c.pcap": 20_000, "d.pcap": 20_000}
    (tmp_path / "in").mkdir()
    for number, (name, count) in enumerate(expected.items()):
        (tmp_path / "in" / name).write_bytes(pcap(1_000_000 * number, 1_000_000 * number + count))
    warehouse = Warehouse.create(tmp_path / "warehouse")
    before = set((tmp_path / "warehouse").rglob("*"))
    discard = Warehouse.discard
    offered: list[str] = []
    discarded: list[str] = []

    def refuse(self: Warehouse, files: list[DataFile], captures: list[dict[str, object]], **_: object) -> None:
        offered.extend(str(row["file_name"]) for row in captures)
        discard(self, files)
        raise WarehouseConflict("others were faster")

    def watch_discard(self: Warehouse, files: list[DataFile]) -> None:
        discarded.extend(file.path for file in files)
        discard(self, files)

    with monkeypatch.context() as patch:
        patch.setattr(Warehouse, "commit", refuse)
        patch.setattr(Warehouse, "discard", watch_discard)
        with pytest.raises(WarehouseConflict):
            ingest(warehouse, [str(tmp_path / "in")], jobs=2)
    assert offered in (["a.pcap", "b.pcap"], ["c.pcap", "d.pcap"])
    assert discarded, "the second process has written files"
    assert [path for path in (tmp_path / "warehouse").rglob("*") if path.is_file() and path not in before] == []
    assert ingest(warehouse, [str(tmp_path / "in")], jobs=2).failed == []
    assert packets_by_file(warehouse) == expected
