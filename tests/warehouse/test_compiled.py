"""Files that Python keeps compiled have the content that is in them."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

import caphouse.ingest
from caphouse.warehouse.compiled import content_of

TABLE = Path(caphouse.ingest.__path__[0]) / "known_applications.toml"


def no_parser(_: str) -> None:
    raise AssertionError("it was not to be parsed again")


def test_a_file_is_parsed_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "known.toml"
    path.write_bytes(TABLE.read_bytes())
    expected = tomllib.loads(path.read_text(encoding="utf-8"))
    assert len(expected["protocol"]) > 100
    assert content_of(path, tomllib.loads) == expected
    assert content_of(path, no_parser) == expected
    path.write_text("version = 7\n")
    assert content_of(path, tomllib.loads) == {"version": 7}


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
