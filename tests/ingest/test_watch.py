"""A watcher beside what writes captures: all that was written is in the warehouse once, whatever happens."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, Self, cast

import pytest
from warehouse_rows import captures, packets_by_file
from written_captures import HEADER, BadSector, RotatingWriter, pcap, record

from caphouse.ingest import arrivals, watch
from caphouse.ingest.capture import Options
from caphouse.ingest.sources import Source
from caphouse.ingest.watch import Event, Settings, Watcher
from caphouse.warehouse.errors import UsageError, WarehouseConflict, WarehouseNotFound
from caphouse.warehouse.store import Warehouse

PROGRAM = "import sys; from caphouse.cli.main import main; main(sys.argv[1:])"
LINE = re.compile(
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (?P<name>.+?) (?P<status>[a-z-]+)(?: (?P<packets>\d+) packets)?(?:: (?P<message>.*))?$"
)


def until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait for something that another thread or process does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.05)


class Watch:
    """A watcher in this process, and its log."""

    def __init__(self, place: Path, *words: Path, settle: float = 0.0, growing: bool = True, options: Options | None = None) -> None:
        self.place = place
        self.stop = threading.Event()
        self.log: list[Event] = []
        settings = Settings([str(word) for word in words], options or Options(), 0.05, settle, growing)
        self.watcher = Watcher(lambda: Warehouse.open_or_create(place), settings, self.log.append, self.stop)

    def look(self) -> list[tuple[str, str, int | None]]:
        """Look once; gives the new lines of the log."""
        before = len(self.log)
        self.watcher.look()
        return [(Path(event.name).name, event.status, event.packets) for event in self.log[before:]]


class Process:
    """`caphouse watch` as a process of its own."""

    def __init__(self, place: Path, folder: Path, *options: str) -> None:
        self.log = place.with_suffix(".log")
        with self.log.open("wb") as log:
            command = [sys.executable, "-c", PROGRAM, "watch", str(folder), "-w", str(place), "--interval", "0.2", *options]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            until(lambda: " watching" in self.log.read_text(), "the watcher")
        except BaseException:
            self.kill()
            raise

    def lines(self) -> list[dict[str, str | None]]:
        """The lines of its log, each of which is one."""
        matches = [LINE.match(line) for line in self.log.read_text().splitlines()]
        assert all(matches), self.log.read_text()
        return [match.groupdict() for match in matches if match]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End it by force, if it has not ended."""
        self.process.kill()
        self.process.communicate(timeout=60)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


