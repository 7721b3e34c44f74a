"""Every capture of the corpus: frames, times, lengths and interfaces as tshark has them."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from pathlib import Path

import pytest
from made_captures import Read, read

from caphouse.ingest.formats.base import LARGEST_FRAME_LENGTH
from caphouse.ingest.formats.conversion import ConvertedReader
from caphouse.warehouse.errors import UnsupportedFormat

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
ORACLES = sorted((CORPUS / "oracle").glob("*.frames.tsv.gz"))
pytestmark = pytest.mark.skipif(not ORACLES, reason="the corpus is not beside this checkout")

OURS_BY_SECTION = {
    "brimcap__extra.pcapng": {1: 0},
    "pcapngtest__output_be_difficult_test202.pcapng": {2: 0, 3: 0, 4: 1},
}
"""tshark's interface number for ours, in the sections where they differ: it begins with 0 in each, we go on counting."""
REFUSED = {"pcpp__clusterfuzz-testcase-minimized-FuzzTarget-5631583764873216": "reserved link-type bits"}
"""No frames for tshark either."""
MORE_THAN_TSHARK = {"wswiki__BT_USB_LinCooked_Eth_80211_RT.ntar.gz": 27_226}
"""tshark gives up at the first packet, which is too short for a pseudo-header; we do not. capinfos of its other sections agrees."""
TIMES = {
    ("pcpp__clusterfuzz-testcase-minimized-FuzzTarget-5654053026791424", 0): 3_556_769_792 * 10**9 + 44_151_491 * 1000,
    ("pcpp__clusterfuzz-testcase-minimized-FuzzTarget-5723611632762880", 0): 538_976_288 * 10**9 + 0x20202020 * 1000,
    ("wswiki__ggg.pcap", 3): 2_356_575_025 * 10**9 + 192_048_202 * 1000,
}
"""Records with more than a second of microseconds, for which tshark overflows: the sum of the two numbers in the file."""
LARGEST_TIME = 2**63 - 1


def capture_named(name: str) -> Read:
    if name.startswith(("wswiki__Bluetooth1", "wswiki__tcpshake")) and shutil.which("editcap") is None:
        pytest.skip("editcap is not installed")
    return read(CORPUS / name)


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda path: path.name.removesuffix(".frames.tsv.gz"))
def test_frames(oracle: Path) -> None:
    name = oracle.name.removesuffix(".frames.tsv.gz")
    if name in REFUSED:
        with pytest.raises(UnsupportedFormat, match=REFUSED[name]):
            read(CORPUS / name)
        return
    capture = capture_named(name)
    if name in MORE_THAN_TSHARK:
        assert len(capture.frames) == MORE_THAN_TSHARK[name]
        return
    with gzip.open(oracle, "rt") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    assert len(capture.frames) == len(rows)
    for number, (row, frame) in enumerate(zip(rows, capture.frames, strict=True)):
        expected = None if row["ns"] == "None" else int(row["ns"])
        expected = TIMES.get((name, number), expected)
        assert frame.ts_ns == (expected if expected is None or expected <= LARGEST_TIME else None), number
        assert (min(frame.wire_length, LARGEST_FRAME_LENGTH), frame.captured_length) == (int(row["len"]), int(row["caplen"])), number
        if row["iface"]:
            assert OURS_BY_SECTION.get(name, {}).get(frame.interface_id, frame.interface_id) == int(row["iface"]), number


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda path: path.name.removesuffix(".frames.tsv.gz"))
def test_what_is_said_about_the_file(oracle: Path) -> None:
    name = oracle.name.removesuffix(".frames.tsv.gz")
    facts = json.loads((CORPUS / "oracle" / f"{name}.json").read_text())
    if name in REFUSED or facts["capinfos"].get("file_type") is None:
        pytest.skip("capinfos says nothing about it")
    capture = capture_named(name)
    assert capture.reader.format == facts["capinfos"]["file_type"]
    if not isinstance(capture.reader, ConvertedReader):
        info = capture.reader.state.info
        for said, ours in (("hardware", info.hardware), ("os", info.operating_system), ("app", info.capture_application)):
            assert (ours or "") == facts["capinfos"].get(said, ""), said
    cut = "cut short" in facts["tshark"]["stderr"]
    assert ("cut-short" in [problem.kind for problem in [*capture.reader.state.problems, *capture.content.problems]]) == cut
