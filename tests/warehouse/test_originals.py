"""Originals: what comes out is what went in, under the name that its content gives it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest
from blake3 import blake3

from caphouse.warehouse import originals
from caphouse.warehouse.locations import Location

CONTENTS = {
    "nothing": b"",
    "one byte": b"x",
    "text": b"the same again, " * 10_000,
    "noise": random.Random(1).randbytes(3_000_000),
}


def keep(root: Location, content: bytes, piece: int = 70_001) -> str:
    """Keep some content, handed over in pieces; its id."""
    capture_id = blake3(content).hexdigest()
    with originals.OriginalWriter(root) as writer:
        for begin in range(0, len(content), piece):
            writer.write(memoryview(content)[begin : begin + piece])
        writer.keep(capture_id)
    return capture_id


def files(root: Location) -> list[str]:
    """All files below the folder of the originals, hidden ones too."""
    return sorted(os.path.relpath(path, root.path) for path in Path(root.path, "originals").rglob("*") if path.is_file())


@pytest.fixture
def root(tmp_path: Path) -> Location:
    return Location.parse(tmp_path / "warehouse")


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_what_comes_out_is_what_went_in(root: Location, content: bytes) -> None:
    capture_id = keep(root, content)
    assert files(root) == [f"originals/{capture_id[:2]}/{capture_id}.zst"]
    original = originals.open_original(root, capture_id)
    assert original is not None
    with original:
        assert original.read() == content
    assert originals.exists(root, capture_id)
    assert originals.is_intact(root, capture_id)
    assert [(found, entry.location.path) for found, entry in originals.kept(root)] == [
        (capture_id, originals.location(root, capture_id).path)
    ]


def test_any_zstd_can_read_them(root: Location) -> None:
    """Also without caphouse, here by the decoder of another library."""
    capture_id = keep(root, CONTENTS["text"])
    with pa.input_stream(originals.location(root, capture_id).path, compression="zstd") as stream:
        assert stream.read() == CONTENTS["text"]


def test_keeping_the_same_twice_keeps_one(root: Location) -> None:
    assert keep(root, b"abc") == keep(root, b"abc")
    assert len(files(root)) == 1


def test_what_is_not_kept_leaves_nothing(root: Location) -> None:
    with originals.OriginalWriter(root) as writer:
        writer.write(memoryview(b"abc"))
    with suppress(RuntimeError), originals.OriginalWriter(root) as writer:
        writer.write(memoryview(b"abc"))
        raise RuntimeError
    assert files(root) == []
    assert list(originals.kept(root)) == []


def test_there_may_be_none(root: Location) -> None:
    assert originals.open_original(root, "0" * 64) is None
    assert not originals.exists(root, "0" * 64)
    assert not originals.is_intact(root, "0" * 64)
    assert list(originals.kept(root)) == []
    assert originals.sweep(root, []) == []
    originals.remove(root, "0" * 64)


@pytest.mark.parametrize("place", [0, 4, 1000, -1, None], ids=["magic", "header", "middle", "checksum", "cut"])
def test_damage_is_noticed(root: Location, place: int | None) -> None:
    capture_id = keep(root, CONTENTS["noise"])
    path = Path(originals.location(root, capture_id).path)
    data = bytearray(path.read_bytes())
    if place is None:
        del data[-100:]
    else:
        data[place] ^= 0x55
    path.write_bytes(data)
    assert not originals.is_intact(root, capture_id)


def test_removing(root: Location) -> None:
    first, second = keep(root, b"a"), keep(root, b"b")
    originals.remove(root, first)
    assert [capture_id for capture_id, _ in originals.kept(root)] == [second]


def test_sweeping_takes_what_no_capture_refers_to_and_no_ingest_is_writing(root: Location) -> None:
    kept, gone, fresh = keep(root, b"a"), keep(root, b"b"), keep(root, b"c")
    part = Path(root.path, "originals", ".dead.part")
    part.write_bytes(b"x")
    long_ago = time.time() - 2 * 86_400
    for path in (originals.location(root, kept).path, originals.location(root, gone).path, part):
        os.utime(path, (long_ago, long_ago))
    expected = {originals.location(root, gone).path, str(part)}
    assert {entry.location.path for entry in originals.sweep(root, [kept], dry_run=True)} == expected
    assert len(files(root)) == 4
    assert {entry.location.path for entry in originals.sweep(root, [kept])} == expected
    assert {capture_id for capture_id, _ in originals.kept(root)} == {kept, fresh}


def test_a_killed_writer_leaves_no_original(root: Location) -> None:
    program = (
        "import os, sys; from caphouse.warehouse import originals; from caphouse.warehouse.locations import Location\n"
        "writer = originals.OriginalWriter(Location.parse(sys.argv[1])); writer.write(memoryview(bytes(10_000_000))); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program, root.path], check=False)
    assert list(originals.kept(root)) == []
    assert len(files(root)) == 1
    assert len(originals.sweep(root, [], age_seconds=0)) == 1
    assert files(root) == []


@pytest.mark.parametrize(
    ("path", "is_original"),
    [
        (f"originals/ab/ab{'0' * 62}.zst", True),
        (f"/warehouse/originals/ab/ab{'0' * 62}.zst", True),
        (f"/warehouse/originals/ab{'0' * 62}.zst", False),
        ("/warehouse/originals/ab/x.zst", False),
        ("/captures/originals/x.pcap.zst", False),
    ],
)
def test_paths_of_originals(path: str, *, is_original: bool) -> None:
    assert bool(originals.IS_ORIGINAL.search(path)) == is_original
