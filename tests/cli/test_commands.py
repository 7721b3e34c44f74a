"""What goes in and what comes out: exit codes, streams, forms of output."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hand_made_warehouse
import pyarrow.parquet as pq
import pytest

from caphouse.queries import catalog

Run = Callable[..., Any]

MARKUP = "select '[bold]x[/bold]' || chr(27) || '[31m' || chr(155) || chr(8238) || 'a' || chr(10) || 'b' as hostile"


def test_help_names_the_commands_of_the_contract(run: Run) -> None:
    done = run("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for name in ("ingest", "captures", "report", "sql", "schema"):
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("name", catalog.report_names())
def test_every_report_runs_and_explains_itself(run: Run, name: str) -> None:
    explained = run("report", name, "--help").stdout
    for option in ["--since", "--until", "--host", "--capture", "--warehouse", "--format", "--output"]:
        assert option in explained
    for parameter in catalog.report(name).parameters:
        assert parameter.option in explained
    done = run("report", name, "--since", "2026-03-01", "--until", "2026-03-03")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].count(",") >= 3


def test_report_without_a_name_lists_the_reports(run: Run) -> None:
    done = run("report")
    assert done.returncode == 0
    assert [row["name"] for row in csv.DictReader(io.StringIO(done.stdout))] == catalog.report_names()


def test_options_of_a_report_reach_it(run: Run) -> None:
    done = run("report", "port-callers", "--port", "80", "--host", "web-1", "--capture", "one.pcap", "--format", "jsonl")
    row = json.loads(done.stdout)
    assert (row["caller_ip"], row["port"], row["packets_to_port"], row["first_seen"]) == ("10.0.0.1", 80, 4, "2026-03-01T10:00:00.000000Z")


def test_csv_is_exact(run: Run) -> None:
    columns = {
        "1772359200123456789::bigint as ns": "1772359200123456789",
        "10::hugeint * 100000000000000000000::hugeint as big": "1000000000000000000000",
        "0.1::double as tenth": "0.1",
        "1.50::decimal(5, 2) as price": "1.50",
        "timestamp '2026-03-01 10:00:00.000001' as ts": "2026-03-01T10:00:00.000001Z",
        "timestamp_ns '2026-03-01 10:00:00.000000001' as ts_ns": "2026-03-01T10:00:00.000000001Z",
        "date '2026-03-01' as day": "2026-03-01",
        "true as yes": "true",
        "null as nothing": "",
        "'' as empty": '""',
        "'a \"b\", c' as text": '"a ""b"", c"',
        "[1, 2] as list": '"[1, 2]"',
        "map {'k': 'v'} as map": '"{""k"": ""v""}"',
        "'ab'::blob as bytes": "6162",
    }
    done = run("sql", f"select {', '.join(columns)}")
    assert done.stderr == ""
    header, values = done.stdout.splitlines()
    assert header.split(",") == [column.rpartition(" ")[2] for column in columns]
    assert values == ",".join(columns.values())


def test_csv_survives_a_reader(run: Run) -> None:
    done = run("sql", "select * from (values ('a,b'), ('say \"x\"'), ('two\nlines'), (' pad ')) t(v)")
    assert [row[0] for row in csv.reader(io.StringIO(done.stdout))][1:] == ["a,b", 'say "x"', "two\nlines", " pad "]


def test_json_is_exact(run: Run) -> None:
    query = """select 1772359200123456789::bigint as ns, sum(i) as total, 'nan'::double as no_number, null as nothing,
    {'a': [1, null]} as nested, map {'k': 1} as map, 1.5 as price from range(10) t(i)"""
    numbers = {"ns": 1772359200123456789, "total": 45, "no_number": None, "nothing": None}
    expected = {**numbers, "nested": {"a": [1, None]}, "map": {"k": 1}, "price": 1.5}
    assert json.loads(run("sql", query, "--format", "json").stdout) == [expected]
    assert json.loads(run("sql", query, "--format", "jsonl").stdout) == expected
    assert json.loads(run("sql", "select 1 where false", "--format", "json").stdout) == []


def test_markdown_escapes_what_would_be_markup(run: Run) -> None:
    done = run("sql", "select 'a|b<c>' as text, 5 as number", "--format", "markdown")
    assert done.stdout.splitlines() == ["| text | number |", "|---|---:|", "| a\\|b\\<c\\> | 5 |"]


def test_files_get_the_form_of_their_name_and_appear_whole(run: Run, tmp_path: Path) -> None:
    assert run("captures", "-o", "captures.parquet").returncode == 0
    table = pq.read_table(tmp_path / "captures.parquet")
    assert table.column("packets").to_pylist() == [23, 4, 0]
    assert run("report", "ports", "--output", "ports.json").stdout == ""
    assert len(json.loads((tmp_path / "ports.json").read_text())) == 3
    assert run("captures", "-o", "captures.what").returncode == 2
    assert run("sql", "select error('no') from range(3)", "-o", "broken.csv").returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["captures.parquet", "ports.json"]


def test_tables_show_trees_groups_and_thousands(run: Run) -> None:
    tree = run("report", "protocol-hierarchy", "--format", "table").stdout
    assert "\n  eth " in tree
    assert "│  ├─ tcp" in tree
    assert "│  │  └─ http" in tree
    assert "2,400" in tree
    destinations = run("report", "destinations", "--format", "table").stdout
    assert destinations.count("10.0.0.1 ") == 1
    rtt = run("report", "rtt", "--format", "table").stdout
    assert "1,010.000" in rtt
    assert "40002" in rtt


def test_nothing_hostile_reaches_a_terminal_raw(run: Run) -> None:
    for form in ("table", "markdown"):
        shown = run("sql", MARKUP, "--format", form).stdout
        assert not set(shown) & {"\x1b", "\x9b", "\u202e"}
        assert "bold" in shown
        assert "\\x1b" in shown.replace("\\\\", "\\").replace("\\[", "[")
    assert "[bold]x[/bold]\\x1b[31m\\x9b\\u202ea\\nb" in run("sql", MARKUP, "--format", "table").stdout


@pytest.mark.parametrize("form", ["table", "csv", "json", "jsonl", "markdown"])
def test_nothing_hostile_reaches_a_pseudo_terminal_in_any_form(place: Path, form: str) -> None:
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "caphouse.cli.main",
        "sql",
        MARKUP.replace("|| chr(10)", "|| chr(7)"),
        "-w",
        str(place),
        "--format",
        form,
    ]
    with subprocess.Popen(
        command, stdout=theirs, stderr=subprocess.DEVNULL, env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:
            pass  # Linux answers so when the other end is closed.
        os.close(ours)
    assert process.returncode == 0
    assert b"bold" in shown
    text = shown.decode()
    assert not set(text) & {"\x9b", "\u202e", "\x07"}
    assert "\x1b[31m" not in text


def test_bad_file_names_of_captures_are_shown_escaped(run: Run) -> None:
    assert "bad\\x1b[31m.txt" in run("captures", "--format", "table").stdout
    assert "bad\x1b[31m.txt" in run("captures").stdout, "a pipe gets the data as it is"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["sql", "selekt 1"], 2, "syntax error"),
        (["sql", "select * from nowhere"], 2, "nowhere"),
        (["sql", "select error('boom')"], 2, "boom"),
        (["sql"], 2, "QUERY"),
        (["sql", "select 1", "-f", "x.sql"], 2, "QUERY"),
        (["sql", "-f", "missing.sql"], 2, "missing.sql"),
        (["sql", "select $a", "-p", "a"], 2, "NAME=VALUE"),
        (["sql", "select $a"], 2, "a"),
        (["sql", "--sandbox", "copy (select 1) to 'x.csv'"], 2, "sandbox"),
        (["report", "nothing"], 2, "nothing"),
        (["report", "ports", "--top", "x"], 2, "--top"),
        (["report", "ports", "--protocol", "tcp"], 2, "one of TCP"),
        (["report", "ports", "--since", "soon"], 2, "soon"),
        (["report", "ports", "--host", "nobody"], 2, "nobody"),
        (["report", "ports", "--capture", "zz"], 2, "zz"),
        (["report", "ports", "--nothing"], 2, "--nothing"),
        (["nothing"], 2, "nothing"),
        (["schema", "nothing"], 2, "nothing"),
        (["captures", "-w", "none"], 4, "none"),
        (["captures", "-o", "missing/x.csv"], 2, "missing"),
    ],
)
def test_mistakes_are_one_plain_message_and_an_exit_code(run: Run, arguments: list[str], code: int, said: str) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert done.stdout == ""
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_warehouse_is_found_by_option_then_environment_then_default(run: Run, place: Path, tmp_path: Path) -> None:
    assert run("captures", "--warehouse", str(place), env={"CAPHOUSE_WAREHOUSE": "/nowhere"}).returncode == 0
    assert "/nowhere" in run("captures", env={"CAPHOUSE_WAREHOUSE": "/nowhere"}).stderr
    (tmp_path / "caphouse-data").symlink_to(place)
    assert run("captures", env={"CAPHOUSE_WAREHOUSE": ""}).returncode == 0


def test_sql_comes_from_a_file_or_standard_input_with_bound_parameters(run: Run, tmp_path: Path) -> None:
    (tmp_path / "query.sql").write_text("select server_ip from tcp_rtt where server_port = $port::integer group by 1;\n")
    assert run("sql", "-f", "query.sql", "-p", "port=3389").stdout == "server_ip\n10.0.0.7\n"
    assert run("sql", "-", stdin="select 1 as one").stdout == "one\n1\n"
    assert run("sql", "select $x as x", "--param", "x=' or 1=1 --").stdout == "x\n' or 1=1 --\n"


def test_the_sandbox_answers_and_stays_inside(run: Run, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    assert run("sql", "--sandbox", "select count(*) as n from packets").stdout == "n\n27\n"
    refused = run("sql", "--sandbox", f"select * from read_csv('{tmp_path}/secret.csv')")
    assert refused.returncode in {2, 4}
    assert "1\n" not in refused.stdout


def test_a_reader_that_leaves_early_is_no_error(place: Path) -> None:
    command = f"'{sys.executable}' -m caphouse.cli.main sql 'select * from range(3000000)' -w '{place}' | head -1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "range\n", "")


def test_every_command_takes_the_warehouse(run: Run, place: Path) -> None:
    for command in (["captures"], ["report"], ["report", "ports"], ["sql", "select 1"], ["schema"], ["schema", "flows"]):
        assert run(*command, "-w", str(place)).returncode == 0


@pytest.mark.parametrize("table", ["flows", "captures"])
@pytest.mark.parametrize("question", [["report", "ports"], ["sql", "select count(*) from flows"]])
def test_files_of_the_user_and_of_the_warehouse_are_told_apart(run: Run, tmp_path: Path, table: str, question: list[str]) -> None:
    for mine in ("mine.csv", "date=2026-03-01/mine.parquet"):
        assert run("sql", f"select * from '{tmp_path / mine}'").returncode == 2
    hand_made_warehouse.make(tmp_path / "broken")
    for file in (tmp_path / "broken" / table).rglob("*.parquet"):
        if file.parent.name != "_delta_log":
            file.unlink()
    done = run(*question, "-w", str(tmp_path / "broken"))
    assert (done.returncode, done.stdout) == (4, "")
    assert table in done.stderr
    assert ".parquet" in done.stderr
    assert "Traceback" not in done.stderr


def test_schema_lists_and_describes(run: Run) -> None:
    names = [row["name"] for row in csv.DictReader(io.StringIO(run("schema").stdout))]
    assert names[0] == "captures"
    assert {"packets", "tcp_rtt", "ipv4_destinations"} <= set(names)
    assert not [name for name in names if name.startswith("_")]
    columns = {row["column"]: row for row in csv.DictReader(io.StringIO(run("schema", "packets").stdout))}
    assert columns["wire_length"] == {
        "column": "wire_length",
        "type": "BIGINT",
        "unit": "bytes",
        "description": "Bytes of the packet on the wire.",
    }
    assert run("schema", "tcp_rtt", "--format", "markdown").stdout.startswith("| column | type | unit | description |\n")


def test_a_table_too_long_to_read_is_cut_with_a_word_on_standard_error(run: Run) -> None:
    done = run("sql", "select * from range(10005)", "--format", "table")
    assert "10,000" in done.stderr
    assert "\n   10004\n" not in done.stdout


def test_sql_sees_what_its_scope_holds(run: Run) -> None:
    count = "select count(*) as captures, (select count(*) from packets) as packets from captures"

    def found(*scope: str) -> dict[str, str]:
        [row] = csv.DictReader(io.StringIO(run("sql", count, *scope).stdout))
        return dict(row)

    assert found() == {"captures": "3", "packets": "27"}
    assert found("--host", "db-1") == {"captures": "1", "packets": "4"}
    assert found("--since", "2026-03-02") == {"captures": "1", "packets": "4"}
    assert found("--until", "2026-03-02", "--capture", "one.pcap") == {"captures": "1", "packets": "23"}
    assert run("sql", count, "--host", "nobody").returncode == 2
    assert run("sql", count, "--since", "2026-03-02", "--until", "2026-03-01").returncode == 2


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_process_without_its_streams(closed: str) -> None:
    """As some services are started; what would be printed goes nowhere, and the exit codes are the same."""
    command = f"'{sys.executable}' -m caphouse.cli.main schema"
    assert subprocess.run(["bash", "-c", f"{command} packets {closed}"], capture_output=True, check=False).returncode == 0
    done = subprocess.run(["bash", "-c", f"{command} nonsense {closed}"], capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_output_that_has_no_room_is_told() -> None:
    command = f"'{sys.executable}' -m caphouse.cli.main schema packets > /dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "caphouse: [Errno 28] No space left on device\n")
