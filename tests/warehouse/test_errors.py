"""What other libraries say is made fit to be shown."""

from __future__ import annotations

import pytest

from caphouse.warehouse.errors import reason

STORAGE = """Kernel error -> Generic MicrosoftAzure error
          \x1b[31m\u21b3\x1b[0m GET https://acc.example/box?comp=list&sig=S3CRET in 1ms
            \x1b[31m\u21b3\x1b[0m 404 Not Found
             <?xml version="1.0" encoding="utf-8"?>
<Error><Code>ContainerNotFound</Code><Message>No.\nTime:2026</Message></Error>
"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            STORAGE,
            "Kernel error -> Generic MicrosoftAzure error GET https://acc.example/box in 1ms 404 Not Found (ContainerNotFound)",
        ),
        ("No space left on device.", "No space left on device"),
        ("a\x07b\x1b]0;title\x07c\r\nd", "a b ]0;title c d"),
        ("x" * 1000, "x" * 300 + " ..."),
        ("", ""),
    ],
)
def test_one_clean_line(text: str, shown: str) -> None:
    assert reason(OSError(text)) == shown
