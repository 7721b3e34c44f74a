"""The first bytes of packets' payloads, many at once, and the tests of application protocols that a byte pattern cannot express.

Nothing beyond the captured bytes counts as seen, though up to `PADDING_BYTES` beyond a packet may be read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .columns import Bool, Int64

Bytes = npt.NDArray[np.uint8]

SEARCHED_BYTES = 256
"""Bytes that a test may search."""


@dataclass(slots=True, eq=False, repr=False)
class Payloads:
    """The first payload bytes of packets.

    Attributes:
        buffer: uint8[m], a batch's buffer.
        offset: int64[n], index in `buffer` where each payload begins.
        captured: int64[n], bytes of the payload that are in the buffer.
        length: int64[n], bytes of the payload on the wire.
    """

    buffer: Bytes
    offset: Int64
    captured: Int64
    length: Int64

    def __len__(self) -> int:
        return len(self.offset)

    def take(self, rows: Int64) -> Payloads:
        """The payloads at `rows` (int64[k])."""
        return Payloads(self.buffer, self.offset[rows], self.captured[rows], self.length[rows])

    def byte(self, at: int) -> Bytes:
        """uint8[n], the byte at `at`."""
        return self.buffer[self.offset + at]

    def rows(self, at: int, width: int) -> Bytes:
        """uint8[n, width], the bytes from `at` on; what was not captured reads as 0."""
        places = np.arange(at, at + width)
        return np.where(places < self.captured[:, None], self.buffer[self.offset[:, None] + places], np.uint8(0))

    def number(self, at: int, size: int, endian: str = "big") -> Int64:
        """int64[n], the `size` bytes (1 to 4) from `at` on as a number."""
        width = 4 if size == 3 else size
        value = _words(self.buffer, f"{'>' if endian == 'big' else '<'}u{width}")[self.offset + at].astype(np.int64)
        if size == 3:
            return value >> 8 if endian == "big" else value & 0xFFFFFF
        return value

    def words(self, at: int) -> Int64:
        """int64[n], the 8 bytes from `at` on in network order."""
        return _words(self.buffer, ">i8")[self.offset + at].astype(np.int64)


def _words(buffer: Bytes, dtype: str) -> npt.NDArray[Any]:
    """The buffer as overlapping words, one beginning at each byte: a single look-up reads a whole word."""
    word = np.dtype(dtype)
    return np.ndarray((len(buffer) - word.itemsize + 1,), word, buffer, strides=(1,))


def _contains(rows: Bytes, text: bytes) -> Bool:
    """bool[n]: which rows hold `text`."""
    width = rows.shape[1] - len(text) + 1
    found = np.ones((len(rows), width), dtype=np.bool_)
    for place, byte in enumerate(text):
        found &= rows[:, place : place + width] == byte
    somewhere: Bool = np.logical_or.reduce(found, axis=1)
    return somewhere


def _lower(rows: Bytes) -> Bytes:
    return np.where((rows >= ord("A")) & (rows <= ord("Z")), rows | 0x20, rows)


def _dns_at(payloads: Payloads, at: int) -> Bool:
    """A plausible DNS header (RFC 1035, section 4.1.1) and, when captured, a first label of legal length."""
    first, second = payloads.words(at), payloads.words(at + 8)
    opcode, code = first >> 43 & 15, first >> 32 & 15
    questions, answers, authorities, additionals = first >> 16 & 0xFFFF, first & 0xFFFF, second >> 48 & 0xFFFF, second >> 32 & 0xFFFF
    plausible: Bool = (
        (payloads.captured >= at + 12)
        & ((opcode == 0) | (opcode == 2) | (opcode == 4) | (opcode == 5))
        & (code <= 10)
        & (questions + answers + authorities + additionals > 0)
        & (questions <= 16)
        & (answers <= 255)
        & (authorities <= 64)
        & (additionals <= 64)
        & ((payloads.captured <= at + 12) | ((second >> 24 & 0xFF) <= 63))
    )
    return plausible


def _dns(payloads: Payloads) -> Bool:
    return _dns_at(payloads, 0)


def _dns_tcp(payloads: Payloads) -> Bool:
    """DNS after its two bytes of length (RFC 7766, section 8)."""
    return _dns_at(payloads, 2)


def _http_line(payloads: Payloads) -> Bool:
    """A printable byte after the method's blank (RFC 9112, section 3)."""
    rows = payloads.rows(0, 25)
    target = np.take_along_axis(rows, (rows == ord(" ")).argmax(axis=1)[:, None] + 1, axis=1)[:, 0]
    return (target > ord(" ")) & (target < 0x7F)


def _openvpn(payloads: Payloads) -> Bool:
    """A hard reset without acknowledgments and with packet number 0, or of a length that resets with authentication have."""
    plain: Bool = (payloads.captured >= 14) & (payloads.byte(9) == 0) & (payloads.number(10, 4) == 0)
    return plain | np.isin(payloads.length, (42, 46, 54, 58, 70, 86))


def _quic_cid(payloads: Payloads) -> Bool:
    """Connection identifiers have at most 20 bytes (RFC 9000, section 17.2)."""
    return (payloads.captured > 5) & (payloads.byte(5) <= 20)


def _rtcp(payloads: Payloads) -> Bool:
    """The first packet of the compound, in 32-bit words minus one, fits (RFC 3550, section 6.4.1)."""
    return (payloads.captured >= 4) & (4 * (payloads.number(2, 2) + 1) <= payloads.length)


def _rtp(payloads: Payloads) -> Bool:
    """A payload type in use (RFC 3551, section 6); 72 to 76 would be RTCP's."""
    payload_type = payloads.byte(1) & 0x7F
    return (payloads.captured >= 12) & ((payload_type <= 34) | (payload_type >= 96))


def _stratum(payloads: Payloads) -> Bool:
    """A JSON-RPC call or notice of a mining pool."""
    rows = payloads.rows(0, SEARCHED_BYTES)
    return _contains(rows, b'"method"') & (_contains(rows, b"mining.") | _contains(rows, b'"login"') | _contains(rows, b"eth_"))


def _syslog(payloads: Payloads) -> Bool:
    """One to three digits between the angle brackets (RFC 5424, section 6.2.1)."""
    rows = payloads.rows(1, 4)
    digit: Bool = (rows >= ord("0")) & (rows <= ord("9"))
    close: Bool = rows == ord(">")
    return digit[:, 0] & (close[:, 1] | digit[:, 1] & (close[:, 2] | digit[:, 2] & close[:, 3]))


def _tftp(payloads: Payloads) -> Bool:
    """A transfer mode after the file name (RFC 1350, section 5)."""
    rows = _lower(payloads.rows(2, SEARCHED_BYTES - 2))
    return _contains(rows, b"\0octet\0") | _contains(rows, b"\0netascii\0")


CHECKS: dict[str, Callable[[Payloads], Bool]] = {
    "dns": _dns,
    "dns_tcp": _dns_tcp,
    "http_line": _http_line,
    "openvpn": _openvpn,
    "quic_cid": _quic_cid,
    "rtcp": _rtcp,
    "rtp": _rtp,
    "stratum": _stratum,
    "syslog": _syslog,
    "tftp": _tftp,
}
"""The tests by the names that they have in the table: each gives bool[n], which payloads pass."""
