"""What a file is, by what it begins with and never by its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_captures import NetMonFrame, Packet, Pcapng, erf_record, netmon, pcap, read, snoop

from caphouse.ingest.formats import _formats, foreign
from caphouse.ingest.formats.link_types import NAMES, largest_packet, link_type_name
from caphouse.warehouse.errors import EmptyCapture, UnsupportedFormat

MADE = Pcapng()
CAPTURES = {
    "pcap": pcap(),
    "pcapng": MADE.section() + MADE.interface() + MADE.packet(),
    "snoop": snoop(),
    "erf": erf_record(bytes(60)),
    "netmon1": netmon([NetMonFrame()], version=(1, 1)),
    "netmon2": netmon([NetMonFrame()]),
}


@pytest.mark.parametrize("name", CAPTURES)
def test_names_do_not_matter(name: str, tmp_path: Path) -> None:
    path = tmp_path / "capture.txt"
    path.write_bytes(CAPTURES[name])
    assert read(path).reader.format == name


def test_nothing_is_empty() -> None:
    with pytest.raises(EmptyCapture):
        read(b"")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG"),
        (b"PK\3\4" + bytes(30), "ZIP"),
        (b"%PDF-1.7\n", "PDF"),
        (b"<!DOCTYPE html><html></html>", "HTML"),
        (b"<HTML>", "HTML"),
        (b'<?xml version="1.0"?>', "XML"),
        (b"SQLite format 3\0" + bytes(100), "SQLite"),
        (b"\x7fELF\2\1\1", "program"),
        (bytes(257) + b"ustar\0" + bytes(300), "tar"),
    ],
)
def test_what_is_no_capture_is_refused_by_name(content: bytes, name: str) -> None:
    with pytest.raises(UnsupportedFormat, match=f"{name}.*not a capture"):
        read(content)


def test_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnsupportedFormat, match="text, not a capture"):
        read(b"Just some words, and more of them.\n")


@pytest.mark.parametrize("magic", foreign.CAPTURES)
def test_captures_of_other_programs_are_refused_by_name_without_editcap(magic: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnsupportedFormat, match="editcap -F pcapng") as caught:
        read(magic + bytes(100))
    assert foreign.CAPTURES[magic] in str(caught.value)


def test_magic_numbers_do_not_hide_each_other() -> None:
    magics = [format_.magic for format_ in _formats() if format_.magic]
    assert len(magics) == len(set(magics))
    assert not [(one, other) for one in magics for other in magics if one != other and one.startswith(other)]
    others = [*foreign.CAPTURES, *foreign.OTHERS]
    assert not [(one, other) for one in magics for other in others if one.startswith(other) or other.startswith(one)]


def test_every_variant_of_pcap_has_two_byte_orders() -> None:
    assert sum(format_.name == "pcap" for format_ in _formats()) == 10


def test_link_type_names() -> None:
    assert [link_type_name(number) for number in (0, 1, 12, 101, 113, 228, 4711, -1)] == [
        "NULL",
        "ETHERNET",
        "RAW",
        "RAW",
        "LINUX_SLL",
        "IPV4",
        "LINKTYPE_4711",
        "NONE",
    ]
    assert all(name.replace("_", "").isalnum() and name == name.upper() for name in NAMES.values())
    assert largest_packet(1) == 262_144
    assert largest_packet(249) == 134_217_728


def test_a_capture_of_one_packet_behind_a_name_that_lies(tmp_path: Path) -> None:
    path = tmp_path / "capture.pcapng"
    path.write_bytes(pcap([Packet(data=b"x")]))
    assert read(path).data == [b"x"]
