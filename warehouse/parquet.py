"""Arrow in, Parquet out, with the encodings that the schema declares for each column.

The tuning was measured: against pyarrow's defaults it halves the time per packet and takes a third off the size. What matters:
no dictionary for columns of high cardinality, DELTA_BINARY_PACKED for counters and times, statistics only where a query skips by
them, row groups of about a hundred thousand rows, and dictionaries that hold no value which the row group does not use (a slice of a
dictionary array would otherwise carry the whole dictionary into every file).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

# Of `pyarrow.parquet` only the compiled part: the rest takes twenty times as long to load, most of it for storage in the cloud.
from pyarrow._parquet import FileMetaData, ParquetReader, ParquetWriter

from .arrays import Rows, arrow
from .schema import Encoding, Type
from .texts import take

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .schema import Column, Table

ROW_GROUP_ROWS = 64 << 10
"""Rows after which buffered rows are worth a row group; larger ones cost memory and gain little."""

SMALL_DICTIONARY = 256
"""Values that a dictionary may have whether its row group uses them or not."""

FEW_ROWS = 1 << 12
"""Text of up to so many rows is put into a dictionary one by one, because loading Arrow's functions for it takes longer, see `texts`."""

DICTIONARY_TYPE = pa.dictionary(pa.int32(), pa.string())

UNREADABLE = (OSError, pa.ArrowException, UnicodeDecodeError)
"""What reading a file may raise that is missing or damaged: the last when a name in its footer is."""

Bounds = tuple[object, object, int]
"""Minimum, maximum and number of NULLs of a column in one file; minimum and maximum are None where all values are NULL."""


class Written(NamedTuple):
    """What a closed file holds.

    Attributes:
        rows: Number of rows.
        bytes: Size of the file.
        bounds: Bounds of each column that keeps statistics.
    """

    rows: int
    bytes: int
    bounds: dict[str, Bounds]


def is_dictionary(column: Column) -> bool:
    """Whether Arrow's dictionary goes straight into Parquet's: for repeated text."""
    return column.type is Type.VARCHAR and column.encoding is Encoding.DICTIONARY


def writer_schema(table: Table) -> pa.Schema:
    """The schema of what is handed to Parquet: `table.arrow_schema` with repeated text as dictionaries."""
    return _written(table).schema


class _Written(NamedTuple):
    schema: pa.Schema
    fields: tuple[tuple[str, pa.DataType, bool], ...]
    """Name, type and whether it may be NULL of each field."""
    table: Table


def _written(table: Table) -> _Written:
    known = _WRITTEN.get(id(table))
    if known is None:
        pairs = zip(table.stored, table.arrow_schema, strict=True)
        schema = pa.schema([field.with_type(DICTIONARY_TYPE) if is_dictionary(column) else field for column, field in pairs])
        known = _WRITTEN[id(table)] = _Written(schema, tuple((field.name, field.type, field.nullable) for field in schema), table)
    return known


_WRITTEN: dict[int, _Written] = {}
"""Made once for each declaration, which is kept with it so that its id stays its own; small captures would spend 2 ms each on this."""


def conform(data: Rows | pa.Table, table: Table) -> pa.Table:
    """`data` with exactly the columns and types of `writer_schema(table)`.

    Columns may come in any order, text plain or dictionary-encoded, integers in a narrower type; a nullable column may be missing.

    Raises:
        ValueError: A column that may not be NULL is missing or holds NULL, there is an unknown column, or values do not fit.
    """
    given = dict(zip(data.column_names, data.columns, strict=True)) if isinstance(data, pa.Table) else dict(data)
    size = len(next(iter(given.values()), ()))
    columns = []
    written = _written(table)
    for name, kind, nullable in written.fields:
        values = given.pop(name, None)
        if values is None:
            values = pa.nulls(size, kind)
        elif values.type != kind:
            values = _cast(values, kind)
        if not nullable and values.null_count:
            raise ValueError(f"{table.name}.{name} may not be NULL")
        columns.append(values)
    if given:
        raise ValueError(f"{table.name} has no column {', '.join(sorted(given))}")
    return pa.Table.from_arrays(columns, schema=written.schema)


def _cast(values: pa.Array | pa.ChunkedArray, to: pa.DataType) -> pa.ChunkedArray:
    """Cast, also between plain and dictionary-encoded text (pyarrow cannot cast one dictionary type to another in all versions)."""
    if isinstance(values, pa.Array):
        values = pa.chunked_array([values])
    if pa.types.is_dictionary(to):
        if pa.types.is_dictionary(values.type):
            chunks = [
                pa.DictionaryArray.from_arrays(chunk.indices.cast(to.index_type), chunk.dictionary.cast(to.value_type))
                for chunk in values.chunks
            ]
            return pa.chunked_array(chunks, to)
        if len(values) <= FEW_ROWS:
            return pa.chunked_array([pa.array(values.to_pylist(), to)])
        return values.cast(to.value_type).dictionary_encode()
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    return values.cast(to)


