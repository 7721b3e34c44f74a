"""Capture formats, one file each, picked by what a file begins with and never by its name.

A format is a module here that declares `FORMATS`; nothing lists them. What none of them knows is converted by Wireshark's editcap where
that is installed (see `conversion`).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from ...warehouse.errors import EmptyCapture
from .base import Reader
from .registry import Format

if TYPE_CHECKING:
    from ..content import Content

_USUAL = ("pcap", "pcapng")
"""The formats that nearly all captures have."""

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


def _formats() -> Iterator[Format]:
    """All formats in this folder, those of most files first; the module of each is loaded when its turn comes."""
    for name in _names():
        yield from getattr(importlib.import_module(f".{name}", __package__), "FORMATS", ())


@cache
def _names() -> tuple[str, ...]:
    return tuple(sorted((module.name for module in pkgutil.iter_modules(__path__)), key=lambda name: name not in _USUAL))
