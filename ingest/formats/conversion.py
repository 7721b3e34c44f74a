"""Formats that only Wireshark knows: its editcap converts them, where it is installed.

The converted capture is a private temporary file without a name. What is identified by its hash is the content as it was found.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Iterator
from functools import cache
from typing import IO, BinaryIO, cast

from ...warehouse.errors import CaptureError, UnsupportedFormat
from ..compression import detect
from ..content import Content, open_content
from .base import PacketBatch, Problem, Reader
from .foreign import looks_like_text, name_of_capture, name_of_other
from .pcap import PcapReader
from .pcapng import PcapngReader
from .spill import copy_content, no_room, room_is_told

TARGETS: dict[str, type[PcapReader | PcapngReader]] = {"nsecpcap": PcapReader, "pcapng": PcapngReader}
"""What editcap is asked for, in this order. pcapng holds more, but gets the times of many formats cut to microseconds."""
LEAST_SECONDS = 60.0
BYTES_PER_SECOND = 1 << 20
"""editcap is stopped when it takes longer than the minute and what this speed allows."""
NO_CAPTURES = frozenset({"unknown", "mime", "json"})
"""What captype calls files without packets."""
UNWRITTEN = re.compile(r"no space left|disk quota|while writing|full write")
"""In what editcap says when the fault is not the capture's. What was converted by then must not pass for all of it.

Source: Wireshark, ui/failure_message.c, `cfile_write_failure_message`.
"""


class ConvertedReader:
    """Reads what editcap made of a capture; see `base.Reader`. Record offsets are those in the converted file.

    Attributes:
        format: Wireshark's name of the capture's format.
        converted_by: The program and its version.
    """

    def __init__(self, reader: Reader, content: Content, format_: str, converted_by: str) -> None:
        self.format = format_
        self.converted_by = converted_by
        self.state = reader.state
        self._reader = reader
        self._close = weakref.finalize(self, content.close)

    def batches(self) -> Iterator[PacketBatch]:
        """See `base.Reader`."""
        yield from self._reader.batches()
        self.state.info.capture_application = None  # that would be editcap
        self._close()


def convert(content: Content, head: bytes) -> Reader:
    """Convert a capture that begins with `head`.

    Raises:
        UnsupportedFormat: It is no capture that editcap can convert, or editcap is not installed.
        CaptureError: It cannot be read or copied, or editcap takes too long.
    """
    if (packed := detect(head)) is not None:
        raise UnsupportedFormat(f"{packed} within {content.compression}, packed twice; unpack it once", source=content.name, offset=0)
    if (other := name_of_other(head)) is not None:
        raise UnsupportedFormat(f"{other}, not a capture", source=content.name, offset=0)
    name = name_of_capture(head) or ("text" if looks_like_text(head) else None)
    editcap = shutil.which("editcap")
    if editcap is None:
        what = (
            "an unknown format" if name is None else "text, not a capture in a format" if name == "text" else f"a {name} capture, a format"
        )
        advice = "if Wireshark opens it, convert it ('editcap -F pcapng IN OUT') or install editcap, which is then used"
        raise UnsupportedFormat(f"{what} that is not read here; {advice}", source=content.name, offset=0)
    with room_is_told(content), tempfile.NamedTemporaryFile(prefix="caphouse-") as copy:
        copy.write(head)
        copy.flush()
        kind = _file_type(copy.name)
        if kind in NO_CAPTURES:
            raise UnsupportedFormat(
                "text, not a capture" if name == "text" else "not a capture that Wireshark knows", source=content.name, offset=0
            )
        copy.seek(0)
        return _run(editcap, content, copy, kind or name or "unknown")


def _run(editcap: str, content: Content, copy: IO[bytes], kind: str) -> Reader:
    """Let editcap convert a copy of the content, made in the file `copy`, and read what comes out."""
    size = copy_content(content, copy)
    complaint = ""
    for target, reader_class in TARGETS.items():
        converted = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the reader
        try:
            done = _call([editcap, "-F", target, copy.name, "-"], converted, LEAST_SECONDS + size / BYTES_PER_SECOND)
        except subprocess.TimeoutExpired as error:
            converted.close()
            raise CaptureError(f"editcap did not convert it ({kind}) in {error.timeout:.0f} s", source=content.name) from error
        except OSError as error:
            converted.close()
            raise CaptureError(f"editcap cannot be run: {error.strerror or error}", source=content.name) from error
        complaint = _complaint(done.stderr, copy.name)
        if done.returncode and UNWRITTEN.search(complaint):
            converted.close()
            raise no_room(content, f"editcap says: {complaint}")
        if done.returncode == 0 or _has_packets(converted, reader_class, content.name):
            converted.seek(0)
            inner = open_content(cast("BinaryIO", converted), name=content.name, hash_content=False)
            reader = reader_class(inner)
            if complaint:
                kind_of_problem = "cut-short" if "cut short" in complaint else "damaged"
                reader.state.problems.append(Problem(0, f"editcap says: {complaint}", kind=kind_of_problem))
            return ConvertedReader(reader, inner, kind, _version(editcap))
        converted.close()
    raise UnsupportedFormat(f"editcap cannot convert it ({kind}): {complaint}", source=content.name, offset=0)


def _has_packets(converted: IO[bytes], reader_class: type[PcapReader | PcapngReader], name: str) -> bool:
    """Whether there is at least one packet in a converted file."""
    converted.seek(0)
    content = open_content(cast("BinaryIO", converted), name=name, hash_content=False)
    return any(len(batch) for batch in reader_class(content).batches())


def _file_type(path: str) -> str | None:
    """The format of a file by captype's name for it; None where captype is not installed or says something else."""
    captype = shutil.which("captype")
    if captype is None:
        return None
    try:
        answer = _call([captype, path]).stdout.decode(errors="replace").strip()
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.removeprefix(f"{path}: ") if answer.startswith(f"{path}: ") else None


@cache
def _version(editcap: str) -> str:
    """What editcap calls itself, such as 'Editcap (Wireshark) 4.0.17'."""
    try:
        first_line = _call([editcap, "--version"]).stdout.decode(errors="replace").partition("\n")[0]
    except (OSError, subprocess.TimeoutExpired):
        return "editcap"
    return first_line.partition(" (Git")[0].strip().rstrip(".") or "editcap"


def _call(
    command: list[str], stdout: IO[bytes] | int = subprocess.PIPE, timeout: float = LEAST_SECONDS
) -> subprocess.CompletedProcess[bytes]:
    """Run a program of Wireshark's, with times that a file states without a time zone taken as UTC, and messages in English."""
    return subprocess.run(  # noqa: S603 - no shell, and all names are ours
        command,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, "TZ": "UTC", "LC_ALL": "C"},
        timeout=timeout,
        check=False,
    )


def _complaint(stderr: bytes, path: str) -> str:
    """What editcap says is wrong, in one line and without the name of the copy."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if "This could be dangerous" not in line]
    return " ".join(line for line in lines if line).replace(f' "{path}"', "").removeprefix("editcap: ")
