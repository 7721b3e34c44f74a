"""What a worker does: one command of caphouse, in a process of its own, until it is done or killed."""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from caphouse.cli import ask, ingest, main, maintain, reports, watch
from caphouse.ingest import pipeline
from caphouse.queries import engine
from caphouse.warehouse import compaction, delta, maintenance, store, verification

from .captures import GONE_DAYS, PRUNED_DAYS, Made

PRELOADED = (ask, ingest, main, maintain, reports, watch, pipeline, engine, compaction, maintenance, verification)
"""Loaded once, before workers begin, so that a kill meets the work and not the start of Python."""

HOUR = 3600.0
"""What `vacuum` keeps at least, and how long compaction spares attempts that do not count yet."""

WEIGHTS = {"ingest": 10, "compact": 3, "prune": 2, "vacuum": 2, "reingest": 2, "forget": 1, "verify": 1}


def command(action: str, made: Made, chance: random.Random) -> list[str]:
    """The arguments for an action."""
    if action == "ingest":
        names = chance.sample(made.names, min(len(made.names), chance.choice((5, 20, 60, 150))))
        jobs = ["--jobs", "2"] if chance.random() < 0.1 else []
        return ["ingest", *jobs, *(str(made.folder / name) for name in names)]
    if action == "prune":
        return chance.choice(
            [
                ["prune", "--older-than", f"{GONE_DAYS - 10}d"],
                ["prune", "--older-than", f"{PRUNED_DAYS - 10}d", "--packets-only"],
            ]
        )
    if action == "vacuum":
        return ["vacuum", "--retention-hours", "1"]
    if action == "reingest":
        return ["reingest", *chance.sample(made.names, 5)]
    if action == "forget":
        return ["forget", *chance.sample(made.names, 3)]
    return [action]


def hurry(horizon: float) -> None:
    """Make this process as harsh within seconds as caphouse is within hours: what it writes to the log looks almost an hour old.

    So `vacuum --retention-hours 1` removes what went out of use `horizon` seconds ago, `compact` clears attempts away that do not
    count after that time, and log entries are removed after a few times that.
    """
    shift_ns = int((HOUR - horizon) * 1e9)
    vars(delta)["time"] = SimpleNamespace(time_ns=lambda: time.time_ns() - shift_ns)
    delta.CONFIGURATION = {**delta.CONFIGURATION, "delta.logRetentionDuration": f"interval {int(4 * horizon)} seconds"}
    store.REUSE_SECONDS = horizon


def age(warehouse: Path, horizon: float) -> None:
    """Make data files that were written `horizon` seconds ago look an hour older, for `vacuum`."""
    now = time.time()
    for path in warehouse.glob("*/date=*/*"):
        try:
            modified = path.stat().st_mtime
            if horizon < now - modified < HOUR:
                os.utime(path, (modified - HOUR, modified - HOUR))
        except FileNotFoundError:
            continue


def act(place: str, arguments: list[str], log: str, horizon: float) -> None:
    """Run one command; what it prints goes to `log`."""
    hurry(horizon)
    with Path(log).open("wb") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - the descriptor, for the rest of this process
    sys.stderr = open(2, "w", closefd=False, buffering=1)  # noqa: SIM115 - the same
    main.main([*arguments[:1], "-w", place, *arguments[1:]])
