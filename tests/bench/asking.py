"""How fast questions are answered: each in a fresh process, the opening of the warehouse included."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import caphouse

from .ingesting import CAPHOUSE, tell
from .inputs import Inputs
from .measure import Command, Measured, interleaved
from .text import seconds, table

CAPTURES = (100, 1_000, 10_000)
PACKETS_PER_CAPTURE = 5_000
DAY = ("2026-04-15", "2026-04-16")
"""A day in the middle of those that the warehouse is about."""

ARGUMENTS = {"port-callers": ("--port", "5432")}
"""What a report must be told here."""

DAY_BOUNDS = ("--since", DAY[0], "--until", DAY[1])

LOOK_UP = f"""
select frame_number, ts, src_ip, dst_ip from packets
where ts >= timestamp '{DAY[0]}' and ts < timestamp '{DAY[1]}' and (src_ip = '10.0.0.53' or dst_ip = '10.0.0.53')
"""


def questions() -> dict[str, list[str]]:
    """Arguments of each question by its name."""
    reports = sorted(path.stem for path in (Path(caphouse.__file__).parent / "queries" / "reports").glob("*.sql"))
    asked = {}
    for name in reports:
        asked[name] = ["report", name, *ARGUMENTS.get(name, ())]
        asked[f"{name}, one day"] = [*asked[name], *DAY_BOUNDS]
    asked["rtt-over-time per server and day"] = ["report", "rtt-over-time", "--minutes", "1440"]
    asked["one address in packets, one day"] = ["sql", LOOK_UP]
    asked["--help"] = ["--help"]
    return asked


def queries(inputs: Inputs, rounds: int) -> Iterator[str]:
    """All questions, of warehouses of growing size; before and after compaction."""
    yield f"Answers from warehouses of captures of {PACKETS_PER_CAPTURE:,} packets, {rounds} rounds; fresh processes, warm; wall s (cpu s)"
    taken: dict[str, dict[str, str]] = {}
    headings = ["question"]
    for captures in CAPTURES:
        for name, warehouse in warehouses(inputs.folder.parent / "warehouses", captures).items():
            headings.append(f"{captures:,} {name}")
            for result in ask(warehouse, rounds):
                taken.setdefault(result.name, {})[headings[-1]] = f"{seconds(result.wall)} ({seconds(result.cpu)})"
    yield from table(headings, [[question, *(row[heading] for heading in headings[1:])] for question, row in taken.items()])
    yield "wanted at 10,000 captures, compacted: all captures <= 1.0, one day <= 0.3, RTT per server and day <= 0.3, one address <= 0.5;"
    yield "before compaction at most 5 times that"


def ask(warehouse: Path, rounds: int) -> list[Measured]:
    """Ask each question, in turn."""
    return interleaved([Command(name, _command(warehouse, arguments)) for name, arguments in questions().items()], rounds, tell)


def warehouses(folder: Path, captures: int) -> dict[str, Path]:
    """The warehouse as it was written, and a compacted copy; both are kept between runs."""
    fresh, compacted = folder / f"{captures}", folder / f"{captures}-compacted"
    if not fresh.exists():
        tell(f"making a warehouse of {captures:,} captures")
        making = fresh.with_name(f"{fresh.name}.making")
        shutil.rmtree(making, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "bench.make_warehouse", making, str(captures), str(PACKETS_PER_CAPTURE)], check=True)
        making.rename(fresh)
    if not compacted.exists():
        making = compacted.with_name(f"{compacted.name}.making")
        shutil.rmtree(making, ignore_errors=True)
        shutil.copytree(fresh, making)
        subprocess.run([CAPHOUSE, "compact", "--warehouse", making], check=True, stdout=subprocess.DEVNULL)
        making.rename(compacted)
    return {"fresh": fresh, "compacted": compacted}


def _command(warehouse: Path, arguments: Sequence[str]) -> list[str]:
    return [CAPHOUSE, *arguments] if arguments[0] == "--help" else [CAPHOUSE, *arguments, "--warehouse", str(warehouse), "--format", "csv"]
