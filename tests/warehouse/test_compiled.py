"""Files that Python keeps compiled have the content that is in them."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import caphouse.ingest
from caphouse.warehouse.compiled import content_of

TABLE = Path(caphouse.ingest.__path__[0]) / "known_applications.toml"


def parser(folder: Path, text: str) -> Callable[[str], object]:
    """The function `parse` of a module of its own with this text."""
    path = folder / "the_parser.py"
    path.write_text(text)
    spec = spec_from_file_location("the_parser", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["the_parser"] = module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[str], object] = module.parse
    return found


@pytest.fixture(autouse=True)
def keeping(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    yield
    sys.modules.pop("the_parser", None)


def test_a_file_is_parsed_once_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    path.write_bytes(TABLE.read_bytes())
    expected = tomllib.loads(path.read_text(encoding="utf-8"))
    assert len(expected["protocol"]) > 100
    parse = parser(tmp_path, "import tomllib\ncalls = []\ndef parse(text):\n    calls.append(text)\n    return tomllib.loads(text)\n")
    calls = sys.modules["the_parser"].calls
    assert [content_of(path, parse) for _ in range(3)] == [expected] * 3
    assert len(calls) == 1
    path.write_text("version = 7\n")
    assert [content_of(path, parse) for _ in range(3)] == [{"version": 7}] * 3
    assert len(calls) == 2


@pytest.mark.parametrize("kept", [True, False])
def test_a_file_is_parsed_again_when_its_parser_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, kept: bool) -> None:
    path = tmp_path / "known.txt"
    path.write_text("one two")
    assert content_of(path, parser(tmp_path, "def parse(text):\n    return text.split()\n")) == ["one", "two"]
    if not kept:

        def refuse(_: Path) -> None:
            raise PermissionError

        monkeypatch.setattr(Path, "unlink", refuse)
    parse = parser(tmp_path, "calls = []\ndef parse(text):\n    calls.append(text)\n    return text.upper()\n")
    assert [content_of(path, parse) for _ in range(3)] == ["ONE TWO"] * 3
    assert len(sys.modules["the_parser"].calls) == (1 if kept else 3)


def test_where_nothing_may_be_kept_it_is_parsed_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = tmp_path / "text"
    for text in ("Grüße\n", "'\"\\\0"):
        path.write_bytes(text.encode())
        assert content_of(path, str) == text
    assert [entry.name for entry in tmp_path.iterdir()] == ["text"]


def test_what_the_parser_says_is_told(tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    path.write_text("version")
    with pytest.raises(tomllib.TOMLDecodeError):
        content_of(path, tomllib.loads)
    with pytest.raises(FileNotFoundError):
        content_of(tmp_path / "none", str)
