"""The table of application protocols: what it holds, how a user adds to it, and how mistakes in it are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from caphouse.ingest.application_table import CATEGORIES, CHECKS, Pattern, load_table
from caphouse.ingest.payloads import CHECKS as TESTS
from caphouse.warehouse.errors import UsageError


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "protocols.toml"
    path.write_text(text, encoding="utf-8")
    return path


def entry(sig: str = "", **changes: str) -> str:
    keys = {"name": '"mine"', "category": '"web"', "tcp": "[4000]", "fallback": '"sig"'} | changes
    return "version = 1\n[[protocol]]\n" + "\n".join(f"{key} = {value}" for key, value in keys.items()) + f"\nsig = [{sig}]\n"


def test_built_in_table() -> None:
    """The table holds what the product promises, and every category and check is used by it."""
    table = load_table()
    by_name = {protocol.name: protocol for protocol in table}
    assert len(by_name) == len(table) >= 125
    assert {"tls", "http", "ssh", "dns", "rdp", "rpc", "bittorrent", "bt-dht", "bt-tracker"} <= by_name.keys()
    assert {protocol.category for protocol in table} == CATEGORIES
    assert {signature.check for protocol in table for signature in protocol.signatures} - {None} == CHECKS == TESTS.keys()
    assert by_name["rdp"].ports == {"tcp": (3389,), "udp": ()}
    assert by_name["x11"].ports["tcp"] == tuple(range(6000, 6064))
    assert by_name["rpc"].ports == {"tcp": (111,), "udp": (111,)}
    for protocol in table:
        assert protocol.signatures or protocol.by_port or protocol.name == "anydesk", f"{protocol.name} could never be found"


def test_own_table_comes_first_and_replaces(tmp_path: Path) -> None:
    """A user's protocol is added before the built-in ones; one of the same name takes its place."""
    own = entry('{ over = "tcp", text = ["HELLO "], conf = 3 }') + entry(name='"ssh"', tcp="[2222]").removeprefix("version = 1\n")
    table = load_table(write(tmp_path, own))
    assert [protocol.name for protocol in table[:2]] == ["mine", "ssh"]
    assert [protocol.ports["tcp"] for protocol in table if protocol.name == "ssh"] == [(2222,)]
    assert len(table) == len(load_table()) + 1


def test_patterns(tmp_path: Path) -> None:
    """Hex with any-nibbles, odd digits and letter case become value and mask."""
    sigs = '{ over = "tcp", at = 3, hex = ["1.ff", "abc"], conf = 3 }, { over = "tcp", text = ["aZ 1"], ci = true, conf = 3 }'
    first, second = load_table(write(tmp_path, entry(sigs)))[0].signatures
    assert first.conditions == ((Pattern(3, b"\x10\xff", b"\xf0\xff"), Pattern(3, b"\xab\xc0", b"\xff\xf0")),)
    assert second.conditions == ((Pattern(0, b"AZ 1", b"\xdf\xdf\xff\xff"),),)


MISTAKES = {
    "version = 1\nprotocols = []": "'protocols' is not a key that is known here",
    "version = 2": "this is a table of version 2; this caphouse reads version 1",
    "": "'version' is missing",
    "version = 1\n[[protocol]": "not TOML",
    "version = 1\nprotocol = [3]": "protocol 1: a table is expected",
    entry(name='"Mine"'): "'name' is 'Mine', but must be of lower-case letters",
    entry(name='"a:b"'): "'name' is 'a:b'",
    entry() + entry().removeprefix("version = 1\n"): "protocol 'mine' is there twice",
    entry(category='"webb"'): "protocol 1 ('mine'): 'category' is 'webb', but must be one of crypto-mining,",
    entry(tcp="[70000]"): "'tcp' has '70000', which is neither a port number nor FIRST-LAST",
    entry(tcp='["9-5"]'): "'tcp' has '9-5'",
    entry(tcp="[true]"): "'tcp' has 'True'",
    entry(tcp="22"): "'tcp' must be a list",
    entry(fallback='"ports"'): "'fallback' is 'ports', but must be one of port, sig",
    entry(colour='"red"'): "'colour' is not a key that is known here",
    entry('{ text = ["a"], conf = 3 }'): "signature 1: 'over' is missing",
    entry('{ over = "tcp", text = ["a"] }'): "'conf' is missing",
    entry('{ over = "tcp", text = ["a"], conf = 4 }'): "'conf' must be a number from 1 to 3",
    entry('{ over = "tcp", text = ["a"], conf = true }'): "'conf' must be a number from 1 to 3",
    entry('{ over = "tcp", conf = 3 }'): "it would match anything",
    entry('{ over = "tcp", hex = ["xy"], conf = 3 }'): "'hex' has 'xy', which is not of hex digits and dots",
    entry('{ over = "tcp", text = ["\u00e9"], conf = 3 }'): "which is not ASCII text",
    entry('{ over = "tcp", at = 247, hex = ["0102"], conf = 3 }'): "a pattern reaches beyond byte 247",
    entry('{ over = "tcp", text = ["a"], at = -1, conf = 3 }'): "'at' must be a number from 0 to 247",
    entry('{ over = "tcp", text = ["a"], and = [{ at = 1 }], conf = 3 }'): "'and': 'hex' or 'text' is missing",
    entry('{ over = "tcp", text = ["a"], min = 9, max = 8, conf = 3 }'): "'max' is less than 'min'",
    entry('{ over = "udp", text = ["a"], onport = true, conf = 3 }'): "the protocol has no udp port",
    entry('{ over = "tcp", text = ["a"], onport = 1, conf = 3 }'): "'onport' must be true or false",
    entry('{ over = "tcp", check = "magic", conf = 3 }'): "'check' is 'magic', but must be one of dns,",
    entry('{ over = "tcp", len = { at = 0, size = 2, rel = "ge" }, conf = 3 }'): "'len': 'rel' is 'ge', but must be eq, le or max:N",
    entry('{ over = "tcp", len = { at = 0, size = 8, rel = "eq" }, conf = 3 }'): "'size' must be a number from 1 to 4",
    entry('{ over = "tcp", len = 3, conf = 3 }'): "'len': a table is expected",
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.items(), ids=range(len(MISTAKES)))
def test_mistakes_are_told(tmp_path: Path, text: str, message: str) -> None:
    """What is wrong is said with the file and the entry, in one sentence."""
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as raised:
        load_table(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert message in str(raised.value)


def test_unreadable_tables_are_told(tmp_path: Path) -> None:
    """A missing file and one that is not text."""
    with pytest.raises(UsageError, match=r"none\.toml: cannot be read: No such file"):
        load_table(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"binary\.toml: not UTF-8 text"):
        load_table(tmp_path / "binary.toml")
