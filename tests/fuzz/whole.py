"""Mutates packets inside captures, and the captures, and sends them all the way: reader, decoder, streams, handshakes, flows, receipt."""

from __future__ import annotations

import random
import struct
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.compute as pc
from decoding import Raw, raw
from made_captures import Packet, Pcapng, Pipe, erf_record, pcap, snoop
from made_packets import SAMPLES

from caphouse.ingest.capture import Options, ingest_content
from caphouse.ingest.content import open_content
from caphouse.ingest.sources import Source
from caphouse.warehouse.arrays import Rows

from . import decoder, readers

if TYPE_CHECKING:
    import datetime as dt

    from caphouse.warehouse.staging import StagedWriter

MOST_SECONDS = 20.0
"""For one capture; of processor time, so that it does not matter what else the machine does."""
MOST_PACKETS = 60
LONGEST_FRAME = (1 << 31) - 1
ETHERNET = 1
ENDPOINTS = ((0x0A000001, 40_000), (0x0A000002, 80), (0x0A000001, 80), (0x0A000003, 443))
NUMBERS = (0, 1, 2, 100, 101, 102, 1 << 31, (1 << 32) - 2, (1 << 32) - 1)
FLAGS = (0x02, 0x12, 0x10, 0x18, 0x11, 0x04, 0x14, 0x03, 0)


class Tables:
    """Keeps the rows that a `StagedWriter` would write."""

    def __init__(self) -> None:
        self._tables: defaultdict[str, list[pa.Table]] = defaultdict(list)

    def write(self, table: str, data: Rows, _date: dt.date | None) -> None:
        """Keep rows of a table."""
        self._tables[table].append(pa.table(dict(data)))

    def rows(self, table: str) -> int:
        """How many rows a table has."""
        return sum(part.num_rows for part in self._tables[table])

    def sum(self, table: str, *columns: str) -> int:
        """All values of some columns, added up."""
        return sum(pc.sum(part[column]).as_py() or 0 for part in self._tables[table] for column in columns)

    def streams(self) -> set[Any]:
        """Numbers of the TCP connections that packets belong to; None among them for segments that have a length and no number."""
        found: set[Any] = set()
        for part in self._tables["packets"]:
            segments = part.filter(pc.is_valid(part["tcp_flags"]))
            lost = pc.and_(pc.is_null(segments["stream"]), pc.is_valid(segments["payload_length"]))
            found |= set(pc.unique(segments.filter(pc.or_(pc.is_valid(segments["stream"]), lost))["stream"]).to_pylist())
        return found

    def column(self, table: str, column: str) -> list[Any]:
        """All values of a column."""
        return [value for part in self._tables[table] for value in part[column].to_pylist()]


def segment(rng: random.Random) -> Raw:
    """A TCP segment between few endpoints, so that connections open, meet and go wrong."""
    (src, src_port), (dst, dst_port) = rng.choice(ENDPOINTS), rng.choice(ENDPOINTS)
    payload = bytes(rng.choice((0, 0, 5)))
    tcp = struct.pack(">HHIIBBHHH", src_port, dst_port, rng.choice(NUMBERS), rng.choice(NUMBERS), 0x50, rng.choice(FLAGS), 1024, 0, 0)
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 40 + len(payload), rng.randrange(4), 0, 64, 6, 0, src, dst)
    return Raw(ETHERNET, bytes(12) + b"\x08\0" + ip + tcp + payload)


def packets(rng: random.Random) -> list[Raw]:
    """Packets of all kinds, most of them mutated."""
    made = [raw(sample) for sample in SAMPLES if not sample.pseudo_header]
    return [segment(rng) if rng.random() < 0.5 else decoder.mutate(rng, rng.choice(made)) for _ in range(rng.randrange(1, MOST_PACKETS))]


