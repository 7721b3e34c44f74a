"""A watcher on a container or bucket, with the warehouse in the same storage: the same as on a local disk."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from warehouse_rows import captures
from written_captures import pcap

from caphouse.ingest.capture import Options
from caphouse.ingest.sources import Source
from caphouse.ingest.watch import Event, Settings, Watcher
from caphouse.warehouse import originals
from caphouse.warehouse.locations import Location
from caphouse.warehouse.store import Warehouse


def put(place: Location, content: bytes) -> None:
    """Upload a blob, whole."""
    with place.open_output() as output:
        output.write(content)


class Watch:
    """A watcher and its log."""

    def __init__(self, box: Location, settle: float = 0.0) -> None:
        self.log: list[Event] = []
        self.root = box.join("warehouse")
        settings = Settings([box.join("in").uri], Options(keep_originals=True), settle_seconds=settle)
        self.watcher = Watcher(lambda: Warehouse.open_or_create(self.root), settings, self.log.append, threading.Event())

    def look(self) -> list[tuple[str, str, int | None]]:
        """Look once; gives the new lines of the log."""
        before = len(self.log)
        self.watcher.look()
        return [(Path(event.name).name, event.status, event.packets) for event in self.log[before:]]


def test_blobs_as_they_arrive(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blobs are read once, a longer one in the place of its own beginning replaces it, and the originals are kept."""
    box = Location.parse(place).parent
    watching = Watch(box)
    large = pcap(0, 20_000)
    put(box.join("in/a.cap"), pcap(0, 10))
    put(box.join("in/day/large.cap"), large)
    put(box.join("in/day/large.json"), json.dumps({"stopReason": "TimeExceeded", "filters": [{"protocol": "TCP"}]}).encode())
    assert watching.look() == [("a.cap", "complete", 10), ("large.cap", "complete", 20_000)]
    row = captures(Warehouse.open(watching.root))["large.cap"]
    assert (row["capture_filter"], dict(row["tags"]), row["file_bytes"]) == ("tcp", {"stop_reason": "TimeExceeded"}, len(large))
    with monkeypatch.context() as patch:
        patch.setattr(Source, "open", lambda self: pytest.fail(f"{self.uri} was opened"))
        assert watching.look() == []
        assert Watch(box).look() == []
    put(box.join("in/a.cap"), pcap(0, 15))
    assert watching.look() == [("a.cap", "complete", 15)]
    warehouse = Warehouse.open(watching.root)
    rows = captures(warehouse)
    assert {name: row["packets"] for name, row in rows.items()} == {"a.cap": 15, "large.cap": 20_000}
    assert {capture_id for capture_id, _ in originals.kept(warehouse.root)} == {row["capture_id"] for row in rows.values()}
    original = originals.open_original(warehouse.root, rows["large.cap"]["capture_id"])
    assert original is not None
    with original:
        assert original.read() == large


def test_a_blob_that_is_overwritten_while_it_is_read(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept of what may be half the old blob and half the new one; it is told, and the new one is read next."""
    box = Location.parse(place).parent
    watching = Watch(box)
    blob = box.join("in/a.cap")
    put(blob, pcap(0, 20_000))
    open_source = Source.open

    def overwrite(self: Source) -> object:
        opened = open_source(self)
        put(blob, pcap(0, 10_000, host=2))
        return opened

    with monkeypatch.context() as patch:
        patch.setattr(Source, "open", overwrite)
        ((name, status, _),) = watching.look()
    # The new blob is shorter: some storage already refuses to read on.
    assert (name, status) in {("a.cap", "vanished"), ("a.cap", "unread")}
    assert watching.look() == [("a.cap", "complete", 10_000)]
    assert list(captures(Warehouse.open(watching.root))) == ["a.cap"]
