"""When a watcher reads a file: told by made-up files and clocks, and by what the system says of real ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from caphouse.ingest.arrivals import Arrivals
from caphouse.ingest.open_files import is_closed
from caphouse.ingest.pipeline import CaptureResult
from caphouse.ingest.sources import Source
from caphouse.warehouse.captures import KnownCapture
from caphouse.warehouse.locations import Location
from caphouse.warehouse.store import KnownCaptures

NOW_NS = 1_790_000_000_000_000_000
SECOND_NS = 1_000_000_000


class Clock:
    """Both clocks; `monotonic` counts what `advance` is given, the wall clock can be set."""

    def __init__(self) -> None:
        self.wall_ns = NOW_NS
        self.seconds = 1000.0

    def advance(self, seconds: float) -> None:
        """Let time go by."""
        self.seconds += seconds
        self.wall_ns += int(seconds * SECOND_NS)


def captures(*rows: KnownCapture) -> Callable[[], KnownCaptures]:
    """What the warehouse has."""
    known = KnownCaptures(
        by_content={row.capture_id: row for row in rows},
        by_source={(row.source_uri, row.file_bytes, row.modified_ns): row for row in rows},
        file_sizes=frozenset(row.file_bytes for row in rows),
    )
    return lambda: known


def row(uri: str, size: int, modified_ns: int, status: str = "complete") -> KnownCapture:
    """A capture that is in the warehouse."""
    return KnownCapture(
        capture_id=f"{uri} {size}", ingest_id=size, status=status, decoder_version=1, source_uri=uri, file_bytes=size, content_bytes=size,
        modified_ns=modified_ns, first_ts_ns=1, packets_pruned_ns=None,
    )  # fmt: skip


def blob(name: str, size: int = 1000, age: float = 0.0) -> Source:
    """A file of Azure's storage, of which nothing is known but its listing."""
    uri = f"az://container/{name}"
    return Source(uri, uri, size, NOW_NS - int(age * SECOND_NS), location=Location("az", f"container/{name}"))


def result(source: Source, status: str = "complete", capture_id: str | None = "id") -> CaptureResult:
    return CaptureResult(source.display, capture_id, status, 1, uri=source.uri)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def arrivals(clock: Clock, *, growing: bool = False) -> Arrivals:
    return Arrivals(60, growing=growing, now_ns=lambda: clock.wall_ns, monotonic=lambda: clock.seconds)


NOTHING = captures()


def test_a_file_is_read_when_it_has_not_changed_for_the_settling_time(clock: Clock) -> None:
    watcher, file = arrivals(clock), blob("a", age=1)
    assert watcher.due([file], NOTHING) == []
    clock.advance(58)
    assert watcher.due([file], NOTHING) == []
    clock.advance(2)
    assert watcher.due([file], NOTHING) == [file]


def test_a_file_that_is_old_when_it_is_found_is_read_at_once(clock: Clock) -> None:
    assert arrivals(clock).due([blob("a", age=61)], NOTHING) == [blob("a", age=61)]


def test_a_clock_that_was_set_back_only_delays(clock: Clock) -> None:
    """A time in the future never gets old; what is seen of the file counts then."""
    watcher, file = arrivals(clock), blob("a", age=-5 * 3600)
    assert watcher.due([file], NOTHING) == []
    clock.advance(61)
    assert watcher.due([file], NOTHING) == [file]


def test_a_storage_that_gives_no_times(clock: Clock) -> None:
    watcher, file = arrivals(clock), blob("a")._replace(modified_ns=None)
    assert watcher.due([file], NOTHING) == []
    clock.advance(61)
    assert watcher.due([file], NOTHING) == [file]


def test_every_change_begins_the_settling_time_anew(clock: Clock) -> None:
    watcher = arrivals(clock)
    for size in range(1, 5):
        assert watcher.due([blob("a", size)._replace(modified_ns=clock.wall_ns)], NOTHING) == []
        clock.advance(50)


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_objects_appear_whole(clock: Clock, scheme: str) -> None:
    file = blob("a")._replace(location=Location(scheme, "bucket/a"))
    assert arrivals(clock).due([file], NOTHING) == [file]


def test_a_file_with_a_successor_is_complete(clock: Clock) -> None:
    first, second = blob("x_20261123_120000.pcap", age=2), blob("x_20261123_120100.pcap", age=1)
    assert arrivals(clock).due([first, second], NOTHING) == [first]


def test_what_was_read_is_not_read_again_until_it_changes(clock: Clock) -> None:
    watcher, file = arrivals(clock), blob("a", age=100)
    for _ in range(2):
        assert watcher.due([file], NOTHING) == [file]
        watcher.done(file, result(file))
        assert watcher.due([file], NOTHING) == []
        file = file._replace(file_bytes=(file.file_bytes or 0) + 1)


def test_what_an_earlier_watcher_has_read_is_not_read_again(clock: Clock) -> None:
    """Size and time of modification are in the warehouse; for a file in one of its rows, unchanged, nothing is opened."""
    same, grown, part = blob("same", 10, age=100), blob("grown", 11, age=100), blob("part", 10, age=100)
    assert same.modified_ns is not None
    known = captures(
        row(same.uri, 10, same.modified_ns), row(grown.uri, 10, same.modified_ns), row(part.uri, 10, same.modified_ns, status="growing")
    )
    assert arrivals(clock).due([same, grown, part], known) == [grown, part]


