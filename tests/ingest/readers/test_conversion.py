"""Formats that editcap converts."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from blake3 import blake3
from made_captures import Packet, pcap, read, tshark

from caphouse.ingest.formats.conversion import ConvertedReader
from caphouse.warehouse.errors import CaptureError, UnsupportedFormat

EDITCAP = shutil.which("editcap")
needs_editcap = pytest.mark.skipif(
    None in {EDITCAP, shutil.which("captype"), shutil.which("tshark")}, reason="editcap, captype or tshark is not installed"
)

TYPES = ["5views", "lanalyzer", "ngsniffer", "ngwsniffer_1_1", "ngwsniffer_2_0", "visual"]


def converted_to(file_type: str, tmp_path: Path, packets: tuple[Packet, ...]) -> Path:
    """A capture in a format that is not read here, made by editcap itself."""
    (tmp_path / "in.pcap").write_bytes(pcap(packets))
    out = tmp_path / "out"
    subprocess.run(["editcap", "-F", file_type, str(tmp_path / "in.pcap"), str(out)], check=True, capture_output=True)
    return out


@needs_editcap
@pytest.mark.parametrize("file_type", TYPES)
def test_a_round_trip(file_type: str, tmp_path: Path) -> None:
    packets = tuple(Packet(1_259_000_000 + number, 4000, bytes(range(60 + number))) for number in range(5))
    path = converted_to(file_type, tmp_path, packets)
    capture = read(path)
    assert isinstance(capture.reader, ConvertedReader)
    assert capture.reader.format == file_type
    assert "dumpcap" not in capture.reader.converted_by
    assert capture.reader.converted_by.startswith("Editcap")
    assert capture.data == [packet.data for packet in packets]
    assert [frame[:3] for frame in capture.frames] == tshark(path)
    assert capture.digest == blake3(path.read_bytes()).hexdigest()
    assert capture.reader.state.info.capture_application is None


@needs_editcap
def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    assert len(read(converted_to("visual", tmp_path, (Packet(), Packet()))).frames) == 2
    with pytest.raises(UnsupportedFormat):
        read(b"\x05VNF" + bytes(100))
    assert list(folder.iterdir()) == []


@needs_editcap
@pytest.mark.parametrize("file_type", TYPES)
def test_a_capture_cut_short_keeps_its_first_packets(file_type: str, tmp_path: Path) -> None:
    path = converted_to(file_type, tmp_path, tuple(Packet(data=bytes(100)) for _ in range(10)))
    path.write_bytes(path.read_bytes()[:-60])
    capture = read(path)
    assert 0 < len(capture.frames) < 10
    assert [frame[:3] for frame in capture.frames] == tshark(path)
    assert capture.kinds == ["cut-short"]


@needs_editcap
@pytest.mark.parametrize("content", [bytes(range(256)) * 10, b"plain text\n" * 50, b'{"json": 1}', b"\xff\xfe" + bytes(10)])
def test_what_wireshark_does_not_know_is_refused(content: bytes) -> None:
    with pytest.raises(UnsupportedFormat, match=r"not a capture|cannot convert"):
        read(content)


def fake_editcap(folder: Path, script: str) -> None:
    path = folder / "editcap"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_an_editcap_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caphouse.ingest.formats.conversion.LEAST_SECONDS", 0.3)
    fake_editcap(tmp_path, "exec sleep 60")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin:/bin")
    monkeypatch.setattr("caphouse.ingest.formats.conversion._file_type", lambda _path: None)
    with pytest.raises(CaptureError, match="did not convert"):
        read(b"btsnoop\0" + bytes(100))


def test_an_editcap_that_writes_nonsense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_editcap(tmp_path, "echo nonsense; echo 'editcap: broken' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin:/bin")
    monkeypatch.setattr("caphouse.ingest.formats.conversion._file_type", lambda _path: None)
    with pytest.raises(UnsupportedFormat, match="broken"):
        read(b"btsnoop\0" + bytes(100))
