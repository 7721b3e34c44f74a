"""The commands that look after a warehouse."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from caphouse.cli.main import main
from caphouse.cli.maintain import age_ns
from caphouse.warehouse.errors import UsageError


def run(*arguments: object) -> int:
    """Exit code of the command line."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return int(end.value.code or 0)


def write_pcap(path: Path, seconds: int) -> Path:
    """A pcap with three packets of an unknown Ethernet type, from `seconds` since the epoch on."""
    packet = bytes(12) + b"\x88\xb5" + bytes(46)
    records = b"".join(struct.pack("<IIII", seconds + number, 0, 60, 60) + packet for number in range(3))
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + records)
    return path


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """A warehouse with an old and a new capture, each from an ingest of its own."""
    place = tmp_path / "warehouse"
    for name, seconds in (("old.pcap", 1_500_000_000), ("new.pcap", 4_000_000_000)):
        assert run("ingest", "-w", place, write_pcap(tmp_path / name, seconds)) == 0
    return place


def captures(place: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """File names and packet counts that a reader sees."""
    capsys.readouterr()
    assert (
        run("sql", "-w", place, "select file_name, count(*) from packets join captures using (capture_id) group by all order by all") == 0
    )
    return capsys.readouterr().out.split()[1:]


def test_prune_removes_what_is_older(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Captures that ended before the age go, and stay away; a later one stays."""
    assert run("prune", "-w", warehouse, "--older-than", "1d") == 0
    assert captures(warehouse, capsys) == ["new.pcap,3"]


def test_prune_of_packets_keeps_the_history(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --packets-only the capture and its flows stay."""
    assert run("prune", "-w", warehouse, "--older-than", "1d", "--packets-only") == 0
    assert captures(warehouse, capsys) == ["new.pcap,3"]
    assert run("sql", "-w", warehouse, "select sum(packets_to_server + packets_to_client)::bigint as n from flows") == 0
    assert capsys.readouterr().out.split() == ["n", "6"]


def test_forget_removes_one_capture(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The capture named goes; a name that is none is exit code 2."""
    assert run("forget", "-w", warehouse, "nothing.pcap") == 2
    assert run("forget", "-w", warehouse, "old.pcap") == 0
    assert captures(warehouse, capsys) == ["new.pcap,3"]


def test_verify_finds_damage(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A whole warehouse is exit code 0; one changed byte is exit code 1 and a line."""
    assert run("verify", "-w", warehouse) == 0
    file = next((warehouse / "packets").rglob("*.parquet"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    capsys.readouterr()
    assert run("verify", "-w", warehouse, "--format", "csv") == 1
    assert file.name in capsys.readouterr().out


def test_compaction_vacuum_and_export_change_no_answer(warehouse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is done to the files, the rows stay."""
    assert run("compact", "-w", warehouse) == 0
    assert run("vacuum", "-w", warehouse) == 0
    assert run("export", "-w", warehouse, tmp_path / "plain", "--table", "packets") == 0
    assert captures(warehouse, capsys) == ["new.pcap,3", "old.pcap,3"]
    assert len(list((tmp_path / "plain" / "packets").rglob("*.parquet"))) == 2


def test_a_dry_run_lists_and_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The sources are listed and no warehouse is made."""
    file = write_pcap(tmp_path / "a.pcap", 1_500_000_000)
    assert run("ingest", "--dry-run", "-w", tmp_path / "none", file) == 0
    assert capsys.readouterr().out.splitlines() == ["source,file_bytes,host,problem", f"{file},{file.stat().st_size},,"]
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(("text", "seconds"), [("90d", 7_776_000), ("12h", 43_200), (" 5M ", 300), ("2w", 1_209_600)])
def test_ages(text: str, seconds: int) -> None:
    """A number and a unit."""
    assert age_ns(text) == seconds * 1_000_000_000


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1.5d", "1 month"])
def test_what_is_no_age(text: str) -> None:
    """Everything else is refused."""
    with pytest.raises(UsageError):
        age_ns(text)