def test_the_warehouse_is_asked_only_when_something_is_new(clock: Clock) -> None:
    asked = 0

    def known() -> KnownCaptures:
        nonlocal asked
        asked += 1
        return NOTHING()

    watcher = arrivals(clock)
    files = [blob(str(number), age=100) for number in range(100)]
    for _ in range(3):
        for file in watcher.due(files, known):
            watcher.done(file, result(file))
    assert asked == 1
    watcher.due([*files, blob("new")], known)
    assert asked == 2


def test_a_growing_file_is_read_each_time_it_has_doubled(clock: Clock) -> None:
    """So that reading a file of a gigabyte that grows by a megabyte between two looks costs two gigabytes and not five hundred."""
    watcher = arrivals(clock, growing=True)
    read = []
    file = blob("a")
    for size in range(1, 1001):
        file = blob("a", size * 1000)._replace(modified_ns=clock.wall_ns)
        for due in watcher.due([file], NOTHING):
            assert due.growing
            read.append(size)
            watcher.done(due, result(due, "growing"))
        clock.advance(30)
    assert read == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    clock.advance(60)
    last = watcher.due([file], NOTHING)
    assert [source.growing for source in last] == [False]


def test_an_empty_file_is_left_alone_until_it_settles(clock: Clock) -> None:
    watcher, file = arrivals(clock, growing=True), blob("a", 0)
    assert watcher.due([file], NOTHING) == []
    clock.advance(61)
    assert watcher.due([file], NOTHING) == [file]


def test_a_file_that_turned_out_to_grow_is_looked_at_again(clock: Clock) -> None:
    watcher, file = arrivals(clock), blob("a", age=100)
    assert watcher.due([file], NOTHING) == [file]
    watcher.done(file, result(file, "growing"))
    assert watcher.due([file], NOTHING) == [file]


def test_a_ring_file_that_is_begun_anew_is_read_before_it_has_its_old_size(clock: Clock) -> None:
    watcher = arrivals(clock, growing=True)
    old, new = blob("a", 1_000_000)._replace(modified_ns=clock.wall_ns), blob("a", 5_000)._replace(modified_ns=clock.wall_ns + 5)
    (due,) = watcher.due([old], NOTHING)
    watcher.done(due, result(due, "growing"))
    assert watcher.due([new], NOTHING) == [new._replace(growing=True)]


def test_what_cannot_be_read_is_tried_again_after_ever_longer_times(clock: Clock) -> None:
    watcher, file = arrivals(clock), blob("a", age=100)
    tries = []
    for second in range(0, 20_000, 10):
        for due in watcher.due([file], NOTHING):
            tries.append(second)
            watcher.done(due, result(due, "unsupported", capture_id=None))
        clock.advance(10)
    assert tries == [0, 30, 90, 210, 450, 930, 1890, 3810, 7410, 11010, 14610, 18210]


def test_a_change_ends_the_waiting(clock: Clock) -> None:
    watcher, file = arrivals(clock), blob("a", age=100)
    watcher.due([file], NOTHING)
    watcher.done(file, result(file, "unsupported", capture_id=None))
    other = file._replace(file_bytes=5)
    assert watcher.due([file], NOTHING) == []
    assert watcher.due([other], NOTHING) == [other]


def test_pipes_and_what_cannot_be_found_are_never_due(clock: Clock) -> None:
    pipe = blob("pipe", age=100)._replace(is_stream=True)
    assert arrivals(clock).due([pipe, blob("gone", age=100)._replace(problem="gone")], NOTHING) == []


def test_news_are_told_once(clock: Clock) -> None:
    watcher = arrivals(clock)
    assert [watcher.is_news("a", text) for text in ("x", "x", "y", "x")] == [True, False, True, True]


def test_what_is_gone_is_forgotten(clock: Clock) -> None:
    watcher, file = arrivals(clock), blob("a", age=100)
    (due,) = watcher.due([file], NOTHING)
    watcher.done(due, result(due))
    watcher.forget_others([])
    assert watcher.due([file], NOTHING) == [file]


needs_leases = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells whether a file is open for writing")


@needs_leases
def test_a_local_file_is_complete_when_nobody_has_it_open(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "x.pcap"
    file = path.open("wb")
    file.write(b"x" * 100)
    file.flush()
    source = Source(str(path), str(path), 100, clock.wall_ns, location=Location("file", str(path)))
    watcher = arrivals(clock)
    with file:
        assert watcher.due([source], NOTHING) == []
    if not is_closed(str(path)):
        pytest.skip("this file system gives no leases")
    assert watcher.due([source], NOTHING) == [source]


@needs_leases
def test_another_process_that_writes_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(b"x")
    if not is_closed(str(path)):
        pytest.skip("this file system gives no leases")
    program = "import sys; file = open(sys.argv[1], 'ab'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        assert writer.stdout.readline() == b"open\n"
        assert not is_closed(str(path))
        with path.open("rb"):
            assert not is_closed(str(path))
        writer.stdin.close()
        writer.wait()
    with path.open("rb"):
        assert is_closed(str(path)), "who only reads does not count"


def test_nothing_is_certain_of_what_is_not_there(tmp_path: Path) -> None:
    assert not is_closed(str(tmp_path / "absent"))
    assert not is_closed(str(tmp_path))
