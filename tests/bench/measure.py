"""Runs whole processes in turn and keeps what the system says about each."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Command:
    """Something to time.

    Attributes:
        name: What the table calls it.
        arguments: The process, started without a shell.
        before: Called before each run, outside of the time.
        cores: The cores that it may use; None for all.
        fine: Exit codes that are no failure.
    """

    name: str
    arguments: Sequence[str]
    before: Callable[[], None] | None = None
    cores: frozenset[int] | None = None
    fine: frozenset[int] = frozenset({0})


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        wall: Seconds on the clock.
        cpu: Seconds of processor time, of the process and all its children.
        peak_bytes: Largest resident size of any one process of it.
    """

    wall: float
    cpu: float
    peak_bytes: int


@dataclass(eq=False)
class Measured:
    """All runs of one command; the figures are medians."""

    name: str
    runs: list[Run] = field(default_factory=list)

    @property
    def wall(self) -> float:
        """Seconds on the clock."""
        return median(run.wall for run in self.runs)

    @property
    def cpu(self) -> float:
        """Seconds of processor time."""
        return median(run.cpu for run in self.runs)

    @property
    def peak_bytes(self) -> float:
        """Largest resident size."""
        return median(run.peak_bytes for run in self.runs)

    @property
    def spread(self) -> tuple[float, float]:
        """Fastest and slowest wall time."""
        return min(run.wall for run in self.runs), max(run.wall for run in self.runs)


class CommandFailed(Exception):
    """A command ended with an exit code that it should not."""


def floor_bytes() -> int:
    """Below this no peak can be seen: a new process counts the memory of the one that it was started from."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def interleaved(commands: Sequence[Command], rounds: int, tell: Callable[[str], None]) -> list[Measured]:
    """Run all commands, one after the other, `rounds` times: whatever else the machine does hits all of them alike."""
    measured = [Measured(command.name) for command in commands]
    for number in range(rounds):
        for command, result in zip(commands, measured, strict=True):
            tell(f"round {number + 1} of {rounds}: {command.name}")
            result.runs.append(run(command))
    return measured


def run(command: Command) -> Run:
    """Run one command once.

    Raises:
        CommandFailed: Its exit code says that it did not do what it should.
    """
    if command.before is not None:
        command.before()
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command.arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
        if command.cores is not None:
            os.sched_setaffinity(process.pid, command.cores)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in command.fine:
            errors.seek(0)
            said = errors.read()[-2000:].decode(errors="replace")
            message = f"{command.name}: exit code {process.returncode}: {said}"
            raise CommandFailed(message)
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
