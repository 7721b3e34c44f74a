"""How far the application labels agree with tshark's on the captures of the corpus.

`PYTHONPATH=tests python -m application_agreement` prints a line for each capture and what differs most.

A packet with payload over TCP or UDP counts as agreeing when its conversation's label is one of the names that the table lists for
tshark, or when neither finds an application. tshark labels each packet by itself and leaves the later segments of a message without
a name; caphouse labels the conversation. The share that says most is therefore that of the packets that tshark does name.
"""

from __future__ import annotations

import csv
import gzip
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from parity.oracle import captures
from parity.paths import LINKS, NETWORKS, TUNNELS, names

import caphouse
from caphouse.ingest.application_table import load_table
from caphouse.ingest.pipeline import ingest
from caphouse.warehouse.store import Warehouse

NAMES_OF = {protocol.name: {protocol.name, *protocol.tshark} for protocol in load_table()}
PEER_TO_PEER = {protocol.name for protocol in load_table() if protocol.category == "p2p"}


@dataclass
class Agreement:
    """Counts of one capture or of several.

    Attributes:
        packets: Packets with payload over TCP or UDP.
        equal: Those on which both agree.
        named: Those that tshark names.
        named_equal: Those of them on which both agree.
        differences: Pairs of our label and tshark's name, None for none, that differ.
        peer_to_peer: Labels of flows that we call peer-to-peer, and whether tshark does so for any of their packets.
    """

    packets: int = 0
    equal: int = 0
    named: int = 0
    named_equal: int = 0
    differences: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    peer_to_peer: Counter[tuple[str, bool]] = field(default_factory=Counter)

    def add(self, other: Agreement) -> None:
        """Add the counts of another."""
        self.packets += other.packets
        self.equal += other.equal
        self.named += other.named
        self.named_equal += other.named_equal
        self.differences += other.differences
        self.peer_to_peer += other.peer_to_peer

    @property
    def named_share(self) -> float:
        """Share of the packets that tshark names on which both agree; 1 when it names none."""
        return self.named_equal / self.named if self.named else 1.0


_LABELS = """
    select p.capture_id, p.frame_number, f.application, p.flow_id
    from packets p
    join flows f on p.capture_id = f.capture_id and p.flow_id = f.flow_id
    where p.payload_length > 0 and p.src_port is not null
"""

Labels = dict[int, tuple[str | None, int]]
"""Label of the conversation and flow number of each packet with payload over TCP or UDP, by frame number."""


def labels(paths: Sequence[Path]) -> dict[Path, Labels]:
    """Ingest captures and ask for their labels."""
    with tempfile.TemporaryDirectory(prefix="caphouse-agreement-") as folder:
        report = ingest(Warehouse.create(folder), [str(path) for path in paths])
        found: dict[str | None, Labels] = {result.capture_id: {} for result in report.results}
        with caphouse.open(folder) as session:
            for capture_id, frame, label, flow in session.connection.execute(_LABELS).fetchall():
                found[capture_id][frame] = (label, flow)
    identities = {Path(result.source): result.capture_id for result in report.results}
    return {path: found[identities[path]] for path in paths}


def application(protocols: str) -> str | None:
    """tshark's application: what comes after the last TCP or UDP, when that is no tunnel's content and no plain data."""
    path = names(protocols)
    last = max((index for index, name in enumerate(path) if name in {"tcp", "udp"}), default=None)
    if last is None or last + 1 == len(path):
        return None
    name = path[last + 1]
    return None if name in {"data", "mptcp", "udpencap"} | LINKS | NETWORKS | TUNNELS else name


def agreement(capture: Path, ours: Labels) -> Agreement:
    """Compare the labels of one capture of the corpus with what tshark said of it."""
    found = Agreement()
    peers: dict[int, tuple[str, bool]] = {}
    with gzip.open(capture.parent / "oracle" / f"{capture.name}.frames.tsv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if (frame := int(row["frame"])) not in ours:
                continue
            label, flow = ours[frame]
            name = application(row["protocols"])
            equal = name is None if label is None else name in NAMES_OF[label] or (name is None and "data" in NAMES_OF[label])
            found.packets += 1
            found.equal += equal
            found.named += name is not None
            found.named_equal += name is not None and equal
            if not equal:
                found.differences[label, name] += 1
            if label in PEER_TO_PEER:
                peers[flow] = (label, equal or peers.get(flow, (label, False))[1])
    found.peer_to_peer.update(peers.values())
    return found


def line(name: str, found: Agreement) -> str:
    """One line of the table."""
    share = 100 * found.equal / found.packets
    return f"{name:<64} {found.packets:>8,} {found.named:>8,} {share:>8.1f} {100 * found.named_share:>10.1f}\n"


def main() -> None:
    """Print the agreement."""
    total = Agreement()
    write = sys.stdout.write
    write(f"{'capture':<64} {'packets':>8} {'named':>8} {'equal %':>8} {'of named %':>10}\n")
    for capture, ours in labels(captures()).items():
        found = agreement(capture, ours)
        total.add(found)
        if found.packets:
            write(line(capture.name, found))
    write(line("total", total))
    write("\nmost frequent differences (ours, tshark's):\n")
    for (label, name), count in total.differences.most_common(20):
        write(f"{count:>8,}  {label} / {name}\n")
    write(f"\npeer-to-peer flows (label, whether tshark agrees): {dict(total.peer_to_peer)}\n")


if __name__ == "__main__":
    main()
