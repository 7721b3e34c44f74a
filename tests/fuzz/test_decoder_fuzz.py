"""A short run of the decoder's fuzzer; a long one is started by hand (see `decoder`)."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
import wireshark
from decoding import Raw, raw, rows
from fuzz import decoder
from made_packets import SAMPLES


def test_mutations() -> None:
    for number, packets, rng in islice(decoder.rounds(0), 6):
        try:
            decoder.check(packets, rng)
        except Exception as error:
            msg = f"round {number}"
            raise AssertionError(msg) from error


def test_truncation_at_every_byte() -> None:
    for sample in SAMPLES:
        packet = raw(sample)
        lengths = range(packet.pseudo_header, len(packet.data))
        cut = [
            Raw(packet.link_type, packet.data[:length], len(packet.data) - packet.pseudo_header, packet.pseudo_header) for length in lengths
        ]
        short = [Raw(packet.link_type, packet.data[:length], None, packet.pseudo_header) for length in lengths]
        found = rows([*cut, *short])
        assert rows([*cut, *short], filler=None) == found, sample.name
        for part, row in zip([*cut, *short], found, strict=True):
            decoder.check_row(part, row)


@pytest.mark.skipif(not wireshark.is_reference(), reason=wireshark.MISSING)
def test_tshark_names_mutated_packets_alike(tmp_path: Path) -> None:
    packets = [packet for _, some, _ in islice(decoder.rounds(0), 6) for packet in decoder.readable(some)]
    differing = decoder.differences(packets, rows(packets), tmp_path)
    assert differing.total() < 0.03 * len(packets), Counter(differing).most_common(10)
