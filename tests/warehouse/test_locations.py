"""What people write as a place, and that no credential survives in what is stored or shown."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

import list_server
import pytest
from object_storage import azure_environment, free_port, running

from caphouse.warehouse import locations
from caphouse.warehouse.errors import UsageError, WarehouseError
from caphouse.warehouse.locations import Location


@pytest.fixture(autouse=True)
def no_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests say themselves what the environment holds."""
    for name in list(os.environ):
        if name.startswith(("AZURE_", "AWS_", "GOOGLE_")):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("text", "uri", "file_uri"),
    [
        ("/data/a b.pcap", "/data/a b.pcap", "/data/a b.pcap"),
        ("file:///data/a%20b.pcap", "/data/a b.pcap", "/data/a b.pcap"),
        ("/data/12:30:00.pcap", "/data/12:30:00.pcap", "/data/12:30:00.pcap"),
        ("az://box/logs/x.cap", "az://box/logs/x.cap", "az://box/logs/x.cap"),
        ("abfss://box@acc.dfs.core.windows.net/logs/", "abfss://box@acc.dfs.core.windows.net/logs", "az://box/logs"),
        ("abfss://box@acc.dfs.core.windows.net", "abfss://box@acc.dfs.core.windows.net", "az://box"),
        (
            "https://acc.blob.core.windows.net/box/y=2026/m=01/x.cap",
            "abfss://box@acc.dfs.core.windows.net/y=2026/m=01/x.cap",
            "az://box/y=2026/m=01/x.cap",
        ),
        ("https://acc.blob.core.usgovcloudapi.net/box/x", "abfss://box@acc.dfs.core.windows.net/x", "az://box/x"),
        ("http://127.0.0.1:10000/devstoreaccount1/box/x", "abfss://box@devstoreaccount1.dfs.core.windows.net/x", "az://box/x"),
        ("s3://bucket/key/x.pcap", "s3://bucket/key/x.pcap", "s3://bucket/key/x.pcap"),
        ("s3a://bucket", "s3://bucket", "s3://bucket"),
        ("s3://bucket/what?#x", "s3://bucket/what?#x", "s3://bucket/what?#x"),
        ("gs://bucket/key", "gs://bucket/key", "gs://bucket/key"),
    ],
)
def test_forms(text: str, uri: str, file_uri: str) -> None:
    location = Location.parse(text)
    assert location.uri == uri
    assert location.file_uri == file_uri
    assert Location.parse(location.uri) == location
    assert pickle.loads(pickle.dumps(location)) == location  # noqa: S301 - our own


def test_relative_paths_and_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    assert Location.parse("a/../b.pcap").uri == str(tmp_path / "b.pcap")
    assert Location.parse("~/x.pcap").uri == "/home/someone/x.pcap"
    assert Location.parse(Path("c.pcap")).is_local


@pytest.mark.parametrize(
    "text",
    [
        "https://acc.blob.core.windows.net/box/x.cap?sv=2024-01-01&sig=S3CRET",
        "s3://AKIA:S3CRET@bucket/x.cap",
        "az://box/x.cap?sig=S3CRET",
    ],
)
def test_credentials_are_never_shown(text: str) -> None:
    location = Location.parse(text)
    for shown in (location.uri, str(location), repr(location), location.join("y").uri, location.file_uri):
        assert "S3CRET" not in shown


@pytest.mark.parametrize("text", ["ftp://u:S3CRET@host/x?S3CRET", "https://example.org/x.pcap?sig=S3CRET", "s3://", "az:///x"])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Location.parse(text)
    assert "S3CRET" not in str(refusal.value)


def test_a_signature_in_the_address_is_used_for_it_and_what_is_below() -> None:
    location = Location.parse("https://acc.blob.core.windows.net/box?sig=S3CRET").join("a", "b.cap")
    assert location.path == "box/a/b.cap"
    options = location.storage_options()
    assert options is not None
    assert options["sas_token"] == "sig=S3CRET"  # noqa: S105 - it is the one above
    assert options["account_name"] == "acc"


