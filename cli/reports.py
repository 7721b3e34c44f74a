"""`caphouse report NAME` and `caphouse captures`: one command per report, with the options that its header declares."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..queries import catalog
from .options import (
    DEFAULT_WAREHOUSE,
    CaptureOption,
    ExitCode,
    Format,
    FormatOption,
    HostOption,
    OutputOption,
    SinceOption,
    UntilOption,
    WarehouseOption,
    leave_open,
    open_session,
)
from .terminal import say

_SCOPE = {"since": SinceOption, "until": UntilOption, "host": HostOption, "capture": CaptureOption}
"""The options of every report."""

_DEDUPLICATE = "Count packets and connections that several captures of one host have once."

_METAVARS = {"INTEGER": "NUMBER", "DOUBLE": "NUMBER", "VARCHAR": "TEXT", "BOOLEAN": ""}


def group(only: str | None = None) -> typer.Typer:
    """Returns the command `report` with a sub-command for each report in the folder, or for that called `only` if there is one."""
    app = typer.Typer(
        help="Answer a question that is asked often; without NAME: list the reports.",
        invoke_without_command=True,
        no_args_is_help=False,
        subcommand_metavar="[NAME] [OPTIONS]",
        rich_markup_mode=None,
    )

    def overview(
        context: typer.Context, warehouse: WarehouseOption = DEFAULT_WAREHOUSE, form: FormatOption = None, output: OutputOption = None
    ) -> ExitCode:
        """Answer a question that is asked often; without NAME: list the reports."""
        del warehouse  # The list is the same for all; the option is there because every command has it.
        return ExitCode.FINE if context.invoked_subcommand else _list_reports(form, output)

    app.callback()(overview)
    names = catalog.report_names()
    for name in [only] if only in names else names:
        definition = catalog.report(name)
        app.command(name, help=_help(definition), short_help=definition.title)(command(definition))
    return app


def captures_command() -> Callable[..., ExitCode]:
    """Returns the command `captures`: the report of that name under its own."""
    return command(catalog.report("captures"))


def command(definition: catalog.Definition) -> Callable[..., ExitCode]:
    """Returns the function that runs a report, with a signature made of the report's parameters and the shared ones."""
    own = [
        _option(
            parameter.name, catalog.type_names[parameter.type] | None, _METAVARS[parameter.type], _own_help(parameter), parameter.default
        )
        for parameter in definition.parameters
    ]
    shared = [_argument(name, option, None) for name, option in _SCOPE.items()]
    if catalog.counts_twice(definition):
        shared.append(_option("deduplicate", bool, "", _DEDUPLICATE, default=False))
    places = [
        _argument("warehouse", WarehouseOption, DEFAULT_WAREHOUSE),
        _argument("form", FormatOption, None),
        _argument("output", OutputOption, None),
    ]

    def run(warehouse: str, form: Format | None, output: Path | None, **given: Any) -> ExitCode:  # noqa: ANN401 - as the header declares
        from ..queries.definitions import tables
        from ..queries.scope import Scope
        from .output import Presentation, choose, write_answer

        choose(form, output)
        asked = Scope.of(given.pop("since"), given.pop("until"), given.pop("host") or (), given.pop("capture") or ())
        scope = replace(asked, deduplicate=given.pop("deduplicate", False))
        with open_session(warehouse, tables=tables(definition.needs, scope)) as session:
            answer = session.answer(definition.name, scope, given)
            leave_open(answer)
            if scope.deduplicate and (warning := session.uncompared()):
                say(f"caphouse: warning: {warning}")
            units = {name: doc.unit for name, _ in answer.columns if (doc := definition.column(name)) and doc.unit}
            write_answer(answer, form, output, Presentation(definition.title, units, definition.layout))
        return ExitCode.FINE

    parameters = [*own, *shared, *places]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # functions take one, typeshed does not know
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__doc__ = _help(definition)
    return run


def _help(definition: catalog.Definition) -> str:
    return f"{definition.title}.\n\n{definition.description}"


def _own_help(parameter: catalog.Parameter) -> str:
    return f"{parameter.help} One of {', '.join(parameter.choices)}." if parameter.choices else parameter.help


def _option(name: str, kind: Any, metavar: str | None, text: str, default: Any) -> inspect.Parameter:  # noqa: ANN401 - types as values
    option = typer.Option(f"--{name.replace('_', '-')}", metavar=metavar or None, help=text, show_default=default is not None)
    return _argument(name, Annotated[kind, option], default)


def _argument(name: str, annotation: Any, default: Any) -> inspect.Parameter:  # noqa: ANN401 - types as values
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _list_reports(form: Format | None, output: Path | None) -> ExitCode:
    from ..queries import reference
    from .output import Presentation, write

    write(reference.reports().to_reader(), form, output, Presentation(title="Reports: caphouse report NAME"))
    return ExitCode.FINE
