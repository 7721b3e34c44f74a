"""Compressed captures: every container, members in a row, what follows, damage, bombs."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import lz4.frame
import pytest
import zstandard
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from made_captures import PACKETS, Pipe, pcap, read

from caphouse.ingest import compression
from caphouse.ingest.content import Content, open_content
from caphouse.warehouse.errors import UnsupportedFormat

RANDOM = random.Random(1)
DATA = RANDOM.randbytes(50_000) + bytes(70_000) + b"text " * 5_000 + RANDOM.randbytes(20_000)


def zstd_in_blocks(data: bytes) -> bytes:
    """With a checksum, no stated size, and a window of its own."""
    compressor = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False)
    stream = compressor.compressobj()
    parts = [
        stream.compress(data[start : start + 30_000]) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        for start in range(0, len(data), 30_000)
    ]
    return b"".join([*parts, stream.flush()])


COMPRESS: dict[str, list[Callable[[bytes], bytes]]] = {
    "gzip": [gzip.compress, lambda data: gzip.compress(data, compresslevel=0)],
    "zstd": [zstandard.compress, zstd_in_blocks],
    "lz4": [lz4.frame.compress, lambda data: lz4.frame.compress(data, block_linked=False, content_checksum=True)],
    "bz2": [bz2.compress],
    "xz": [lzma.compress],
}
ALL = [(name, number) for name, functions in COMPRESS.items() for number in range(len(functions))]


def all_of(data: bytes, most: int = 1 << 20) -> tuple[bytes, Content]:
    parts = []
    with open_content(Pipe(data, most), name="made") as content:
        while (window := content.window(1, 1 << 16)).size:
            parts.append(window.buffer[: window.size].tobytes())
            content.advance(window.size)
        assert content.digest() == blake3(b"".join(parts)).hexdigest()
    return b"".join(parts), content


@pytest.mark.parametrize(("name", "number"), ALL)
@pytest.mark.parametrize("most", [1 << 20, 100])
def test_every_container(name: str, number: int, most: int) -> None:
    data, content = all_of(COMPRESS[name][number](DATA), most)
    assert data == DATA
    assert content.compression == name
    assert content.problems == []


@pytest.mark.parametrize(("name", "number"), ALL)
def test_members_in_a_row(name: str, number: int) -> None:
    compress = COMPRESS[name][number]
    data, content = all_of(compress(b"one") + compress(b"") + compress(DATA))
    assert data == b"one" + DATA
    assert content.problems == []


def test_skippable_frames() -> None:
    skippable = b"\x5a\x2a\x4d\x18\x05\0\0\0hello"
    for name in ("zstd", "lz4"):
        compress = COMPRESS[name][0]
        data, content = all_of(compress(b"one") + skippable + compress(b"two") + skippable)
        assert (data, content.problems) == (b"onetwo", [])
        assert all_of(skippable + compress(b"one"))[0] == b"one"


@pytest.mark.parametrize(("name", "number"), ALL)
def test_zeros_behind_the_data_are_no_problem(name: str, number: int) -> None:
    data, content = all_of(COMPRESS[name][number](DATA) + bytes(1000))
    assert data == DATA
    assert content.problems == []


@pytest.mark.parametrize(("name", "number"), ALL)
@pytest.mark.parametrize("garbage", [b"x", b"garbage" * 1000, b"\0\0\0x"])
def test_garbage_behind_the_data_is_a_problem(name: str, number: int, garbage: bytes) -> None:
    data, content = all_of(COMPRESS[name][number](DATA) + garbage)
    assert data == DATA
    (problem,) = content.problems
    assert problem.kind == "damaged"
    assert "follows" in problem.reason
    assert problem.offset == len(DATA)


@pytest.mark.parametrize(("name", "number"), ALL)
def test_cut_anywhere(name: str, number: int) -> None:
    whole = COMPRESS[name][number](DATA)
    for size in {*range(10, 30), *range(10, len(whole), len(whole) // 13), *range(len(whole) - 12, len(whole))}:
        data, content = all_of(whole[:size])
        assert DATA.startswith(data)
        assert [problem.kind for problem in content.problems] == ["cut-short"], size
    assert len(all_of(whole[:-1])[0]) > len(DATA) // 4


@pytest.mark.parametrize(("name", "number"), ALL)
def test_damage_keeps_what_came_before(name: str, number: int) -> None:
    whole = bytearray(COMPRESS[name][number](DATA))
    middle = len(whole) // 2
    whole[middle : middle + 20] = bytes(byte ^ 0xFF for byte in whole[middle : middle + 20])
    data, content = all_of(bytes(whole))
    if [problem.kind for problem in content.problems] != ["damaged"]:
        # Containers without a checksum may not notice; then there are as many bytes as there should be.
        assert name in {"lz4", "zstd"}
        assert content.problems == []
        assert len(data) == len(DATA)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(ALL), st.lists(st.tuples(st.integers(4, 2000), st.integers(0, 255)), min_size=1, max_size=4))
def test_nothing_raises(which: tuple[str, int], changes: list[tuple[int, int]]) -> None:
    name, number = which
    whole = bytearray(COMPRESS[name][number](b"some data " * 30 + DATA[:1000]))
    for position, value in changes:
        whole[position % len(whole)] = value
    all_of(bytes(whole))


@pytest.mark.parametrize(("name", "number"), ALL)
def test_memory_is_bounded_whatever_a_bomb_holds(name: str, number: int) -> None:
    if (name, number) == ("gzip", 1):
        pytest.skip("level 0 stores: no bomb can be made with it")
    bomb = COMPRESS[name][number](bytes(32 << 20))
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    with open_content(Pipe(bomb), name="bomb", hash_content=False) as content:
        size = 0
        while (window := content.window(1, 1 << 20)).size:
            size += window.size
            content.advance(window.size)
            del window
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == 32 << 20
    assert peak < 15 << 20


@pytest.mark.parametrize("name", COMPRESS)
def test_time_is_bounded_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a size that is read in any case, content of so many times what it was compressed to is not read on; real captures are."""
    monkeypatch.setattr(compression, "ALWAYS_BYTES", 1 << 20)
    bomb = max((pack(bytes(64 << 20)) for pack in COMPRESS[name]), key=lambda packed: -len(packed))
    expansion = (64 << 20) // len(bomb) // 4
    assert expansion > 10
    with open_content(Pipe(bomb + b"more"), name="bomb", max_expansion=expansion) as content:
        content.digest()
        [problem] = content.problems
        assert problem.kind == "damaged"
        assert f"more than {expansion} times its size" in problem.reason
        assert (1 << 20) < content.content_bytes < 40 << 20
    with open_content(Pipe(bomb), name="bomb", max_expansion=None) as content:
        content.digest()
        assert (content.content_bytes, content.problems) == (64 << 20, [])
    monkeypatch.setattr(compression, "ALWAYS_BYTES", 1)
    with open_content(Pipe(COMPRESS[name][0](pcap(PACKETS))), name="capture", max_expansion=250) as content:
        content.digest()
        assert content.problems == []


