"""How fast captures go in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .inputs import SHORT_SNAP, SMALL_CAPTURES, SMALL_PACKETS, Inputs
from .measure import Command, Measured, floor_bytes, interleaved
from .peers import PEERS
from .scores import Score, Scores, Wanted
from .sizes import parquet_bytes
from .text import megabytes, seconds, table

CAPHOUSE = str(Path(sys.executable).with_name("caphouse"))

OURS = "caphouse ingest"
PEER_HEADINGS = ("command", "wall s", "min-max", "cpu s", "kpackets/s", "MB/s", "peak MB", "ours/its", "its/ours", "cpu its/ours")
HEADINGS = ("command", "wall s", "min-max", "cpu s", "kpackets/s", "MB/s", "peak MB", "to the first")
LONG_BYTES = 10_000_000_000
CORES = (8, 16)
"""For which the time is projected."""

MEMORY = Wanted(350, 200, " MB")


def tell(text: str) -> None:
    """Say what goes on, apart from the figures."""
    print(text, file=sys.stderr)


def ingest(folder: str, name: str, *arguments: str, cores: frozenset[int] | None = None) -> Command:
    """An ingest into a warehouse in `folder` that is not there before each run."""
    warehouse = Path(folder) / name
    command = [CAPHOUSE, "ingest", "--warehouse", str(warehouse), *arguments]
    return Command(name, command, lambda: shutil.rmtree(warehouse, ignore_errors=True), cores)


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for warehouses."""
    return tempfile.TemporaryDirectory(prefix="caphouse-bench-")


def peers(inputs: Inputs, rounds: int, scores: Scores) -> Iterator[str]:
    """One large capture, beside the peers."""
    packets, capture = _count(inputs), inputs.large
    present = [peer for peer in PEERS if not peer.missing()]
    with scratch() as folder:
        commands = [ingest(folder, OURS, str(capture)), *(peer.command(capture) for peer in present)]
        measured = interleaved(commands, rounds, tell)
        sizes = parquet_bytes(Path(folder) / OURS)
    ours = measured[0]
    rows = [[*_figures(ours, packets, capture), "", "", ""]]
    for peer, result in zip(present, measured[1:], strict=True):
        ratios = [f"{ours.wall / result.wall:.2f}", f"{result.wall / ours.wall:.1f}", f"{result.cpu / ours.cpu:.1f}"]
        rows.append([*_figures(result, packets, capture), *ratios])
        words = f"times faster than `{peer.name}`" if peer.wanted.more else f"wall time by that of `{peer.name}`"
        scores.append(Score(words, result.wall / ours.wall if peer.wanted.more else ours.wall / result.wall, peer.wanted))
    scores.append(Score("packets per second, one process, all tables", packets / ours.wall / 1000, Wanted(700, 1100, "k", more=True)))
    scores.append(Score(f"peak memory, {capture.stat().st_size / 1e9:.1f} GB", ours.peak_bytes / 1e6, MEMORY))
    scores.append(Score("bytes on disk per packet, all tables", sum(sizes.values()) / packets, Wanted(30, 24)))
    yield f"One capture of {packets:,} packets; medians of {rounds} rounds in which the commands take turns; whole processes"
    yield from table(PEER_HEADINGS, rows)
    for peer in PEERS:
        if missing := peer.missing():
            yield f"not measured: {peer.name} ({', '.join(missing)} not on the PATH)"
    yield f"a peak below {megabytes(floor_bytes())} MB cannot be told from it"
    yield ""
    yield from table(
        ("on disk", "MB", "bytes per packet"),
        [[name, f"{size / 1e6:.2f}", f"{size / packets:.2f}"] for name, size in [*sizes.items(), ("all together", sum(sizes.values()))]],
    )


def forms(inputs: Inputs, rounds: int, scores: Scores) -> Iterator[str]:
    """The same packets in other forms, beside what only decompresses them."""
    packets, zipped = _count(inputs), inputs.gzipped()
    captures = {"pcap": inputs.large, "pcapng": inputs.pcapng(), f"snapshot length {SHORT_SNAP}": inputs.short(), "pcap.gz": zipped}
    with scratch() as folder:
        commands = [ingest(folder, name, str(capture)) for name, capture in captures.items()]
        commands.append(Command("isal alone", [sys.executable, "-m", "isal.igzip", "-d", "-c", str(zipped)]))
        commands.append(Command("gzip -dc", ["gzip", "-dc", str(zipped)]))
        measured = interleaved(commands, rounds, tell)
    pcap, pcapng, short, gz, isal, _ = (result.wall for result in measured)
    scores.append(Score("pcapng, wall time by that of pcap", pcapng / pcap, Wanted(1.2)))
    scores.append(Score(f"snapshot length {SHORT_SNAP}, packets/s by those of whole packets", pcap / short, Wanted(1, more=True)))
    scores.append(Score("pcap.gz, wall time by that of the slower of decompressor and ingest", gz / max(pcap, isal), Wanted(1.1)))
    yield f"The same {packets:,} packets in other forms; medians of {rounds} rounds"
    yield from table(HEADINGS, _ratios(measured, packets, [*captures.values(), zipped, zipped]))


