"""Prints how far caphouse agrees with Wireshark, capture by capture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import harness, oracle, table, thresholds, tshark


def main() -> int:
    """Compare the captures that were named, else those of the corpus."""
    parser = argparse.ArgumentParser(prog="python -m parity", description=__doc__)
    parser.add_argument("captures", nargs="*", type=Path, help="captures, or folders of them, to compare with tshark; else the corpus")
    parser.add_argument("--examples", action="store_true", help="list some of the disagreements of each capture")
    arguments = parser.parse_args()
    captures = [file for path in arguments.captures for file in _files(path)] if arguments.captures else oracle.captures()
    if not captures:
        print(f"no captures, and no corpus at {oracle.CORPUS}: name captures to compare with tshark", file=sys.stderr)
        return 2
    if arguments.captures and tshark.version() is None:
        print("tshark is not installed", file=sys.stderr)
        return 2
    describe = tshark.run if arguments.captures else harness.stored
    print(f"tshark {tshark.version() or 'not installed'}; options {' '.join(tshark.OPTIONS)}")
    comparisons = harness.compare_all(captures, describe)
    for line in table.lines(comparisons, examples=arguments.examples):
        print(line)
    if arguments.captures:
        return 0
    lines = list(thresholds.verdict(comparisons))
    print("", "Asked of the corpus, and found:", *lines, sep="\n")
    return int(any(line.endswith(thresholds.MISSED) for line in lines))


def _files(path: Path) -> list[Path]:
    """The files of a folder, else the file itself."""
    return sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]


if __name__ == "__main__":
    sys.exit(main())
