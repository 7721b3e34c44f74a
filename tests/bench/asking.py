"""How fast questions are answered: each in a fresh process, the opening of the warehouse included."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
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
ALL_HANDSHAKES = "rtt"
ONE_DAY = ", one day"
PER_SERVER_AND_DAY = "RTT percentiles per server and day"
ONE_ADDRESS = "one address in packets, one day"
LIMITS = {PER_SERVER_AND_DAY: 0.3, ONE_ADDRESS: 0.5}
"""Seconds on the clock, where they are not those of a report: 1.0 over all captures, 0.3 over one day."""

RTT_PER_SERVER_AND_DAY = """
select server_ip, day, connections, rtt[1] as p50, rtt[2] as p95, rtt[3] as p99
from (
    select server_ip, cast(first_ts as date) as day, count(*) as connections, quantile_cont(rtt_ms, [0.5, 0.95, 0.99]) as rtt
    from tcp_rtt where rtt_ns >= 0 group by 1, 2
)
order by 1, 2
"""
"""All percentiles by one aggregate: one for each would sort the values as often."""


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
    last: dict[str, list[Measured]] = {"compacted": [], "fresh": []}
    for captures in CAPTURES:
        for name, warehouse in warehouses(inputs.folder.parent / "warehouses", captures).items():
            headings.append(f"{captures:,} {name}")
            for result in ask(warehouse, rounds):
                taken.setdefault(result.name, {})[headings[-1]] = f"{seconds(result.wall)} ({seconds(result.cpu)})"
                if captures == CAPTURES[-1]:
                    last[name].append(result)
    yield from table(headings, [[question, *(row[heading] for heading in headings[1:])] for question, row in taken.items()])
    for name, results in last.items():
        scores += judged(results, compacted=name == "compacted")


def judged(results: list[Measured], *, compacted: bool) -> Scores:
    """What is wanted of answers from the largest warehouse: of the reports, the slowest counts, `rtt` apart, which lists a million rows."""
    by_name = {result.name: result for result in results}
    reports = [result for result in results if result.name not in {*LIMITS, ALL_HANDSHAKES, HELP}]
    one_day = [result for result in reports if result.name.endswith(ONE_DAY)]
    most = {
        f"slowest report over all captures ({_slowest(set(reports) - set(one_day)).name})": (_slowest(set(reports) - set(one_day)), 1.0),
        f"slowest report over one day ({_slowest(one_day).name.removesuffix(ONE_DAY)})": (_slowest(one_day), 0.3),
        "every handshake of all captures, as CSV": (by_name[ALL_HANDSHAKES], 1.0),
        **{name: (by_name[name], limit) for name, limit in LIMITS.items()},
    }
    where, factor = ("", 1) if compacted else (", not compacted", 5)
    scores = [Score(f"{name}{where}", result.wall, Wanted(factor * limit, unit=" s")) for name, (result, limit) in most.items()]
    return [*scores, Score("CPU of `caphouse --help`", by_name[HELP].cpu, Wanted(0.25, unit=" s"))] if compacted else scores


def _slowest(results: Iterable[Measured]) -> Measured:
    return max(results, key=lambda result: result.wall)


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
