"""Which captures the words of a command line mean, and what their paths say."""

from __future__ import annotations

import io
import os
import pickle
import socket
import sys
from pathlib import Path

import pytest

from caphouse.ingest.sources import Facts, Source, facts_from_path, find_sources
from caphouse.warehouse.errors import CaptureError, SourceVanished, UsageError
from caphouse.warehouse.locations import Location

CONTENT = b"\xd4\xc3\xb2\xa1 and so on"


def make(folder: Path, *names: str) -> None:
    """Files with the same few bytes, and the folders that they need."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT)


def relative(sources: list[Source], folder: Path) -> list[str]:
    """The sources' paths below `folder`."""
    return [os.path.relpath(source.uri, folder) for source in sources]


def refusal(source: Source) -> str:
    """The message with which a source refuses to be opened."""
    with pytest.raises(CaptureError) as raised:
        source.open()
    return str(raised.value)


# The templates and examples of Microsoft's documentation, with the values that stand in them.
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
NETWORK_WATCHER_PATHS = {
    f"subscriptions/{SUBSCRIPTION}/resourcegroups/myresourcegroup/providers/microsoft.compute/virtualmachines/myvm"
    "/2025/01/31/packetcapture_16_39_41_077.cap": Facts("myvm", "myvm", "myresourcegroup", SUBSCRIPTION),
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/contosoResourceGroup/providers/Microsoft.Compute/virtualMachines/SampleVM"
    "/2017/05/25/packetCapture_22_42_48_238.cap": Facts("SampleVM", "SampleVM", "contosoResourceGroup", SUBSCRIPTION),
    f"SUBSCRIPTIONS/{SUBSCRIPTION}/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.COMPUTE/VIRTUALMACHINES/VM/2025/1/3/packetcapture_0_0_0_0.CAP": Facts(  # noqa: E501
        "VM", "VM", "RG", SUBSCRIPTION
    ),
    f"https://account.blob.core.windows.net/network-watcher-logs/subscriptions/{SUBSCRIPTION}/resourcegroups/rg/providers/microsoft.compute"
    "/virtualmachinescalesets/SampleVMSS/2022/07/21/packetcapture_09_20_07_166.cap": Facts("SampleVMSS", "SampleVMSS", "rg", SUBSCRIPTION),
    f"subscriptions/{SUBSCRIPTION}/resourcegroups/rg/providers/microsoft.compute/virtualmachinescalesets/SampleVMSS"
    "/2022/07/21/packetCapture_09_20_07_166": Facts("SampleVMSS", "SampleVMSS", "rg", SUBSCRIPTION),
    f"subscriptions/{SUBSCRIPTION}/resourcegroups/rg/providers/microsoft.compute/virtualmachinescalesets/web/virtualMachines/3"
    "/2022/07/21/packetCapture_09_20_07_166.cap": Facts("web_3", "web_3", "rg", SUBSCRIPTION),
    f"subscriptions/{SUBSCRIPTION}/resourcegroups/rg/providers/microsoft.compute/virtualmachinescalesets/web/virtualMachines/web_3"
    "/2022/07/21/packetCapture_09_20_07_166.cap": Facts("web_3", "web_3", "rg", SUBSCRIPTION),
}


@pytest.mark.parametrize(("path", "facts"), NETWORK_WATCHER_PATHS.items())
def test_network_watcher_path_names_the_machine(path: str, facts: Facts) -> None:
    """Every form of the path in the documentation gives the facts in it, in any case and with a leading slash."""
    assert facts_from_path(path) == facts


