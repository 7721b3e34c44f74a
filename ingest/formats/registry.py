"""What a capture format declares about itself. The registry is the folder: every module in it that has a `FORMATS` is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import Reader

if TYPE_CHECKING:
    from ..content import Content


@dataclass(frozen=True, slots=True)
class Format:
    """A capture format, or a variant of one.

    Attributes:
        name: What people call it, for messages.
        magic: Bytes that its files begin with.
        open: Makes a reader that stands at the beginning of the content; raises `UnsupportedFormat` for a version that is not read.
    """

    name: str
    magic: bytes
    open: Callable[[Content], Reader]
