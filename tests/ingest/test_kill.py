"""An ingest that is killed at any moment and run again leaves exactly the right rows."""

from __future__ import annotations

import itertools
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from caphouse.warehouse.store import Warehouse

scapy = pytest.importorskip("scapy.all")

CAPTURES = 24
KILLS = 20
PROGRAM = "import sys; from caphouse.cli.main import main; main(sys.argv[1:])"


def make_captures(folder: Path) -> dict[str, int]:
    """Captures of different days and sizes; packets by file name."""
    folder.mkdir()
    sizes = {}
    for number in range(CAPTURES):
        packets = []
        for index in range(20 + 7 * number):
            packet = scapy.Ether() / scapy.IP(src="10.0.0.1", dst=f"10.1.{number}.{index % 250}") / scapy.UDP(sport=1024 + index, dport=53)
            packet.time = 1_790_000_000 + 86_400 * (number // 5) + index
            packets.append(packet)
        scapy.wrpcap(str(folder / f"{number:02}.pcap"), packets)
        sizes[f"{number:02}.pcap"] = len(packets)
    return sizes


def command(warehouse: Path, folder: Path) -> list[str]:
    """The ingest as a process of its own."""
    return [sys.executable, "-c", PROGRAM, "ingest", str(folder), "--warehouse", str(warehouse)]


def seconds_of(command: list[str], most: float | None = None) -> float | None:
    """How long a process runs, to its end; None when it is killed after `most` seconds."""
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.wait(most) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            return None if process.wait() == -signal.SIGKILL else time.monotonic() - began
    return time.monotonic() - began


def packets_by_file(place: Path) -> dict[str, int]:
    """What a reader sees: rows of `packets` by file name, counted from the files and not from `captures.packets`."""
    snapshot = Warehouse.open(place).snapshot()
    uris = snapshot.uris("packets")
    if not uris:
        return {}
    captures = snapshot.captures
    with duckdb.connect() as connection:
        connection.register("live", captures)
        rows = connection.execute(
            f"select file_name, count(*) from read_parquet({uris!r}) t join live using (ingest_id) group by all"
        ).fetchall()
    return dict(rows)


def test_kill_9_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """After 20 kills at random moments every reader still sees whole captures, and one run to the end makes all of them right."""
    expected = make_captures(tmp_path / "in")
    places = (tmp_path / f"warehouse{number}" for number in itertools.count())
    place = next(places)
    chance = random.Random(20)
    whole = seconds_of(command(tmp_path / "measured", tmp_path / "in"))
    assert whole is not None
    killed = 0
    while killed < KILLS:
        new = not place.exists()
        taken = seconds_of(command(place, tmp_path / "in"), chance.uniform(0.1, 1.05) * whole)
        if taken is None:
            killed += 1
        elif new:
            whole = min(whole, taken)  # the first may have taken longer than any other
        if (place / "captures" / "_delta_log").exists() and any((place / "captures" / "_delta_log").iterdir()):
            seen = packets_by_file(place)
            assert all(expected[name] == count for name, count in seen.items()), "a part of a capture is visible"
            if seen == expected:
                # Begin anew, so that kills keep hitting a warehouse that is being filled.
                place = next(places)
    done = subprocess.run(command(place, tmp_path / "in"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert packets_by_file(place) == expected