@pytest.mark.parametrize(
    "path",
    [
        "captures/a.pcap",
        "virtualmachines/vm/2025/01/31/packetcapture_16_39_41_077.cap",
        f"mysubscriptions/{SUBSCRIPTION}/resourcegroups/rg/providers/microsoft.compute/virtualmachines/vm/2025/01/31/a.cap",
        f"subscriptions/{SUBSCRIPTION}/resourcegroups/rg/providers/microsoft.network/virtualmachines/vm/2025/01/31/a.cap",
        f"subscriptions/{SUBSCRIPTION}/resourcegroups/rg/providers/microsoft.compute/virtualmachines/vm/2025/a.cap",
    ],
)
def test_other_paths_say_nothing(path: str) -> None:
    """A path that only resembles the layout gives no facts rather than wrong ones."""
    assert facts_from_path(path) == Facts()


def test_folder_gives_its_captures_in_order(tmp_path: Path) -> None:
    """A folder gives all files but hidden ones and sidecars; names and suffixes do not matter otherwise."""
    make(
        tmp_path,
        "b.pcap",
        "a",
        "sub/c.txt",
        ".hidden",
        ".git/x",
        "readme.MD",
        "b.pcap.sha256",
        "b.json",
        "__pycache__/x.pyc",
        "z/deep/er/d.cap",
    )
    assert relative(find_sources([tmp_path]), tmp_path) == ["a", "b.pcap", "sub/c.txt", "z/deep/er/d.cap"]
    assert relative(find_sources([tmp_path], recursive=False), tmp_path) == ["a", "b.pcap"]


def test_sidecar_named_itself_is_taken(tmp_path: Path) -> None:
    """What a folder passes over is read when the user names it."""
    make(tmp_path, "capture.json")
    assert relative(find_sources([tmp_path / "capture.json"]), tmp_path) == ["capture.json"]


def test_warehouse_in_the_folder_is_not_read(tmp_path: Path) -> None:
    """The Parquet files of a Delta table are not captures."""
    make(tmp_path, "a.pcap", "caphouse-data/packets/_delta_log/0.json", "caphouse-data/packets/date=2026-01-01/x.parquet")
    assert relative(find_sources([tmp_path]), tmp_path) == ["a.pcap"]


def test_each_capture_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that several words mean comes once, where it was named first."""
    make(tmp_path, "a.pcap", "b.pcap")
    monkeypatch.chdir(tmp_path)
    assert relative(find_sources(["b.pcap", ".", "*.pcap", str(tmp_path / "a.pcap"), "./b.pcap"]), tmp_path) == ["b.pcap", "a.pcap"]


def test_globs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quoted glob means what the shell makes of it, `**` any depth; a folder that it matches is read as a folder."""
    make(tmp_path, "1/a.cap", "1/b.pcap", "2/deep/c.cap", "[x]/d.cap")
    monkeypatch.chdir(tmp_path)
    assert relative(find_sources(["*/*.cap"]), tmp_path) == ["1/a.cap", "[x]/d.cap"]
    assert relative(find_sources(["**/*.cap"]), tmp_path) == ["1/a.cap", "2/deep/c.cap", "[x]/d.cap"]
    assert relative(find_sources([str(tmp_path / "[12]")]), tmp_path) == ["1/a.cap", "1/b.pcap", "2/deep/c.cap"]
    assert relative(find_sources(["[x]"]), tmp_path) == ["[x]/d.cap"], "a name that exists is no pattern"
    monkeypatch.chdir(tmp_path / "[x]")
    assert relative(find_sources(["*.cap"]), tmp_path) == ["[x]/d.cap"]


def test_what_is_missing_is_told_and_the_others_stay(tmp_path: Path) -> None:
    """A path or glob without a file gives a source that says so when it is opened."""
    make(tmp_path, "a.pcap")
    missing, empty, there = find_sources([tmp_path / "no.pcap", tmp_path / "*.nothing", tmp_path / "a.pcap"])
    assert refusal(missing) == f"{tmp_path}/no.pcap: no such file or folder"
    assert refusal(empty) == f"{tmp_path}/*.nothing: no file matches this pattern"
    assert there.open() == tmp_path / "a.pcap"
    assert (there.file_bytes, there.modified_ns) == (len(CONTENT), (tmp_path / "a.pcap").stat().st_mtime_ns)


