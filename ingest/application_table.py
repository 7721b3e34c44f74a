"""The table of application protocols: reads `known_applications.toml`, and a user's own of the same form, and says what is wrong in it.

Only the form is known here; what a signature means for packets is in `signatures`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..warehouse.compiled import content_of
from ..warehouse.errors import UsageError

BUILT_IN = Path(__file__).with_name("known_applications.toml")
"""The table that comes with caphouse."""

TRANSPORTS = ("tcp", "udp")

CATEGORIES = frozenset(
    {
        "crypto-mining", "database", "file-sharing", "gaming", "industrial", "infrastructure", "iot", "mail", "media", "messaging", "p2p",
        "remote-access", "security", "voip", "vpn", "web",
    }
)  # fmt: skip

CHECKS = frozenset({"dns", "dns_tcp", "http_line", "openvpn", "quic_cid", "rtcp", "rtp", "stratum", "syslog", "tftp"})
"""Names that a signature's `check` may have."""

LONGEST_BOUND = 2046
"""Greatest bound that a signature may set to the payload's length."""

DEEPEST_BYTE = 247
"""Last payload byte that a signature may look at: a word that begins there is still sure to be readable."""


class Pattern(NamedTuple):
    """Bytes at one place: byte `at + i` of the payload, and-ed with `mask[i]`, is `value[i]`."""

    at: int
    value: bytes
    mask: bytes

    @property
    def end(self) -> int:
        """Number of payload bytes that must be there."""
        return self.at + len(self.value)


class Length(NamedTuple):
    """A length that the payload declares.

    Attributes:
        at: Byte of the payload where it stands.
        size: Its size in bytes.
        endian: 'big' or 'little'.
        add: What it does not count itself.
        rel: 'eq' or 'le' against the payload's length, or 'max' against `limit`.
        limit: Most that it may be when `rel` is 'max'.
    """

    at: int
    size: int
    endian: str
    add: int
    rel: str
    limit: int = 0


class Signature(NamedTuple):
    """What one packet's payload must look like.

    Attributes:
        over: 'tcp' or 'udp'.
        conditions: All must hold; of the patterns of each, one.
        length: A declared length, or None.
        least: Least length of the payload in bytes.
        most: Greatest length of the payload in bytes, or None.
        on_port: Whether it counts only on the protocol's own ports.
        check: Name of a further test, or None.
        confidence: 3 proof, 2 structure, 1 weak.
    """

    over: str
    conditions: tuple[tuple[Pattern, ...], ...]
    length: Length | None
    least: int
    most: int | None
    on_port: bool
    check: str | None
    confidence: int


class Protocol(NamedTuple):
    """One application protocol.

    Attributes:
        name: Its label.
        category: One of `CATEGORIES`.
        ports: Its ports, by transport.
        by_port: Whether a port alone labels a conversation.
        signatures: Its signatures.
        tshark: Names that tshark gives to the same traffic.
    """

    name: str
    category: str
    ports: Mapping[str, tuple[int, ...]]
    by_port: bool
    signatures: tuple[Signature, ...]
    tshark: tuple[str, ...]


