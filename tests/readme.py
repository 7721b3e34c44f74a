"""Runs what README.md shows, and writes it anew: `PYTHONPATH=tests python -m readme`, or `make readme`.

A `console` block holds commands after `$ ` and what they print; a `pycon` block is a doctest. All run in the order in which they stand,
in one empty folder that has the samples in it. On a terminal reports are tables: `--format table` stands for the terminal.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path

from caphouse.queries import reference

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
REFERENCE_PAGE = ROOT / "docs" / "reference.md"
BLOCK = re.compile(r"^```(console|pycon)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REFERENCE = re.compile(r"(<!-- reference: begin[^\n]*-->\n).*(<!-- reference: end -->)", re.DOTALL)
TABLES = re.compile(r"caphouse (report|sql|captures|schema)\b(?!.*--format)")


def console(command: str, folder: Path) -> str:
    """What a shell prints for one command."""
    scripts = sysconfig.get_path("scripts")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CAPHOUSE_")}
    environment["PATH"] = scripts + os.pathsep + environment["PATH"]
    shown = f"{command} --format table" if TABLES.match(command) else command
    done = subprocess.run(shown, shell=True, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)  # noqa: S602
    return done.stdout.decode()


def pycon(source: str, names: dict[str, object]) -> str:
    """What Python's prompt prints for one statement."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, "README.md", "single"), names)  # noqa: S102 - our own README
    return printed.getvalue()


def run(block: re.Match[str], folder: Path, names: dict[str, object]) -> str:
    """A block with the outputs that its commands have now."""
    kind, content = block.groups()
    lines = [f"```{kind}"]
    for statement in _statements(kind, content.splitlines()):
        lines += statement
        if kind == "console":
            output = console("\n".join(statement)[2:], folder)
        else:
            output = pycon("\n".join(line[4:] for line in statement) + "\n", names)
        lines += [line.rstrip() for line in output.strip("\n").splitlines()]
        if kind == "console" and output:
            lines.append("")
    while not lines[-1]:
        lines.pop()
    return "\n".join([*lines, "```"])


def _statements(kind: str, lines: list[str]) -> list[list[str]]:
    """The commands of a block, each with its lines as they stand there."""
    first, more = ("$ ", None) if kind == "console" else (">>> ", "... ")
    statements: list[list[str]] = []
    for line in lines:
        if line.startswith(first):
            statements.append([line])
        elif more is not None and line.startswith(more):
            statements[-1].append(line)
    return statements


def written_anew(text: str) -> str:
    """The README with the outputs and the reference that it should have."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="caphouse-readme-") as folder:
        (Path(folder) / "samples").symlink_to(ROOT / "samples")
        names: dict[str, object] = {}
        os.chdir(folder)
        try:
            text = BLOCK.sub(lambda block: run(block, Path(folder), names), text)
        finally:
            os.chdir(here)
    content: Callable[[re.Match[str]], str] = lambda marks: f"{marks[1]}\n{reference.summary()}\n{marks[2]}"  # noqa: E731
    return REFERENCE.sub(content, text)


def full_reference() -> str:
    """What docs/reference.md should hold."""
    return (
        "# Tables, views and reports\n\n"
        "Written by `make readme`. `caphouse schema` shows the same on a terminal. Times are UTC; NULL is absent or not computable; every\n"
        "table has `ingest_id`, by which the rows of one capture belong together.\n\n"
        f"{reference.markdown()}"
    )


if __name__ == "__main__":
    old = README.read_text(encoding="utf-8")
    new = written_anew(old)
    README.write_text(new, encoding="utf-8")
    REFERENCE_PAGE.write_text(full_reference(), encoding="utf-8")
    sys.stderr.write("README.md is as it was.\n" if old == new else "README.md was written anew.\n")
