"""Mutates captures of every format and compression and checks what must hold whatever comes in.

A long run, by hand, with tshark as a judge of which frames must be there:

    PYTHONPATH=tests python -m fuzz.readers --cases 100000 --tshark
"""

from __future__ import annotations

import argparse
import gzip
import lzma
import random
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import lz4.frame
import zstandard
from made_captures import Frame, NetMonFrame, Packet, Pcapng, erf_record, netmon, pcap, read, snoop, tshark

from caphouse.ingest.formats import records
from caphouse.warehouse.errors import CaptureError, EmptyCapture, UnsupportedFormat

MOST_SECONDS = 20.0
"""For one case; of processor time, so that it does not matter what else the machine does."""
NUMBERS = (0, 1, 2, 4, 8, 12, 15, 16, 27, 28, 31, 32, 0x7F, 0xFF, 0xFFFF, 262_144, 262_145, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
MAGICS = (
    b"\n\r\r\n",
    b"\x4d\x3c\x2b\x1a",
    b"\x1a\x2b\x3c\x4d",
    b"\xd4\xc3\xb2\xa1",
    b"\6\0\0\0",
    b"\0\0\0\6",
    b"\1\0\0\0",
    b"\x1f\x8b\x08\0",
    b"\x28\xb5\x2f\xfd",
)


def seeds() -> dict[str, bytes]:
    """A small capture of each kind."""
    packets = [Packet(1_600_000_000 + number, number, bytes([number]) * (number * 13 % 120)) for number in range(30)]
    made = {}
    for order in "<>":
        made[f"pcap {order}"] = pcap(packets, order=order)
        ng = Pcapng(order)
        section = ng.section((1, b"comment"), (3, b"os")) + ng.interface(1, 96, (2, b"eth0"), (9, b"\x09")) + ng.interface(113)
        blocks = b"".join(ng.packet(packet.data, interface=number % 2) for number, packet in enumerate(packets))
        others = (
            ng.obsolete_packet(b"old", drops=1)
            + ng.simple_packet(b"simple")
            + ng.block(0x0BAD, bytes(12))
            + ng.statistics(0, (4, ng.count(5)))
        )
        journal = ng.block(9, b"MESSAGE=x\n__REALTIME_TIMESTAMP=1600000000123456\n")
        made[f"pcapng {order}"] = section + blocks + others + journal + section + blocks
    made["nsecpcap"] = pcap(packets, magic=0xA1B23C4D)
    made["modpcap"] = pcap(packets, magic=0xA1B2CD34, record_extra=bytes(8))
    made["nokiapcap"] = pcap(packets, record_extra=b"abcd")
    made["pcap of ERF"] = pcap([Packet(data=erf_record(packet.data)) for packet in packets], network=197)
    made["pcap of PPP"] = pcap(packets, network=204)
    made["snoop"] = snoop(packets)
    made["erf"] = b"".join(erf_record(packet.data, extensions=bytes(8 * (number % 3))) for number, packet in enumerate(packets))
    frames = [NetMonFrame(number * 10, packet.data) for number, packet in enumerate(packets)]
    made |= {f"netmon {version}": netmon(frames, version=version) for version in [(1, 1), (2, 0), (2, 3)]}
    made |= {
        "gzip": gzip.compress(made["pcapng <"]) + gzip.compress(made["pcapng >"]),
        "zstd": zstandard.compress(made["pcap <"]) + zstandard.compress(b"more"),
        "lz4": lz4.frame.compress(made["pcapng >"]),
        "xz": lzma.compress(made["snoop"]),
    }
    return made


def mutate(rng: random.Random, content: bytes, other: bytes) -> bytes:  # noqa: C901 - one small function per kind of change
    """`content`, changed in one to five ways."""
    data = bytearray(content)

    def flip(at: int) -> None:
        data[at] ^= 1 << rng.randrange(8)

    def number(at: int) -> None:
        struct.pack_into(rng.choice("<>") + "I", data, min(at & ~3, len(data) - 4), rng.choice(NUMBERS))

    def cut(at: int) -> None:
        del data[at:]

    def remove(at: int) -> None:
        del data[at : at + rng.choice((1, 3, 4, 16, 100))]

    def insert(at: int) -> None:
        data[at:at] = rng.choice((b"x", bytes(16), b"\xff" * 7, rng.randbytes(rng.randrange(60)), rng.choice(MAGICS)))

    def overwrite(at: int) -> None:
        piece = rng.choice((rng.choice(MAGICS), rng.randbytes(rng.randrange(1, 20))))
        data[at : at + len(piece)] = piece

    def splice(at: int) -> None:
        start = rng.randrange(len(other))
        data[at:at] = other[start : start + rng.randrange(200)]

    def repeat(at: int) -> None:
        data[at:at] = data[at : at + rng.randrange(200)] * rng.randrange(1, 4)

    ways: tuple[Callable[[int], None], ...] = (flip, flip, number, number, cut, remove, insert, overwrite, splice, repeat)
    for _ in range(rng.randint(1, 5)):
        if len(data) > 8:
            rng.choice(ways)(rng.randrange(len(data)))
    return bytes(data)


def outcome(content: bytes, most: int) -> list[Frame] | str:
    """The frames, or the name of the error that says why there are none. Anything else that is raised is a bug."""
    try:
        return read(content, most=most).frames
    except (UnsupportedFormat, EmptyCapture) as error:
        return type(error).__name__


def check(content: bytes, rng: random.Random) -> list[Frame] | str:
    """Read `content` in several ways, all of which must give the same."""
    began = time.process_time()
    lanes, records.LANE_BYTES, records.GUESS_BYTES = (records.LANE_BYTES, records.GUESS_BYTES), 128, 128
    try:
        in_lanes = outcome(content, 1 << 20)
    finally:
        records.LANE_BYTES, records.GUESS_BYTES = lanes
    assert in_lanes == outcome(content, rng.randrange(1, 300)), "read in other pieces it is something else"
    assert time.process_time() - began < MOST_SECONDS, "it takes too long"
    return in_lanes


def cases(seed: int) -> Iterator[tuple[int, str, bytes, random.Random]]:
    """Number, name of the seed, content and randomness of each case, without end."""
    made = seeds()
    names = list(made)
    number = seed
    while True:
        rng = random.Random(number)
        name = rng.choice(names)
        yield number, name, mutate(rng, made[name], made[rng.choice(names)]), rng
        number += 1


def missing_frames(content: bytes, frames: list[Frame] | str, folder: Path) -> str | None:
    """What tshark reads and we do not; times apart, because tshark's overflow."""
    path = folder / "case"
    path.write_bytes(content)
    theirs = [(frame.wire_length, frame.captured_length) for frame in tshark(path)]
    ours = [] if isinstance(frames, str) else [(frame.wire_length, frame.captured_length) for frame in frames]
    return None if ours[: len(theirs)] == theirs else f"tshark reads {len(theirs)} frames, and not the same {len(ours)}"


def main(arguments: list[str]) -> int:
    """Run cases until one fails; that one is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tshark", action="store_true", help="compare with tshark; its other choices show up, too")
    options = parser.parse_args(arguments)
    if options.tshark and shutil.which("tshark") is None:
        parser.error("tshark is not installed")
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, name, content, rng in cases(options.seed):
            if number >= options.seed + options.cases:
                break
            try:
                frames = check(content, rng)
                said = missing_frames(content, frames, Path(folder)) if options.tshark else None
            except (Exception, CaptureError) as error:  # noqa: BLE001 - whatever it is, it is a find
                said = repr(error)
            if said is not None:
                failures += 1
                print(f"case {number} ({name}): {said}")  # noqa: T201 - a script
    print(f"{options.cases} cases, {failures} to look at")  # noqa: T201 - a script
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
