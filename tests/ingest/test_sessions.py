"""Exported packet capture sessions beside captures: the shapes that Azure's tools print, and everything that may be wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from warehouse_rows import captures
from written_captures import pcap

from caphouse.ingest.companions import companions
from caphouse.ingest.pipeline import IngestReport, ingest
from caphouse.ingest.sessions import session_of
from caphouse.ingest.sources import find_sources
from caphouse.warehouse.locations import Entry, Location
from caphouse.warehouse.store import Warehouse

SUBSCRIPTION = "00000000-1111-2222-3333-444444444444"
ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/NetworkWatcherRG/providers/Microsoft.Network/networkWatchers/nw/packetCaptures/pc1"
TARGET = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/web-1"

# The properties are those of Microsoft's REST reference for packet captures ("Get" and "Get Status"), with values made up.
SHOW: dict[str, Any] = {
    "bytesToCapturePerPacket": 128,
    "etag": 'W/"1"',
    "filters": [
        {"localIPAddress": "10.0.0.4", "localPort": "443", "protocol": "TCP", "remoteIPAddress": "", "remotePort": None},
        {"localIPAddress": None, "localPort": None, "protocol": "UDP", "remoteIPAddress": "", "remotePort": "53;5353"},
    ],
    "id": ID,
    "name": "pc1",
    "provisioningState": "Succeeded",
    "storageLocation": {
        "filePath": None,
        "storageId": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/store",
        "storagePath": "https://store.blob.core.windows.net/network-watcher-logs/packetcapture_16_39_41_077.cap",
    },
    "target": TARGET,
    "timeLimitInSeconds": 300,
    "totalBytesPerSession": 0,
}
STATUS: dict[str, Any] = {
    "captureStartTime": "2026-09-21T16:39:54.213Z",
    "id": ID,
    "name": "pc1",
    "packetCaptureError": [],
    "packetCaptureStatus": "Stopped",
    "stopReason": "TimeExceeded",
}
FILTER = "(tcp and local 10.0.0.4 and local port 443) or (udp and remote port 53;5353)"
SHOW_TAGS = {"session": "pc1", "target": TARGET, "provisioning_state": "Succeeded", "bytes_per_packet": "128", "time_limit_seconds": "300"}
STATUS_TAGS = {"capture_start_time": "2026-09-21T16:39:54.213Z", "capture_status": "Stopped", "stop_reason": "TimeExceeded"}


def rest(document: dict[str, Any]) -> dict[str, Any]:
    """As the REST call answers: most properties one level down."""
    top = ("id", "name", "etag")
    return {key: document[key] for key in top if key in document} | {
        "properties": {key: value for key, value in document.items() if key not in top}
    }


def powershell(document: dict[str, Any]) -> dict[str, Any]:
    """As `ConvertTo-Json` prints it: keys with capitals, what is nested deeper as text."""
    made = {key[0].upper() + key[1:]: value for key, value in document.items()}
    return made | {"Filters": json.dumps(document["filters"])} if "filters" in document else made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one capture, of the name that the session gave it."""
    path = tmp_path / "in"
    path.mkdir()
    (path / "packetcapture_16_39_41_077.cap").write_bytes(pcap(0, 10))
    return path


def found(folder: Path) -> tuple[str | None, dict[str, str]]:
    """Filter and tags of the capture in the folder, and that nothing was wrong."""
    (source,) = find_sources([str(folder)])
    session, warning = session_of(source)
    assert warning is None
    assert session is not None
    return session.capture_filter, dict(session.tags)


BESIDE = "packetcapture_16_39_41_077.json"

