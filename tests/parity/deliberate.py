"""The differences from Wireshark that are meant, thing by thing. `docs/differences.md` gives the reasons."""

from __future__ import annotations

DELIBERATE: dict[str, dict[str, int]] = {
    "frames": {},
    "times": {
        # A million microseconds and more: tshark's nanoseconds overflow.
        "pcpp__clusterfuzz-testcase-minimized-FuzzTarget-5654053026791424": 1,
        "pcpp__clusterfuzz-testcase-minimized-FuzzTarget-5723611632762880": 1,
        "wswiki__ggg.pcap": 1,
        # After the year 2262.
        "pcpp__pcapng-example.pcapng.zst": 100,
    },
    "lengths": {},
    # The second of several logged packets in one record of netlink.
    "quoted ports": {"wswiki__netlink-nflog.pcap": 1},
    "interfaces": {},
}
"""How many things differ, by aspect and capture, in the aspects in which nothing else may."""
