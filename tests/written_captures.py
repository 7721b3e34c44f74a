"""Captures written byte by byte, as tcpdump writes them: at once, piece by piece, and file after file."""

from __future__ import annotations

import errno
import io
import os
import struct
import threading
import time
from pathlib import Path
from typing import Any

START_NS = 1_790_000_000_000_000_000
"""2026-09-21 13:33:20 UTC."""

HEADER = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)
"""Classic pcap, little-endian, nanoseconds, Ethernet."""


def frame(number: int, host: int = 1, payload: int = 100) -> bytes:
    """A UDP datagram to the discard port; no two numbers give the same bytes."""
    data = struct.pack(">Q", number) * (payload // 8)
    udp = struct.pack(">HHHH", 1024 + number % 60_000, 9, 8 + len(data), 0) + data
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number & 0xFFFF, 0, 64, 17, 0, bytes([10, 0, 0, host]), bytes([10, 9, 9, 9]))
    return bytes.fromhex("020000000002020000000001 0800") + ip + udp


def record(number: int, host: int = 1, start_ns: int = START_NS) -> bytes:
    """A record of classic pcap: packet `number`, a millisecond after the one before."""
    data = frame(number, host)
    seconds, nanoseconds = divmod(start_ns + number * 1_000_000, 1_000_000_000)
    return struct.pack("<IIII", seconds, nanoseconds, len(data), len(data)) + data


def pcap(first: int, last: int, host: int = 1, start_ns: int = START_NS) -> bytes:
    """A capture of the packets `first` to `last - 1`."""
    return HEADER + b"".join(record(number, host, start_ns) for number in range(first, last))


class BadSector(io.FileIO):
    """A file that cannot be read from some byte on."""

    def __init__(self, path: Path, offset: int) -> None:
        super().__init__(path)
        self._offset = offset

    def readinto(self, buffer: Any) -> int:
        left = self._offset - self.tell()
        if left <= 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().readinto(memoryview(buffer)[:left]) or 0


class RotatingWriter(threading.Thread):
    """Writes as `tcpdump -G` does: buffered, so that files end in the middle of a record at most moments, the next one begun when the
    last is closed.

    Args:
        folder: Where to write.
        seconds: How long each file is written.
        files: How many files to write.
        packets_per_second: How fast.
    """

    def __init__(self, folder: Path, *, seconds: float, files: int, packets_per_second: int = 500) -> None:
        super().__init__()
        self._folder = folder
        self._seconds = seconds
        self._files = files
        self._rate = packets_per_second
        self.packets: dict[str, int] = {}

    def run(self) -> None:
        """Write all files."""
        number = 0
        for index in range(self._files):
            name = f"x_20261123_1200{index:02}.pcap"
            end = time.monotonic() + self._seconds
            began = number
            with (self._folder / name).open("wb", buffering=4096) as file:
                file.write(HEADER)
                while time.monotonic() < end:
                    for _ in range(max(1, self._rate // 100)):
                        file.write(record(number))
                        number += 1
                    time.sleep(0.01)
            self.packets[name] = number - began
