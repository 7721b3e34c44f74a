"""What README.md shows is what happens."""

from __future__ import annotations

import difflib
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import readme

TEXT = readme.README.read_text(encoding="utf-8")


def test_outputs_and_reference_are_true() -> None:
    """Every command and every Python line gives what stands below it; `make readme` writes them anew."""
    now = readme.written_anew(TEXT)
    difference = difflib.unified_diff(TEXT.splitlines(), now.splitlines(), "README.md", "what happens", lineterm="", n=1)
    assert now == TEXT, "\n".join(difference)


def test_the_reference_of_all_columns_is_true() -> None:
    """`make readme` writes it anew."""
    assert readme.REFERENCE_PAGE.read_text(encoding="utf-8") == readme.full_reference()


def test_links_into_the_reference_find_their_heading() -> None:
    headings = re.findall(r"^## (\w+) `([\w-]+)`$", readme.full_reference(), re.MULTILINE)
    links = re.findall(r"\(docs/reference.md#([\w-]+)\)", TEXT)
    assert len(links) > 20
    assert set(links) <= {f"{kind.lower()}-{name}" for kind, name in headings}


def test_blocks_are_run() -> None:
    """The check above would not notice a block that it overlooks."""
    kinds = re.findall(r"^```(\w+)$", TEXT, re.MULTILINE)
    assert kinds.count("console") == 7
    assert kinds.count("pycon") == 1
    assert set(kinds) == {"console", "pycon", "sh"}
    assert TEXT.count("\n$ caphouse ") >= 10
    for block in readme.BLOCK.finditer(TEXT):
        assert len(block[2].splitlines()) > len(re.findall(r"^(\$|>>>|\.\.\.) ", block[2], re.MULTILINE)), "a block without output"


@cache
def options(command: str) -> str:
    """The help of a command."""
    arguments = [sys.executable, "-m", "caphouse.cli.main", command, "--help"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"caphouse {command}: {done.stderr}"
    return done.stdout


def test_commands_that_are_only_named_exist() -> None:
    """Commands and options in `sh` blocks and in the text are those of the program."""
    shown = re.sub(readme.BLOCK, "", TEXT).partition("## Reference")[0]
    scripts = "\n".join(re.findall(r"^```sh\n(.*?)^```$", shown, re.MULTILINE | re.DOTALL))
    named = [*re.findall(r"`caphouse ([^`]+)`", shown), *re.findall(r"(?:^|\| )caphouse (.+)$", scripts, re.MULTILINE)]
    words = [command.split() for command in named]
    assert {command for command, *_ in words} >= {"ingest", "report", "schema", "watch", "prune"}
    for command, *rest in words:
        known = options(command)
        assert {word for word in rest if word.startswith("--")} <= set(re.findall(r"--[a-z-]+", known)), command


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", TEXT))))
def test_links_lead_somewhere(link: str) -> None:
    assert link.startswith("https://") or (Path(readme.ROOT) / link).exists()


def test_make_targets_exist() -> None:
    makefile = (readme.ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"\bmake (\w+)", TEXT.partition("## Reference")[0])) - {"captures"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
