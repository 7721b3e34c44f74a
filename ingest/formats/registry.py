"""What a capture format declares about itself. The registry is the folder: every module in it that has `FORMATS` is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from .base import Reader

if TYPE_CHECKING:
    from ..content import Content


class Recognise(Protocol):
    """See `Format.recognise`."""

    def __call__(self, head: bytes, *, whole: bool) -> bool:
        """Whether a file that begins with `head`, and ends with it where `whole`, is of the format."""
        ...


class Format(NamedTuple):
    """A capture format, or a variant of one.

    Attributes:
        name: What people call it.
        open: Makes a reader that stands at the beginning of the content; raises `UnsupportedFormat` for a version that is not read.
        magic: Bytes that its files begin with; empty for a format without a magic number.
        recognise: For those: tells from a file's first bytes if it is one, and from whether they are the `whole` of it.
    """

    name: str
    open: Callable[[Content], Reader]
    magic: bytes = b""
    recognise: Recognise | None = None
