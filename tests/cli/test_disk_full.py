"""A disk that is full at any moment: a clear message, the right exit code, nothing half, and with some space all is well again.

The warehouse is on a small disk of its own in memory, of which a file leaves as much as a test wants. Every amount of space, in steps of
a few pages, from nothing to what the command needs: so each file that it writes, log entries and checkpoints too, is the first
that has no place.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import Run
from warehouse_rows import packets_by_file
from written_captures import pcap

from caphouse.cli import main
from caphouse.cli.options import ExitCode
from caphouse.warehouse.store import Warehouse
from caphouse.warehouse.verification import verify

PAGE = 4096
FULL = "no space left on device"
PROGRAM = "import sys; from caphouse.cli.main import main; main(sys.argv[1:])"


class Disk:
    """A small disk: a file on it leaves as many bytes as are wanted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    @property
    def free(self) -> int:
        """Bytes that are left."""
        return shutil.disk_usage(self.folder).free

    def leave(self, size: int) -> None:
        """Fill it, up to some bytes."""
        self._filler.unlink(missing_ok=True)
        with self._filler.open("wb") as file:
            file.write(bytes(self.free - size))

    def empty(self) -> None:
        """Take the file away."""
        self._filler.unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, int]:
    """Captures; packets by file name."""
    (tmp_path / "in").mkdir()
    sizes = {}
    for number in range(4):
        (tmp_path / "in" / f"{number}.pcap").write_bytes(pcap(1000 * number, 1000 * number + 50 + number))
        sizes[f"{number}.pcap"] = 50 + number
    return sizes


def is_told(talk: str) -> bool:
    """Whether this is one line that says that the disk is full, and where."""
    (line,) = talk.splitlines()
    return line.startswith("caphouse: ") and FULL in line.lower() and "disk" in line


def seen(place: Path) -> dict[str, int]:
    """What readers of the warehouse see, even if it was never made."""
    return packets_by_file(place) if (place / "captures" / "_delta_log" / f"{0:020}.json").exists() else {}


def test_an_ingest(tmp_path: Path, disk: Disk, files: dict[str, int], invoke: Run) -> None:
    place = disk.folder / "warehouse"
    refused = 0
    for space in range(0, 8 << 20, PAGE):
        disk.leave(space)
        code, talk = invoke("ingest", "-w", place, tmp_path / "in")
        if code == ExitCode.FINE:
            break
        refused += 1
        assert code == ExitCode.WAREHOUSE, talk
        assert is_told(talk), talk
        assert seen(place).items() <= files.items(), "a part of a capture is visible"
        disk.empty()
        assert invoke("ingest", "-w", place, tmp_path / "in") == (ExitCode.FINE, "")
        assert packets_by_file(place) == files
        assert not verify(Warehouse.open(place)).damaged
        shutil.rmtree(place)
    assert packets_by_file(place) == files
    assert refused > 20


COMMANDS = {
    "compact": (["compact"], {0, 1, 2, 3}),
    "prune": (["prune", "--older-than", "1d", "--packets-only"], {0, 1, 2, 3}),
    "forget": (["forget", "1.pcap"], {0, 2, 3}),
    "vacuum": (["vacuum"], {0, 1, 2, 3}),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_maintenance(tmp_path: Path, disk: Disk, files: dict[str, int], invoke: Run, name: str) -> None:
    """What was in stays in, whole, but for what was to go."""
    command, left = COMMANDS[name]
    made, place = tmp_path / "made", disk.folder / "warehouse"
    for file in files:
        invoke("ingest", "-w", made, tmp_path / "in" / file)
    for path in (made / "packets").glob("date=*/*"):  # what a killed ingest left, for the vacuum
        copy = path.with_name(f"{'0' * 16}{path.name[16:]}")
        shutil.copy(path, copy)
        os.utime(copy, (1_700_000_000, 1_700_000_000))
    expected = {f"{number}.pcap": files[f"{number}.pcap"] for number in left}
    after = dict.fromkeys(expected, 0) if name == "prune" else expected
    refused = 0
    for space in range(0, 8 << 20, 4 * PAGE):
        shutil.copytree(made, place)  # with the times of its files
        disk.leave(space)
        code, talk = invoke(*command, "-w", place)
        if code != ExitCode.FINE:
            refused += 1
            assert code == ExitCode.WAREHOUSE, talk
            assert is_told(talk.splitlines()[-1]), talk
            there = packets_by_file(place)
            assert there in (files, expected, after)
        disk.empty()
        again, talk = invoke(*command, "-w", place)
        assert again == ExitCode.FINE or (name == "forget" and "no such capture" in talk), talk
        assert packets_by_file(place) == after
        assert not verify(Warehouse.open(place)).damaged
        shutil.rmtree(place)
        if code == ExitCode.FINE:
            break
    assert refused > 1 or name == "vacuum", "a vacuum makes space and needs none"


@pytest.mark.parametrize("options", [[], ["--jobs", "2"], ["--keep-originals"]], ids=["threads", "processes", "originals"])
def test_captures_that_are_larger_than_the_disk(tmp_path: Path, disk: Disk, options: list[str]) -> None:
    """Read by several threads or processes; all that was written for them is removed."""
    (tmp_path / "in").mkdir()
    for number in range(2):
        (tmp_path / "in" / f"{number}.pcap").write_bytes(pcap(100_000 * number, 100_000 * number + 80_000))
    place = disk.folder / "warehouse"
    assert main._run(["ingest", "-w", str(place), str(tmp_path / "in" / "absent")]) == ExitCode.UNREAD
    disk.leave(1 << 20)
    before = disk.free
    command = [sys.executable, "-c", PROGRAM, "ingest", "-w", str(place), *options, str(tmp_path / "in")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.WAREHOUSE, done.stderr
    assert is_told(done.stderr), done.stderr
    if "--jobs" in options:  # there may be space for one of them, or for its rows but not for the commit
        assert len(packets_by_file(place)) < 2
        assert not verify(Warehouse.open(place)).damaged
    else:
        assert packets_by_file(place) == {}
        assert disk.free > before - 20 * PAGE, "the next ingest has less space than this one had"