def test_links(tmp_path: Path) -> None:
    """Links to files and folders are followed, a loop ends, a link to nothing is told."""
    make(tmp_path, "real/a.pcap", "elsewhere.pcap")
    folder = tmp_path / "real"
    (folder / "loop").symlink_to(tmp_path / "real")
    (folder / "self").symlink_to("self")
    (folder / "linked.pcap").symlink_to(tmp_path / "elsewhere.pcap")
    (folder / "nothing").symlink_to("gone")
    sources = find_sources([folder])
    assert relative(sources, folder) == ["a.pcap", "linked.pcap", "nothing", "self"]
    assert refusal(sources[2]).endswith("nothing: a symbolic link to a file that is not there")
    assert "too many levels of symbolic links" in refusal(sources[3])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_folder_and_file_are_told(tmp_path: Path) -> None:
    """A folder or file without permission to read gives one message; its siblings are found."""
    make(tmp_path, "closed/a.pcap", "b.pcap", "c.pcap")
    (tmp_path / "closed").chmod(0)
    (tmp_path / "c.pcap").chmod(0)
    try:
        closed, readable, unreadable = find_sources([tmp_path])
        assert refusal(closed) == f"{tmp_path}/closed: the folder cannot be read: permission denied"
        assert readable.open() == tmp_path / "b.pcap"
        assert refusal(unreadable) == f"{tmp_path}/c.pcap: cannot be opened: permission denied"
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while listing a folder below is one source's problem."""
    make(tmp_path, "a.pcap", "bad/b.pcap", "c.pcap")
    scandir = os.scandir

    def failing(path: str) -> object:
        if path.endswith("bad"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    sources = find_sources([tmp_path])
    assert relative(sources, tmp_path) == ["a.pcap", "bad", "c.pcap"]
    assert refusal(sources[1]) == f"{tmp_path}/bad: the folder cannot be read: permission denied"


def test_special_files(tmp_path: Path) -> None:
    """In a folder, what is no regular file is passed over; named itself, a socket or device is refused and a pipe is a stream."""
    make(tmp_path, "a.pcap")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        assert relative(find_sources([tmp_path]), tmp_path) == ["a.pcap"]
        pipe, sock, device = find_sources([tmp_path / "pipe", tmp_path / "socket", "/dev/zero"])
        assert (pipe.is_stream, pipe.file_bytes, pipe.problem) == (True, None, None)
        assert refusal(sock) == f"{tmp_path}/socket: a socket, not a file or a folder"
        assert refusal(device) == "/dev/zero: a device, not a file or a folder"


def test_pipe_is_read_as_a_stream() -> None:
    """`caphouse ingest <(...)` names a pipe by its descriptor."""
    reader, writer = os.pipe()
    os.write(writer, CONTENT)
    os.close(writer)
    (source,) = find_sources([f"/dev/fd/{reader}"])
    stream = source.open()
    assert not isinstance(stream, Path)
    with stream:
        assert stream.read() == CONTENT
    os.close(reader)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """'-' is standard input, once."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CONTENT)))
    (source,) = find_sources(["-", "-"])
    assert (source.uri, source.display, source.is_stream) == ("-", "standard input", True)
    stream = source.open()
    assert not isinstance(stream, Path)
    assert stream.read() == CONTENT


def test_name_that_is_not_utf8(tmp_path: Path) -> None:
    """A name of any bytes is found and opened; what is stored of it is valid UTF-8."""
    path = os.fsencode(tmp_path) + b"/caf\xe9.pcap"
    try:
        Path(os.fsdecode(path)).write_bytes(CONTENT)
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    (source,) = find_sources([tmp_path])
    assert source.uri == f"{tmp_path}/caf\\xe9.pcap"
    assert source.file_name == "caf\\xe9.pcap"
    opened = source.open()
    assert isinstance(opened, Path)
    assert opened.read_bytes() == CONTENT


def test_file_that_vanishes(tmp_path: Path) -> None:
    """A ring buffer may delete a file between finding and opening it."""
    make(tmp_path, "a.pcap")
    (source,) = find_sources([tmp_path])
    (tmp_path / "a.pcap").unlink()
    with pytest.raises(SourceVanished, match="the file is gone since it was found"):
        source.open()


def test_bad_usage() -> None:
    """No word at all and an unknown scheme stop at once."""
    with pytest.raises(UsageError, match="Nothing to ingest"):
        find_sources([])
    with pytest.raises(UsageError, match="ftp://"):
        find_sources(["ftp://example.org/a.pcap"])
    with pytest.raises(UsageError, match="cannot be a pattern"):
        find_sources(["s3://*/a.pcap"])


def test_sources_can_be_sent_to_a_worker(tmp_path: Path) -> None:
    """A source survives pickling, since files are read in other processes."""
    make(tmp_path, "a.pcap")
    sources = find_sources([tmp_path, tmp_path / "no"])
    assert pickle.loads(pickle.dumps(sources)) == sources  # noqa: S301 - our own bytes


def test_network_watcher_folder(tmp_path: Path) -> None:
    """A downloaded container gives the facts of each file."""
    make(tmp_path, "network-watcher-logs/" + next(iter(NETWORK_WATCHER_PATHS)))
    (source,) = find_sources([tmp_path])
    assert source.facts == Facts("myvm", "myvm", "myresourcegroup", SUBSCRIPTION)


class Bucket:
    """Object storage in a dictionary, behind the parts of `Location` that listing uses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, names: list[str]) -> None:
        import pyarrow.fs as pafs

        from caphouse.warehouse import locations

        self.filesystem = pafs._MockFileSystem()
        for name in names:
            self.filesystem.create_dir(name.rpartition("/")[0], recursive=True)
            with self.filesystem.open_output_stream(name) as stream:
                stream.write(CONTENT)
        monkeypatch.setattr(locations.Location, "filesystem", lambda _: self.filesystem)


