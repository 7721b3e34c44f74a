"""The SQL files of this package: what each view and report says about itself in its header.

A `.sql` file begins with a comment that holds TOML between `/* ---` and `--- */`; the rest is one SELECT. The folders are the
registry: a file in `views/` is a view of that name, a file in `reports/` a report. Names that begin with `_` are internal.

Header keys: `title`, `description`, `needs` (views and tables the SELECT reads), `columns` (name = "doc" or
{ doc = "...", unit = "..." }; a column that a needed table already describes may be left out), and for reports also `params`,
`order` (of the rows, by their columns), `limit` (the parameter that says how many are listed, 0 being all), `layout` (how the rows are
shown on a terminal) and `chart`; for views also `compare` (the tshark command with the same numbers).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ..warehouse.compiled import content_of
from ..warehouse.errors import UsageError
from ..warehouse.tables import BY_NAME

_HEADER = re.compile(r"\A\s*/\*\s*---\n(?P<toml>.*?)\n\s*---\s*\*/\s*(?P<sql>.*)\Z", re.DOTALL)
_FOLDER = Path(__file__).parent

type_names = {"INTEGER": int, "VARCHAR": str, "DOUBLE": float, "BOOLEAN": bool}


class Doc(NamedTuple):
    """What a column means.

    Attributes:
        doc: One sentence.
        unit: Unit of its values, or None.
        word: See `warehouse.schema.Column`.
    """

    doc: str
    unit: str | None = None
    word: bool = False


class Parameter(NamedTuple):
    """A parameter of a report, `$name` in its SQL.

    Attributes:
        name: Its name, an option of the command line with `_` written as `-`.
        type: INTEGER, VARCHAR, DOUBLE or BOOLEAN.
        help: One sentence for the user.
        default: Value when it is not given; None is NULL.
        choices: The values allowed; empty when any is.
    """

    name: str
    type: str
    help: str
    default: int | str | float | bool | None = None
    choices: tuple[str, ...] = ()

    @property
    def option(self) -> str:
        """The option of the command line."""
        return f"--{self.name.replace('_', '-')}"

    def value(self, given: object) -> int | str | float | bool | None:
        """Returns `given` as the parameter's type.

        Raises:
            UsageError: It cannot be that.
        """
        if given is None:
            return None
        wanted = type_names[self.type]
        try:
            value = wanted(given) if not (wanted is int and isinstance(given, bool | float)) else None
        except (TypeError, ValueError):
            value = None
        if value is None or (wanted is bool and not isinstance(given, bool)):
            raise UsageError(f"{self.name} must be of type {self.type}, not {given!r}")
        if self.choices and value not in self.choices:
            raise UsageError(f"{self.name} must be one of {', '.join(self.choices)}, not {given!r}")
        return value  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Definition:
    """A view or a report.

    Attributes:
        name: Name of the file without `.sql`.
        title: A few words.
        description: What the rows are and how they are counted.
        sql: The SELECT.
        needs: Tables and views that the SELECT reads.
        own_columns: The columns that the header describes.
        parameters: Its parameters, those that all reports share excepted.
        order: What the rows are ordered by, expressions of its columns as after ORDER BY; "" for none.
        limit: Name of the parameter that says how many rows are listed, or None.
        layout: How a terminal shows it: empty, or `kind` "tree" or "groups" with their columns.
        chart: What a page may draw: `kind`, `x`, `y`.
        compare: tshark's arguments that give the same numbers, or None.
    """

    name: str
    title: str
    description: str
    sql: str
    needs: tuple[str, ...]
    own_columns: Mapping[str, Doc]
    parameters: tuple[Parameter, ...] = ()
    order: str = ""
    limit: str | None = None
    layout: Mapping[str, Any] = field(default_factory=dict)
    chart: Mapping[str, Any] = field(default_factory=dict)
    compare: str | None = None

    @property
    def internal(self) -> bool:
        """Whether only other definitions should read it."""
        return self.name.startswith("_")

    def column(self, name: str) -> Doc | None:
        """What a column means: by this header, else by the tables and views it needs, in order."""
        if name in self.own_columns:
            return self.own_columns[name]
        for needed in self.needs:
            if found := describe_column(needed, name):
                return found
        return None


def _split(text: str) -> tuple[dict[str, Any] | None, str]:
    """The header and the statement."""
    import tomllib

    match = _HEADER.match(text)
    return (None, "") if match is None else (tomllib.loads(match["toml"]), match["sql"].strip().removesuffix(";"))


def _parse(path: Path) -> Definition:
    """Reads one file.

    Raises:
        ValueError: The file has no header, or its header is not what the module's docstring says.
    """
    header, sql = content_of(path, _split)
    if header is None:
        raise ValueError(f"{path.name}: no header between '/* ---' and '--- */'")
    columns = {
        name: Doc(entry) if isinstance(entry, str) else Doc(entry["doc"], entry.get("unit"))
        for name, entry in header.pop("columns", {}).items()
    }
    parameters = tuple(
        Parameter(name, entry["type"], entry["help"], entry.get("default"), tuple(entry.get("choices", ())))
        for name, entry in header.pop("params", {}).items()
    )
    definition = Definition(
        name=path.stem,
        title=header.pop("title"),
        description=" ".join(header.pop("description").split()),
        sql=sql,
        needs=tuple(header.pop("needs")),
        own_columns=columns,
        parameters=parameters,
        order=header.pop("order", ""),
        limit=header.pop("limit", None),
        layout=header.pop("layout", {}),
        chart=header.pop("chart", {}),
        compare=header.pop("compare", None),
    )
    if header:
        raise ValueError(f"{path.name}: unknown header keys {sorted(header)}")
    return definition


@cache
def _folder(name: str) -> dict[str, Path]:
    return {path.stem: path for path in sorted((_FOLDER / name).glob("*.sql"))}


def view_names() -> list[str]:
    """Names of all views, internal ones too, sorted."""
    return list(_folder("views"))


@cache
def public_names() -> tuple[str, ...]:
    """Names of the tables and of the views that are not internal, tables first."""
    return (*BY_NAME, *(name for name in view_names() if not name.startswith("_")))


def report_names() -> list[str]:
    """Names of all reports, sorted."""
    return list(_folder("reports"))


@cache
def view(name: str) -> Definition:
    """Returns a view by its name; KeyError when there is none."""
    return _parse(_folder("views")[name])


@cache
def report(name: str) -> Definition:
    """Returns a report by its name.

    Raises:
        UsageError: There is no such report; the message names them all.
    """
    paths = _folder("reports")
    if name not in paths:
        raise UsageError(f"there is no report {name!r}; the reports are {', '.join(paths)}")
    return _parse(paths[name])


def describe_column(relation: str, column: str) -> Doc | None:
    """What a column of a table or view means, or None when nothing says so."""
    if relation in BY_NAME:
        if column == "capture_id":
            return Doc("BLAKE3 of the capture's uncompressed content, 64 hex digits.", word=True)
        found = BY_NAME[relation].by_name.get(column)
        return Doc(found.doc, found.unit, found.word) if found else None
    return view(relation).column(column) if relation in _folder("views") else None


def counts_twice(definition: Definition) -> bool:
    """Whether what it counts may be in several captures of one host, so that counting everything once makes a difference."""
    return not {"traffic", "_connections"}.isdisjoint(in_order(definition.needs))


def in_order(names: Iterable[str]) -> list[str]:
    """The tables and views that the named ones need, themselves included, each after all that it reads."""
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in ordered:
            return
        if name not in BY_NAME:
            for needed in view(name).needs:
                visit(needed)
        ordered[name] = None

    for name in names:
        visit(name)
    return list(ordered)
