"""Capture formats, one file each, picked by what a file begins with and never by its name.

A format is a module here that declares `FORMATS`; nothing lists them. What none of them knows is converted by Wireshark's editcap where
that is installed (see `conversion`).
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

from ...warehouse.errors import EmptyCapture
from .base import Reader
from .registry import Format

if TYPE_CHECKING:
    from ..content import Content

HEAD_BYTES = 1 << 16
"""Bytes that are looked at to tell a format without a magic number."""


def open_reader(content: Content) -> Reader:
    """Make the reader for a capture.

    Raises:
        EmptyCapture: There is not one byte.
        UnsupportedFormat: No reader here knows it, nor does editcap, or that is not installed; the message names the format where that
            can be told.
        CaptureError: The content cannot be read.
    """
    window = content.window(HEAD_BYTES, HEAD_BYTES)
    if window.size == 0:
        raise EmptyCapture("the file is empty", source=content.name)
    head = window.buffer[: window.size].tobytes()
    for format_ in _formats():
        if format_.magic and head.startswith(format_.magic):
            return format_.open(content)
    for format_ in _formats():
        if format_.recognise is not None and format_.recognise(head, whole=window.last):
            return format_.open(content)
    from .conversion import convert  # needs formats itself

    return convert(content, head)


@cache
def _formats() -> tuple[Format, ...]:
    """All formats in this folder, those with the longest magic number first."""
    modules = [importlib.import_module(f".{module.name}", __package__) for module in pkgutil.iter_modules(__path__)]
    found = [format_ for module in modules for format_ in getattr(module, "FORMATS", ())]
    return tuple(sorted(found, key=lambda format_: len(format_.magic), reverse=True))