def compact_dictionaries(data: pa.Table) -> pa.Table:
    """`data` with one dictionary per repeated text column, which holds each value once and hardly any that is not used."""
    columns = []
    for column in data.columns:
        if not pa.types.is_dictionary(column.type):
            columns.append(column)
            continue
        unified = pa.chunked_array([column.unify_dictionaries().combine_chunks()]) if column.num_chunks > 1 else column
        columns.append(pa.chunked_array([_compact(chunk) for chunk in unified.chunks], column.type))
    return pa.Table.from_arrays(columns, schema=data.schema)


def _compact(array: pa.DictionaryArray) -> pa.DictionaryArray:
    dictionary = array.dictionary
    if dictionary.null_count:
        # NULL as a value of the dictionary: let pyarrow tell it from the others.
        return array.cast(dictionary.type).dictionary_encode()
    if len(dictionary) <= max(SMALL_DICTIONARY, len(array) // 16):
        # Finding out which values are used costs more than a few spare ones.
        return array
    indices = array.indices
    validity, numbers = indices.buffers()
    codes = np.frombuffer(numbers, dtype=np.int32)[indices.offset : indices.offset + len(indices)]
    absent = None
    if indices.null_count:
        bits = np.frombuffer(validity, dtype=np.uint8)
        absent = np.unpackbits(bits, bitorder="little")[indices.offset : indices.offset + len(indices)] == 0
        codes = np.where(absent, 0, codes)  # whatever stood there
    used = np.zeros(len(dictionary), dtype=np.bool_)
    used[codes if absent is None else codes[~absent]] = True
    if used.all():
        return array
    renumber = np.cumsum(used, dtype=np.int32) - np.int32(1)
    # -1 can only come out of the index 0 that stands for NULL, which the mask hides.
    compacted = np.maximum(renumber[codes], 0)
    return pa.DictionaryArray.from_arrays(arrow(compacted, None if absent is None else ~absent), take(dictionary, np.flatnonzero(used)))


class ParquetSink:
    """Writes one Parquet file of one table, a row group per `write`.

    Callers join small pieces first (see `staging.StagedWriter`); row groups should have `ROW_GROUP_ROWS` rows or more.
    The encoding releases the interpreter lock, so several sinks in several threads use several cores; one sink is for one thread
    at a time.
    """

    def __init__(self, table: Table, output: pa.NativeFile) -> None:
        self.table = table
        self._output = output
        self._rows = 0
        dictionaries = [column.name for column in table.stored if column.encoding is Encoding.DICTIONARY]
        others = {column.name: column.encoding.value for column in table.stored if column.encoding is not Encoding.DICTIONARY}
        self._writer = ParquetWriter(
            output,
            writer_schema(table),
            version="2.6",
            # In a table of many columns that hardly any row has a value in, it takes a tenth of the time off for a tenth more space.
            compression={**dict.fromkeys(dictionaries, "snappy"), **dict.fromkeys(others, "zstd")} if table.quick else "zstd",
            use_dictionary=dictionaries,
            column_encoding=others,
            write_statistics=[column.name for column in table.stored if column.statistics],
            write_batch_size=1 << 14,
            write_page_checksum=True,
            writer_engine_version="V2",
            # Without the Arrow schema in the footer text reads back as plain strings, and small files are a third smaller.
            store_schema=False,
        )

    def write(self, pieces: Sequence[pa.Table]) -> None:
        """Write the pieces, which must have gone through `conform`, as one row group (or more when they are very large)."""
        data = compact_dictionaries(pa.concat_tables(pieces))
        if data.num_rows:
            self._writer.write_table(data, row_group_size=2 * ROW_GROUP_ROWS)
            self._rows += data.num_rows

    @property
    def bytes_written(self) -> int:
        """Bytes that the file has so far."""
        return int(self._output.tell())

    def close(self) -> Written:
        """Write the footer and close the output."""
        self._writer.close()
        size = int(self._output.tell())
        self._output.close()
        return Written(self._rows, size, bounds(self._writer.metadata, self.table))

    def abandon(self) -> None:
        """Close the output without caring for what is in it, or whether the disk is full."""
        # After a failed write pyarrow finds itself without a footer.
        with contextlib.suppress(OSError, RuntimeError, pa.ArrowException):
            self._writer.close()
        with contextlib.suppress(OSError, pa.ArrowException):
            self._output.close()


def read(content: bytes) -> pa.Table:
    """The rows of a small file, all of whose bytes are there; in this thread, because others would cost more than they save.

    Raises:
        Any of `UNREADABLE`: It is damaged.
    """
    reader = ParquetReader()
    reader.open(pa.BufferReader(content))
    return reader.read_all(use_threads=False)


def bounds(metadata: FileMetaData, table: Table) -> dict[str, Bounds]:
    """Bounds of the columns that keep statistics, over all row groups of a file."""
    wanted = {column.name for column in table.stored if column.statistics}
    found: dict[str, Bounds] = {}
    for index in range(metadata.num_columns):
        name = metadata.schema.column(index).path
        if name not in wanted:
            continue
        low: object = None
        high: object = None
        nulls = 0
        for group in range(metadata.num_row_groups):
            statistics = metadata.row_group(group).column(index).statistics
            if statistics is None:
                break
            nulls += statistics.null_count
            if statistics.has_min_max:
                low = statistics.min if low is None else min(low, statistics.min)
                high = statistics.max if high is None else max(high, statistics.max)
        else:
            found[name] = (low, high, nulls)
    return found