SHAPES: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "show, by name": (BESIDE, json.dumps(SHOW).encode(), SHOW_TAGS),
    "show, by the whole name": ("packetcapture_16_39_41_077.cap.json", json.dumps(SHOW).encode(), SHOW_TAGS),
    "show, by its storage location": ("export.json", json.dumps(SHOW).encode(), SHOW_TAGS),
    "REST": (BESIDE, json.dumps(rest(SHOW)).encode(), SHOW_TAGS),
    "REST, list": ("all.json", json.dumps({"value": [rest({**SHOW, "storageLocation": {}, "id": "x"}), rest(SHOW)]}).encode(), SHOW_TAGS),
    "list": ("all.json", json.dumps([{"name": "other", **STATUS, "id": "other"}, SHOW]).encode(), SHOW_TAGS),
    "show and status in one list": (BESIDE, json.dumps([SHOW, STATUS]).encode(), SHOW_TAGS | STATUS_TAGS),
    "both in one object": (BESIDE, json.dumps({**SHOW, **STATUS}).encode(), SHOW_TAGS | STATUS_TAGS),
    "PowerShell": (BESIDE, json.dumps(powershell({**SHOW, **STATUS})).encode(), SHOW_TAGS | STATUS_TAGS),
    "PowerShell, redirected": (BESIDE, json.dumps(SHOW).encode("utf-16"), SHOW_TAGS),
    "with a byte order mark": (BESIDE, b"\xef\xbb\xbf" + json.dumps(SHOW).encode(), SHOW_TAGS),
    "a file on the machine's disk": (
        "x.json",
        json.dumps({**SHOW, "storageLocation": {"filePath": "C:\\Captures\\PacketCapture_16_39_41_077.cap"}}).encode(),
        SHOW_TAGS,
    ),
}


@pytest.mark.parametrize(("name", "data", "tags"), SHAPES.values(), ids=SHAPES)
def test_shapes(folder: Path, name: str, data: bytes, tags: dict[str, str]) -> None:
    (folder / name).write_bytes(data)
    assert found(folder) == (FILTER, tags)


def test_a_status_in_a_file_of_its_own_is_joined_by_id(folder: Path) -> None:
    (folder / "show.json").write_text(json.dumps(SHOW))
    (folder / "status.json").write_text(json.dumps({**STATUS, "id": ID.upper(), "packetCaptureError": ["InternalError", "AgentStopped"]}))
    assert found(folder) == (FILTER, SHOW_TAGS | STATUS_TAGS | {"capture_errors": "InternalError, AgentStopped"})


def test_a_status_alone_belongs_to_the_capture_of_its_name(folder: Path) -> None:
    (folder / BESIDE).write_text(json.dumps(STATUS))
    assert found(folder) == (None, {"session": "pc1"} | STATUS_TAGS)


@pytest.mark.parametrize(
    ("filters", "text"),
    [
        ([], None),
        ([{"protocol": "Any", "localIPAddress": "", "remotePort": None}], None),
        ([{"protocol": "TCP"}, {}], None),
        ([{"protocol": "TCP"}], "tcp"),
        ([{"protocol": "Any", "remoteIPAddress": "10.0.0.0-10.0.0.255"}], "remote 10.0.0.0-10.0.0.255"),
        ([{"protocol": "UDP"}, {"protocol": "TCP", "remotePort": 80}], "udp or (tcp and remote port 80)"),
        ("not a list", None),
        ([1, None], None),
    ],
)
def test_filters_as_text(folder: Path, filters: object, text: str | None) -> None:
    (folder / BESIDE).write_text(json.dumps({**SHOW, "filters": filters}))
    assert found(folder)[0] == text


def ingested(folder: Path, **options: Any) -> tuple[IngestReport, dict[str, dict[str, Any]]]:
    """Ingest the folder; the report and the rows of `captures`."""
    warehouse = Warehouse.create(folder.parent / "warehouse")
    return ingest(warehouse, [str(folder)], **options), captures(warehouse)


def test_the_row_of_the_capture(folder: Path) -> None:
    """The session fills what nobody else says; what the user says comes first."""
    (folder / BESIDE).write_text(json.dumps(SHOW))
    report, rows = ingested(folder, tags={"session": "mine", "site": "a"})
    row = rows["packetcapture_16_39_41_077.cap"]
    assert not report.failed
    assert dict(row["tags"]) == SHOW_TAGS | {"session": "mine", "site": "a"}
    assert row["capture_filter"] == FILTER
    assert (row["host"], row["vm"], row["resource_group"], row["subscription_id"]) == ("web-1", "web-1", "rg-web", SUBSCRIPTION)


