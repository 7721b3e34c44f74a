"""Names for what is not read here, told by what a file begins with, so that a refusal says what the file is."""

from __future__ import annotations

CAPTURES = {
    b"btsnoop\0": "Symbian OS btsnoop",
    b"XCP\0": "Network General Sniffer (Windows)",
    b"VL\0\0": "NetXRay 1.0",
    b"TRSNIFF data    \x1a": "Network General Sniffer (DOS)",
    b"\xaa\xaa\xaa\xaa": "InfoVista 5View",
    b"\x05VNF": "Visual Networks",
    b"TR\0d\0": "HP-UX nettl",
    b"ObserverPktBuffe": "Viavi Observer",
    b"iptrace ": "AIX iptrace",
    b"\x7fver\0": "Savvius *Peek",
    b"LOGG": "Vector BLF",
    b"\0\0\2\0\x12\5\0\x10": "Tektronix K12xx",
    b"\x01\x10L\0": "Novell LANalyzer",
}
"""Captures that Wireshark reads."""

OTHERS = {
    b"\x89PNG\r\n": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF-": "a PDF document",
    b"PK\3\4": "a ZIP archive",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!\x1a\7": "a RAR archive",
    b"MSCF": "a cabinet archive",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"SQLite format 3\0": "an SQLite database",
    b"PAR1": "a Parquet file",
    b"ElfFile\0": "a Windows event log",
    b"\x1f\x9d": "a file compressed with compress",
    b"<!doctype html": "HTML",
    b"<html": "HTML",
    b"<?xml": "XML",
}
"""What lies beside captures, and is none; letters in lower case stand for either case."""
TAR_MAGIC, TAR_MAGIC_AT = b"ustar", 257
TEXT_BYTES = 512
_TEXT = frozenset({*b"\t\n\r\f\x1b", *range(32, 127), *range(128, 256)})


def name_of_capture(head: bytes) -> str | None:
    """Name of the capture format that a file beginning with `head` is in, where it is one that Wireshark reads by a magic number."""
    return next((name for magic, name in CAPTURES.items() if head.startswith(magic)), None)


def name_of_other(head: bytes) -> str | None:
    """What a file beginning with `head` is, where that is certainly no capture."""
    lower = head[:32].lower()
    found = next(
        (name for magic, name in OTHERS.items() if head.startswith(magic) or (magic[:1] == b"<" and lower.startswith(magic))), None
    )
    if found is None and head[TAR_MAGIC_AT : TAR_MAGIC_AT + len(TAR_MAGIC)] == TAR_MAGIC:
        return "a tar archive"
    return found


def looks_like_text(head: bytes) -> bool:
    """Whether there are only such bytes at the beginning as text has."""
    return _TEXT.issuperset(head[:TEXT_BYTES])
