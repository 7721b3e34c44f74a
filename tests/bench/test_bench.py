"""The bench measures what it says, on a capture that is the same on every machine."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import caphouse
from bench import longer, make_warehouse
from bench.ingesting import projection
from bench.inputs import Inputs, read_pcap
from bench.make_capture import Packet, Traffic, pcap
from bench.measure import Command, CommandFailed, interleaved, run
from bench.scores import Score, Wanted, markdown
from caphouse.ingest.pipeline import ingest
from caphouse.warehouse.store import Warehouse

CONNECTIONS = 120


@pytest.fixture(scope="module")
def packets() -> list[Packet]:
    return Traffic(CONNECTIONS, seed=7).make()


@pytest.fixture(scope="module")
def inputs(packets: list[Packet], tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("bench")
    large = folder / "large.pcap"
    large.write_bytes(b"".join(pcap(packets)))
    return Inputs(folder, large)


def test_a_seed_makes_the_same_bytes_in_any_process(inputs: Inputs, tmp_path: Path) -> None:
    """String hashing differs between processes; a capture that depended on it would not be the same again."""
    again = tmp_path / "again.pcap"
    environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-m", "bench.make_capture", str(again), str(CONNECTIONS), "7"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(inputs.large.read_bytes()).digest()


def test_what_is_written_is_read_back(inputs: Inputs, packets: list[Packet]) -> None:
    assert list(read_pcap(inputs.large)) == packets


@pytest.mark.parametrize("other", [False, True])
def test_a_longer_capture_has_the_same_conversations_or_as_many_others(inputs: Inputs, tmp_path: Path, other: bool) -> None:  # noqa: FBT001
    longer.write(inputs.large, tmp_path / "longer.pcap", 3, other=other)
    found = {}
    for capture in (inputs.large, tmp_path / "longer.pcap"):
        with caphouse.open(ingested(capture, tmp_path / capture.stem)) as warehouse:
            ((packets, syns),) = warehouse.sql("select count(*), count(*) filter (tcp_flags & 2 != 0) from packets").fetchall()
            ((streams, flows),) = warehouse.sql(
                "select count(*), (select count(*) from flows where transport is not null and not in_icmp_error) from handshakes"
            ).fetchall()
            found[capture.stem] = (packets, syns, streams, flows)
    packets, syns, streams, flows = found["large"]
    assert min(syns, streams, flows) > 0
    same = (3 * packets - 2 * syns, syns, streams, flows)
    assert found["longer"] == ((3 * packets, 3 * syns, 3 * streams, 3 * flows) if other else same)


def ingested(capture: Path, folder: Path) -> Path:
    """A warehouse of one capture."""
    ingest(Warehouse.create(folder), [str(capture)])
    return folder


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_the_same_packets_from_every_form(inputs: Inputs, packets: list[Packet]) -> None:
    def lines(capture: Path) -> list[str]:
        fields = [argument for field in ("frame.time_epoch", "frame.len") for argument in ("-e", field)]
        command = ["tshark", "-n", "-r", str(capture), "-T", "fields", *fields]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    expected = [f"{time_us // 10**6}.{time_us % 10**6:06}000\t{len(frame)}" for time_us, frame in packets]
    assert lines(inputs.large) == expected
    assert lines(inputs.pcapng()) == expected
    assert lines(inputs.short()) == expected
    assert lines(inputs.gzipped()) == expected


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_the_mix_is_the_one_that_is_promised(inputs: Inputs) -> None:
    layers = (
        "tls.handshake.type",
        "http.request.method",
        "ssh.protocol",
        "smtp.req.command",
        "dns.id",
        "vlan.id",
        "ipv6.src",
        "arp.opcode",
    )
    others = (
        "icmp.type",
        "icmpv6.type",
        "igmp.type",
        "stp.protocol",
        "tcp.options.mss_val",
        "tcp.options.timestamp.tsval",
        "_ws.malformed",
    )
    names = [*layers, *others, "tcp.flags", "ip.frag_offset", "tcp.analysis.retransmission"]
    fields = [argument for name in names for argument in ("-e", name)]
    command = ["tshark", "-n", "-r", str(inputs.large), "-T", "fields", *fields]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    values = {name: {row[column] for row in (line.split("\t") for line in said)} - {""} for column, name in enumerate(names)}
    assert values.pop("_ws.malformed") == set()
    assert [name for name, found in values.items() if not found] == []
    assert {"0x0002", "0x0012", "0x0010", "0x0018", "0x0011", "0x0004", "0x0014"} <= values["tcp.flags"]
    assert {"0", "185"} <= values["ip.frag_offset"]


def test_a_run_is_timed_and_its_memory_is_seen() -> None:
    result = run(Command("busy", [sys.executable, "-c", "b = b'x' * 200_000_000; sum(range(1_000_000))"]))
    assert result.wall > 0
    assert result.cpu > 0
    assert result.peak_bytes > 200_000_000


def test_a_command_that_fails_is_no_measurement() -> None:
    with pytest.raises(CommandFailed, match="broken: exit code 7: alas"):
        run(Command("broken", [sys.executable, "-c", "import sys; print('alas', file=sys.stderr); sys.exit(7)"]))


def test_commands_take_turns() -> None:
    turns: list[str] = []
    commands = [Command(name, ["true"], before=lambda name=name: turns.append(name)) for name in ("a", "b")]  # type: ignore[misc]
    measured = interleaved(commands, 2, lambda _: None)
    assert turns == ["a", "b", "a", "b"]
    assert [len(result.runs) for result in measured] == [2, 2]


def test_a_made_warehouse_is_like_one_that_was_ingested(tmp_path: Path) -> None:
    make_warehouse.make(tmp_path / "w", captures=25, packets=400, per_commit=10)
    snapshot = Warehouse.open(tmp_path / "w").snapshot()
    read = {name: pa.concat_tables(pq.ParquetFile(uri).read() for uri in snapshot.uris(name)) for name in make_warehouse.DATA_TABLES}
    captures = snapshot.captures.to_pylist()
    assert len({row["capture_id"] for row in captures}) == len({row["ingest_id"] for row in captures}) == 25
    assert len({row["host"] for row in captures}) == make_warehouse.HOSTS
    assert len({row["date"] for row in captures}) == 25
    clients = []
    for capture in captures:
        own = {name: table.filter(pc.field("ingest_id") == capture["ingest_id"]) for name, table in read.items()}
        packets, flows, minutes = own["packets"], own["flows"], own["flow_minutes"]
        assert packets.num_rows == capture["packets"]
        assert (pc.min(packets["ts_ns"]).as_py(), pc.max(packets["ts_ns"]).as_py()) == (capture["first_ts_ns"], capture["last_ts_ns"])
        for counted in (flows, minutes):
            ways = [pc.sum(counted[f"packets_to_{side}"]).as_py() for side in ("server", "client")]
            assert sum(ways) == capture["packets"]
        span = [capture[f"{end}_ts_ns"] // make_warehouse.MINUTE_NS for end in ("first", "last")]
        assert [pc.min(minutes["minute"]).as_py(), pc.max(minutes["minute"]).as_py()] == span
        seen = {text for name in packets.column_names if name in {"src_ip", "dst_ip"} for text in packets[name].to_pylist()} - {None}
        listed = own["addresses"]
        assert set(listed["ip"].to_pylist()) == seen
        assert len(set(listed["hex"].to_pylist())) == listed.num_rows == len(seen)
        assert all(int(digits, 16) & 0xFFFFFFFF == int(ip_address(ip)) & 0xFFFFFFFF for ip, digits in zip(*_columns(listed), strict=True))
        pairs = {(row["client_ip"], row["client_port"], row["server_ip"]) for row in flows.to_pylist() if row["transport"] == "TCP"}
        shaken = own["handshakes"].to_pylist()
        assert shaken
        assert {(row["client_ip"], row["client_port"], row["server_ip"]) for row in shaken if row["client_ip"]} <= pairs
        clients.append({client for client, _, _ in pairs})
    assert len(set.union(*clients)) > 0.9 * sum(map(len, clients)), "each copy has clients of its own"


def _columns(addresses: pa.Table) -> tuple[list[str], list[str]]:
    return addresses["ip"].to_pylist(), addresses["hex"].to_pylist()


def test_scores_say_what_was_reached() -> None:
    scores = [
        Score("a", 4.0, Wanted(9, 5)),
        Score("b", 7.0, Wanted(9, 5)),
        Score("c", 10.0, Wanted(9, 5)),
        Score("d", 149.0, Wanted(150, more=True)),
        Score("e", 0.2, Wanted(0.25, unit=" s")),
    ]
    assert [line.split(" | ")[-1] for line in markdown(scores)][2:] == ["goal |", "must |", "no |", "no |", "yes |"]
    assert list(markdown(scores))[-1] == "| e | <= 0.25 s |  | 0.20 s | yes |"


def test_more_cores_help_what_is_not_in_order() -> None:
    """1 s of 2 in order: 1.5 s on two cores, 1.125 s on eight."""
    said = "\n".join(projection(2.0, 1.5, 2, 1_000_000))
    assert "1.000 s of 2.000 s" in said
    assert "no more than 1,000 kpackets/s" in said
    assert "8 cores: 1.125 s" in said
