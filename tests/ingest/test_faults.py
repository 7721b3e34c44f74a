"""Faults from outside: a disk that cannot be read, no room for temporary files, a clock that is set back. Nothing lost, a clear message."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import Run
from warehouse_rows import captures, packets_by_file
from written_captures import HEADER, BadSector, pcap, record

from caphouse.cli.options import ExitCode
from caphouse.ingest.sources import Source
from caphouse.warehouse import compaction, originals
from caphouse.warehouse.errors import WarehouseError
from caphouse.warehouse.locations import Location
from caphouse.warehouse.maintenance import vacuum
from caphouse.warehouse.store import Warehouse
from caphouse.warehouse.verification import verify

DAY_SECONDS = 86_400


@pytest.fixture
def bad_sector(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    """Gives a function that makes files named b.* unreadable from some byte on, or None for readable."""
    at: list[int | None] = [None]
    opened = Source.open

    def open_source(self: Source) -> Any:
        if at[0] is None or not self.file_name.startswith("b."):
            return opened(self)
        return BadSector(Path(self.uri), at[0])

    monkeypatch.setattr(Source, "open", open_source)

    def set_byte(offset: int | None) -> None:
        at[0] = offset

    return set_byte


RECORD_BYTES = len(record(0))


@pytest.mark.parametrize("options", [[], ["--keep-originals"]], ids=["", "originals"])
@pytest.mark.parametrize("offset", [0, 100, 3_000_000], ids=["the first byte", "the first packet", "the middle"])
def test_a_disk_that_cannot_be_read(
    tmp_path: Path, invoke: Run, bad_sector: Callable[[int | None], None], options: list[str], offset: int
) -> None:
    """The file is named, with the byte; what was read of it counts, the others are in, and it is read in full when the disk can be."""
    folder, place = tmp_path / "in", tmp_path / "warehouse"
    folder.mkdir()
    packets = {"a.pcap": 10, "b.pcap": 40_000, "c.pcap": 30}
    for number, (name, count) in enumerate(packets.items()):
        (folder / name).write_bytes(pcap(100_000 * number, 100_000 * number + count))
    readable = max(offset - len(HEADER), 0) // RECORD_BYTES
    partly = {"a.pcap": 10, "c.pcap": 30} | ({"b.pcap": readable} if readable else {})
    bad_sector(offset)
    for _ in range(2):
        code, talk = invoke("ingest", "-w", place, *options, folder)
        assert code == ExitCode.UNREAD
        assert talk == f"caphouse: {folder / 'b.pcap'}: reading failed: Input/output error at byte {offset:,}\n"
        assert packets_by_file(place) == partly, "twice read, counted once"
        assert not list(place.rglob(".*.part"))
        if readable:
            row = captures(place)["b.pcap"]
            assert (row["status"], row["error"], row["error_offset"]) == ("interrupted", "reading failed: Input/output error", offset)
            assert row["content_bytes"] == offset
        assert not verify(Warehouse.open(place)).damaged
    bad_sector(None)
    for _ in range(2):
        assert invoke("ingest", "-w", place, *options, folder) == (ExitCode.FINE, "")
        assert packets_by_file(place) == packets
    assert captures(place)["b.pcap"]["status"] == "complete"
    assert not verify(Warehouse.open(place)).damaged
    bad_sector(offset)
    os.utime(folder / "b.pcap")
    assert invoke("ingest", "-w", place, *options, folder)[0] == ExitCode.UNREAD
    assert packets_by_file(place) == packets, "a part takes nothing away from the whole, nor is it added"


def test_reading_again_from_a_disk_that_cannot_be_read(tmp_path: Path, invoke: Run, bad_sector: Callable[[int | None], None]) -> None:
    """The earlier rows stay, those of all of it and those of a part."""
    place = tmp_path / "warehouse"
    (tmp_path / "b.pcap").write_bytes(pcap(0, 1000))
    for offset in (None, 50_000):
        bad_sector(offset)
        invoke("ingest", "-w", place / str(offset), tmp_path / "b.pcap")
        before = captures(place / str(offset))
        bad_sector(50_000)
        code, talk = invoke("reingest", "-w", place / str(offset), "--all")
        assert code == ExitCode.UNREAD
        assert talk == f"caphouse: {tmp_path / 'b.pcap'}: reading failed: Input/output error at byte 50,000\n"
        assert captures(place / str(offset)) == before


def test_a_defect_in_a_file_that_cannot_be_read(
    tmp_path: Path, invoke: Run, bad_sector: Callable[[int | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is said to be its content."""
    place = tmp_path / "warehouse"
    (tmp_path / "b.pcap").write_bytes(pcap(0, 1000))
    bad_sector(50_000)
    with monkeypatch.context() as patch:
        patch.setattr("caphouse.ingest.pipeline.ingest_content", lambda *_, **__: 1 // 0)
        code, talk = invoke("ingest", "-w", place, tmp_path / "b.pcap")
    assert code == ExitCode.UNREAD
    assert "a defect of caphouse" in talk
    assert captures(place) == {}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Gives a function that sets the clock, to so many seconds from the true time."""
    real, real_ns = time.time, time.time_ns
    offset = [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + offset[0])
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + int(offset[0] * 1e9))

    def set_clock(seconds: float) -> None:
        offset[0] = seconds

    return set_clock


@pytest.mark.parametrize("back", [2.0, 400 * DAY_SECONDS], ids=["two seconds", "a year and more"])
def test_the_clock_is_set_back_between_ingests(
    tmp_path: Path, invoke: Run, clock: Callable[[float], None], back: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commits, files that grow and that are read again, and compaction count the same."""
    folder, place = tmp_path / "in", tmp_path / "warehouse"
    folder.mkdir()

    def write(name: str, content: bytes) -> None:
        (folder / name).write_bytes(content)
        os.utime(folder / name, (time.time(), time.time()))

    write("a.pcap", pcap(0, 100))
    write("x.pcap", pcap(1000, 1010) + record(1010)[:30])
    assert invoke("ingest", "-w", place, folder)[0] == ExitCode.UNREAD, "half a record"
    first = captures(place)
    clock(-back)
    write("b.pcap", pcap(200, 250))
    write("x.pcap", pcap(1000, 1100))
    assert invoke("ingest", "-w", place, folder) == (ExitCode.FINE, "")
    second = captures(place)
    expected = {"a.pcap": 100, "b.pcap": 50, "x.pcap": 100}
    assert packets_by_file(place) == expected
    assert second["b.pcap"]["ingested_ns"] < first["a.pcap"]["ingested_ns"], "the clock was not set back"
    assert second["x.pcap"]["status"] == "complete"
    assert second["a.pcap"]["ingest_id"] == first["a.pcap"]["ingest_id"]
    assert invoke("ingest", "-w", place, folder) == (ExitCode.FINE, "")
    assert captures(place) == second, "all was there"
    monkeypatch.setattr(compaction, "GRACE_SECONDS", -1)
    for command in ("compact", "vacuum"):
        assert invoke(command, "-w", place)[0] == ExitCode.FINE
        assert packets_by_file(place) == expected
    clock(-2 * back)
    write("c.pcap", pcap(300, 305))
    assert invoke("ingest", "-w", place, folder) == (ExitCode.FINE, "")
    clock(0)
    vacuum(Warehouse.open(place))
    assert packets_by_file(place) == expected | {"c.pcap": 5}
    assert not verify(Warehouse.open(place)).damaged


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Path]]:
    """Gives a function that makes the folder for temporary files one with so many KiB."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    mounted = []

    def make(size: int) -> Path:
        options = f"size={size}k"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        return folder

    yield make
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.skipif(shutil.which("editcap") is None, reason="editcap is not installed")
@pytest.mark.parametrize("size", [4, 256, 768], ids=["for nothing", "for a part of the copy", "for a part of what is converted"])
def test_no_room_for_a_conversion(
    tmp_path: Path, invoke: Run, room: Callable[[int], Path], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The capture is not taken for what editcap could write of it; the others are in, and it is read when there is room."""
    source, folder, place = tmp_path / "in.pcap", tmp_path / "in", tmp_path / "warehouse"
    folder.mkdir()
    source.write_bytes(pcap(0, 3000))
    subprocess.run(["editcap", "-F", "lanalyzer", source, folder / "a.tr1"], check=True, capture_output=True)
    assert (folder / "a.tr1").stat().st_size > 512 << 10
    (folder / "b.pcap").write_bytes(pcap(5000, 5010))
    small = room(size)
    code, talk = invoke("ingest", "-w", place, folder)
    assert not list(small.iterdir())
    assert code == ExitCode.UNREAD
    assert talk.count("\n") == 1
    assert talk.startswith(f"caphouse: {folder / 'a.tr1'}: a temporary copy of it cannot be written to {small}: ")
    assert "no space left" in talk.lower()
    assert packets_by_file(place) == {"b.pcap": 10}
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert invoke("ingest", "-w", place, folder)[0] == ExitCode.FINE
    assert packets_by_file(place) == {"a.tr1": 3000, "b.pcap": 10}


def test_originals_need_no_room_for_temporary_files(tmp_path: Path, invoke: Run, room: Callable[[int], Path]) -> None:
    """On this machine they are packed into the warehouse."""
    place, path = tmp_path / "warehouse", tmp_path / "a.pcap"
    path.write_bytes(HEADER + b"".join(record(number) for number in range(5000)))
    (room(4) / "full").write_bytes(bytes(4096))
    assert invoke("ingest", "-w", place, "--keep-originals", path) == (ExitCode.FINE, "")
    assert packets_by_file(place) == {"a.pcap": 5000}
    assert not verify(Warehouse.open(place)).damaged


def test_originals_for_object_storage_need_some(room: Callable[[int], Path]) -> None:
    """There they wait in a temporary file; that it is full is told as such, before anything is asked of the storage."""
    small = room(64)

    def keep() -> None:
        with originals.OriginalWriter(Location.parse("s3://bucket/warehouse")) as keeper:
            for _ in range(50):
                keeper.write(memoryview(os.urandom(1 << 18)))
            keeper.keep("0" * 64)

    with pytest.raises(WarehouseError, match=f"by way of {re.escape(str(small))}: the original cannot be written: no space left on device"):
        keep()