def test_files_are_ingested_as_they_arrive(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    watching = Watch(tmp_path / "warehouse", folder)
    assert watching.look() == []
    (folder / "a.pcap").write_bytes(pcap(0, 10))
    assert watching.look() == [("a.pcap", "complete", 10)]
    (folder / "sub").mkdir()
    (folder / "sub" / "b.pcap").write_bytes(pcap(10, 30))
    (folder / "notes.txt").write_text("not a capture")
    assert watching.look() == [("notes.txt", "unsupported", 0), ("b.pcap", "complete", 20)]
    assert watching.look() == []
    (folder / "copy.pcap").write_bytes(pcap(0, 10))
    assert watching.look() == [("copy.pcap", "present", 0)]
    assert packets_by_file(tmp_path / "warehouse") == {"a.pcap": 10, "b.pcap": 20, "notes.txt": 0}


def test_unchanged_files_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by the watcher that has read them nor by the next one, whatever the number of files."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(50):
        (folder / f"{number:02}.pcap").write_bytes(pcap(10 * number, 10 * number + 10))
    first = Watch(tmp_path / "warehouse", folder)
    assert len(first.look()) == 50
    opened: list[str] = []
    monkeypatch.setattr(Source, "open", lambda self: opened.append(self.uri))
    assert first.look() == []
    assert Watch(tmp_path / "warehouse", folder).look() == []
    assert opened == []


def test_a_file_that_grows_counts_once_at_all_times(tmp_path: Path) -> None:
    """Its status is 'growing' until it is complete, and each reading replaces the one before."""
    folder, place = tmp_path / "in", tmp_path / "warehouse"
    folder.mkdir()
    watching = Watch(place, folder, settle=3600)
    with (folder / "x.pcap").open("wb") as file:
        file.write(HEADER)
        for first, last in ((0, 10), (10, 100), (100, 1000)):
            file.write(b"".join(record(number) for number in range(first, last)) + record(last)[:30])
            file.flush()
            assert watching.look() == [("x.pcap", "growing", last)]
            assert packets_by_file(place) == {"x.pcap": last}
            row = captures(place)["x.pcap"]
            assert (row["status"], row["error"], row["unread_records"]) == ("growing", None, 0)
            file.seek(-30, 1)
        file.write(record(1000))
        file.flush()
        assert watching.look() == [], "it has not doubled"
    watching = Watch(place, folder)
    assert watching.look() == [("x.pcap", "complete", 1001)]
    assert packets_by_file(place) == {"x.pcap": 1001}
    assert captures(place)["x.pcap"]["status"] == "complete"


def test_a_growing_file_that_is_cut_is_replaced_too(tmp_path: Path) -> None:
    folder, place = tmp_path / "in", tmp_path / "warehouse"
    folder.mkdir()
    watching = Watch(place, folder, settle=3600)
    with (folder / "x.pcap").open("wb") as file:
        for last in (20, 10):
            file.truncate(0)
            file.seek(0)
            file.write(pcap(0, last))
            file.flush()
            assert watching.look() == [("x.pcap", "growing", last)]
            assert packets_by_file(place) == {"x.pcap": last}


def test_growing_files_can_be_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    watching = Watch(tmp_path / "warehouse", folder, settle=3600, growing=False)
    with (folder / "x.pcap").open("wb") as file:
        file.write(pcap(0, 10))
        file.flush()
        assert watching.look() == []


def test_a_quiet_file_that_was_taken_for_complete_and_grows_is_replaced(tmp_path: Path) -> None:
    folder, place = tmp_path / "in", tmp_path / "warehouse"
    folder.mkdir()
    watching = Watch(place, folder)
    (folder / "x.pcap").write_bytes(pcap(0, 10))
    assert watching.look() == [("x.pcap", "complete", 10)]
    with (folder / "x.pcap").open("ab") as file:
        file.write(b"".join(record(number) for number in range(10, 15)))
    assert watching.look() == [("x.pcap", "complete", 15)]
    assert packets_by_file(place) == {"x.pcap": 15}


def test_a_ring_file_that_is_used_again_takes_nothing_away(tmp_path: Path) -> None:
    """Also not when the clock was set back in between, so that the new file begins earlier than the old one."""
    folder, place = tmp_path / "in", tmp_path / "warehouse"
    folder.mkdir()
    watching = Watch(place, folder, settle=3600)
    day_ns = 86_400_000_000_000
    for start_ns, last in (
        (1_790_000_000_000_000_000, 10),
        (1_790_000_000_000_000_000 + day_ns, 30),
        (1_790_000_000_000_000_000 - day_ns, 70),
    ):
        with (folder / "x0").open("wb") as file:
            file.write(pcap(0, last, start_ns=start_ns))
            file.flush()
            assert watching.look() == [("x0", "growing", last)]
    assert packets_by_file(place) == {"x0": 110}


def test_rotation_beside_a_watcher(tmp_path: Path) -> None:
    """Files are written one after the other, cut at any byte when they are looked at; in the end all packets are in, once."""
    folder, place = tmp_path / "in", tmp_path / "warehouse"
    folder.mkdir()
    watching = Watch(place, folder, settle=1.0)
    writer = RotatingWriter(folder, seconds=1.0, files=4)
    loop = threading.Thread(target=watching.watcher.run)
    loop.start()
    writer.start()
    writer.join()
    statuses = [event.status for event in watching.log]
    assert "growing" in statuses
    until(lambda: packets_by_file(place) == writer.packets, "all packets")
    until(lambda: {row["status"] for row in captures(place).values()} == {"complete"}, "the last file's end")
    watching.stop.set()
    loop.join(60)
    assert not loop.is_alive()
    assert sum(writer.packets.values()) > 500
    assert set(statuses) <= {"watching", "growing", "complete"}
    assert watching.log[-1].status == "stopped"


def can_capture() -> bool:
    """Whether packets may be captured here."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except (AttributeError, OSError):
        return False
    return True


RING_PACKETS = 3_200
"""More than four files of a million bytes hold of packets of 1,500 bytes."""


def traffic(command: list[str], port: int, seconds: float = 7.0) -> str:
    """Run a capture tool beside some traffic on the loopback; what it says."""
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tool,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        end, sent = time.monotonic() + seconds, 0
        while time.monotonic() < end or sent < RING_PACKETS:
            sent += 1
            sender.sendto(bytes(1500), ("127.0.0.1", port))
            time.sleep(0.002)
        tool.send_signal(signal.SIGINT)
        return tool.communicate(timeout=60)[1].strip()


def counted(files: Iterable[Path]) -> dict[str, int]:
    """Packets per file, as capinfos counts them."""
    done = subprocess.run(["capinfos", "-T", "-r", "-c", "-M", *files], capture_output=True, text=True, check=True)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    return {Path(name).name: int(packets) for name, packets in lines}


TOOLS = {
    "tcpdump -G": ["tcpdump", "-i", "lo", "-n", "-G", "2", "-w", "x_%Y%m%d_%H%M%S.pcap"],
    "tcpdump -C -W": ["tcpdump", "-i", "lo", "-n", "-U", "-C", "1", "-W", "4", "-w", "x.pcap"],
    "dumpcap -b": ["dumpcap", "-i", "lo", "-q", "-b", "duration:1", "-b", "files:4", "-w", "x.pcapng"],
}
"""Where files are written over or removed, what was in them is only in the warehouse."""


@pytest.mark.skipif(not can_capture(), reason="packets may not be captured here")
@pytest.mark.parametrize("name", TOOLS)
def test_a_capture_tool_beside_a_watcher(tmp_path: Path, name: str) -> None:
    """What the tool says that it captured is what is in the warehouse, and so are the packets of each file that is left."""
    folder, place = tmp_path / "in", tmp_path / "warehouse"
    folder.mkdir()
    port = 40_000 + (hash(str(tmp_path)) % 10_000)
    *command, file = TOOLS[name]
    if missing := [tool for tool in (command[0], "capinfos") if shutil.which(tool) is None]:
        pytest.skip(f"{' and '.join(missing)} not installed")
    command.append(str(folder / file))
    if command[0] == "tcpdump" and os.geteuid() == 0:
        command += ["-Z", "root"]  # else it becomes a user that may not write here
    command += ["-f"] * (command[0] == "dumpcap") + [f"udp dst port {port}"]
    with Process(place, folder, "--settle", "3") as watcher:
        talk = traffic(command, port)
        match = re.search(r"(\d+) packets? captured|Packets captured: (\d+)", talk)
        captured = int(match[1] or match[2]) if match else 0
        if not captured:
            pytest.skip(f"{command[0]} captured nothing: {talk}")
        until(lambda: in_warehouse(place) == captured, f"{captured} packets")
        until(lambda: all(row["status"] == "complete" for row in captures(place).values()), "the last file's end")
        assert watcher.end() == 0
    assert in_warehouse(place) == captured
    left, there = counted(folder.iterdir()), packets_by_file(place)
    assert len(Warehouse.open(place).snapshot().captures) >= 3, "there was no rotation"
    if name == "tcpdump -G":
        assert left == there
    elif name == "dumpcap -b":
        assert left.items() < there.items(), "nothing was removed"
        assert len(left) <= 4
    else:
        assert left.keys() == there.keys()
        assert sum(left.values()) < captured, "nothing was written over"


def in_warehouse(place: Path) -> int:
    """Packets that count."""
    return sum(packets_by_file(place).values())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_watcher_that_waits(tmp_path: Path, number: int) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.pcap").write_bytes(pcap(0, 10))
    with Process(tmp_path / "warehouse", folder, "--interval", "3600") as watcher:
        until(lambda: " complete" in watcher.log.read_text(), "the capture")
        began = time.monotonic()
        assert watcher.end(number) == 0
        assert time.monotonic() - began < 10
    assert [line["status"] for line in watcher.lines()] == ["watching", "complete", "stopped"]


def test_a_signal_while_a_capture_is_read_leaves_nothing_behind(tmp_path: Path) -> None:
    """The capture in hand is given up at once; the files that were written for it are removed, and the next watcher reads it."""
    folder, place = tmp_path / "in", tmp_path / "warehouse"
    folder.mkdir()
    # Compressible, and so large that reading it takes seconds: the same record over and over.
    with (folder / "large.pcap").open("wb") as file:
        file.write(HEADER)
        for _ in range(200):
            file.write(record(1) * 5000)
    with Process(place, folder) as watcher:
        until(lambda: any(place.glob("packets/date=*/.*.part")), "rows of the capture")
        assert watcher.end() == 0
    assert [line["status"] for line in watcher.lines()] == ["watching", "stopped"]
    assert packets_by_file(place) == {}
    assert [path for path in place.rglob("*") if path.suffix in {".part", ".parquet"} and "_delta_log" not in path.parts] == []
    (folder / "large.pcap").write_bytes(pcap(0, 10))
    assert Watch(place, folder).look() == [("large.pcap", "complete", 10)]


def test_kill_9_and_a_new_watcher(tmp_path: Path) -> None:
    """Whatever moment it is killed at, the next watcher completes the work."""
    folder, place = tmp_path / "in", tmp_path / "warehouse"
    folder.mkdir()
    expected = {}
    for number in range(40):
        name = f"{number:02}.pcap"
        (folder / name).write_bytes(pcap(100 * number, 100 * number + 50 + number))
        expected[name] = 50 + number
    for delay in (0.0, 0.1, 0.2, 0.4):
        with Process(place, folder) as watcher:
            time.sleep(delay)
            watcher.kill()
        # Before the first entry of its log there is no warehouse yet.
        if any(place.glob("captures/_delta_log/*.json")):
            assert packets_by_file(place).items() <= expected.items()
    Watch(place, folder).look()
    assert packets_by_file(place) == expected


def test_trouble_is_told_once_and_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The warehouse is out of reach, then in conflict, then something is wrong that nobody thought of; then all is well."""
    folder, place = tmp_path / "in", tmp_path / "warehouse"
    folder.mkdir()
    (folder / "a.pcap").write_bytes(pcap(0, 10))
    monkeypatch.setattr(watch, "LONGEST_PAUSE_SECONDS", 0.05)
    watching = Watch(place, folder)
    errors = [WarehouseNotFound("no route to the storage")] * 3 + [
        WarehouseConflict("others were faster"),
        RuntimeError("what is this?"),
    ] * 2
    left = list(errors)
    looks = watching.watcher.look

    def look() -> bool:
        if left:
            raise left.pop(0)
        return looks()

    monkeypatch.setattr(watching.watcher, "look", look)
    loop = threading.Thread(target=watching.watcher.run)
    loop.start()
    until(lambda: any(event.status == "complete" for event in watching.log), "the capture")
    watching.stop.set()
    loop.join(60)
    assert [(event.status, event.message) for event in watching.log if event.status != "watching"] == [
        ("trouble", "no route to the storage"),
        ("trouble", "others were faster"),
        ("trouble", "RuntimeError: what is this?"),
        ("trouble", "others were faster"),
        ("trouble", "RuntimeError: what is this?"),
        ("complete", None),
        ("recovered", None),
        ("stopped", None),
    ]
    assert packets_by_file(place) == {"a.pcap": 10}


def test_a_warehouse_that_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    folder, place = tmp_path / "in", tmp_path / "warehouse"
    folder.mkdir()
    (folder / "a.pcap").write_bytes(pcap(0, 10))
    place.write_text("in the way")
    with Process(place, folder) as watcher:
        until(lambda: " trouble" in watcher.log.read_text(), "the trouble")
        place.unlink()
        until(lambda: " recovered" in watcher.log.read_text(), "the capture")
        assert watcher.end() == 0
    assert [line["status"] for line in watcher.lines()] == ["watching", "trouble", "complete", "recovered", "stopped"]


def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    watching = Watch(tmp_path / "warehouse", tmp_path / "later")
    assert watching.look() == [("later", "unread", None)]
    assert watching.look() == []
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "a.pcap").write_bytes(pcap(0, 10))
    assert watching.look() == [("a.pcap", "complete", 10)]