def test_the_emulator_by_its_short_connection_string(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "UseDevelopmentStorage=true")
    location = Location.parse("az://box/x")
    assert location.account == "devstoreaccount1"
    options = location.storage_options()
    assert options is not None
    assert options["use_emulator"] == "true"
    assert os.environ["AZURITE_BLOB_STORAGE_URL"] == "http://127.0.0.1:10000"
    assert options["allow_http"] == "true"


def test_a_key_is_not_sent_to_another_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=mine;AccountKey=S3CRET==;EndpointSuffix=core.windows.net")
    mine = Location.parse("abfss://box@mine.dfs.core.windows.net/x").storage_options()
    other = Location.parse("abfss://box@other.dfs.core.windows.net/x").storage_options()
    assert mine is not None
    assert other is not None
    assert mine["account_key"] == "S3CRET=="
    assert "account_key" not in other


def test_an_unnamed_account_is_asked_for() -> None:
    with pytest.raises(UsageError, match="AZURE_STORAGE_ACCOUNT"):
        Location.parse("az://box/x").filesystem()


def test_listing(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.pcap").write_bytes(b"12345")
    (tmp_path / "sub" / "a.pcap").write_bytes(b"1")
    root = Location.parse(tmp_path)
    entries = root.entries()
    assert [(entry.location.uri, entry.size) for entry in entries] == [(f"{tmp_path}/b.pcap", 5), (f"{tmp_path}/sub/a.pcap", 1)]
    assert entries[0].modified_ns == (tmp_path / "b.pcap").stat().st_mtime_ns
    assert [entry.location.name for entry in root.entries(recursive=False)] == ["b.pcap"]
    assert root.join("absent").entries() == []


def test_lists_of_any_length_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those around 4096 bytes, with the headers of the answer, pyarrow's file system cannot read all."""
    locations._filesystem.cache_clear()
    port = free_port()
    monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", "put back")
    with running([sys.executable, list_server.__file__, str(port)], port) as endpoint:
        for variable, value in azure_environment(endpoint).items():
            monkeypatch.setenv(variable, value)
        found = [Location.parse(f"az://box{size}/x").entries() for size in range(3970, 4030)]
    assert [[(entry.location.path, entry.size) for entry in entries] for entries in found] == [
        [(f"box{size}/x/a", 5)] for size in range(3970, 4030)
    ]
    locations._filesystem.cache_clear()


def test_what_cannot_be_listed_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def get_file_info(self, _: object) -> None:
            raise OSError("When listing: AccessDenied")

    monkeypatch.setattr(Location, "filesystem", lambda _self: Refusing())
    folder = Location.parse("s3://box/x")
    with pytest.raises(WarehouseError, match=r"^s3://box/x: cannot be listed: When listing: AccessDenied\.$"):
        folder.contents()
    with pytest.raises(WarehouseError, match=r"^s3://box/x: cannot be looked at: When listing: AccessDenied\.$"):
        folder.size()


def test_files_are_written_read_and_deleted(tmp_path: Path) -> None:
    location = Location.parse(tmp_path).join("x", "y.bin")
    assert not location.exists()
    location.parent.make_folder()
    with location.open_output() as output:
        output.write(b"abc")
    assert location.exists()
    with location.open_input() as source:
        assert source.read() == b"abc"
    location.delete()
    location.delete()
    assert not location.exists()


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/a.pcap?X-Amz-Credential=AKIA&X-Amz-Signature=secret",
        "s3://bucket/a.pcap?AWSAccessKeyId=AKIA&Signature=secret",
        "gs://bucket/a.pcap?X-Goog-Signature=secret",
    ],
)
def test_a_signature_is_neither_stored_nor_shown(text: str) -> None:
    with pytest.raises(UsageError, match="signed addresses") as error:
        Location.parse(text)
    assert "secret" not in str(error.value)
    assert "AKIA" not in str(error.value)
    assert Location.parse("s3://bucket/what?.pcap").path == "bucket/what?.pcap"
