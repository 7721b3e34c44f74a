"""Captures for workers to fight over: of many days and sizes, some packed, some in the middle of being written."""

from __future__ import annotations

import gzip
import random
import struct
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from written_captures import HEADER, record

DAY_NS = 86_400_000_000_000
PRUNED_DAYS = 40
"""Captures of this age lose their packets to `prune --older-than 30d --packets-only`."""
GONE_DAYS = 100
"""Captures of this age go by `prune --older-than 90d`, and come back by the next ingest."""

FLAGS = (0x02, 0x12, 0x10, 0x18, 0x18, 0x11, 0x11, 0x10)
"""TCP flags of a short connection, SYN to the last ACK; even places are the client's."""


@dataclass
class Made:
    """The captures.

    Attributes:
        folder: Where they are.
        packets: Packets by file name: what was written, not what anybody has read.
        ages: Age in days by file name.
        growing: Names of files that are still written to, and the records that they lack.
    """

    folder: Path
    packets: dict[str, int] = field(default_factory=dict)
    ages: dict[str, int] = field(default_factory=dict)
    growing: dict[str, list[bytes]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """All files."""
        return list(self.packets)

    def grow(self, chance: random.Random) -> bool:
        """Write some more of a file, cut at any byte; False when all are complete."""
        open_ = [name for name, rest in self.growing.items() if rest]
        if not open_:
            return False
        name = chance.choice(open_)
        rest = self.growing[name]
        count = chance.randint(1, max(1, len(rest) // 4))
        data, self.growing[name] = b"".join(rest[:count]), rest[count:]
        with (self.folder / name).open("ab", buffering=0) as file:
            if self.growing[name]:
                cut = chance.randrange(len(data))
                file.write(data[:cut])
                self.growing[name].insert(0, data[cut:])
            else:
                file.write(data)
        return True

    def complete(self) -> None:
        """Write the rest of all files."""
        for name, rest in self.growing.items():
            with (self.folder / name).open("ab") as file:
                file.write(b"".join(rest))
            rest.clear()


def make(folder: Path, count: int, seed: int, now_ns: int | None = None) -> Made:
    """Write captures; none has the content of another.

    Args:
        folder: Where to write them.
        count: How many.
        seed: Of their sizes.
        now_ns: From when their ages count.
    """
    folder.mkdir(parents=True)
    chance = random.Random(seed)
    now_ns = time.time_ns() if now_ns is None else now_ns
    made = Made(folder)
    for number in range(count):
        age = GONE_DAYS if number % 12 == 7 else PRUNED_DAYS if number % 8 == 3 else number % 6 + 1
        start_ns = now_ns - age * DAY_NS
        records = [
            record(1_000 * number + index, number % 250, start_ns) if index % 3 else b""
            for index in range(chance.choice((3, 30, 30, 100, 300, 900)))
        ]
        records = [item for item in records if item]
        for connection in range(chance.choice((0, 1, 5))):
            records += _connection(number, connection, start_ns + 3_600_000_000_000)
        name = f"{number:04}.pcap"
        if number % 10 == 9:
            (folder / f"{name}.gz").write_bytes(gzip.compress(HEADER + b"".join(records), mtime=0))
            name = f"{name}.gz"
        elif number % 25 == 2:
            (folder / name).write_bytes(HEADER + records[0])
            made.growing[name] = records[1:]
        else:
            (folder / name).write_bytes(HEADER + b"".join(records))
        made.packets[name] = len(records)
        made.ages[name] = age
    return made


def _connection(capture: int, number: int, start_ns: int) -> list[bytes]:
    """The records of a TCP connection to port 80."""
    client, server = bytes([10, 1, capture % 250, number + 1]), bytes([192, 0, 2, 1 + capture % 9])
    sent = [1000 * capture, 7]
    records = []
    for place, flags in enumerate(FLAGS):
        from_server = place % 2
        data = b"x" * 50 if flags == 0x18 else b""
        ports = (80, 2000 + number) if from_server else (2000 + number, 80)
        tcp = struct.pack(">HHIIBBHHH", *ports, sent[from_server], sent[1 - from_server], 0x50, flags, 64_000, 0, 0) + data
        sent[from_server] += len(data) + (flags & 0x03 != 0)
        ends = (server, client) if from_server else (client, server)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), place, 0, 64, 6, 0, *ends)
        frame = bytes.fromhex("020000000002020000000001 0800") + ip + tcp
        seconds, nanoseconds = divmod(start_ns + (10 * number + place) * 1_000_000, 1_000_000_000)
        records.append(struct.pack("<IIII", seconds, nanoseconds, len(frame), len(frame)) + frame)
    return records


def by_age(made: Made, names: Sequence[str] | None = None) -> Counter[int]:
    """How many captures there are of each age."""
    return Counter(made.ages[name] for name in (made.names if names is None else names))
