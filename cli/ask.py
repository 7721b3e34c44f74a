"""`caphouse sql` and `caphouse schema`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..warehouse.errors import UsageError
from .options import (
    DEFAULT_WAREHOUSE,
    CaptureOption,
    ExitCode,
    FormatOption,
    HostOption,
    OutputOption,
    SinceOption,
    UntilOption,
    WarehouseOption,
    leave_open,
    open_session,
)


def sql(
    query: Annotated[str | None, typer.Argument(metavar="[QUERY]", help="The statement; - reads it from standard input.")] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", metavar="FILE", help="Read the statement from FILE.")] = None,
    parameters: Annotated[
        list[str] | None, typer.Option("--param", "-p", metavar="NAME=VALUE", help="Value of $NAME in the statement, as text; repeatable.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    host: HostOption = None,
    capture: CaptureOption = None,
    warehouse: WarehouseOption = DEFAULT_WAREHOUSE,
    form: FormatOption = None,
    output: OutputOption = None,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="SELECT only, and no file or network outside the warehouse.")] = False,  # noqa: FBT002 - typer calls it by name
) -> ExitCode:
    """Run SQL over the tables and views; `caphouse schema` lists them.

    With a time, a host or a capture the tables hold what lies in it, and no other file is opened. The language is DuckDB's.
    Example: caphouse sql "select dst_ip, count(*) from packets where dst_port = 111 group by all"
    """
    if (query is None) == (file is None):
        raise UsageError("give either a QUERY or -f FILE")
    if file is not None:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    else:
        text = sys.stdin.read() if query == "-" else query or ""
    from .output import Presentation, choose, write_answer

    choose(form, output)
    from ..queries import definitions
    from ..queries.scope import Scope

    scope = Scope.of(since, until, host or (), capture or ())
    tables = definitions.tables(definitions.named(text), scope)
    with open_session(warehouse, tables=tables, sandbox=sandbox, scope=scope) as session:
        answer = session.ask(text, _values(parameters or []))
        leave_open(answer)
        write_answer(answer, form, output, Presentation())
    return ExitCode.FINE


def _values(parameters: list[str]) -> dict[str, str]:
    values = {}
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"{parameter!r} is not NAME=VALUE")
        values[name] = value
    return values


def schema(
    table: Annotated[str | None, typer.Argument(metavar="[TABLE]", help="Name of a table or view; all of them when left out.")] = None,
    warehouse: WarehouseOption = DEFAULT_WAREHOUSE,
    form: FormatOption = None,
    output: OutputOption = None,
) -> ExitCode:
    """Show the tables and views, or the columns of one: types, units, and what they mean."""
    del warehouse  # All warehouses have the same tables; the option is there because every command has it.
    from ..queries import reference
    from .output import Presentation, write

    rows = reference.relations() if table is None else reference.columns(table)
    title = "Tables and views" if table is None else f"{table}: {reference.description(table)}"
    write(rows.to_reader(), form, output, Presentation(title=title))
    return ExitCode.FINE
