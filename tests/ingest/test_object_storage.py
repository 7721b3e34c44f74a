"""Captures in Azure Blob Storage and in S3, ingested into a warehouse that lives there, too: the same rows as from a local disk.

Also when the storage fails now and then, or does not give a capture at all.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import http_proxy
import object_storage
import pytest
from commands import Run
from http_proxy import Fault, Proxy
from synthetic_warehouse import live
from warehouse_rows import captures
from written_captures import HEADER, pcap, record

from caphouse.cli.options import ExitCode
from caphouse.queries.engine import Session
from caphouse.warehouse import locations, originals
from caphouse.warehouse.locations import Location
from caphouse.warehouse.store import Warehouse
from caphouse.warehouse.tables import TABLES
from caphouse.warehouse.verification import verify

SAMPLES = Path(__file__).parents[2] / "samples" / "network-watcher-logs"
SET = "subscriptions/6f1e2a52-3b1c-4b57-9c39-5f7d3c0a9e11/resourcegroups/Shop-Prod/providers/Microsoft.Compute/virtualMachineScaleSets/web"
SESSION = b'{"stopReason": "TimeExceeded", "filters": [{"protocol": "TCP"}]}'
OF_THE_PLACE = {"ingest_id", "source_uri", "modified_ns", "ingested_ns"}
"""Columns of `captures` that differ from one place to another."""

PROGRAM = "import sys; from caphouse.cli.main import main; main(sys.argv[1:])"


def run_apart(*arguments: object) -> tuple[int, str]:
    """The same in a process of its own: what deletes holds the interpreter's lock, and a proxy in this process would be kept waiting."""
    words = [sys.executable, "-c", PROGRAM, *(str(argument) for argument in arguments)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.fixture
def box(place: str) -> Location:
    """An empty container or bucket."""
    return Location.parse(place).parent


def put(place: Location, content: bytes) -> None:
    with place.open_output() as output:
        output.write(content)


def packets(warehouse: Warehouse) -> dict[str, int]:
    """Rows of `packets` that count, by file name."""
    counts = Counter(live(warehouse, "packets")["ingest_id"].to_pylist())
    return {name: counts[row["ingest_id"]] for name, row in captures(warehouse).items()}


def contents(warehouse: Warehouse) -> dict[str, list[str]]:
    """All rows that count, per table, apart from what differs from place to place."""
    snapshot = warehouse.snapshot()
    capture_ids = dict(zip(snapshot.captures["ingest_id"].to_pylist(), snapshot.captures["capture_id"].to_pylist(), strict=True))
    found = {}
    for table in TABLES:
        rows = snapshot.captures.to_pylist() if table.name == "captures" else live(warehouse, table.name).to_pylist()
        found[table.name] = sorted(
            f"{capture_ids[row['ingest_id']]} {sorted((name, str(value)) for name, value in row.items() if name not in OF_THE_PLACE)}"
            for row in rows
        )
    return found


def test_a_container_of_network_watcher_by_one_command(tmp_path: Path, box: Location, invoke: Run) -> None:
    """Virtual machines and all forms of scale sets, with an exported session beside one of them."""
    logs = tmp_path / "network-watcher-logs"
    shutil.copytree(SAMPLES, logs)
    more = {
        f"{SET}/2026/03/06/packetCapture_09_20_07_166": pcap(0, 5),
        f"{SET}/virtualMachines/3/2026/03/06/packetCapture_09_20_07_166.cap": pcap(10, 16),
        f"{SET}/virtualMachines/web_4/2026/03/06/packetcapture_09_20_07_167.cap": pcap(20, 27),
        f"{SET}/virtualMachines/web_4/2026/03/06/packetcapture_09_20_07_167.json": SESSION,
    }
    for name, content in more.items():
        (logs / name).parent.mkdir(parents=True, exist_ok=True)
        (logs / name).write_bytes(content)
    container = box.join("network-watcher-logs")
    files = [path for path in logs.rglob("*") if path.is_file()]
    for path in files:
        put(container.join(*path.relative_to(logs).parts), path.read_bytes())
    there, here = box.join("warehouse"), tmp_path / "warehouse"
    assert invoke("ingest", "-w", there, container) == (ExitCode.FINE, "")
    assert invoke("ingest", "-w", here, logs) == (ExitCode.FINE, "")
    remote, local = Warehouse.open(there), Warehouse.open(here)
    assert contents(remote) == contents(local)
    rows = {(row["host"], row["vm"], row["resource_group"], row["subscription_id"]) for row in captures(remote).values()}
    subscription = "6f1e2a52-3b1c-4b57-9c39-5f7d3c0a9e11"
    assert {row[:2] for row in rows} == {(name, name) for name in ("web-01", "app-02", "web", "web_3", "web_4")}
    assert {row[2].lower() for row in rows} == {"shop-prod"}
    assert {row[3] for row in rows} == {subscription}
    row = captures(remote)["packetcapture_09_20_07_167.cap"]
    assert (row["capture_filter"], dict(row["tags"]), row["packets"]) == ("tcp", {"stop_reason": "TimeExceeded"}, 7)
    assert remote.snapshot().captures.num_rows == len(files) - 1
    assert {row["source_uri"] for row in captures(remote).values()} <= {entry.location.uri for entry in container.entries()}
    assert invoke("ingest", "-w", there, container) == (ExitCode.FINE, "")
    assert contents(remote) == contents(local), "nothing is added by a second time"


def test_captures_that_grow_are_kept_and_are_read_again(box: Location, invoke: Run) -> None:
    """A blob that has grown replaces its beginning; packets of two captures of one host count once where that is asked for."""
    place, folder = box.join("warehouse"), box.join("in")
    put(folder.join("a.cap"), pcap(0, 20)[:-7])
    put(folder.join("b.cap"), pcap(15, 40))
    ingest = ("ingest", "-w", place, "--host", "web", "--keep-originals", folder)
    assert invoke(*ingest)[0] == ExitCode.UNREAD, "half a record"
    warehouse = Warehouse.open(place)
    assert packets(warehouse) == {"a.cap": 19, "b.cap": 25}
    put(folder.join("a.cap"), pcap(0, 30))
    assert invoke(*ingest) == (ExitCode.FINE, "")
    before = captures(warehouse)
    assert packets(warehouse) == {"a.cap": 30, "b.cap": 25}
    assert {capture_id for capture_id, _ in originals.kept(warehouse.root)} == {row["capture_id"] for row in before.values()}
    with Session(warehouse) as session:
        for deduplicate, count in ((False, 55), (True, 40)):
            columns = session.report("ports", deduplicate=deduplicate).columns
            rows = session.report("ports", deduplicate=deduplicate).fetchall()
            assert sum(row[columns.index("packets")] for row in rows) == count
    for name in ("a.cap", "b.cap"):
        folder.join(name).delete()
    assert invoke("reingest", "-w", place, "--all") == (ExitCode.FINE, "")
    after = captures(warehouse)
    assert packets(warehouse) == {"a.cap": 30, "b.cap": 25}
    assert all(after[name]["ingest_id"] != before[name]["ingest_id"] for name in before)
    assert not verify(warehouse).damaged


@pytest.fixture(params=["azure", "s3"])
def faulty(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Proxy, Location]]:
    """A proxy before an emulator, and an empty container or bucket behind it."""
    is_azure = request.param == "azure"
    emulator = request.getfixturevalue("azurite" if is_azure else "moto")
    name = f"box{time.time_ns()}"
    with http_proxy.proxy_to(emulator) as proxy:
        for variable, value in (object_storage.azure_environment if is_azure else object_storage.s3_environment)(proxy.endpoint).items():
            monkeypatch.setenv(variable, value)
        forget_connections()
        place = object_storage.make_container(name) if is_azure else object_storage.make_bucket(name)
        yield proxy, Location.parse(place).parent
    forget_connections()


