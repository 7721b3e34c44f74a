"""The programs that caphouse is measured beside, where they are installed."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .measure import Command
from .scores import Wanted

FIELDS = (
    "frame.number frame.time_epoch frame.len frame.cap_len frame.protocols eth.src eth.dst vlan.id ip.version ip.src ip.dst ip.proto "
    "ip.ttl ip.id ip.dsfield.dscp ip.frag_offset ipv6.src ipv6.dst tcp.srcport tcp.dstport udp.srcport udp.dstport tcp.flags tcp.seq_raw "
    "tcp.ack_raw tcp.window_size_value tcp.len tcp.stream udp.stream tcp.analysis.initial_rtt"
).split()
"""30 fields, about what the table `packets` keeps."""

_NFSTREAM = """
import sys
from nfstream import NFStreamer

print(sum(1 for _ in NFStreamer(sys.argv[1], statistical_analysis=False, n_dissections=0)))
"""
"""nfstream brings pandas, which would slow down whatever shares an environment with it: it has one of its own, whose interpreter is
on the PATH as `nfstream-python`."""


@dataclass(frozen=True)
class Peer:
    """A program to compare with.

    Attributes:
        name: What the table calls it.
        needs: Programs that must be on the PATH.
        arguments: The process for a capture.
        wanted: The ratio to it: its wall time by ours where it does the like, ours by its where it does much less.
    """

    name: str
    needs: tuple[str, ...]
    arguments: Callable[[Path], list[str]]
    wanted: Wanted

    def missing(self) -> list[str]:
        """What it needs and is not there."""
        return [need for need in self.needs if shutil.which(need) is None]

    def command(self, capture: Path) -> Command:
        """The process that is timed."""
        return Command(self.name, self.arguments(capture))


def _statistic(name: str) -> Callable[[Path], list[str]]:
    return lambda capture: ["tshark", "-n", "-q", "-r", str(capture), "-z", name]


def _fields(capture: Path) -> list[str]:
    return ["tshark", "-n", "-r", str(capture), "-T", "fields", *(argument for field in FIELDS for argument in ("-e", field))]


def _argus(capture: Path) -> list[str]:
    return ["sh", "-c", f"argus -r {shlex.quote(str(capture))} -w - | ra -r -"]


def _nfstream(capture: Path) -> list[str]:
    return ["nfstream-python", "-c", _NFSTREAM, str(capture)]


PEERS = (
    Peer("capinfos -c", ("capinfos",), lambda capture: ["capinfos", "-c", str(capture)], Wanted(9, 5)),
    Peer(f"tshark -T fields, {len(FIELDS)} fields", ("tshark",), _fields, Wanted(15, 30, "x", more=True)),
    Peer("tshark -q -z io,phs", ("tshark",), _statistic("io,phs"), Wanted(3, 6, "x", more=True)),
    Peer("tshark -q -z conv,tcp", ("tshark",), _statistic("conv,tcp"), Wanted(3, 6, "x", more=True)),
    Peer("nfstream, no statistics", ("nfstream-python",), _nfstream, Wanted(3, 5, "x", more=True)),
    Peer("argus | ra", ("argus", "ra"), _argus, Wanted(1.3, 0.8)),
)
