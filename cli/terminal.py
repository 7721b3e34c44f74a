"""Text from captures made safe to show: nothing in it may steer a terminal."""

from __future__ import annotations

import sys
import unicodedata

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escapes() -> dict[int, str]:
    """Escapes of the control characters (C0, DEL, C1), line separators and those that reorder or hide text."""
    table = {}
    controls = (*range(0x20), *range(0x7F, 0xA0))
    invisible = (0xAD, 0x61C, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF)
    for code in controls + invisible:
        character = chr(code)
        table[code] = _NAMED.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
    return table


_TABLE = _escapes()


def safe(text: str) -> str:
    r"""Returns `text` with each character that could steer a terminal, or hide what is written, as an escape such as `\\x1b`."""
    if text.isascii() and text.isprintable():
        return text
    shown = text.translate(_TABLE)
    return "".join(c if unicodedata.category(c) not in {"Cs", "Co", "Cn"} else f"\\U{ord(c):08x}" for c in shown)


def say(message: str) -> None:
    """Tells the user something, on standard error."""
    sys.stderr.write(safe(message) + "\n")