def forget_connections() -> None:
    """Let what is done from now on go where the environment says."""
    locations._filesystem.cache_clear()
    locations._object_store.cache_clear()


def test_storage_that_fails_now_and_then(faulty: tuple[Proxy, Location]) -> None:
    """What fails is asked again, wherever it happens: nothing is lost, nothing is there twice, nobody is told."""
    proxy, box = faulty
    place, folder = box.join("warehouse"), box.join("in")
    expected = {f"{number}.cap": 10 + number for number in range(4)}
    for name, count in expected.items():
        put(folder.join(name), pcap(100 * count, 101 * count))
    asked: Counter[str] = Counter()

    def fault(_method: str, target: str) -> Fault | None:
        asked["requests"] += 1
        if asked["requests"] % 25 or target.startswith("/?"):
            return None
        asked["faults"] += 1
        return ("reset", 503, 500)[asked["faults"] % 3]

    proxy.fault = fault
    for _ in range(2):
        assert run_apart("ingest", "-w", place, folder) == (ExitCode.FINE, "")
    assert packets(Warehouse.open(place)) == expected
    assert len(proxy.faults()) >= 3
    proxy.fault = lambda _method, _target: None
    assert not verify(Warehouse.open(place)).damaged


def test_a_blob_that_is_not_given(faulty: tuple[Proxy, Location]) -> None:
    """It is named, with the cause, once; the others are in; what is asked again is bounded; it is read when it is given."""
    proxy, box = faulty
    place, folder = box.join("warehouse"), box.join("in")
    expected = {"a.cap": 10, "b.cap": 20, "c.cap": 30}
    for number, (name, count) in enumerate(expected.items()):
        put(folder.join(name), pcap(1000 * number, 1000 * number + count))
    # What Azure's library does about a 500 takes half a minute.
    status = 403 if box.scheme == "az" else 500
    proxy.fault = lambda method, target: status if method == "GET" and "/in/b.cap" in target else None
    before = len(proxy.exchanges)
    code, talk = run_apart("ingest", "-w", place, folder)
    assert code == ExitCode.UNREAD
    assert talk.count("\n") == 1, talk
    assert talk.startswith(f"caphouse: {folder.join('b.cap')}: ")
    assert "403" in talk or "forbidden" in talk.lower() or "500" in talk or "internal" in talk.lower(), talk
    assert sum(exchange.status == status for exchange in proxy.exchanges[before:]) <= 10
    assert packets(Warehouse.open(place)) == {"a.cap": 10, "c.cap": 30}
    proxy.fault = lambda _method, _target: None
    assert run_apart("ingest", "-w", place, folder) == (ExitCode.FINE, "")
    assert packets(Warehouse.open(place)) == expected


