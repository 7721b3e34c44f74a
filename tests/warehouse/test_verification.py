"""Damage of every kind is found and named, and a sound warehouse passes."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from synthetic_warehouse import Synthetic, capture, ingest, stage
from written_captures import pcap

from caphouse.ingest.pipeline import ingest as ingest_files
from caphouse.warehouse import originals
from caphouse.warehouse.compaction import compact, row_groups
from caphouse.warehouse.errors import WarehouseError
from caphouse.warehouse.locations import Location
from caphouse.warehouse.staging import is_unharmed
from caphouse.warehouse.store import Warehouse
from caphouse.warehouse.tables import BY_NAME, TABLES
from caphouse.warehouse.verification import Verification, verify


def kinds(result: Verification) -> set[tuple[str, str]]:
    return {(finding.kind, finding.table) for finding in result.findings}


def test_a_sound_warehouse_passes(warehouse: Warehouse) -> None:
    ingest(warehouse, [capture("a"), capture("b", day=1)])
    result = verify(warehouse)
    assert result.findings == ()
    assert not result.damaged
    assert result.captures == 2
    assert result.rows == 2 * 57 + 2
    assert result.files == 13
    assert result.bytes == sum(Path(uri).stat().st_size for table in TABLES for uri in warehouse.snapshot().uris(table.name))
    compact(warehouse)
    assert verify(warehouse, jobs=2).findings == ()


@pytest.mark.parametrize("table", [table.name for table in TABLES])
def test_any_flipped_bit_in_any_table_is_found(table: str, warehouse: Warehouse) -> None:
    ingest(warehouse, [capture("a", packets=400)])
    path = Path(warehouse.snapshot().uris(table)[0])
    sound = path.read_bytes()
    metadata = pq.ParquetFile(path).metadata
    group = metadata.row_group(0)
    columns = [group.column(index) for index in range(metadata.num_columns)]
    rng = random.Random(1)
    for column in rng.sample(columns, min(8, len(columns))):
        start = column.dictionary_page_offset if column.has_dictionary_page else column.data_page_offset
        damaged = bytearray(sound)
        damaged[start + rng.randrange(column.total_compressed_size)] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        result = verify(Warehouse.open(warehouse.root))
        assert result.damaged, f"{column.path_in_schema} is not noticed"
        assert ("damaged-file", table) in kinds(result)
        path.write_bytes(sound)
    assert not verify(warehouse).damaged


@pytest.mark.parametrize("table", [table.name for table in TABLES])
def test_a_damaged_footer_is_no_other_error(table: str, warehouse: Warehouse) -> None:
    """Where it can be read all the same, the digest in the file's name tells."""
    ingest(warehouse, [capture("a", packets=40)])
    path = Path(warehouse.snapshot().uris(table)[0])
    sound = path.read_bytes()
    footer = int.from_bytes(sound[-8:-4], "little")
    for place in random.Random(2).sample(range(len(sound) - 8 - footer, len(sound)), 400):
        damaged = bytearray(sound)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        location = Location.parse(path)
        assert not is_unharmed(location)
        with contextlib.suppress(WarehouseError):
            list(row_groups(location, BY_NAME[table]))


def test_files_that_are_gone_or_cut(warehouse: Warehouse) -> None:
    ingest(warehouse, [capture("a")])
    snapshot = warehouse.snapshot()
    Path(snapshot.uris("handshakes")[0]).unlink()
    flows = Path(snapshot.uris("flows")[0])
    flows.write_bytes(flows.read_bytes()[:-1])
    result = verify(warehouse)
    assert {("missing-file", "handshakes"), ("wrong-size", "flows"), ("receipt", "flows")} == kinds(result)
    assert str(flows) in {finding.what for finding in result.findings}


def drop_packet(item: Synthetic) -> None:
    item.tables["packets"] = item.tables["packets"].slice(1)


def double_packet(item: Synthetic) -> None:
    packets = item.tables["packets"]
    item.tables["packets"] = pa.concat_tables([packets.slice(0, 39), packets.slice(0, 1)])


