"""What a table is: one declaration from which the Arrow schema, the Delta table, DuckDB's comments, the docs and the tests follow.

Nothing here knows a particular table (see `tables`) or how tables are stored (see `store`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache, cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa


class Type(Enum):
    """Column types by their DuckDB names. All integers are signed, because Delta Lake has no unsigned ones."""

    BOOLEAN = "BOOLEAN"
    SMALLINT = "SMALLINT"
    INTEGER = "INTEGER"
    BIGINT = "BIGINT"
    DOUBLE = "DOUBLE"
    VARCHAR = "VARCHAR"
    DATE = "DATE"
    TIMESTAMP = "TIMESTAMP"
    VARCHAR_LIST = "VARCHAR[]"
    VARCHAR_MAP = "MAP(VARCHAR, VARCHAR)"
    BIGINT_MAP = "MAP(VARCHAR, BIGINT)"
    IP_HEADERS = "STRUCT(client_ip VARCHAR, client_udp_port INTEGER, server_ip VARCHAR, server_udp_port INTEGER)[]"

    def arrow(self) -> pa.DataType:
        """The Arrow type that the writer must produce."""
        return _arrow_types()[self.value]


@cache
def _arrow_types() -> dict[str, pa.DataType]:
    import pyarrow as pa

    return {
        "BOOLEAN": pa.bool_(),
        "SMALLINT": pa.int16(),
        "INTEGER": pa.int32(),
        "BIGINT": pa.int64(),
        "DOUBLE": pa.float64(),
        "VARCHAR": pa.string(),
        "DATE": pa.date32(),
        "TIMESTAMP": pa.timestamp("us"),
        "VARCHAR[]": pa.list_(pa.string()),
        "MAP(VARCHAR, VARCHAR)": pa.map_(pa.string(), pa.string()),
        "MAP(VARCHAR, BIGINT)": pa.map_(pa.string(), pa.int64()),
        Type.IP_HEADERS.value: pa.list_(
            pa.struct({"client_ip": pa.string(), "client_udp_port": pa.int32(), "server_ip": pa.string(), "server_udp_port": pa.int32()})
        ),
    }


class Encoding(Enum):
    """How Parquet lays the column out; the measured choice per column, not a matter of type alone."""

    DICTIONARY = "dictionary"
    DELTA = "DELTA_BINARY_PACKED"
    PLAIN = "PLAIN"


class Column(NamedTuple):
    """One column of a table.

    Attributes:
        name: Name in snake_case; the same name means the same thing in every table.
        type: Its type.
        doc: One sentence for the user, ending in a full stop. NULL means absent or not computable.
        unit: Unit of the values where they have one ("ns", "bytes", "frames").
        derived: SQL over the table's stored columns; such a column exists in the view only and takes no space.
        encoding: Parquet encoding of a stored column.
        statistics: Whether Parquet and the Delta log keep its minimum and maximum, so that files and row groups can be skipped.
        nullable: False where every row has a value.
        word: Whether its text is never empty and all letters, digits, '.', ':' and '-': an address, a digest, one of a few words.
    """

    name: str
    type: Type
    doc: str
    unit: str | None = None
    derived: str | None = None
    encoding: Encoding = Encoding.DICTIONARY
    statistics: bool = False
    nullable: bool = True
    word: bool = False


@dataclass(frozen=True)
class Table:
    """One table of the warehouse.

    Attributes:
        name: Name of the table, its folder and its view.
        rows: What one row is ("One row per ...").
        doc: A paragraph for the user.
        columns: All columns in order, stored and derived. `capture_id` of the view comes from `captures` and is not listed
            here, except in `captures` itself.
        quick: Whether time counts more than space: columns whose encoding is a dictionary are compressed with snappy, not zstd.
    """

    name: str
    rows: str
    doc: str
    columns: tuple[Column, ...]
    quick: bool = False

    @cached_property
    def stored(self) -> tuple[Column, ...]:
        """The columns that are in the files."""
        return tuple(column for column in self.columns if column.derived is None)

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """The columns by name."""
        return {column.name: column for column in self.columns}

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        """Arrow schema of the stored columns; text columns may also be written dictionary-encoded."""
        import pyarrow as pa

        return pa.schema([pa.field(column.name, column.type.arrow(), column.nullable) for column in self.stored])
