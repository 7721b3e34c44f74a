"""What docs/scheduled-captures.md tells people to install is right: units for systemd, lines for cron, options, statuses."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import readme

from caphouse.ingest.capture import Options
from caphouse.ingest.watch import Event, Settings

TEXT = (readme.ROOT / "docs" / "scheduled-captures.md").read_text(encoding="utf-8")
UNITS = dict(re.findall(r"`/etc/systemd/system/([\w.-]+)`:\n\n```ini\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
CRON = re.search(r"^```text\n(\*/15.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
LOG = re.search(r"^```text\n(20.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """All commands of caphouse that are shown, as words after the name of the program."""
    shown = [line.partition("=")[2] for unit in UNITS.values() for line in unit.splitlines() if line.startswith("ExecStart=")]
    shown += (CRON[1] if CRON else "").splitlines()
    shown += [command for command in re.findall(r"`(caphouse [^`]+)`", TEXT) if not command.endswith(".service")]
    return [shlex.split(re.split(r"(?:^|/)caphouse(?= [a-z])(?! /)", line)[-1]) for line in shown]


@cache
def known_options(command: str) -> frozenset[str]:
    """The options in the help of a command."""
    done = subprocess.run([sys.executable, "-m", "caphouse.cli.main", command, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"caphouse {command}: {done.stderr}"
    return frozenset(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", done.stdout))


def test_all_blocks_were_found() -> None:
    assert set(UNITS) == {"caphouse-watch.service", "caphouse-ingest.service", "caphouse-ingest.timer"}
    assert CRON is not None
    assert LOG is not None
    assert {command for command, *_ in commands()} == {"watch", "ingest", "prune", "vacuum"}
    assert len(commands()) >= 9


def test_every_option_exists() -> None:
    for command, *rest in commands():
        options = {word for word in rest if word.startswith("-")}
        assert options <= known_options(command), command
    named = {option for option in re.findall(r"`(--[a-z-]+)`", TEXT) if option != "--host"}
    assert named <= known_options("watch")


@pytest.mark.parametrize("name", ["watch", "ingest"])
def test_the_commands_run(tmp_path: Path, name: str) -> None:
    """With a folder of captures and a warehouse of our own in the place of those on the page, a watch once."""
    for command, *rest in commands():
        if command != name or not any(word.startswith("/var/captures") for word in rest):
            continue
        (tmp_path / "in").mkdir(exist_ok=True)
        words = [str(tmp_path / "in") if word == "/var/captures" else word.replace("%H", "host-1") for word in rest]
        words = [str(tmp_path / "warehouse") if word == "/var/lib/caphouse/warehouse" else word for word in words]
        words += ["--once"] * (command == "watch" and "--once" not in words) + ["-w", str(tmp_path / "warehouse")] * ("-w" not in words)
        done = subprocess.run([sys.executable, "-m", "caphouse.cli.main", command, *words], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), words


def test_the_defaults_are_those_that_are_shown() -> None:
    settings = Settings(["/var/captures"], Options())
    assert f"--interval {settings.interval_seconds:g} --settle {settings.settle_seconds:g} " in UNITS["caphouse-watch.service"]


def test_the_log_is_as_it_is_written() -> None:
    """Each line is one of `Event`'s, and the table below it explains all statuses in it."""
    lines = LOG[1].splitlines() if LOG else []
    explained = set(re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| (`.*?) \|", TEXT, re.MULTILINE))))
    assert len(lines) == 7
    for line in lines:
        match = re.fullmatch(r"(\S+) (\S+) ([a-z-]+)(?: (\d+) packets)?(?:: (.*))?", line)
        assert match, line
        event = Event(match[2], match[3], int(match[4]) if match[4] else None, match[5])
        assert str(event).partition(" ")[2] == line.partition(" ")[2]
        assert match[3] in explained
    assert {"present", "vanished", "unread", "cut-short", "damaged", "empty", "unsupported"} <= explained


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """With a program and a user that exist here in the place of those on the page."""
    for name, unit in UNITS.items():
        text = unit.replace("/opt/caphouse/bin/caphouse", shutil.which("true") or "").replace("User=caphouse", "User=root")
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in UNITS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    of_ours = [line for line in done.stderr.splitlines() if "caphouse-" in line]
    assert of_ours == [], done.stderr
    assert done.returncode == 0, done.stderr
    broken = tmp_path / "caphouse-ingest.timer"
    broken.write_text(broken.read_text(encoding="utf-8").replace("*:0/15", "every now and then"), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(broken)], capture_output=True, text=True, check=False)
    assert "calendar" in done.stderr, "the check would not notice a fault"