def test_a_blob_that_is_not_given_to_its_end(faulty: tuple[Proxy, Location]) -> None:
    """What was given of it counts, until it is given in full."""
    proxy, box = faulty
    place, blob = box.join("warehouse"), box.join("in/a.cap")
    put(blob, pcap(0, 20_000))
    given = []

    def fault(method: str, target: str) -> Fault | None:
        if method != "GET" or "/in/a.cap" not in target:
            return None
        given.append(target)
        return (403 if box.scheme == "az" else 500) if len(given) > 2 else None

    proxy.fault = fault
    code, talk = run_apart("ingest", "-w", place, blob)
    assert code == ExitCode.UNREAD
    assert talk.startswith(f"caphouse: {blob}: reading failed: "), talk
    row = captures(Warehouse.open(place))["a.cap"]
    readable = (row["content_bytes"] - len(HEADER)) // len(record(0))
    assert (row["status"], row["packets"]) == ("interrupted", readable)
    assert talk.endswith(f" at byte {row['error_offset']:,}\n")
    assert packets(Warehouse.open(place)) == {"a.cap": readable}
    assert 0 < readable < 20_000
    proxy.fault = lambda _method, _target: None
    for _ in range(2):
        assert run_apart("ingest", "-w", place, blob) == (ExitCode.FINE, "")
        assert packets(Warehouse.open(place)) == {"a.cap": 20_000}
    assert not verify(Warehouse.open(place)).damaged


def test_a_warehouse_that_cannot_be_written(faulty: tuple[Proxy, Location]) -> None:
    """It is told in a sentence, nothing counts, and when it can be written again, everything comes in once."""
    proxy, box = faulty
    place, blob = box.join("warehouse"), box.join("in/a.cap")
    put(blob, pcap(0, 10))
    Warehouse.create(place)
    for part in ("/packets/date", "/captures/_delta_log/"):
        proxy.fault = lambda method, target, part=part: 403 if method == "PUT" and part in target else None  # type: ignore[misc]
        code, talk = run_apart("ingest", "-w", place, blob)
        assert code == ExitCode.WAREHOUSE, talk
        assert talk.count("\n") == 1, talk
        assert str(place) in talk
        assert "cannot be written" in talk
    proxy.fault = lambda _method, _target: None
    assert packets(Warehouse.open(place)) == {}
    for _ in range(2):
        assert run_apart("ingest", "-w", place, blob) == (ExitCode.FINE, "")
    assert packets(Warehouse.open(place)) == {"a.cap": 10}
    assert not verify(Warehouse.open(place)).damaged