def test_a_file_that_vanishes_between_the_look_and_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, the others are in, and when it is there again it is read."""
    folder, place = tmp_path / "in", tmp_path / "warehouse"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.pcap").write_bytes(pcap(10 * number, 10 * number + 10))
    watching = Watch(place, folder)
    open_source = Source.open

    def vanish(self: Source) -> object:
        if self.file_name == "1.pcap":
            (folder / "1.pcap").unlink()
        return open_source(self)

    with monkeypatch.context() as patch:
        patch.setattr(Source, "open", vanish)
        assert watching.look() == [("0.pcap", "complete", 10), ("1.pcap", "vanished", None), ("2.pcap", "complete", 10)]
    assert watching.look() == []
    (folder / "1.pcap").write_bytes(pcap(10, 20))
    assert watching.look() == [("1.pcap", "complete", 10)]
    assert packets_by_file(place) == {"0.pcap": 10, "1.pcap": 10, "2.pcap": 10}


def test_looking_once(tmp_path: Path) -> None:
    """For cron: the exit code says whether all could be read; what was told is not told again."""
    folder, place = tmp_path / "in", tmp_path / "warehouse"
    folder.mkdir()
    (folder / "a.pcap").write_bytes(pcap(0, 10))

    def once(*options: str) -> tuple[int, str]:
        command = [sys.executable, "-c", PROGRAM, "watch", str(folder), "-w", str(place), "--once", "--settle", "0", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout == ""
        return done.returncode, done.stderr

    code, talk = once()
    assert code == 0
    assert talk.endswith("a.pcap complete 10 packets\n")
    assert once() == (0, "")
    (folder / "b.pcap").write_bytes(pcap(10, 20)[:-1])
    code, talk = once("--tag", "site=a", "--host", "h1")
    assert code == 3
    assert "b.pcap cut-short 9 packets: " in talk
    assert captures(place)["b.pcap"]["tags"] == [("site", "a")]
    assert captures(place)["b.pcap"]["host"] == "h1"
    assert once() == (0, "")
    place.rename(tmp_path / "elsewhere")
    place.write_text("in the way")
    assert once()[0] == 4


@pytest.mark.parametrize("word", ["-", "ftp://host/x"])
def test_what_cannot_be_watched_is_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(UsageError):
        Watcher(lambda: Warehouse.create(tmp_path), Settings([word]), print, threading.Event())


def test_names_of_files_cannot_forge_lines(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a\n2026-01-01T00:00:00Z b\x1b[2J.pcap").write_bytes(pcap(0, 10))
    with Process(tmp_path / "warehouse", folder) as watcher:
        until(lambda: " complete" in watcher.log.read_text(), "the capture")
        assert watcher.end() == 0
    assert [line["status"] for line in watcher.lines()] == ["watching", "complete", "stopped"]
    assert "\x1b" not in watcher.log.read_text()


def test_a_truncated_header_is_no_capture_yet(tmp_path: Path) -> None:
    """A file of which less than a header is there has a row that its later content replaces."""
    folder, place = tmp_path / "in", tmp_path / "warehouse"
    folder.mkdir()
    (folder / "x.pcap").write_bytes(struct.pack("<I", 0xA1B23C4D))
    watching = Watch(place, folder)
    assert [line[:2] for line in watching.look()] == [("x.pcap", captures(place)["x.pcap"]["status"])]
    (folder / "x.pcap").write_bytes(pcap(0, 10))
    assert watching.look() == [("x.pcap", "complete", 10)]
    assert len(Warehouse.open(place).snapshot().captures) == 1


def test_a_disk_that_fails_half_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read counts; it is told once, tried again from time to time, by the next watcher at once, and replaced in the end."""
    folder, place = tmp_path / "in", tmp_path / "warehouse"
    folder.mkdir()
    (folder / "a.pcap").write_bytes(pcap(0, 1000))
    reads = 0
    fails = True
    opened = Source.open

    def open_source(self: Source) -> Path | BinaryIO:
        nonlocal reads
        reads += 1
        return cast("BinaryIO", BadSector(folder / "a.pcap", 50_000)) if fails else opened(self)

    monkeypatch.setattr(Source, "open", open_source)
    readable = (50_000 - len(HEADER)) // len(record(0))
    first = Watch(place, folder)
    assert first.look() == [("a.pcap", "interrupted", readable)]
    assert first.log[-1].message == "reading failed: Input/output error at byte 50,000"
    reads = 0
    assert first.look() == []
    assert reads == 0, "not yet tried again"
    monkeypatch.setattr(arrivals, "FIRST_RETRY_SECONDS", 0.0)
    second = Watch(place, folder)
    assert second.look() == [("a.pcap", "interrupted", readable)], "size and time are those of a file that was not read in full"
    for _ in range(2):
        reads = 0
        assert second.look() == []
        assert reads > 0
        assert packets_by_file(place) == {"a.pcap": readable}
    fails = False
    assert second.look() == [("a.pcap", "complete", 1000)]
    assert packets_by_file(place) == {"a.pcap": 1000}
    reads = 0
    assert second.look() == Watch(place, folder).look() == []
    assert reads == 0
