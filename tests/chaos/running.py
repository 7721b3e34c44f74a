"""Starts workers, kills them, and says at the end whether everything is right."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import caphouse
from caphouse.warehouse.locations import Location
from caphouse.warehouse.store import Warehouse
from caphouse.warehouse.verification import Verification, verify

from . import acting, captures, looking

PROGRAM = "import sys; from caphouse.cli.main import main; main(sys.argv[1:])"
CONFLICTS = ("other writers were faster", "stood still for so long", "cleared away", "are being replaced faster")
"""Sentences of a command that gave way to others, as it may: nothing came of it, and it is to be run again."""

LONG_SECONDS = 30.0
"""Of commands that take longer, on an emulator that works for eight of them, few come to an end: 200 kills would take hours."""

WARNING = "caphouse: warning: the captures are in, but small files could not be merged"
"""What an ingest says when others were in the way of its compaction."""


@dataclass(frozen=True)
class Plan:
    """How much of it.

    Attributes:
        workers: Commands that run at a time.
        captures: Captures that all of them fight over.
        kills: `kill -9` that must have met a running command.
        readers: Processes that look all the while.
        horizon: Seconds for what takes an hour or more in practice: see `acting.hurry`.
        seed: Of everything that is left to chance.
    """

    workers: int = 8
    captures: int = 500
    kills: int = 200
    readers: int = 2
    horizon: float = 60.0
    seed: int = 0


@dataclass
class Outcome:
    """What happened.

    Attributes:
        kills: Kills by command.
        done: Commands that ended by themselves, by command.
        gave_way: Those of them that others were in the way of.
        looks: What the readers say that they did.
        complaints: Everything that is not as it should be; empty when all is well.
        seconds: How long it took.
        verification: The last one.
    """

    kills: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    gave_way: Counter[str] = field(default_factory=Counter)
    looks: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    seconds: float = 0.0
    verification: Verification | None = None


@dataclass
class _Running:
    """A command on its way."""

    action: str
    process: BaseProcess
    log: Path
    began: float
    end: float | None
    """When it is to be killed."""
    is_spared: bool = False
    """Whether it is not to be killed, however long it takes."""


class Chaos:
    """One run.

    Args:
        place: The warehouse, which is not there yet.
        folder: An empty folder for captures and logs.
        plan: How much.
        say: Told how far it is.
    """

    def __init__(self, place: str, folder: Path, plan: Plan, say: Callable[[str], None] = lambda _: None) -> None:
        self.place = place
        self.outcome = Outcome()
        self._folder = folder
        self._plan = plan
        self._say = say
        self._chance = random.Random(plan.seed)
        self._made = captures.make(folder / "captures", plan.captures, plan.seed)
        self._took: dict[str, list[float]] = defaultdict(list)
        self._started = 0
        # A server that has the imports done, with the environment as it is now.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([acting.__name__])

    def run(self) -> Outcome:
        """Do it all."""
        began = time.monotonic()
        self._command("ingest", str(self._made.folder / self._made.names[0]))
        right = self._right()
        with self._context.Manager() as manager:
            stop, lines = manager.Event(), manager.list()
            arguments = (self.place, right, self._plan.horizon, stop, lines)
            readers = [self._context.Process(target=looking.look_until, args=arguments) for _ in range(self._plan.readers)]
            for reader in readers:
                reader.start()
            try:
                self._fight()
            finally:
                stop.set()
                for reader in readers:
                    reader.join()
            self.outcome.looks = [line for line in lines if line.startswith("looked")]
            self.outcome.complaints += sorted({line for line in lines if not line.startswith("looked")})
            self.outcome.complaints += [f"a reader ended with {reader.exitcode}" for reader in readers if reader.exitcode]
        self._settle(right)
        self.outcome.seconds = time.monotonic() - began
        return self.outcome

    def _right(self) -> looking.Fingerprints:
        """What a quiet ingest of all captures gives, on the local disk; growing files as they will be."""
        folder, place = self._folder / "complete", self._folder / "quiet"
        folder.mkdir()
        for name in self._made.names:
            rest = b"".join(self._made.growing.get(name, []))
            (folder / name).write_bytes((self._made.folder / name).read_bytes() + rest)
        self._command("ingest", str(folder), place=str(place))
        with caphouse.open(place) as session:
            found = dict(session.sql("select file_name, packets from captures").fetchall())
            if found != self._made.packets:
                raise AssertionError("a quiet ingest does not give the packets that were written")
            return looking.fingerprints(session)

    def _fight(self) -> None:
        """Keep workers busy, kill some, start others in their place; then let the last ones finish."""
        running: list[_Running] = []
        ages = 0.0
        while True:
            wanted = sum(self.outcome.kills.values()) < self._plan.kills
            running = [command for command in running if not self._reap(command)]
            if not wanted and not running:
                return
            while wanted and len(running) < self._plan.workers:
                running.append(self._start())
            now = time.monotonic()
            for command in running if wanted else ():
                if command.end is None and not command.is_spared and now > command.began + LONG_SECONDS:
                    command.is_spared = self._chance.random() < 0.1
                    command.end = None if command.is_spared else now + self._chance.uniform(0, LONG_SECONDS)
                if command.end is not None and now >= command.end and command.process.pid is not None:
                    os.kill(command.process.pid, signal.SIGKILL)
                    command.end, command.is_spared = None, True
            if self._chance.random() < 0.1:
                self._made.grow(self._chance)
            if now > ages and Location.parse(self.place).is_local:
                ages = now + 1
                acting.age(Path(self.place), self._plan.horizon)
            time.sleep(0.02)

    def _start(self) -> _Running:
        self._started += 1
        action = self._chance.choices(list(acting.WEIGHTS), list(acting.WEIGHTS.values()))[0]
        arguments = acting.command(action, self._made, self._chance)
        log = self._folder / f"{self._started}-{action}.log"
        process = self._context.Process(target=acting.act, args=(self.place, arguments, str(log), self._plan.horizon))
        process.start()
        usual = statistics.median(self._took[action][-9:] or [1.0])
        began = time.monotonic()
        end = began + self._chance.uniform(0, min(1.2 * usual, 2 * LONG_SECONDS)) if self._chance.random() < 0.6 else None
        return _Running(action, process, log, began, end)

    def _reap(self, command: _Running) -> bool:
        """Whether the command has ended; counts it."""
        code = command.process.exitcode
        if code is None:
            return False
        command.process.close()
        talk = command.log.read_text(errors="replace") if command.log.exists() else ""
        if code == -signal.SIGKILL:
            self.outcome.kills[command.action] += 1
            self._say(f"{sum(self.outcome.kills.values())} kills, {sum(self.outcome.done.values())} commands done")
        else:
            self.outcome.done[command.action] += 1
            took = time.monotonic() - command.began
            self._took[command.action].append(took)
            # What a verify has begun with is let go after the horizon, as under a reader that takes longer.
            sentences = (*CONFLICTS, "no such file") if command.action == "verify" and took > self._plan.horizon else CONFLICTS
            if code == 4 and any(sentence in talk for sentence in sentences) and "Traceback" not in talk:
                self.outcome.gave_way[command.action] += 1
            elif code not in self._allowed(command.action, talk) or "Traceback" in talk:
                self.outcome.complaints.append(f"{command.action} ended with {code}: {talk[-2000:]}")
        command.log.unlink(missing_ok=True)
        return True

    def _allowed(self, action: str, talk: str) -> set[int]:
        """The exit codes that a command may end with: what it names may be gone, and a file that is written to cut or another."""
        if action == "forget":
            return {0, 2}
        growing = all(any(f"/{name}: " in line for name in self._made.growing) for line in talk.splitlines() if WARNING not in line)
        if action == "reingest":
            return {0, 3} if growing else {0, 2} if "there is no such capture" in talk else {0}
        return {0, 3} if action == "ingest" and growing else {0}

    def _settle(self, right: looking.Fingerprints) -> None:
        """Complete the work in peace, and check everything."""
        self._made.complete()
        self._command("ingest", str(self._made.folder))
        self._check("after the last ingest", right, lambda _: True)
        self._command("prune", "--older-than", f"{captures.GONE_DAYS - 10}d")
        self._command("prune", "--older-than", f"{captures.PRUNED_DAYS - 10}d", "--packets-only")
        self._verify("after the last prune")
        self._command("compact")
        self._command("vacuum", "--retention-hours", "1")
        pruned = self._check("at the end", right, lambda age: age < captures.GONE_DAYS)
        expected = {name for name, age in self._made.ages.items() if age == captures.PRUNED_DAYS}
        if pruned != expected:
            self.outcome.complaints.append(f"at the end: {len(pruned)} captures without packets where {len(expected)} are right")
        self._verify("at the end")

    def _check(self, when: str, right: looking.Fingerprints, stays: Callable[[int], bool]) -> set[str]:
        """Hold the warehouse against what was written; the captures whose packets were given up."""
        with caphouse.open(self.place) as session:
            seen = looking.look(session, right)
        expected = {name: packets for name, packets in self._made.packets.items() if stays(self._made.ages[name])}
        self.outcome.complaints += [f"{when}: {complaint}" for complaint in seen.complaints]
        if seen.packets != expected:
            wrong = sorted(set(seen.packets.items()) ^ set(expected.items()))
            self.outcome.complaints.append(f"{when}: not the captures and packets that are right: {wrong[:10]}")
        return seen.pruned

    def _verify(self, when: str) -> None:
        self.outcome.verification = verify(Warehouse.open(self.place))
        findings = [finding for finding in self.outcome.verification.findings if finding.damage]
        self.outcome.complaints += [f"{when}: {finding.kind} {finding.table} {finding.what}: {finding.message}" for finding in findings]

    def _command(self, *arguments: str, place: str | None = None) -> None:
        """Run a command to its end, in a process of its own, as it is in practice."""
        command = [sys.executable, "-c", PROGRAM, arguments[0], "-w", place or self.place, *arguments[1:]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            self.outcome.complaints.append(f"{arguments[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
