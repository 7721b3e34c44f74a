"""tshark, run afresh on a capture, with reassembly off as caphouse does none."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from . import printed
from .model import Capture, Ends, Frame, Handshake, Ports
from .oracle import nanoseconds
from .paths import NETWORKS, TRANSPORTS, before_quote, names, to_transport

OPTIONS = ("-n", "-o", "tcp.desegment_tcp_streams:FALSE", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE")

FAMILY = {"tcp": "tcp", "udp": "udp", "udplite": "udp", "sctp": "sctp", "dccp": "dccp"}
"""The name in frame.protocols, and the prefix of its port fields."""

FIELDS = (
    "frame.time_epoch frame.len frame.cap_len frame.interface_id frame.protocols ip.src ip.dst ipv6.src ipv6.dst tcp.srcport tcp.dstport "
    "udp.srcport udp.dstport sctp.srcport sctp.dstport dccp.srcport dccp.dstport tcp.stream tcp.flags tcp.analysis.ack_rtt "
    "tcp.analysis.initial_rtt"
).split()

TITLES = {
    "io,phs": "Protocol Hierarchy Statistics",
    "dests,tree": "IPv4 Statistics/Destinations and Ports",
    "ipv6_dests,tree": "IPv6 Statistics/Destinations and Ports",
    "conv,tcp": "TCP Conversations",
}
"""What each statistic begins with."""

SYN_ACK = 0x12


def version() -> str | None:
    """The version of the tshark on the PATH; None without one."""
    if shutil.which("tshark") is None:
        return None
    said = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True).stdout
    return said.split()[2].rstrip(".")


def run(capture: Path) -> Capture:
    """All that is compared of one capture, said by the tshark that is installed."""
    frames: list[Frame] = []
    handshakes: dict[int, Handshake] = {}
    rows = Rows(capture)
    for row in rows:
        frame = _frame(row)
        frames.append(frame)
        if frame.tcp_stream is not None:
            _note_handshake(handshakes, frame.tcp_stream, row)
    text = _statistics(capture)
    return Capture(
        frames=frames,
        handshakes=handshakes,
        destinations=printed.destinations(text["dests,tree"]),
        destinations_v6=printed.destinations(text["ipv6_dests,tree"]),
        hierarchy=printed.hierarchy(text["io,phs"]),
        conversations=printed.conversations(text["conv,tcp"]),
        damaged=rows.damaged,
    )


def innermost(stored: Capture, capture: Path) -> Capture:
    """A stored description with the addresses and ports of the innermost and the quoted headers filled in, where it holds none."""
    unknown = {index for index, frame in enumerate(stored.frames) if None in {frame.inner, frame.ports, frame.quoted_ports}}
    if not unknown:
        return stored
    for index, row in enumerate(Rows(capture)):
        if index in unknown:
            frame = _frame(row)
            stored.frames[index] = stored.frames[index]._replace(inner=frame.inner, ports=frame.ports, quoted_ports=frame.quoted_ports)
    return stored


class Rows:
    """The fields of each frame by their names, all occurrences.

    Attributes:
        damaged: Whether tshark gave up before the end of the file; known after the last row.
    """

    def __init__(self, capture: Path) -> None:
        self._capture = capture
        self.damaged = False

    def __iter__(self) -> Iterator[dict[str, list[str]]]:
        fields = [argument for field in FIELDS for argument in ("-e", field)]
        # Two passes, because a first one prints the initial RTT on few frames only.
        command = ["tshark", *OPTIONS, "-2", "-r", str(self._capture), "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,", *fields]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                values = line.rstrip("\n").split("\t")
                yield {field: value.split(",") if value else [] for field, value in zip(FIELDS, values, strict=True)}
        self.damaged = process.returncode != 0


def _statistics(capture: Path) -> dict[str, str]:
    """The text of each statistic by its name; one process prints them all."""
    names = [argument for name in TITLES for argument in ("-z", name)]
    said = subprocess.run(["tshark", *OPTIONS, "-q", "-r", str(capture), *names], capture_output=True, text=True, check=False).stdout
    pieces = re.split(f"^({'|'.join(map(re.escape, TITLES.values()))}).*$", said, flags=re.MULTILINE)
    by_title = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    return {name: by_title.get(title, "") for name, title in TITLES.items()}


def _frame(row: dict[str, list[str]]) -> Frame:
    path = names("".join(row["frame.protocols"]))
    lower = to_transport(path)
    interface, stream = row["frame.interface_id"], row["tcp.stream"]
    networks = [index for index, name in enumerate(lower) if name in NETWORKS]
    transports = [index for index, name in enumerate(lower) if name in TRANSPORTS]
    quoted = next((index for index, name in enumerate(path) if index >= len(before_quote(path)) and name in TRANSPORTS), None)
    return Frame(
        ts_ns=nanoseconds("".join(row["frame.time_epoch"])),
        wire_length=int(row["frame.len"][0]),
        captured_length=int(row["frame.cap_len"][0]),
        interface_id=int(interface[0]) if interface else None,
        path=path,
        outer=_ends(row, path, networks[0]) if networks else (None, None),
        inner=_ends(row, path, networks[-1]) if networks else (None, None),
        ports=_ports(row, path, transports[-1]) if transports else (None, None),
        quoted_ports=_ports(row, path, quoted) if quoted is not None else (None, None),
        tcp_stream=int(stream[0]) if stream and "tcp" in lower else None,
    )


def _ends(row: dict[str, list[str]], path: Sequence[str], index: int) -> Ends:
    """Addresses of the IP header at `index` in the path: as many of its kind come before it as occurrences of the field."""
    before = path[:index].count(path[index])
    return _occurrence(row[f"{path[index]}.src"], before), _occurrence(row[f"{path[index]}.dst"], before)


def _ports(row: dict[str, list[str]], path: Sequence[str], index: int) -> Ports:
    family = FAMILY[path[index]]
    before = sum(FAMILY.get(name) == family for name in path[:index])
    src, dst = _occurrence(row[f"{family}.srcport"], before), _occurrence(row[f"{family}.dstport"], before)
    return None if src is None else int(src), None if dst is None else int(dst)


def _occurrence(values: Sequence[str], index: int) -> str | None:
    return values[index] if index < len(values) else None


def _note_handshake(handshakes: dict[int, Handshake], stream: int, row: dict[str, list[str]]) -> None:
    """Keep the first RTT of a SYN/ACK and the first initial RTT of each stream."""
    known = handshakes.get(stream, Handshake(None, None))
    flags = int(row["tcp.flags"][0], 16) if row["tcp.flags"] else 0
    if known.rtt_ns is None and flags & SYN_ACK == SYN_ACK and row["tcp.analysis.ack_rtt"]:
        known = known._replace(rtt_ns=nanoseconds(row["tcp.analysis.ack_rtt"][0]))
    if known.initial_rtt_ns is None and row["tcp.analysis.initial_rtt"]:
        known = known._replace(initial_rtt_ns=nanoseconds(row["tcp.analysis.initial_rtt"][0]))
    if known != Handshake(None, None):
        handshakes[stream] = known