def cores(inputs: Inputs, rounds: int, scores: Scores) -> Iterator[str]:
    """One core against all of them."""
    packets, capture = _count(inputs), inputs.large
    with scratch() as folder:
        commands = [ingest(folder, "one core", str(capture), cores=frozenset({0})), ingest(folder, "all cores", str(capture))]
        measured = interleaved(commands, rounds, tell)
    yield f"One capture of {packets:,} packets; medians of {rounds} rounds"
    yield from table(HEADINGS, _ratios(measured, packets, [capture, capture]))
    count = len(os.sched_getaffinity(0))
    scores.append(Score(f"times faster on {count} cores than on one", measured[0].wall / measured[1].wall, Wanted(1, more=True)))
    yield from projection(measured[0].wall, measured[1].wall, count, packets)


def projection(alone: float, together: float, cores: int, packets: int) -> Iterator[str]:
    """What more cores would bring by Amdahl's law, from the wall times on one core and on `cores` of them."""
    if cores < 2:
        yield "one core only: no projection"
        return
    ordered = min(max(0.0, (together - alone / cores) / (1 - 1 / cores)), alone)
    yield f"in order (start-up, walk, streams, commit), by Amdahl's law: {seconds(ordered)} s of {seconds(alone)} s;"
    yield f"however many cores there are, no more than {packets / max(ordered, 1e-9) / 1000:,.0f} kpackets/s"
    for count in CORES:
        wall = ordered + (alone - ordered) / count
        yield f"projected for {count} cores: {seconds(wall)} s, {packets / wall / 1000:,.0f} kpackets/s"


def many(inputs: Inputs, rounds: int, scores: Scores) -> Iterator[str]:
    """Many small captures in one command."""
    captures = inputs.many()
    with scratch() as folder:
        commands = [ingest(folder, f"--jobs {jobs}", str(captures), "--jobs", str(jobs)) for jobs in (1, 2)]
        measured = interleaved(commands, rounds, tell)
    rate = SMALL_CAPTURES / measured[1].wall
    scores.append(Score(f"captures of {SMALL_PACKETS} packets per second, `--jobs 2`", rate, Wanted(150, more=True)))
    yield f"{SMALL_CAPTURES:,} captures of {SMALL_PACKETS} packets each; medians of {rounds} rounds"
    yield from table(
        ("command", "wall s", "cpu s", "captures/s", "kpackets/s", "peak MB"),
        [
            [
                result.name,
                seconds(result.wall),
                seconds(result.cpu),
                f"{SMALL_CAPTURES / result.wall:,.0f}",
                f"{SMALL_CAPTURES * SMALL_PACKETS / result.wall / 1000:,.0f}",
                megabytes(result.peak_bytes),
            ]
            for result in measured
        ],
    )


def long(inputs: Inputs, rounds: int, scores: Scores) -> Iterator[str]:
    """A capture that is many times as long: memory must not depend on its size, and does depend on its conversations."""
    times = max(2, -(-LONG_BYTES // inputs.large.stat().st_size))
    yield f"One capture, and captures of {times} times its packets; medians of {rounds} rounds"
    forms = {"": (), f", {times} times the conversations": ("--other",)}
    path = inputs.folder / "long.pcap"
    with scratch() as folder:
        (as_it_is,) = interleaved([ingest(folder, "large", str(inputs.large))], rounds, tell)
        rows = [_one(as_it_is, inputs.large, "as it is")]
        for words, arguments in forms.items():
            try:
                # In a process of its own: what this one has ever used would count for each that it starts.
                subprocess.run([sys.executable, "-m", "bench.longer", inputs.large, path, str(times), *arguments], check=True)
                (measured,) = interleaved([ingest(folder, "long", str(path))], rounds, tell)
                rows.append(_one(measured, path, f"longer{words}"))
                scores.append(Score(f"peak memory, {path.stat().st_size / 1e9:.1f} GB{words}", measured.peak_bytes / 1e6, MEMORY))
            finally:
                path.unlink(missing_ok=True)
    yield from table(("capture", "GB", "wall s", "cpu s", "MB/s", "peak MB"), rows)


def _one(result: Measured, capture: Path, name: str) -> list[str]:
    size = capture.stat().st_size
    return [
        name,
        f"{size / 1e9:.2f}",
        seconds(result.wall),
        seconds(result.cpu),
        f"{size / result.wall / 1e6:,.0f}",
        megabytes(result.peak_bytes),
    ]


def _count(inputs: Inputs) -> int:
    return sum(1 for _ in inputs.packets())


def _figures(result: Measured, packets: int, capture: Path) -> list[str]:
    fastest, slowest = result.spread
    return [
        result.name,
        seconds(result.wall),
        f"{seconds(fastest)}-{seconds(slowest)}",
        seconds(result.cpu),
        f"{packets / result.wall / 1000:,.0f}",
        f"{capture.stat().st_size / result.wall / 1e6:,.0f}",
        megabytes(result.peak_bytes),
    ]


def _ratios(measured: list[Measured], packets: int, captures: list[Path]) -> list[list[str]]:
    first = measured[0]
    return [
        [*_figures(result, packets, capture), f"{result.wall / first.wall:.2f}"] for result, capture in zip(measured, captures, strict=True)
    ]
