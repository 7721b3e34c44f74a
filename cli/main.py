"""The command `caphouse`: parses, calls the library, prints. The only place that sets exit codes.

Start-up stays cheap: commands import what they need when they run, so that `caphouse --help` loads neither the SQL engine nor
anything else that is large.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from ..warehouse.errors import CaphouseError, CaptureError, UsageError
from . import ask, ingest, maintain, options, watch
from .options import ExitCode
from .output import ReaderLeft
from .terminal import safe, say

GARBAGE_OBJECTS = 100_000
"""Objects after which garbage is looked for; `watch` makes some at every round."""

_COMMANDS: dict[str, Any] = {
    "ingest": ingest.ingest,
    "reingest": ingest.reingest,
    "watch": watch.watch,
    "captures": None,
    "report": None,
    "sql": ask.sql,
    "compact": maintain.compact,
    "prune": maintain.prune,
    "forget": maintain.forget,
    "vacuum": maintain.vacuum,
    "verify": maintain.verify,
    "export": maintain.export,
    "schema": ask.schema,
}
"""The commands in the order of the help; those that reports are made into are made when they are asked for."""


def build(arguments: Sequence[str] = ()) -> typer.Typer:
    """Returns the application.

    Args:
        arguments: Those of the process. Where they begin with the name of a command, and of a report, the application has that one
            alone: making all of them, each with its options, takes longer than many an answer.
    """
    app = typer.Typer(
        name="caphouse",
        help="A SQL-backed warehouse for packet captures: Wireshark's answers, over all of history.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 140},
    )
    # With a callback the application remains a group of commands when it has one only.
    app.callback()(lambda: None)
    asked = arguments[0] if arguments else None
    names = [asked] if asked in _COMMANDS else list(_COMMANDS)
    for name in names:
        command = _COMMANDS[name]
        if command is not None:
            app.command(name)(command)
            continue
        from . import reports

        if name == "captures":
            app.command(name)(reports.captures_command())
        else:
            app.add_typer(reports.group(arguments[1] if asked == name and len(arguments) > 1 else None), name=name)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and ends the process with an `ExitCode`.

    Args:
        arguments: The arguments after the program's name; those of the process when left out.
    """
    # A service may be started without them.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for as long as the process
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(int(_run(list(sys.argv[1:] if arguments is None else arguments))))


def program() -> None:
    """The command as a process of its own: `main`, without what would only cost its caller time.

    A command is over after a second or two. Looking for garbage while modules are loaded, and taking the interpreter apart at the end,
    are a fifth of what a small one takes.
    """
    # Nothing here multiplies matrices; the threads that NumPy would start for it wait in a busy loop.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Arrow's own allocator keeps 50 MB for itself; only this reaches its Parquet writer, and only before Arrow is loaded.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # Huge pages for a few buffers that are used again and again: where memory is scarce, clearing them takes more than they give.
    os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")
    options.left_open = []
    gc.set_threshold(GARBAGE_OBJECTS, 20, 20)
    try:
        main()
    except SystemExit as end:
        atexit._run_exitfuncs()  # noqa: SLF001 - there is no other name for it
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):  # said already
                stream.flush()
        os._exit(end.code if isinstance(end.code, int) else 1)


def _command_first(arguments: list[str]) -> list[str]:
    """The arguments with the name of the command, and of the report, before the options: `caphouse -w DIR report` is as good."""
    for place in range(2 if "report" in arguments[:3] else 1):
        options = place
        while options < len(arguments) and arguments[options] in {"-w", "--warehouse"}:
            options += 2
        while options < len(arguments) and arguments[options].startswith("--warehouse="):
            options += 1
        if place < options < len(arguments) and not arguments[options].startswith("-"):
            arguments = [*arguments[:place], arguments[options], *arguments[place:options], *arguments[options + 1 :]]
    return arguments


def _run(arguments: list[str]) -> ExitCode:
    try:
        arguments = _command_first(arguments)
        result = build(arguments)(args=arguments, prog_name="caphouse", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except (ReaderLeft, BrokenPipeError):
        # What Python would still flush at exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FINE
    except CaphouseError as error:
        say(f"caphouse: {error}")
        return _code(error)
    except Exception as error:  # noqa: BLE001 - looked at, and raised again when it is a defect
        return _foreign(error)
    return ExitCode(result) if isinstance(result, int) else ExitCode.FINE


def _code(error: CaphouseError) -> ExitCode:
    if isinstance(error, UsageError):
        return ExitCode.USAGE
    return ExitCode.UNREAD if isinstance(error, CaptureError) else ExitCode.WAREHOUSE


def _foreign(error: Exception) -> ExitCode:
    """Says what an error of the argument parser, of DuckDB or of the system means; raises anything else again, for it is a defect."""
    show: Any = getattr(error, "show", None)
    if callable(show):
        show()
        return ExitCode.USAGE
    from ..warehouse.locations import DATA_FILE

    database = sys.modules.get("caphouse.queries.database")
    # Other files are the user's own, named in the query.
    if database is not None and isinstance(error, database.IOException) and DATA_FILE.search(str(error)):
        say(f"caphouse: {error}")
        return ExitCode.WAREHOUSE
    if database is not None and isinstance(error, database.Error):
        # The message holds the place in the query on lines of their own.
        sys.stderr.write("\n".join(map(safe, f"caphouse: {error}".splitlines())) + "\n")
        return ExitCode.USAGE
    if isinstance(error, OSError):
        say(f"caphouse: {error}")
        return ExitCode.USAGE
    raise error


if __name__ == "__main__":
    program()
