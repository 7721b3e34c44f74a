"""Everything caphouse raises on purpose.

    CaphouseError
    ├── UsageError              the request makes no sense (exit code 2)
    ├── CaptureError            one capture could not be read; the others go on (exit code 3)
    │   ├── UnsupportedFormat   a known or unknown format that is not read here
    │   ├── EmptyCapture        not one byte in it
    │   └── SourceVanished      the file or blob was removed or replaced while it was read
    └── WarehouseError          the warehouse itself cannot be used (exit code 4)
        ├── WarehouseNotFound   nothing there
        └── WarehouseConflict   concurrent writers kept getting in the way

A damaged capture raises nothing: what is readable is kept and the damage becomes a `Problem` in its row of `captures`.
"""

from __future__ import annotations

import os
import re


class CaphouseError(Exception):
    """Base of all; its text is one sentence for people, with what, where and what to do next."""


class UsageError(CaphouseError):
    """The request makes no sense as it was put."""


class CaptureError(CaphouseError):
    """One capture could not be read at all.

    Args:
        message: What is wrong, without the file's name.
        source: Path or URI of the capture, as the user gave it.
        offset: Byte offset in the uncompressed content, when one byte is to blame.
    """

    def __init__(self, message: str, *, source: str | None = None, offset: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.offset = offset

    def __str__(self) -> str:
        where = f"{self.source}: " if self.source else ""
        at = f" (at byte {self.offset:,})" if self.offset is not None else ""
        return f"{where}{self.message}{at}"


class UnsupportedFormat(CaptureError):
    """The magic number belongs to a format that is not read here, or to none that is known."""


class EmptyCapture(CaptureError):
    """The capture holds not one byte."""


class SourceVanished(CaptureError):
    """The file or blob was removed, replaced or cut while it was read."""


class WarehouseError(CaphouseError):
    """The warehouse cannot be used."""


class WarehouseNotFound(WarehouseError):
    """There is no warehouse at that place."""


class WarehouseConflict(WarehouseError):
    """Other writers committed first, more often than the bounded retries allow."""


LONGEST_REASON = 300


def reason(error: BaseException) -> str:
    """What another library says went wrong, fit to be shown in one of our sentences.

    Args:
        error: Its exception; the text may span lines, colour them, quote a server's XML, and name addresses with a signature in them.

    Returns:
        One line without control characters and without the queries of addresses, not too long.
    """
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()  # the number, the call and the path say nothing that the sentence does not
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    text = re.sub(r"(\w+://[^\s?]+)\?\S*", r"\1", text)
    code = re.search(r"<Code>(\w+)</Code>", text)
    text = re.sub(r"<\?xml.*", f"({code[1]})" if code else "", text, flags=re.DOTALL)
    words = "".join(letter if letter.isprintable() else " " for letter in text).split()
    line = " ".join(word for word in words if word != "\u21b3").rstrip(".")
    return line if len(line) <= LONGEST_REASON else line[:LONGEST_REASON] + " ..."
