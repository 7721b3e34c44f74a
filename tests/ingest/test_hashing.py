"""The hash is that of all bytes in their order, whoever computes it and whatever pieces they come in."""

from __future__ import annotations

import random
import time

import pytest
from blake3 import blake3

from caphouse.ingest import hashing
from caphouse.ingest.hashing import Hash

CONTENT = random.Random(1).randbytes(300_000)


@pytest.mark.parametrize("aside", [False, True])
@pytest.mark.parametrize("piece", [1_000, 65_536, 300_000])
def test_any_pieces(monkeypatch: pytest.MonkeyPatch, *, aside: bool, piece: int) -> None:
    monkeypatch.setattr(hashing, "ASIDE_BYTES", 100_000)
    found = Hash(aside=aside)
    for begin in range(0, len(CONTENT), piece):
        found.add(memoryview(CONTENT)[begin : begin + piece])
        if begin // piece % 3 == 0:
            found.hand_over()
        if begin // piece % 7 == 0:
            assert found.hexdigest() == blake3(CONTENT[: begin + piece]).hexdigest()
    assert found.hexdigest() == blake3(CONTENT).hexdigest()
    found.close()


@pytest.mark.parametrize("aside", [False, True])
def test_what_is_settled_may_be_overwritten(monkeypatch: pytest.MonkeyPatch, *, aside: bool) -> None:
    update = Hash._update

    def update_late(self: Hash, parts: list[memoryview]) -> None:
        time.sleep(0.02)
        update(self, parts)

    monkeypatch.setattr(hashing, "ASIDE_BYTES", 100_000)
    monkeypatch.setattr(Hash, "_update", update_late)
    found, buffer = Hash(aside=aside), bytearray(100_000)
    for begin in range(0, len(CONTENT), len(buffer)):
        buffer[:] = CONTENT[begin : begin + len(buffer)]
        found.add(memoryview(buffer))
        found.settle()
    assert found.hexdigest() == blake3(CONTENT).hexdigest()


def test_nothing() -> None:
    """The hash of no bytes, as BLAKE3's own test vectors have it."""
    assert Hash(aside=True).hexdigest() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