def test_blobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URI means its blob, the blobs below it, or those that it matches; their facts come from their names."""
    network_watcher = next(iter(NETWORK_WATCHER_PATHS))
    Bucket(monkeypatch, ["box/x/a.cap", "box/x/y/b.cap", "box/x/y/notes.json", "box/x/.hidden", f"box/{network_watcher}"])

    def uris(*words: str, recursive: bool = True) -> list[str]:
        return [source.uri for source in find_sources(words, recursive=recursive)]

    assert uris("s3://box/x") == ["s3://box/x/a.cap", "s3://box/x/y/b.cap"]
    assert uris("s3://box/x", recursive=False) == ["s3://box/x/a.cap"]
    assert uris("s3://box/x/a.cap") == ["s3://box/x/a.cap"]
    assert uris("s3://box/x/*.cap") == ["s3://box/x/a.cap"]
    assert uris("s3://box/**/*.[bc]ap", "s3://box/x/?.cap") == [f"s3://box/{network_watcher}", "s3://box/x/a.cap", "s3://box/x/y/b.cap"]
    (source,) = find_sources(["s3://box/subscriptions"])
    assert source.facts.vm == "myvm"
    stream = source.open()
    assert not isinstance(stream, Path)
    assert stream.read() == CONTENT
    (missing,) = find_sources(["s3://box/none*"])
    assert refusal(missing) == "s3://box/none*: no blob matches this pattern"
    (missing,) = find_sources(["s3://box/x/none"])
    assert refusal(missing) == "s3://box/x/none: no such blob or folder"


def test_storage_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that cannot be listed is told like a folder that cannot be read."""

    def failing(*_: object, **__: object) -> object:
        raise OSError("When listing: AccessDenied")

    monkeypatch.setattr(Location, "filesystem", failing)
    (source,) = find_sources(["s3://box/x"])
    assert refusal(source) == "s3://box/x: cannot be listed: When listing: AccessDenied"
