"""Prints the figures: time, memory, size, and ratios to the peers that are installed."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from . import asking, ingesting, inputs, machine, storage
from .inputs import Inputs
from .scores import Scores, markdown

PARTS: dict[str, Callable[[Inputs, int, Scores], Iterator[str]]] = {
    "peers": ingesting.peers,
    "forms": ingesting.forms,
    "cores": ingesting.cores,
    "many": ingesting.many,
    "long": ingesting.long,
    "queries": asking.queries,
    "storage": storage.storage,
}

README = Path(__file__).parents[2] / "README.md"
PERFORMANCE = re.compile(r"(<!-- performance: begin[^\n]*-->\n).*(<!-- performance: end -->)", re.DOTALL)


def main() -> int:
    """Measure the parts that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("parts", nargs="*", default=[part for part in PARTS if part != "long"], help=f"what to measure: {', '.join(PARTS)}")
    parser.add_argument("--capture", type=Path, help="a pcap to measure with, instead of one that is made")
    parser.add_argument("--connections", type=int, default=20_000, help="size of the capture that is made")
    parser.add_argument("--seed", type=int, default=7, help="of the capture that is made")
    parser.add_argument("--rounds", type=int, default=7, help="runs of each command; the medians are printed")
    parser.add_argument("--readme", action="store_true", help="write the last table into README.md")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "caphouse-bench", help="where captures are kept")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if arguments.capture is not None:
        captures = Inputs(arguments.folder / arguments.capture.stem, arguments.capture)
    else:
        print(f"making {arguments.connections:,} connections", file=sys.stderr)
        captures = inputs.generated(arguments.folder, arguments.connections, arguments.seed)
    os.environ.pop("CAPHOUSE_WAREHOUSE", None)
    described = list(machine.describe(captures.large))
    print("\n".join(described))
    scores: Scores = []
    for part in arguments.parts:
        print(flush=True)
        for line in PARTS[part](captures, arguments.rounds, scores):
            print(line, flush=True)
    print()
    lines = [", ".join(described[:2]) + f"; medians of {arguments.rounds}:", "", *markdown(scores)]
    print("\n".join(lines))
    if arguments.readme:
        README.write_text(PERFORMANCE.sub(lambda marks: marks[1] + "\n".join(lines) + "\n" + marks[2], README.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