def capture(rng: random.Random, found: Sequence[Raw]) -> tuple[bytes, int | None]:
    """Packets in a capture of a format that holds them.

    Returns:
        The capture, and how many packets are in it; None for ERF, which has no magic number: odd packets may hide what it is.
    """
    start = rng.choice((0, 1_600_000_000, 4_294_967_000))
    times = [(start + rng.randrange(3), rng.randrange(1_000_000)) for _ in found]
    way = rng.choice(("pcapng", "pcapng", "pcap", "nsecpcap", "snoop", "erf"))
    order = rng.choice("<>")
    if way == "pcapng":
        ng = Pcapng(order)
        link_types = list(dict.fromkeys(packet.link_type for packet in found))
        head = ng.section() + b"".join(ng.interface(link_type, 0, (9, bytes((rng.choice((6, 9, 0x94)),)))) for link_type in link_types)
        blocks = [
            ng.packet(
                packet.data,
                interface=link_types.index(packet.link_type),
                counts=(seconds * 1_000_000 + fraction),
                wire=packet.wire_length,
            )
            for packet, (seconds, fraction) in zip(found, times, strict=True)
        ]
        return head + b"".join(blocks), len(found)
    alike = [
        packet for packet in found if packet.link_type == found[0].link_type and (way in {"pcap", "nsecpcap"} or packet.link_type == 1)
    ]
    written = [Packet(*when, packet.data, packet.wire_length) for packet, when in zip(alike, times, strict=False)]
    if way == "snoop":
        return snoop(written), len(written)
    if way == "erf":
        return b"".join(erf_record(packet.data, seconds=packet.seconds, wire=packet.wire) for packet in written), None
    magic = 0xA1B23C4D if way == "nsecpcap" else 0xA1B2C3D4
    return pcap(written, order=order, magic=magic, network=found[0].link_type), len(written)


def check(content: bytes, within: int | None) -> dict[str, Any]:
    """Send a capture all the way, and hold its receipt against the rows.

    Args:
        content: The capture.
        within: How many packets are in it; None where it is damaged, so that nobody knows.

    Returns:
        Its row of `captures`.
    """
    began = time.process_time()
    tables = Tables()
    with open_content(Pipe(content), name="made") as opened:
        row = ingest_content(Source("file:///made", "made"), opened, cast("StagedWriter", tables), Options(), lambda _: None).row
    frames = readers.outcome(content, 1 << 20)
    read = 0 if isinstance(frames, str) else len(frames)
    assert row["packets"] == tables.rows("packets") == read, "the receipt and the rows differ"
    assert row["unread_records"] == sum(row["unread_reasons"].values()), "unread records without a reason"
    assert (row["error"] is None) == (row["status"] in {"complete", "growing"}), "a problem that is not told"
    if within is not None:
        assert row["packets"] + row["unread_records"] == within, f"{within} packets in the file"
    assert tables.sum("flows", "packets_to_server", "packets_to_client") == read, "packets that are in no flow, or in two"
    assert tables.sum("flow_minutes", "packets_to_server", "packets_to_client") == read, "packets that are in no minute"
    assert row["wire_bytes"] == tables.sum("flows", "bytes_to_server", "bytes_to_client"), "bytes of flows"
    # A packet's own length stops at what Wireshark's frame.len holds.
    capped = {length for length in tables.column("packets", "wire_length") if length == LONGEST_FRAME}
    assert capped or row["wire_bytes"] == tables.sum("packets", "wire_length"), "bytes of packets"
    assert tables.sum("packets", "captured_length") == row["captured_bytes"], "captured bytes"
    streams = tables.streams()
    assert None not in streams, "a segment without a stream"
    assert streams == set(range(len(streams))), "numbers of streams left out"
    assert sorted(tables.column("handshakes", "tcp_stream")) == sorted(streams), "a connection without a handshake, or with two"
    assert time.process_time() - began < MOST_SECONDS, "it takes too long"
    return row


def cases(seed: int) -> Iterator[tuple[int, bytes, int | None]]:
    """Number, content and number of packets of each case, without end; None where the file itself was changed, too."""
    while True:
        rng = random.Random(seed)
        content, within = capture(rng, packets(rng))
        if rng.random() < 0.4:
            yield seed, readers.mutate(rng, content, content), None
        else:
            yield seed, content, within
        seed += 1
