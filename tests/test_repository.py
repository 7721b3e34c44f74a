"""What must not stand in the repository: the paths and package indexes of the machine that it was written on."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parent.parent

COMMON_FOLDERS = {"/", "/home/", "/mnt/", "/opt/", "/srv/", "/src/", "/tmp/", "/usr/", "/usr/src/", "/var/", "/var/tmp/"}  # noqa: S108
"""A checkout right below one of these says nothing about the machine, and documentation may well name them."""


def machine_paths() -> list[str]:
    """Folders of this machine that no file should mention, each with a slash at its end."""
    folders = {f"{ROOT}/", f"{ROOT.parent}/", f"{Path.home()}/"}
    return sorted(folder for folder in folders if folder not in COMMON_FOLDERS)


def index_hosts() -> list[str]:
    """Package indexes that pip on this machine is set up with; an index that is a folder counts by its path."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False).stdout
    urls = [urlsplit(url) for url in re.findall(r"[a-z]+://[^\s'\"]+", listed)]
    return sorted({url.hostname or url.path for url in urls} - {""})


@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="not a git checkout")
def test_no_tracked_file_names_this_machine() -> None:
    needles = machine_paths() + index_hosts()
    patterns = [argument for needle in needles for argument in ("-e", needle)]
    found = subprocess.run(
        ["git", "grep", "--line-number", "-I", "--fixed-strings", *patterns, "--", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode in {0, 1}, found.stderr  # 1: nothing found
    assert found.stdout == ""
