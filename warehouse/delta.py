"""The Delta Lake log: registering files, and the one way in which commits are made here.

https://github.com/delta-io/delta/blob/master/PROTOCOL.md is the protocol; Spark, Fabric, Databricks, Trino and Polars read it.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from .errors import WarehouseError, WarehouseNotFound, reason
from .tables import CAPTURES, PARTITION

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pyarrow as pa

    from .locations import Location
    from .schema import Table
    from .staging import DataFile

TEXT_BOUND = 128
"""Longest text that goes into the log as a minimum or maximum; beyond it the file has none, and is never skipped by it."""

STATISTICS_KEY = "delta.dataSkippingStatsColumns"

CONFIGURATION: Mapping[str, str] = {
    # A reader reads the newest checkpoint and the log entries since. An entry costs about 0.8 ms, as much as 100 files in a
    # checkpoint: checkpoints come often.
    "delta.checkpointInterval": "10",
    # Old log entries serve time travel only, which is not promised, and slow down the listing of the log.
    "delta.logRetentionDuration": "interval 1 days",
    # Marks of attempts that were given up: far longer than any attempt takes from registering its files to its commit.
    "delta.setTransactionRetentionDuration": "interval 7 days",
}


def partition_columns(table: Table) -> list[str]:
    """Names of the partition columns: none for `captures`, which is small and rewritten as a whole."""
    return [] if table.name == CAPTURES.name else [PARTITION.name]


def delta_schema(table: Table) -> pa.Schema:
    """The schema in the log: the stored columns and the partition column."""
    import pyarrow as pa

    schema = table.arrow_schema
    return schema.append(pa.field(PARTITION.name, PARTITION.type.arrow())) if partition_columns(table) else schema


def _statistics(table: Table) -> str:
    """The columns whose bounds are kept; without this deltalake drops those beyond the 32nd column."""
    return ",".join(column.name for column in table.stored if column.statistics)


def create(root: Location, table: Table, configuration: Mapping[str, str] | None = None) -> DeltaTable | None:
    """Create the table unless it is there; several processes may do so at once.

    Returns:
        The table as it is now, or None when another process created it in the same moment.

    Raises:
        WarehouseError: It cannot be created.
    """
    location = root.join(table.name)
    try:
        location.make_folder()
        return DeltaTable.create(
            location.table_uri,
            delta_schema(table),
            mode="ignore",
            partition_by=partition_columns(table) or None,
            name=table.name,
            description=table.rows,
            configuration={**CONFIGURATION, STATISTICS_KEY: _statistics(table), **(configuration or {})},
            storage_options=location.storage_options(),
            raise_if_key_not_exists=False,
        )
    except CommitFailedError:
        return None
    except (DeltaError, OSError) as error:
        raise WarehouseError(f"{location}: the table cannot be created: {reason(error)}.") from error


def load(root: Location, name: str, *, version: int | None = None) -> DeltaTable:
    """The newest state of a table, or that of a version.

    Raises:
        WarehouseNotFound: It does not exist.
        WarehouseError: It cannot be read.
    """
    location = root.join(name)
    try:
        return DeltaTable(location.table_uri, version=version, storage_options=location.storage_options())
    except TableNotFoundError as error:
        raise WarehouseNotFound(f"{root}: there is no warehouse here (no table '{name}'); `caphouse ingest` makes one.") from error
    except (DeltaError, OSError) as error:
        raise WarehouseError(f"{location}: the table cannot be read: {reason(error)}.") from error


def add_missing_columns(dt: DeltaTable, table: Table) -> bool:
    """Give a table made by an older version the columns that have been declared since; its old rows have NULL there.

    Returns:
        Whether the table was changed.

    Raises:
        WarehouseError: A column has another type than the one declared.
    """
    from deltalake import Field, Schema

    present = {field.name: field for field in dt.schema().fields}
    wanted = Schema.from_arrow(delta_schema(table)).fields
    for field in wanted:
        if field.name in present and present[field.name].type != field.type:
            raise WarehouseError(f"Table {table.name}: column {field.name} is {present[field.name].type} where {field.type} is expected.")
    missing = [Field(field.name, field.type, nullable=True) for field in wanted if field.name not in present]
    if missing:
        dt.alter.add_columns(missing)
    statistics = dt.metadata().configuration.get(STATISTICS_KEY) != _statistics(table)
    if statistics:
        dt.alter.set_table_properties({STATISTICS_KEY: _statistics(table)})
    return bool(missing) or statistics


def add_action(file: DataFile, *, moved: bool = False) -> AddAction:
    """Register a file.

    Args:
        file: The file, in its final place.
        moved: Its rows were in the table before (compaction): readers that follow the log need not look at them.
    """
    lows: dict[str, object] = {}
    highs: dict[str, object] = {}
    nulls: dict[str, int] = {}
    for name, (low, high, count) in file.bounds.items():
        nulls[name] = count
        if low is None or any(isinstance(bound, str) and len(bound) > TEXT_BOUND for bound in (low, high)):
            continue
        lows[name], highs[name] = low, high
    return AddAction(
        path=file.path,
        size=file.bytes,
        partition_values={} if file.table == CAPTURES.name else {PARTITION.name: file.date.isoformat() if file.date else None},
        modification_time=time.time_ns() // 1_000_000,
        data_change=not moved,
        stats=json.dumps({"numRecords": file.rows, "minValues": lows, "maxValues": highs, "nullCount": nulls}, separators=(",", ":")),
    )


def remove_action(path: str, size: int, date: str | None, *, partitioned: bool = True, moved: bool = False) -> RemoveAction:
    """Take a file out of the table; it stays on the disk until a vacuum, for readers that have it open."""
    return RemoveAction(
        path=path,
        data_change=not moved,
        deletion_timestamp=time.time_ns() // 1_000_000,
        size=size,
        partition_values={PARTITION.name: date} if partitioned else {},
    )


def append(dt: DeltaTable, table: Table, actions: Sequence[AddAction]) -> None:
    """Register files in a data table; other appends and compactions in the same moment do no harm.

    Raises:
        CommitFailedError: Too many others were faster; reload and try again.
    """
    dt.create_write_transaction(list(actions), "append", delta_schema(table), partition_columns(table) or None)


def compare_and_swap(
    dt: DeltaTable,
    table: Table,
    actions: Sequence[AddAction | RemoveAction],
    transactions: Mapping[str, int] | None = None,
    *,
    expiring: Collection[str] = (),
) -> bool:
    """Commit as the very next version after the one that `dt` holds.

    deltalake would let commits of others slip in between where it finds no conflict; with no retries allowed it does not, so
    that whatever was decided by looking at `dt` still holds when the commit does.

    Args:
        dt: The table as it was looked at.
        table: Its declaration.
        actions: Files to add and remove.
        transactions: Application transactions (id and version) to leave in the log.
        expiring: Those of them that may be forgotten after the time that `CONFIGURATION` names.

    Returns:
        False when another commit came first.
    """
    now = time.time_ns() // 1_000_000
    try:
        dt.create_write_transaction(
            list(actions),
            "append",
            delta_schema(table),
            partition_columns(table) or None,
            commit_properties=CommitProperties(
                max_commit_retries=0,
                app_transactions=[
                    Transaction(name, version, now if name in expiring else None) for name, version in (transactions or {}).items()
                ]
                or None,
            ),
        )
    except CommitFailedError:
        return False
    except (DeltaError, OSError) as error:
        raise WarehouseError(f"{dt.table_uri}: cannot be written: {reason(error)}.") from error
    return True
