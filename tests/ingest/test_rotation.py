"""Which files of a capture tool's rotation have a successor, by tables of names and times."""

from __future__ import annotations

import pytest

from caphouse.ingest.rotation import followed, slot

# Names in the order in which the tools wrote them: taken from folders in which tcpdump 4.99 and dumpcap 4.0 had run.
WRITTEN = {
    "tcpdump -C 1": ["x.pcap", "x.pcap1", "x.pcap2"],
    "tcpdump -C 1, more than nine": [f"x.pcap{number}" for number in range(8, 13)],
    "tcpdump -C 1 -W 12": [f"x.pcap{number:02}" for number in range(8, 12)],
    "tcpdump -C 1, no suffix": ["eth0.", "eth0.1", "eth0.2"],
    "tcpdump -G 60": ["x_20261123_120000.pcap", "x_20261123_120100.pcap", "x_20261123_120200.pcap"],
    "tcpdump -G 60, over midnight": ["x-2026-12-31_23:59:30", "x-2027-01-01_00:00:30"],
    "tcpdump -G 60, ISO 8601": ["2026-11-23T12:00:00Z.pcap", "2026-11-23T12:01:00Z.pcap"],
    "tcpdump -G 86400": ["x-2026-11-22.pcap", "x-2026-11-23.pcap"],
    "tcpdump -G 60, seconds since the epoch": ["x.1795440000.pcap", "x.1795440060.pcap"],
    "tcpdump -G 60, time of day": ["x-12-00-00.pcap", "x-12-01-00.pcap"],
    "tcpdump -G 60 -C 1": ["x_20261123_120000.pcap", "x_20261123_120000.pcap1", "x_20261123_120000.pcap10", "x_20261123_120100.pcap"],
    "dumpcap -b duration:60": ["x_00001_20261123120000.pcapng", "x_00002_20261123120100.pcapng"],
    "dumpcap -b filesize:1, at the hour's end of summer time": ["x_00009_20261025025959.pcapng", "x_00010_20261025020000.pcapng"],
    "dumpcap -b nametimenum:2": ["x_20261123120000_00001.pcapng", "x_20261123120100_00002.pcapng"],
    "dumpcap without a suffix": ["x_00001_20261123120000", "x_00002_20261123120100"],
}


@pytest.mark.parametrize("names", WRITTEN.values(), ids=WRITTEN)
def test_all_but_the_last_are_followed(names: list[str]) -> None:
    files = {f"/c/{name}": 1_000 * index for index, name in enumerate(names)}
    assert followed(files) == {f"/c/{name}" for name in names[:-1]}


@pytest.mark.parametrize("names", WRITTEN.values(), ids=WRITTEN)
def test_files_of_the_same_moment_are_followed_too(names: list[str]) -> None:
    """File systems whose times are seconds, and copies: the names decide."""
    files = dict.fromkeys((f"/c/{name}" for name in names), 5)
    cyclic = slot(f"/c/{names[0]}").cyclic
    assert followed(files) == {f"/c/{name}" for name in (names if cyclic else names[:-1])}


@pytest.mark.parametrize("names", WRITTEN.values(), ids=WRITTEN)
def test_a_file_that_is_written_to_after_its_successor_is_not_followed(names: list[str]) -> None:
    """Copied in the order of the names, the first one not done yet."""
    files = {f"/c/{name}": 1_000 * index for index, name in enumerate(names)} | {f"/c/{names[0]}": 1_000_000}
    assert f"/c/{names[0]}" not in followed(files)


def test_a_ring_goes_round() -> None:
    """`tcpdump -C 1 -W 4` has written 3, then 0 again, and is in the middle of 1."""
    times = {"/c/x0": 50, "/c/x1": 60, "/c/x2": 30, "/c/x3": 40}
    assert followed(times) == {"/c/x0", "/c/x2", "/c/x3"}


def test_a_ring_before_it_goes_round() -> None:
    assert followed({"/c/x0": 10, "/c/x1": 20, "/c/x2": 30}) == {"/c/x0", "/c/x1"}


@pytest.mark.parametrize(
    "names",
    [
        ["a.pcap", "b.pcap"],
        ["host1.pcap", "host2.pcap"],
        ["a_20261123_120000.pcap", "b_20261123_120100.pcap"],
        ["a/x_20261123_120000.pcap", "b/x_20261123_120100.pcap"],
        ["x_20261123_120000.pcap", "x_20261123_120100.pcapng"],
        ["x_00001_20261123120000.pcap", "y_00002_20261123120100.pcap"],
        ["x.pcap", "x.pcapng"],
        ["vm1-1.pcap", "vm1-2.pcap"],
        ["x_99999999.pcap", "x_99999998.pcap"],
    ],
)
def test_files_of_different_captures_do_not_follow_each_other(names: list[str]) -> None:
    assert followed({f"/c/{name}": index for index, name in enumerate(names)}) == set()


def test_a_file_alone_is_not_followed() -> None:
    assert followed({"/c/x_20261123_120000.pcap": 1}) == set()


def test_nothing_is_concluded_without_times() -> None:
    assert followed({"/c/x1": None, "/c/x2": 5, "/c/x3": None}) == set()
