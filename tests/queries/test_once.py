"""Packets and connections that several captures of one host have count once: the same answers as one capture of everything."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from caphouse.ingest.pipeline import ingest
from caphouse.queries.engine import Session
from caphouse.warehouse.maintenance import prune
from caphouse.warehouse.store import Warehouse

SAMPLES = Path(__file__).parents[2] / "samples" / "network-watcher-logs"

START_NS = 1_780_000_000_000_000_000
COUNTING = ("protocol-hierarchy", "destinations", "endpoints")
"""Reports whose numbers do not depend on how many captures the packets are in, one column aside."""

HANDSHAKE = """
    client_ip, client_port, server_ip, server_port, client_isn, status, syn_ts_ns, syn_ack_ts_ns, ack_ts_ns, syn_count, syn_ack_count,
    rtt_ns, rtt_last_syn_ns, client_rtt_ns, handshake_ns, initial_rtt_ns, rst_rtt_ns, retransmitted, clock_anomaly
"""


class Record(NamedTuple):
    """A packet of a pcap: its time and its bytes."""

    ts_ns: int
    data: bytes


def write(path: Path, records: list[Record], *, shift_ns: int = 0, nanoseconds: bool = True) -> str:
    """A pcap of some packets."""
    unit = 1 if nanoseconds else 1_000
    parts = [struct.pack("<IHHiIII", 0xA1B23C4D if nanoseconds else 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for record in records:
        seconds, rest = divmod(record.ts_ns + shift_ns, 1_000_000_000)
        parts.append(struct.pack("<IIII", seconds, rest // unit, len(record.data), len(record.data)) + record.data)
    path.write_bytes(b"".join(parts))
    return str(path)


def read(path: Path) -> list[Record]:
    """The packets of a sample, a pcap with microseconds."""
    content = path.read_bytes()
    order = "<" if content[:4] == struct.pack("<I", 0xA1B2C3D4) else ">"
    place, found = 24, []
    while place < len(content):
        seconds, micros, size, _ = struct.unpack_from(f"{order}IIII", content, place)
        found.append(Record(seconds * 1_000_000_000 + micros * 1_000, content[place + 16 : place + 16 + size]))
        place += 16 + size
    return found


def storm(count: int, start_ns: int, step_ns: int = 20_000) -> list[Record]:
    """Frames that are all alike, without anything to tell them apart."""
    return [
        Record(start_ns + number * step_ns, bytes.fromhex("ffffffffffff020000000001") + b"\x88\xb5" + bytes(46)) for number in range(count)
    ]


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """A day of one virtual machine: lost SYNs, refusals, UDP, ARP, with a storm of frames that are all alike in the middle."""
    found = read(next(SAMPLES.glob("**/web-01/2026/03/04/*.cap")))
    middle = found[len(found) // 2].ts_ns
    return sorted([*found, *storm(300, middle)])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, records: list[Record]) -> Session:
    """One capture of everything."""
    folder = tmp_path_factory.mktemp("whole")
    warehouse = Warehouse.create(folder / "warehouse")
    ingest(warehouse, [write(folder / "whole.pcap", records)], host="web-01")
    return Session(warehouse)


def cut_in(folder: Path, pieces: list[str], host: str | None = "web-01") -> Session:
    """A warehouse with some captures of one host."""
    warehouse = Warehouse.create(folder / "warehouse")
    ingest(warehouse, pieces, host=host)
    return Session(warehouse)


def answer(session: Session, report: str, **options: Any) -> list[dict[str, Any]]:
    """The rows of a report, without what depends on how many captures there are."""
    rows = session.report(report, **options).to_arrow_table().to_pylist()
    return [{name: value for name, value in row.items() if name != "captures"} for row in rows]


def overlapping(folder: Path, records: list[Record]) -> Session:
    """Three sessions that overlap: stamped at once and in microseconds, and the third one 4 us later; the second has lost a packet."""
    size = len(records)
    sets = [records[: 7 * size // 10], records[4 * size // 10 : 9 * size // 10], records[6 * size // 10 :]]
    assert all(later[0].ts_ns < earlier[-1].ts_ns for earlier, later in itertools.pairwise(sets))
    lost = [record for place, record in enumerate(sets[1]) if place != 20]
    first = write(folder / "1.pcap", sets[0])
    second = write(folder / "2.pcap", lost, nanoseconds=False)
    return cut_in(folder, [first, second, write(folder / "3.pcap", sets[2], shift_ns=4_000)])


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, records: list[Record]) -> Session:
    return overlapping(tmp_path_factory.mktemp("three"), records)


@pytest.mark.parametrize("report", COUNTING)
def test_overlapping_sessions_count_once(whole: Session, three: Session, report: str) -> None:
    assert answer(three, report, deduplicate=True) == answer(whole, report)
    assert answer(three, report) != answer(whole, report)


@pytest.mark.parametrize("report", COUNTING)
def test_so_they_do_within_a_time(whole: Session, three: Session, records: list[Record], report: str) -> None:
    """The bounds lie between packets that no copy's stamp crosses."""
    apart = [
        earlier.ts_ns + 500_000
        for earlier, later in itertools.pairwise(records)
        if later.ts_ns - earlier.ts_ns > 1_000_000 and records[len(records) // 2].ts_ns != earlier.ts_ns
    ]
    times = {"since": apart[len(apart) // 3], "until": apart[3 * len(apart) // 4]}
    assert answer(three, report, deduplicate=True, **times) == answer(whole, report, **times)
    assert answer(whole, report, **times) != answer(whole, report)


def test_connections_of_overlapping_sessions_are_listed_once(whole: Session, three: Session) -> None:
    query = f"select {HANDSHAKE} from handshakes order by syn_ts_ns, client_port"
    expected = whole.sql(query).fetchall()
    found = three.sql(query.replace("from handshakes", "from stitched_handshakes")).fetchall()
    assert [row[:6] for row in found] == [row[:6] for row in expected]
    in_report = answer(three, "rtt", deduplicate=True)
    assert sorted(row["client_port"] for row in in_report) == sorted(row["client_port"] for row in answer(whole, "rtt"))
    assert len(answer(three, "rtt")) > len(in_report)


def test_duplicates_are_marked_with_where_they_are(three: Session, records: list[Record]) -> None:
    [(packets, marked, twice)] = three.sql(
        "select (select count(*) from packets), count(*), count(distinct (capture_id, frame_number)) from duplicates"
    ).fetchall()
    assert packets - marked == len(records)
    assert marked == twice
    offsets = three.sql(
        "select distinct offset_ns from duplicates d join captures c using (capture_id) where file_name = '3.pcap'"
    ).fetchall()
    assert {offset for (offset,) in offsets} <= {4_000 + rounded for rounded in range(1_000)}


def test_files_of_a_ring_have_no_duplicates(tmp_path: Path) -> None:
    """Also where the same frame is the last of one file and the first of the next, 20 us later."""
    alike = storm(40, START_NS)
    session = cut_in(tmp_path, [write(tmp_path / "1.pcap", alike[:20]), write(tmp_path / "2.pcap", alike[20:])])
    assert session.sql("select count(*) from duplicates").fetchall() == [(0,)]
    assert session.sql("select count(*) from overlapping_captures").fetchall() == [(0,)]


def test_the_same_packet_of_two_hosts_or_of_none_counts_twice(tmp_path: Path, records: list[Record]) -> None:
    warehouse = Warehouse.create(tmp_path / "warehouse")
    for host, shift in (("a", 0), ("b", 1), (None, 2), (None, 3)):
        ingest(warehouse, [write(tmp_path / f"{shift}.pcap", records[:50], shift_ns=shift)], host=host)
    with Session(warehouse) as session:
        assert session.sql("select count(*) from duplicates").fetchall() == [(0,)]
        assert "2 of no known host" in str(session.uncompared())
    prune(warehouse, 1 << 62, packets_only=True)
    ingest(warehouse, [write(tmp_path / "late.pcap", records[:50], shift_ns=9)], host="a")
    with Session(warehouse) as session:
        assert session.sql("select comparable from overlapping_captures").fetchall() == [(False,)]
        assert "1 whose packets" in str(session.uncompared())


def test_all_that_overlap_are_found(tmp_path: Path) -> None:
    """One within another, one over two, and neighbours that only touch."""
    spans = {"long": (0, 100), "within": (10, 20), "across": (15, 120), "after": (120, 130), "alone": (200, 210)}
    pieces = [write(tmp_path / f"{name}.pcap", [storm(1, START_NS + second * 10**9)[0] for second in span]) for name, span in spans.items()]
    found = cut_in(tmp_path, pieces).sql(
        "select e.file_name, l.file_name from overlapping_captures o join captures l using (capture_id)"
        " join captures e on o.earlier_capture_id = e.capture_id order by 1, 2"
    )
    assert found.fetchall() == [("long.pcap", "across.pcap"), ("long.pcap", "within.pcap"), ("within.pcap", "across.pcap")]


def test_a_connection_cut_anywhere_is_stitched(tmp_path: Path, records: list[Record]) -> None:
    """The capture is cut into two files at every place of its beginning, each time as the captures of another host."""
    places = list(range(1, 160, 3))
    beginning = [record for record in records if record.data[12:14] != b"\x88\xb5"][:160]
    warehouse = Warehouse.create(tmp_path / "warehouse")
    for place in places:
        pieces = [write(tmp_path / f"{place}-1.pcap", beginning[:place]), write(tmp_path / f"{place}-2.pcap", beginning[place:])]
        ingest(warehouse, pieces, host=f"cut-{place}")
    ingest(warehouse, [write(tmp_path / "whole.pcap", beginning)], host="whole")
    with Session(warehouse) as session:
        of_host = f"select {HANDSHAKE} from stitched_handshakes where host = $host order by first_ts_ns, client_port"
        expected = session.sql(of_host, host="whole").fetchall()
        assert len(expected) > 10
        wrong = {place: found for place in places if (found := session.sql(of_host, host=f"cut-{place}").fetchall()) != expected}
        assert wrong == {}
        [(completed,)] = session.sql("select count(*) from stitched_handshakes where completed").fetchall()
        assert completed >= 8
        flows = """
            select client_ip, client_port, server_ip, server_port, application, packets_to_server, packets_to_client, bytes_to_server,
                bytes_to_client, payload_packets_to_server, payload_packets_to_client, first_ts_ns, last_ts_ns
            from stitched_flows where host = $host order by first_ts_ns, client_port
        """
        expected = session.sql(flows, host="whole").fetchall()
        for place in places:
            assert session.sql(flows, host=f"cut-{place}").fetchall() == expected, place
