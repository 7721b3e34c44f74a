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
from .scores import Score, Scores, Wanted
from .text import seconds, table

CAPTURES = (100, 1_000, 10_000)
PACKETS_PER_CAPTURE = 5_000
DAY = ("2026-04-15", "2026-04-16")
"""A day in the middle of those that the warehouse is about."""

ARGUMENTS = {"port-callers": ("--port", "5432")}
"""What a report must be told here."""

DAY_BOUNDS = ("--since", DAY[0], "--until", DAY[1])

LOOK_UP = "select frame_number, ts, src_ip, dst_ip from packets where src_ip = '10.0.0.53' or dst_ip = '10.0.0.53'"

HELP = "--help"
ONE_DAY = ", one day"
PER_SERVER_AND_DAY = "RTT percentiles per server and day"
ONE_ADDRESS = "one address in packets, one day"
LIMITS = {PER_SERVER_AND_DAY: 0.3, ONE_ADDRESS: 0.5}
"""Seconds on the clock, where they are not those of a report: 1.0 over all captures, 0.3 over one day."""

RTT_PER_SERVER_AND_DAY = """
select server_ip, cast(first_ts as date) as day, count(*) as connections,
    percentile_cont(0.5) within group (order by rtt_ms) as p50, percentile_cont(0.95) within group (order by rtt_ms) as p95,
    percentile_cont(0.99) within group (order by rtt_ms) as p99
from tcp_rtt where rtt_ns >= 0 group by 1, 2 order by 1, 2
"""


def questions() -> dict[str, list[str]]:
    """Arguments of each question by its name."""
    reports = sorted(path.stem for path in (Path(caphouse.__file__).parent / "queries" / "reports").glob("*.sql"))
    asked = {}
    for name in reports:
        asked[name] = ["report", name, *ARGUMENTS.get(name, ())]
        asked[f"{name}{ONE_DAY}"] = [*asked[name], *DAY_BOUNDS]
    asked[PER_SERVER_AND_DAY] = ["sql", RTT_PER_SERVER_AND_DAY]
    asked[ONE_ADDRESS] = ["sql", LOOK_UP, *DAY_BOUNDS]
    asked[HELP] = ["--help"]
    return asked


def queries(inputs: Inputs, rounds: int, scores: Scores) -> Iterator[str]:
    """All questions, of warehouses of growing size; before and after compaction."""
    yield f"Answers from warehouses of captures of {PACKETS_PER_CAPTURE:,} packets, {rounds} rounds; fresh processes, warm; wall s (cpu s)"
    taken: dict[str, dict[str, str]] = {}
    headings = ["question"]
    for captures in CAPTURES:
        for name, warehouse in warehouses(inputs.folder.parent / "warehouses", captures).items():
            headings.append(f"{captures:,} {name}")
            for result in ask(warehouse, rounds):
                taken.setdefault(result.name, {})[headings[-1]] = f"{seconds(result.wall)} ({seconds(result.cpu)})"
                if captures == CAPTURES[-1]:
                    scores += judged(result, compacted=name == "compacted")
    yield from table(headings, [[question, *(row[heading] for heading in headings[1:])] for question, row in taken.items()])


def judged(result: Measured, *, compacted: bool) -> Scores:
    """What is wanted of an answer from the largest warehouse."""
    if result.name == HELP:
        return [Score("CPU of `caphouse --help`", result.cpu, Wanted(0.25, unit=" s"))] if compacted else []
    most = LIMITS.get(result.name, 0.3 if result.name.endswith(ONE_DAY) else 1.0)
    where = "" if compacted else ", not compacted"
    return [Score(f"{result.name}{where}", result.wall, Wanted(most if compacted else 5 * most, unit=" s"))]


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