class _Entry:
    """A TOML table whose keys are taken out one by one, so that each is of the right type and none is left over."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise UsageError(f"{where}: a table is expected, like {{ ... }}.")
        self._rest: dict[str, Any] = dict(value)
        self.where = where

    def wrong(self, what: str) -> UsageError:
        return UsageError(f"{self.where}: {what}.")

    def text(self, key: str, default: str | None = None) -> str:
        value = self._rest.pop(key, default)
        if not isinstance(value, str) or not value:
            raise self.wrong(f"'{key}' must be a text" if value is not None else f"'{key}' is missing")
        return value

    def choice(self, key: str, among: frozenset[str] | tuple[str, ...], default: str | None = None) -> str:
        value = self.text(key, default)
        if value not in among:
            raise self.wrong(f"'{key}' is '{value}', but must be one of {', '.join(sorted(among))}")
        return value

    def number(self, key: str, least: int, most: int, default: int | None = None) -> int:
        value = self._rest.pop(key, default)
        if value is None:
            raise self.wrong(f"'{key}' is missing")
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(f"'{key}' must be a number from {least} to {most}")
        return value

    def flag(self, key: str) -> bool:
        value = self._rest.pop(key, False)
        if not isinstance(value, bool):
            raise self.wrong(f"'{key}' must be true or false")
        return value

    def items(self, key: str) -> list[Any]:
        value = self._rest.pop(key, [])
        if not isinstance(value, list):
            raise self.wrong(f"'{key}' must be a list, like [ ... ]")
        return value

    def table(self, key: str) -> _Entry:
        return _Entry(self._rest.pop(key, None), f"{self.where}, '{key}'")

    def has(self, key: str) -> bool:
        return key in self._rest

    def done(self) -> None:
        if self._rest:
            raise self.wrong(f"'{next(iter(self._rest))}' is not a key that is known here")


def load_table(extra: Path | None = None) -> list[Protocol]:
    """The protocols of the built-in table; those of `extra` come first and replace built-in ones of the same name.

    Raises:
        UsageError: `extra` cannot be read, or an entry in it is wrong.
    """
    own = _read(extra) if extra is not None else []
    replaced = {protocol.name for protocol in own}
    return own + [protocol for protocol in _read(BUILT_IN) if protocol.name not in replaced]


def _parse(text: str) -> dict[str, Any]:
    import tomllib

    return tomllib.loads(text)


def _read(path: Path) -> list[Protocol]:
    try:
        content = content_of(path, _parse) if path == BUILT_IN else _parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text.") from error
    except ValueError as error:
        raise UsageError(f"{path}: not TOML: {error}.") from error
    top = _Entry(content, str(path))
    version = top.number("version", 1, 1_000_000)
    if version != 1:
        raise top.wrong(f"this is a table of version {version}; this caphouse reads version 1")
    entries = top.items("protocol")
    top.done()
    protocols = [_protocol(entry, f"{path}: protocol {number}") for number, entry in enumerate(entries, 1)]
    names: set[str] = set()
    for protocol in protocols:
        if protocol.name in names:
            raise top.wrong(f"protocol '{protocol.name}' is there twice")
        names.add(protocol.name)
    return protocols


def _protocol(value: object, where: str) -> Protocol:
    entry = _Entry(value, where)
    name = entry.text("name")
    # Names become items of colon-joined protocol paths and words on a command line.
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.+-]*", name):
        raise entry.wrong(f"'name' is '{name}', but must be of lower-case letters, digits and _.+-")
    entry.where = f"{where} ('{name}')"
    category = entry.choice("category", CATEGORIES)
    entry.text("ref", "none given")
    ports = {transport: _ports(entry, transport) for transport in TRANSPORTS}
    by_port = entry.choice("fallback", ("port", "sig"), "sig") == "port"
    tshark = tuple(str(item) for item in entry.items("tshark"))
    signatures = tuple(_signature(item, ports, f"{entry.where}, signature {number}") for number, item in enumerate(entry.items("sig"), 1))
    entry.done()
    return Protocol(name, category, ports, by_port, signatures, tshark)


def _ports(entry: _Entry, transport: str) -> tuple[int, ...]:
    ports: list[int] = []
    for item in entry.items(transport):
        match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", item) if isinstance(item, str) else None
        first, last = (int(match[1]), int(match[2])) if match else (item, item)
        if not isinstance(first, int) or isinstance(first, bool) or not 0 < first <= last < 1 << 16:
            raise entry.wrong(f"'{transport}' has '{item}', which is neither a port number nor FIRST-LAST")
        ports += range(first, last + 1)
    return tuple(ports)


def _signature(value: object, ports: Mapping[str, tuple[int, ...]], where: str) -> Signature:
    entry = _Entry(value, where)
    over = entry.choice("over", TRANSPORTS)
    conditions = [patterns] if (patterns := _patterns(entry)) else []
    for item in entry.items("and"):
        further = _Entry(item, f"{where}, 'and'")
        if not (patterns := _patterns(further)):
            raise further.wrong("'hex' or 'text' is missing")
        further.done()
        conditions.append(patterns)
    length = _length(entry.table("len")) if entry.has("len") else None
    least = entry.number("min", 0, LONGEST_BOUND, 0)
    most = entry.number("max", 1, LONGEST_BOUND) if entry.has("max") else None
    on_port = entry.flag("onport")
    check = entry.choice("check", CHECKS) if entry.has("check") else None
    confidence = entry.number("conf", 1, 3)
    entry.done()
    if not conditions and length is None and check is None:
        raise entry.wrong("'hex', 'text', 'len' or 'check' is missing: it would match anything")
    if most is not None and most < least:
        raise entry.wrong("'max' is less than 'min'")
    if on_port and not ports[over]:
        raise entry.wrong(f"'onport' is true, but the protocol has no {over} port")
    return Signature(over, tuple(conditions), length, least, most, on_port, check, confidence)


def _patterns(entry: _Entry) -> tuple[Pattern, ...]:
    at = entry.number("at", 0, DEEPEST_BYTE, 0)
    any_case = entry.flag("ci")
    patterns = [_from_hex(item, at, entry) for item in entry.items("hex")]
    patterns += [_from_text(item, at, entry, any_case=any_case) for item in entry.items("text")]
    for pattern in patterns:
        if pattern.end > DEEPEST_BYTE + 1:
            raise entry.wrong(f"a pattern reaches beyond byte {DEEPEST_BYTE} of the payload")
    return tuple(patterns)


def _from_hex(digits: object, at: int, entry: _Entry) -> Pattern:
    if not isinstance(digits, str) or not re.fullmatch(r"[0-9A-Fa-f.]+", digits):
        raise entry.wrong(f"'hex' has '{digits}', which is not of hex digits and dots")
    padded = digits + "." * (len(digits) % 2)
    value = bytes.fromhex(padded.replace(".", "0"))
    mask = bytes.fromhex(re.sub(r"[0-9A-Fa-f]", "f", padded).replace(".", "0"))
    return Pattern(at, value, mask)


def _from_text(text: object, at: int, entry: _Entry, *, any_case: bool) -> Pattern:
    if not isinstance(text, str) or not text or not text.isascii():
        raise entry.wrong(f"'text' has '{text}', which is not ASCII text")
    value = text.encode("ascii")
    # Bit 5 is the only difference between an ASCII letter's two cases.
    mask = bytes(0xDF if any_case and chr(byte).isalpha() else 0xFF for byte in value)
    return Pattern(at, bytes(byte & keep for byte, keep in zip(value, mask, strict=True)), mask)


def _length(entry: _Entry) -> Length:
    size = entry.number("size", 1, 4)
    at = entry.number("at", 0, DEEPEST_BYTE + 1 - size)
    endian = entry.choice("endian", ("big", "little"), "big")
    add = entry.number("add", -(1 << 16), 1 << 16, 0)
    rel = entry.text("rel")
    entry.done()
    if match := re.fullmatch(r"max:(\d{1,9})", rel):
        return Length(at, size, endian, add, "max", int(match[1]))
    if rel not in {"eq", "le"}:
        raise entry.wrong(f"'rel' is '{rel}', but must be eq, le or max:N")
    return Length(at, size, endian, add, rel)