def lose_flow(item: Synthetic) -> None:
    item.tables["flows"] = item.tables["flows"].slice(1)


def claim_more(item: Synthetic) -> None:
    item.row["packets"] = 41


@pytest.mark.parametrize(
    ("change", "tables"),
    [
        (drop_packet, {"packets"}),
        (double_packet, {"packets"}),
        (lose_flow, {"flows"}),
        (claim_more, {"packets", "flows", "flow_minutes"}),
    ],
)
def test_rows_that_do_not_add_up_to_the_receipt(change: object, tables: set[str], warehouse: Warehouse) -> None:
    item = capture("a")
    change(item)  # type: ignore[operator]
    ingest(warehouse, [item, capture("b")])
    result = verify(warehouse)
    assert kinds(result) == {("receipt", table) for table in tables}
    assert all("a.pcap" in finding.what for finding in result.findings)


def test_leftovers_cost_space_and_are_no_damage(warehouse: Warehouse) -> None:
    ingest(warehouse, [capture("a")])
    warehouse.register(stage(warehouse, [capture("killed")]))
    result = verify(warehouse)
    assert not result.damaged
    assert kinds(result) == {("orphan-rows", table.name) for table in TABLES[1:]}


def test_a_pruned_capture_is_sound(warehouse: Warehouse) -> None:
    from caphouse.warehouse.maintenance import prune

    ingest(warehouse, [capture("a")])
    prune(warehouse, 2**62, packets_only=True)
    assert warehouse.snapshot().rows("packets") == 0
    assert verify(warehouse).findings == ()


def test_a_capture_counted_twice_is_found(warehouse: Warehouse) -> None:
    """No writer of ours does this; a foreign tool might."""
    from caphouse.warehouse import delta
    from caphouse.warehouse.parquet import conform
    from caphouse.warehouse.staging import OpenFile
    from caphouse.warehouse.tables import CAPTURES

    ingest(warehouse, [capture("a")])
    output = OpenFile(warehouse.root, "captures", None)
    output.write([conform(warehouse.snapshot().captures, CAPTURES)])
    delta.append(delta.load(warehouse.root, "captures"), CAPTURES, [delta.add_action(output.finish())])
    assert {("duplicate", "captures")} == kinds(verify(warehouse))
    assert len(verify(warehouse).findings) == 2


def test_files_that_no_log_knows_are_told(warehouse: Warehouse) -> None:
    """A process that was killed before it registered what it wrote; what a compaction replaced is known, and stays for a while."""
    ingest(warehouse, [capture("a"), capture("b")])
    ingest(warehouse, [capture("c")])
    compact(warehouse)
    assert verify(warehouse).findings == ()
    stage(warehouse, [capture("killed")])
    result = verify(warehouse)
    assert not result.damaged
    assert kinds(result) == {("orphan-files", table.name) for table in TABLES[1:]}


def test_an_original_that_is_damaged_or_left_over_is_found(tmp_path: Path, warehouse: Warehouse) -> None:
    for name, content in (("a.pcap", pcap(0, 50)), ("b.pcap", pcap(50, 90))):
        (tmp_path / name).write_bytes(content)
    ingest_files(warehouse, [str(tmp_path / "a.pcap"), str(tmp_path / "b.pcap")], keep_originals=True)
    assert verify(warehouse).findings == ()
    [first, second] = [Path(entry.location.path) for _, entry in originals.kept(warehouse.root)]
    sound = first.read_bytes()
    for place in (4, len(sound) // 2, len(sound) - 1):
        first.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        assert [(finding.kind, finding.damage, finding.what) for finding in verify(warehouse).findings] == [
            ("damaged-original", True, str(first))
        ]
    first.write_bytes(sound)
    stray = second.with_name("0" * 64 + ".zst")
    stray.write_bytes(sound)
    assert [(finding.kind, finding.damage) for finding in verify(warehouse).findings] == [("orphan-files", False)]
