"""Makes a capture many times as long: python -m bench.longer SOURCE TARGET TIMES [--other]

The packets come again and again, each time later than all before: without their SYNs, so that the same conversations go on; or, with
--other, with other addresses and so in other conversations each time. Checksums are left as they are: nobody here looks at them.
"""

from __future__ import annotations

import argparse
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

_GLOBAL_HEADER_BYTES, _RECORD_HEADER_BYTES = 24, 16
_TCP, _SYN = 6, 0x02


def records(content: Bytes) -> Places:
    """Where the records of a little-endian pcap begin (int64[n])."""
    read = struct.Struct("<I").unpack_from
    view, position, starts = content.data, _GLOBAL_HEADER_BYTES, []
    while position + _RECORD_HEADER_BYTES <= len(content):
        starts.append(position)
        position += _RECORD_HEADER_BYTES + read(view, position + 8)[0]
    return np.array(starts)


def ip_headers(content: Bytes, starts: Places) -> tuple[Places, Places]:
    """Where the IP header of each packet begins, if it is IP in Ethernet, with a VLAN tag or without; its version, 0 for none."""
    header = starts + _RECORD_HEADER_BYTES + 14
    tagged = _number(content, header - 2, ">u2") == 0x8100
    header = header + 4 * tagged
    kind = _number(content, header - 2, ">u2")
    return header, np.select([kind == 0x0800, kind == 0x86DD], [4, 6])


def begin_connections(content: Bytes, header: Places, version: Places) -> npt.NDArray[np.bool_]:
    """Which packets are TCP segments with SYN; packets with IPv6 extension headers are none."""
    begins = np.zeros(len(header), dtype=np.bool_)
    for of_version, protocol_at in ((4, 9), (6, 6)):
        rows = np.flatnonzero(version == of_version)
        rows = rows[content[header[rows] + protocol_at] == _TCP]
        length = (content[header[rows]] & 0x0F) * np.int64(4) if of_version == 4 else np.int64(40)
        begins[rows] = content[header[rows] + length + 13] & _SYN != 0
    return begins


def _number(content: Bytes, places: Places, kind: str) -> npt.NDArray[np.int64]:
    width = np.dtype(kind).itemsize
    return np.stack([content[places + byte] for byte in range(width)], axis=1).view(kind)[:, 0].astype(np.int64)


def write(source: Path, target: Path, times: int, *, other: bool) -> None:
    """Write the capture `source` to `target`, `times` times over."""
    content = np.fromfile(source, dtype=np.uint8)
    starts = records(content)
    sizes = np.diff(starts, append=len(content))
    header, version = ip_headers(content, starts)
    ipv4, ipv6 = header[version == 4], header[version == 6]
    goes_on = other | ~begin_connections(content, header, version)
    seconds = _number(content, starts, "<u4")
    span = int(seconds.max() - seconds.min()) + 1
    with target.open("wb") as file:
        file.write(content[:_GLOBAL_HEADER_BYTES].data)
        for turn in range(times):
            again = content.copy()
            later = (seconds + turn * span).astype("<u4").view(np.uint8).reshape(-1, 4)
            for byte in range(4):
                again[starts + byte] = later[:, byte]
            if other:
                # The second byte of IPv4 addresses, the third of IPv6 ones, both ends alike.
                for places in (ipv4 + 13, ipv4 + 17, ipv6 + 10, ipv6 + 26):
                    again[places] ^= np.uint8(turn)
            keep = np.repeat(goes_on | (turn == 0), sizes)
            file.write(again[_GLOBAL_HEADER_BYTES:][keep].data)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m bench.longer", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("times", type=int)
    parser.add_argument("--other", action="store_true")
    arguments = parser.parse_args()
    write(arguments.source, arguments.target, arguments.times, other=arguments.other)
