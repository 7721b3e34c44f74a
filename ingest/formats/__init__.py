"""Capture formats, one file each, picked by magic number and never by the file's name.

A format is a module here that declares `FORMATS`; nothing lists them.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

from ...warehouse.errors import EmptyCapture, UnsupportedFormat
from .base import Reader
from .registry import Format

if TYPE_CHECKING:
    from ..content import Content

HEAD_BYTES = 4096


def open_reader(content: Content) -> Reader:
    """Make the reader for a capture by what it begins with.

    Raises:
        EmptyCapture: There is not one byte.
        UnsupportedFormat: No reader here knows it; the message names the format where that can be told.
        CaptureError: The content cannot be read.
    """
    window = content.window(HEAD_BYTES, HEAD_BYTES)
    if window.size == 0:
        raise EmptyCapture("the file is empty", source=content.name)
    head = window.buffer[: window.size].tobytes()
    for format_ in _formats():
        if head.startswith(format_.magic):
            return format_.open(content)
    raise UnsupportedFormat("not a capture format that is known here", source=content.name, offset=0)


@cache
def _formats() -> tuple[Format, ...]:
    """All formats in this folder, those with the longest magic number first."""
    modules = [importlib.import_module(f".{module.name}", __package__) for module in pkgutil.iter_modules(__path__)]
    found = [format_ for module in modules for format_ in getattr(module, "FORMATS", ())]
    return tuple(sorted(found, key=lambda format_: len(format_.magic), reverse=True))
