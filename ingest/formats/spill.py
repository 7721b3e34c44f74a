"""A private temporary copy of a capture, for formats that cannot be read front to back and for programs that want a file."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np

from ...warehouse.errors import CaptureError, reason
from ..content import Content
from .base import PADDING_BYTES
from .records import Bytes

COPIED_BYTES = 4 << 20
"""Bytes that are copied in one go."""


def copy_content(content: Content, file: IO[bytes]) -> int:
    """Write all that is left of the content to `file`; gives the number of bytes.

    Raises:
        CaptureError: The content cannot be read.
        OSError: There is no room for it; see `room_is_told`.
    """
    size = 0
    while (window := content.window(1, COPIED_BYTES)).size:
        file.write(window.buffer[: window.size].data)
        content.advance(window.size)
        size += window.size
    file.flush()
    return size


def no_room(content: Content, why: str) -> CaptureError:
    """What to raise where the folder for temporary files is full: nothing of the capture counts, and it can be read another time."""
    place = tempfile.tempdir or "the folder for temporary files"
    return CaptureError(f"a temporary copy of it cannot be written to {place}: {why}", source=content.name)


@contextmanager
def room_is_told(content: Content) -> Iterator[None]:
    """Tell what goes wrong with temporary files; around the opening of a file, because closing it writes, too.

    Raises:
        CaptureError: There is no room, or no such folder.
    """
    try:
        yield
    except OSError as error:
        raise no_room(content, reason(error)) from error


@contextmanager
def mapped_copy(content: Content) -> Iterator[tuple[Bytes, int]]:
    """The whole content as an array, from a file without a name that is gone as soon as nothing refers to the array.

    Gives uint8[n + PADDING_BYTES], and n. Mapping is safe here, other than for the capture itself: nobody else can cut this file.

    Raises:
        CaptureError: The content cannot be read, or there is no room for it.
    """
    with room_is_told(content), tempfile.TemporaryFile() as file:
        size = copy_content(content, file)
        file.truncate(size + PADDING_BYTES)
        yield np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), dtype=np.uint8), size