def test_what_is_packed_twice_is_told(tmp_path: Path) -> None:
    path = tmp_path / "twice.pcap.gz.gz"
    path.write_bytes(gzip.compress(gzip.compress(pcap(PACKETS))))
    with pytest.raises(UnsupportedFormat, match="gzip within gzip, packed twice"):
        read(path)


def test_xz_that_needs_too_much_memory_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]
    compressor = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=[{**filters[0], "dict_size": 1 << 20}])
    small = compressor.compress(b"x" * 100) + compressor.flush()
    data, content = all_of(small)
    assert (len(data), content.problems) == (100, [])
    compression_limit = compression.XZ_MEMORY_BYTES
    assert compression_limit < 1 << 30


def test_without_isal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "isal", ModuleType("isal"))
    whole = gzip.compress(b"one") + gzip.compress(DATA)
    assert all_of(whole, 1000)[0] == b"one" + DATA
    assert [problem.kind for problem in all_of(whole[:-5])[1].problems] == ["cut-short"]
    assert [problem.kind for problem in all_of(whole + b"x")[1].problems] == ["damaged"]
    deflated = zlib.compressobj(9, zlib.DEFLATED, 31)
    assert len(all_of(deflated.compress(bytes(20 << 20)) + deflated.flush())[0]) == 20 << 20


@pytest.mark.parametrize("name", COMPRESS)
def test_a_compressed_capture_is_the_same_capture(name: str, tmp_path: Path) -> None:
    path = tmp_path / "made.pcap"
    path.write_bytes(COMPRESS[name][0](pcap()))
    plain, packed = read(pcap()), read(path)
    assert packed.frames == plain.frames
    assert packed.digest == plain.digest
    assert packed.content.file_bytes == path.stat().st_size
    assert packed.content.size is None


def test_a_capture_cut_inside_its_container_keeps_its_packets() -> None:
    whole = gzip.compress(pcap(PACKETS * 1000), compresslevel=1)
    capture = read(whole[: len(whole) // 2])
    assert 100 < len(capture.frames) < 4000
    assert [problem.kind for problem in capture.content.problems] == ["cut-short"]


@pytest.mark.parametrize("most", [1 << 20, 300, 100, 50, 7])
@pytest.mark.parametrize("name", ["gzip", "xz"])
def test_damage_after_the_data_costs_none_of_it_however_the_source_cuts_its_pieces(name: str, most: int) -> None:
    """Found by the fuzzer: the last byte was lost where it and the damage met in one call."""
    whole = bytearray(COMPRESS[name][0](DATA[:3000]))
    whole[{"gzip": -8, "xz": -20}[name]] ^= 0xFF
    data, content = all_of(bytes(whole), most)
    assert data == DATA[:3000]
    assert [problem.kind for problem in content.problems] == ["damaged"]


class _OneWay(Pipe):
    """A pipe that cannot be read again, where what was lost with a damaged piece stays lost."""

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("name", ["gzip", "lz4", "bz2", "xz"])
def test_damage_at_the_end_costs_little_of_a_pipe_and_nothing_of_a_file(name: str) -> None:
    data = bytes(1_000_000) + RANDOM.randbytes(100) + bytes(1_000_000)
    whole = bytearray(COMPRESS[name][-1](data))
    whole[-{"gzip": 8, "lz4": 4, "bz2": 4, "xz": 20}[name]] ^= 0xFF
    for source, lost in ((Pipe(bytes(whole)), 0), (_OneWay(bytes(whole)), compression.LOST_BYTES)):
        with open_content(source, name="made") as content:
            content.digest()
            assert len(data) - lost <= content.content_bytes <= len(data)
            assert [problem.kind for problem in content.problems] == ["damaged"]
