"""A private temporary copy of a capture, for formats that cannot be read front to back and for programs that want a file."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np

from ...warehouse.errors import CaptureError
from ..content import Content
from .base import PADDING_BYTES
from .records import Bytes

COPIED_BYTES = 4 << 20
"""Bytes that are copied in one go."""


def copy_content(content: Content, file: IO[bytes]) -> int:
    """Write all that is left of the content to `file`; gives the number of bytes.

    Raises:
        CaptureError: The content cannot be read, or there is no room for it.
    """
    size = 0
    while (window := content.window(1, COPIED_BYTES)).size:
        try:
            file.write(window.buffer[: window.size].data)
        except OSError as error:
            raise CaptureError(f"a temporary copy of it cannot be written: {error.strerror or error}", source=content.name) from error
        content.advance(window.size)
        size += window.size
    return size


@contextmanager
def mapped_copy(content: Content) -> Iterator[tuple[Bytes, int]]:
    """The whole content as an array, from a file without a name that is gone as soon as nothing refers to the array.

    Gives uint8[n + PADDING_BYTES], and n. Mapping is safe here, other than for the capture itself: nobody else can cut this file.

    Raises:
        CaptureError: As `copy_content`.
    """
    with tempfile.TemporaryFile() as file:
        size = copy_content(content, file)
        try:
            file.truncate(size + PADDING_BYTES)
            file.flush()
        except OSError as error:
            raise CaptureError(f"a temporary copy of it cannot be written: {error.strerror or error}", source=content.name) from error
        yield np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), dtype=np.uint8), size
