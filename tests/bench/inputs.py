"""The captures that are measured: one large one, and the same packets in other forms. They are kept between runs."""

from __future__ import annotations

import gzip
import itertools
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .make_capture import Packet, pcap, pcapng

SMALL_CAPTURES = 1000
SMALL_PACKETS = 500

SHORT_SNAP = 96

_GLOBAL_HEADER = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")
_MICROSECONDS = 0xA1B2C3D4


@dataclass(frozen=True)
class Inputs:
    """Where captures are kept, and the large one that the others are made from.

    Attributes:
        folder: Holds what is made here.
        large: A classic pcap, little-endian, in microseconds.
    """

    folder: Path
    large: Path

    def packets(self) -> Iterator[Packet]:
        """The packets of the large capture."""
        return read_pcap(self.large)

    def pcapng(self) -> Path:
        """The same packets as pcapng."""
        return self._made("large.pcapng", lambda file: _write(file, pcapng(self.packets())))

    def short(self) -> Path:
        """The same packets, of each only the first bytes."""
        return self._made(f"large-{SHORT_SNAP}.pcap", lambda file: _write(file, pcap(self.packets(), SHORT_SNAP)))

    def gzipped(self) -> Path:
        """The large capture compressed with gzip at its usual level."""
        return self._made("large.pcap.gz", self._compress)

    def many(self) -> Path:
        """A folder with small captures, cut from the large one: each has other packets, as captures do."""
        folder = self.folder / f"many-{SMALL_CAPTURES}x{SMALL_PACKETS}"
        if not folder.exists():
            making = folder.with_name(folder.name + ".making")
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir(parents=True)
            endless = itertools.chain.from_iterable(self._shifted(turn) for turn in itertools.count())
            for number in range(SMALL_CAPTURES):
                _write(making / f"{number:04}.pcap", pcap(itertools.islice(endless, SMALL_PACKETS)))
            making.rename(folder)
        return folder

    def _shifted(self, hours: int) -> Iterator[Packet]:
        """The packets again, some hours later: as many as are asked for, and never the same capture twice."""
        return (Packet(packet.time_us + hours * 3_600_000_000, packet.frame) for packet in self.packets())

    def _compress(self, path: Path) -> None:
        with self.large.open("rb") as source, gzip.open(path, "wb", compresslevel=6) as target:
            shutil.copyfileobj(source, target, 1 << 20)

    def _made(self, name: str, make: Callable[[Path], None]) -> Path:
        path = self.folder / name
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            making = path.with_name(name + ".making")
            make(making)
            making.rename(path)
        return path


def generated(folder: Path, connections: int, seed: int) -> Inputs:
    """Inputs from the capture that `make_capture` makes."""
    here = folder / f"{connections}-{seed}"
    large = here / "large.pcap"
    if not large.exists():
        here.mkdir(parents=True, exist_ok=True)
        making = large.with_name("large.making")
        # In a process of its own: what this one has ever used would count for each that it starts.
        subprocess.run([sys.executable, "-m", "bench.make_capture", making, str(connections), str(seed)], check=True, stdout=sys.stderr)
        making.rename(large)
    return Inputs(here, large)


def read_pcap(path: Path) -> Iterator[Packet]:
    """Packets of a classic pcap.

    Raises:
        ValueError: It is none, or not little-endian in microseconds.
    """
    with path.open("rb") as file:
        header = file.read(_GLOBAL_HEADER.size)
        if len(header) < _GLOBAL_HEADER.size or _GLOBAL_HEADER.unpack(header)[0] != _MICROSECONDS:
            message = f"{path} is no little-endian pcap in microseconds: the other forms cannot be made from it"
            raise ValueError(message)
        while len(record := file.read(_RECORD.size)) == _RECORD.size:
            seconds, microseconds, captured, _ = _RECORD.unpack(record)
            yield Packet(seconds * 1_000_000 + microseconds, file.read(captured))


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(pieces)
