"""The made handshakes as a capture that tshark reads: the same streams, initial RTTs and completeness."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from made_columns import Packet, converse
from tcp_vectors import CLIENT, VECTORS

scapy = pytest.importorskip("scapy.all")
pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def all_vectors() -> list[Packet]:
    """All vectors one after the other, each with a client port of its own."""
    packets: list[Packet] = []
    for number, vector in enumerate(VECTORS):
        for packet in vector.packets:
            ports = {name: getattr(packet, name) + number for name in ("src_port", "dst_port") if getattr(packet, name) == CLIENT[1]}
            packets.append(dataclasses.replace(packet, ts_ns=packet.ts_ns + number * 3_600_000_000_000, **ports))
    return packets


def write_pcap(path: Path, packets: Sequence[Packet]) -> None:
    with scapy.PcapWriter(str(path), nano=True, linktype=1, sync=True) as writer:
        for packet in packets:
            made = (
                scapy.Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
                / scapy.IP(src=packet.src_ip, dst=packet.dst_ip, ttl=packet.ip_ttl)
                / scapy.TCP(sport=packet.src_port, dport=packet.dst_port, flags=packet.tcp_flags, seq=packet.tcp_seq, ack=packet.tcp_ack)
                / bytes(packet.payload_length)
            )
            made.time = scapy.EDecimal(packet.ts_ns) / 10**9
            writer.write(made)


def tshark(path: Path, *fields: str) -> list[list[str]]:
    """Fields of each frame in two passes, texts."""
    columns = [option for name in fields for option in ("-e", name)]
    command = ["tshark", "-2", "-n", "-o", "tcp.desegment_tcp_streams:FALSE", "-r", str(path), "-T", "fields", *columns]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [line.split("\t") for line in output.splitlines()]


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    path = tmp_path_factory.mktemp("tshark") / "vectors.pcap"
    write_pcap(path, all_vectors())
    return tshark(path, "frame.time_epoch", "tcp.stream", "tcp.analysis.initial_rtt", "tcp.completeness")


def nanoseconds(seconds: str) -> int:
    whole, _, fraction = seconds.partition(".")
    return int(whole) * 10**9 + int(fraction.ljust(9, "0"))


def last_of_streams(frames: list[list[str]], column: int) -> dict[int, str]:
    """The last value that a column has in each stream."""
    return {int(frame[1]): frame[column] for frame in frames if frame[column]}


def test_times_and_streams(frames: list[list[str]]) -> None:
    packets = all_vectors()
    assert [nanoseconds(frame[0]) for frame in frames] == [packet.ts_ns for packet in packets]
    assert [int(frame[1]) for frame in frames] == converse(packets).streams


def test_initial_rtt(frames: list[list[str]]) -> None:
    rows: list[dict[str, Any]] = converse(all_vectors()).handshakes
    told = {stream: nanoseconds(seconds) for stream, seconds in last_of_streams(frames, 2).items()}
    assert {row["tcp_stream"]: row["initial_rtt_ns"] for row in rows if row["tcp_stream"] in told} == told
    # tshark shows the value only where it has something else to say of the segment.
    assert len(told) > len(rows) // 2


def test_completeness(frames: list[list[str]]) -> None:
    """tshark's last frame of a stream knows all before it and itself; a stream of one frame is not told."""
    rows = converse(all_vectors()).handshakes
    told = {stream: int(value) for stream, value in last_of_streams(frames, 3).items()}
    assert {row["tcp_stream"]: row["completeness"] for row in rows} == told
