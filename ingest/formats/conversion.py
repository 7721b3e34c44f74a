"""Formats that are not read here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...warehouse.errors import UnsupportedFormat
from .base import Reader

if TYPE_CHECKING:
    from ..content import Content


def convert(content: Content, head: bytes) -> Reader:
    """Placeholder."""
    raise UnsupportedFormat("not a capture format that is known here", source=content.name, offset=0)
