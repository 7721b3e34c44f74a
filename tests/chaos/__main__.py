"""Runs the chaos at length, and prints what happened."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from . import places
from .running import Chaos, Outcome, Plan


def main() -> int:
    """Run it as the options say; 1 when anything was not as it should be."""
    usual = Plan()
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--workers", type=int, default=usual.workers, help="commands that run at a time")
    parser.add_argument("--captures", type=int, default=usual.captures, help="captures that they fight over")
    parser.add_argument("--kills", type=int, default=usual.kills, help="kill -9 that meet a running command")
    parser.add_argument("--readers", type=int, default=usual.readers, help="processes that look all the while")
    parser.add_argument("--horizon", type=float, default=usual.horizon, help="seconds for what takes an hour in practice")
    parser.add_argument("--seed", type=int, default=usual.seed, help="of everything that is left to chance")
    parser.add_argument("--where", choices=places.PLACES, default="local", help="where the warehouse is")
    arguments = parser.parse_args()
    plan = Plan(arguments.workers, arguments.captures, arguments.kills, arguments.readers, arguments.horizon, arguments.seed)
    with tempfile.TemporaryDirectory(prefix="caphouse-chaos-") as folder, places.PLACES[arguments.where](Path(folder)) as place:
        outcome = Chaos(place, Path(folder), plan, lambda line: print(f"\r{line}  ", end="", file=sys.stderr)).run()
    print(file=sys.stderr)
    print(*lines(plan, arguments.where, outcome), sep="\n")
    return 1 if outcome.complaints else 0


def lines(plan: Plan, where: str, outcome: Outcome) -> list[str]:
    """What happened, for people."""

    def counts(of: dict[str, int]) -> str:
        return ", ".join(f"{number} {name}" for name, number in sorted(of.items())) or "none"

    told = [
        f"{where}: {plan.workers} workers, {plan.captures} captures, {outcome.seconds:.0f} s, seed {plan.seed}",
        f"killed: {sum(outcome.kills.values())} ({counts(outcome.kills)})",
        f"done: {sum(outcome.done.values())} ({counts(outcome.done)}); gave way to others: {counts(outcome.gave_way)}",
        *outcome.looks,
    ]
    if outcome.verification is not None:
        told.append(f"verified: {outcome.verification.captures} captures, {outcome.verification.rows:,} rows")
    return [*told, *(f"WRONG: {complaint}" for complaint in outcome.complaints), "wrong" if outcome.complaints else "all right"]


if __name__ == "__main__":
    sys.exit(main())
