"""The Parquet files are laid out as the schema declares, column by column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from synthetic_warehouse import capture, table

from caphouse.warehouse import parquet
from caphouse.warehouse.parquet import ParquetSink, Written, compact_dictionaries, conform
from caphouse.warehouse.schema import Column, Encoding, Table, Type
from caphouse.warehouse.tables import BY_NAME, FLOWS, PACKETS, TABLES


def write(path: Path, of: Table, *pieces: pa.Table) -> Written:
    sink = ParquetSink(of, pa.OSFile(str(path), "wb"))
    for piece in pieces:
        sink.write([conform(piece, of)])
    return sink.close()


@pytest.mark.parametrize("of", TABLES, ids=lambda of: of.name)
def test_every_column_has_the_declared_encoding_and_statistics(of: Table, tmp_path: Path) -> None:
    """Walks the declaration: a column that pyarrow would write another way than declared fails here."""
    rows = 500
    values: dict[Type, list[object]] = {
        Type.BOOLEAN: [True, False] * (rows // 2),
        Type.SMALLINT: list(range(rows)),
        Type.INTEGER: list(range(rows)),
        Type.BIGINT: list(range(rows)),
        Type.DOUBLE: [float(index) for index in range(rows)],
        Type.VARCHAR: [f"text {index % 50:03d}" for index in range(rows)],
    }
    data = table(of.name, {column.name: values[column.type] for column in of.stored if column.type in values})
    write(tmp_path / "x.parquet", of, data)
    metadata = pq.ParquetFile(tmp_path / "x.parquet").metadata
    group = metadata.row_group(0)
    leaves = {metadata.schema.column(index).path: group.column(index) for index in range(metadata.num_columns)}
    checked = 0
    for column in of.stored:
        leaf = leaves.get(column.name)
        if leaf is None or column.type not in values:  # lists and maps
            continue
        checked += 1
        assert leaf.compression == ("SNAPPY" if of.quick and column.encoding is Encoding.DICTIONARY else "ZSTD"), column.name
        assert leaf.is_stats_set == column.statistics, column.name
        encodings = set(leaf.encodings)
        if column.type is Type.BOOLEAN:
            continue  # has no dictionary in Parquet
        assert ("RLE_DICTIONARY" in encodings) == (column.encoding is Encoding.DICTIONARY), (column.name, encodings)
        assert ("DELTA_BINARY_PACKED" in encodings) == (column.encoding is Encoding.DELTA), (column.name, encodings)
    assert checked >= len(of.stored) - 6
    assert pq.ParquetFile(tmp_path / "x.parquet").read().cast(of.arrow_schema).equals(data)


def test_bounds_are_those_of_the_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    numbers = rng.integers(-(2**62), 2**62, 1000)
    texts = [None if number % 3 == 0 else f"10.{number % 256}.0.1" for number in numbers.tolist()]
    data = table("flows", {"ingest_id": [7] * 1000, "first_ts_ns": numbers.tolist(), "client_ip": texts, "server_ip": [None] * 1000})
    written = write(tmp_path / "x.parquet", FLOWS, data.slice(0, 300), data.slice(300))
    assert written.rows == 1000
    assert written.bytes == (tmp_path / "x.parquet").stat().st_size
    assert written.bounds["ingest_id"] == (7, 7, 0)
    assert written.bounds["first_ts_ns"] == (pc.min(data["first_ts_ns"]).as_py(), pc.max(data["first_ts_ns"]).as_py(), 0)
    present = sorted(text for text in texts if text is not None)
    assert written.bounds["client_ip"] == (present[0], present[-1], texts.count(None))
    assert written.bounds["server_ip"] == (None, None, 1000)
    assert set(written.bounds) == {column.name for column in FLOWS.stored if column.statistics}


def test_a_slice_does_not_carry_the_whole_dictionary(tmp_path: Path) -> None:
    words = pa.array([f"host-{index:05d}" for index in range(20_000)])
    indices = pa.array([5, None, 7, 5], pa.int32())
    data = table("packets", {"ingest_id": [1] * 4}).set_column(
        PACKETS.arrow_schema.get_field_index("src_ip"), "src_ip", pa.DictionaryArray.from_arrays(indices, words)
    )
    written = write(tmp_path / "x.parquet", PACKETS, data)
    assert written.bytes < 20_000
    back = pq.ParquetFile(tmp_path / "x.parquet", read_dictionary=["src_ip"]).read()["src_ip"]
    assert back.chunk(0).dictionary.to_pylist() == ["host-00005", "host-00007"]
    assert back.to_pylist() == ["host-00005", None, "host-00007", "host-00005"]


@pytest.mark.parametrize(
    "pieces",
    [
        [(["a", "b"], [0, 1]), (["b", "c"], [1, 0, 0])],
        [(["a", None], [0, 1, None])],
        [([], [None, None])],
        [(["unused", "a"], [1]), (["x"], [None])],
        [(["a"], [])],
    ],
)
def test_compacting_keeps_the_values(pieces: list[tuple[list[str | None], list[int | None]]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "SMALL_DICTIONARY", 0)
    arrays = [pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(words, pa.string())) for words, codes in pieces]
    column = pa.chunked_array(arrays)
    compacted = compact_dictionaries(pa.table({"x": column}))["x"]
    expected = [None if code is None else words[code] for words, codes in pieces for code in codes]
    assert compacted.to_pylist() == expected
    if compacted.num_chunks:
        dictionary = compacted.chunk(0).dictionary.to_pylist()
        assert sorted(dictionary) == sorted({word for word in expected if word is not None})


def test_a_flipped_bit_is_found_by_the_page_checksums(tmp_path: Path) -> None:
    data = capture("x", packets=5000).tables["packets"]
    write(tmp_path / "x.parquet", PACKETS, data)
    column = pq.ParquetFile(tmp_path / "x.parquet").metadata.row_group(0).column(PACKETS.arrow_schema.get_field_index("ts_ns"))
    content = bytearray((tmp_path / "x.parquet").read_bytes())
    content[column.data_page_offset + column.total_compressed_size - 3] ^= 1
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(OSError, match=r"(?i)crc|checksum"):
        pq.ParquetFile(tmp_path / "x.parquet", page_checksum_verification=True).read(columns=["ts_ns"])


def test_conform_accepts_what_a_decoder_gives() -> None:
    addresses = BY_NAME["addresses"]
    data = pa.table(
        {
            "hex": pa.array(["0" * 32]),
            "ip": pa.array(["10.0.0.1"]).dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string())),
            "family": pa.array([4], pa.int8()),
            "ingest_id": pa.array([9], pa.int64()),
        }
    )
    conformed = conform(data, addresses)
    assert conformed.column_names == addresses.arrow_schema.names
    assert conformed.cast(addresses.arrow_schema).to_pylist() == [{"ingest_id": 9, "ip": "10.0.0.1", "family": 4, "hex": "0" * 32}]
    arrays = {name: column.chunk(0) for name, column in zip(data.column_names, data.columns, strict=True)}
    assert conform(arrays, addresses).equals(conformed)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"ingest_id": [1], "ip": ["x"], "family": [4], "hex": [None]}, "hex may not be NULL"),
        ({"ingest_id": [1], "ip": ["x"], "family": [4]}, "hex may not be NULL"),
        ({"ingest_id": [1], "ip": ["x"], "family": [4], "hex": ["0"], "port": [1]}, "no column port"),
        ({"ingest_id": [1], "ip": ["x"], "family": [70_000], "hex": ["0"]}, "70000"),
    ],
)
def test_conform_refuses_what_would_be_wrong(columns: dict[str, list[object]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        conform(pa.table({name: pa.array(values) for name, values in columns.items()}), BY_NAME["addresses"])


def test_text_without_a_dictionary_stays_plain(tmp_path: Path) -> None:
    of = Table("t", "One row per t.", "T.", (Column("k", Type.VARCHAR, "K.", encoding=Encoding.PLAIN),))
    data = pa.table({"k": pa.array(["a", "b"]).dictionary_encode()})
    write(tmp_path / "x.parquet", of, data)
    assert pq.ParquetFile(tmp_path / "x.parquet").read()["k"].to_pylist() == ["a", "b"]