def test_the_path_says_more_than_the_session(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    day = folder / f"subscriptions/{SUBSCRIPTION}/resourcegroups/rg-path/providers/microsoft.compute/virtualmachines/vm-path/2026/09/21"
    day.mkdir(parents=True)
    (day / "packetcapture_16_39_41_077.cap").write_bytes(pcap(0, 10))
    (day / BESIDE).write_text(json.dumps(SHOW))
    row = ingested(folder)[1]["packetcapture_16_39_41_077.cap"]
    assert (row["host"], row["vm"], row["resource_group"]) == ("vm-path", "vm-path", "rg-path")


MALFORMED = {
    "nothing": b"",
    "no JSON": b"{'a': 1}",
    "cut": json.dumps(SHOW).encode()[:-10],
    "no text": b"\x80\x81\x82",
    "half a UTF-16": b"\xff\xfe{",
    "nested for ever": b"[" * 200_000,
    "large": b" " * (5 << 20),
    "a number of a million digits": b"[" + b"9" * 1_000_000 + b"]",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed_files_are_a_warning_and_stop_nothing(folder: Path, data: bytes) -> None:
    (folder / BESIDE).write_bytes(data)
    report, rows = ingested(folder)
    assert not report.failed
    (result,) = report.results
    assert result.warning is not None
    assert BESIDE in result.warning
    assert len(result.warning) < 500
    assert rows["packetcapture_16_39_41_077.cap"]["packets"] == 10
    assert rows["packetcapture_16_39_41_077.cap"]["tags"] == []


@pytest.mark.parametrize(
    "document",
    [
        None,
        1,
        "text",
        [],
        {},
        {"name": "package", "version": "1.0"},
        {"value": {"value": []}},
        {**SHOW, "storageLocation": {"storagePath": "https://store.blob.core.windows.net/x/other.cap"}},
        {**SHOW, "storageLocation": ["packetcapture_16_39_41_077.cap"]},
        {**SHOW, "storageLocation": {"storagePath": {"packetcapture_16_39_41_077.cap": 1}}},
    ],
)
def test_other_json_in_the_folder_says_nothing(folder: Path, document: object) -> None:
    (folder / "x.json").write_text(json.dumps(document))
    (source,) = find_sources([str(folder)])
    assert session_of(source) == (None, None)


@pytest.mark.parametrize("value", [[], {}, True, {"a": [1]}, [[["x"]]], -1.5, "x" * 100_000, "\x1b[2J"], ids=str)
def test_values_of_any_kind(folder: Path, value: object) -> None:
    """Whatever stands in the properties, tags are bounded text."""
    (folder / BESIDE).write_text(json.dumps(dict.fromkeys({**SHOW, **STATUS}, value) | {"stopReason": "x"}))
    report, rows = ingested(folder)
    assert not report.failed
    assert all(isinstance(text, str) and len(text) <= 2000 for _, text in rows["packetcapture_16_39_41_077.cap"]["tags"])


def entry(path: str) -> Entry:
    return Entry(Location("file", path), 10, 1)


def names(found: tuple[Entry, ...]) -> list[str]:
    return [item.location.name for item in found]


def test_which_files_belong_to_which_capture() -> None:
    beside = companions(
        ["/c/a.cap", "/c/b.cap.gz", "/c/d.cap", "/d/a.cap"],
        [entry(f"/c/{name}") for name in ("a.json", "a.cap.json", "b.json", "export.json", "notes.txt")],
    )
    assert {path: names(found) for path, found in beside.items()} == {
        "/c/a.cap": ["a.json", "a.cap.json", "export.json"],
        "/c/b.cap.gz": ["b.json", "export.json"],
        "/c/d.cap": ["export.json"],
        "/d/a.cap": [],
    }


def test_many_files_beside_many_captures() -> None:
    """Ten thousand of each are matched at once, and what is free is shared and bounded."""
    paths = [f"/c/{number}.cap" for number in range(10_000)]
    beside = companions(paths, [entry(f"/c/{number}.json") for number in range(0, 20_000, 2)])
    assert names(beside["/c/4.cap"])[0] == "4.json"
    assert len(beside["/c/4.cap"]) == 257
    assert len(beside["/c/5.cap"]) == 256
    assert beside["/c/5.cap"] is beside["/c/7.cap"]


def test_captures_by_glob_and_by_name_have_their_files_too(folder: Path) -> None:
    (folder / BESIDE).write_text(json.dumps(SHOW))
    for word in (folder / "*.cap", folder / "packetcapture_16_39_41_077.cap"):
        (source,) = find_sources([str(word)])
        assert names(source.beside) == [BESIDE]
