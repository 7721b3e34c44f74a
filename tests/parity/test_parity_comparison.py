"""The comparison itself: hand-made captures and texts as tshark 4.0.17 printed them."""

from __future__ import annotations

from collections import Counter

import pytest

from parity import oracle, printed, table, thresholds
from parity.compare import compare
from parity.model import Capture, Conversation, Destination, Ends, Frame, Handshake, Node, Ports
from parity.paths import names, only_quoted, to_transport

PHS = """\
===================================================================
Protocol Hierarchy Statistics
Filter:

eth                                      frames:35 bytes:4558
  ipv6                                   frames:21 bytes:2794
    udp                                  frames:21 bytes:2794
      lisp                               frames:19 bytes:2534
  ip                                     frames:14 bytes:1764
    udp                                  frames:14 bytes:1764
===================================================================
"""

DESTS = """\
IPv6 Statistics/Destinations and Ports:
Topic / Item            Count         Average       Min Val       Max Val       Rate (ms)     Percent       Burst Rate    Burst Start
---------------------------------------------------------------------------------------------------------------------------------------
Destinations and Ports  153                                                     0.0000        100%          0.0500        276203671.426
 ff02::1:3              52                                                      0.0000        33.99%        0.0200        276203601.497
  UDP                   52                                                      0.0000        100.00%       0.0200        276203601.497
   5355                 52                                                      0.0000        100.00%       0.0200        276203601.497
 ff02::16               101                                                     0.0000        31.37%        0.0300        276203623.464
  NONE                  48                                                      0.0000        100.00%       0.0300        276203623.464
   0                    48                                                      0.0000        100.00%       0.0300        276203623.464
  TCP                   53                                                      0.0000        100.00%       0.0300        276203623.464
   80                   3                                                       0.0000        100.00%       0.0300        276203623.464
   443                  50                                                      0.0000        100.00%       0.0300        276203623.464

---------------------------------------------------------------------------------------------------------------------------------------
"""

CONVERSATIONS = """\
================================================================================
TCP Conversations
Filter:<No Filter>
                                                           |       <-      | |       ->      | |     Total     |    Relative    |   Duration   |
                                                           | Frames  Bytes | | Frames  Bytes | | Frames  Bytes |      Start     |              |
10.233.5.97:53949          <-> 172.16.0.102:22                 66 22 kB          77 10 kB         143 33 kB      638651646.886160970         9.8033
::1:12345                  <-> ::1:8080                         0 0 bytes         1 512 bytes       1 512 bytes     0.000000000         0.0000
::1:12345                  <-> ::1:8080                         0 0 bytes         1 512 bytes       1 512 bytes    -9.000000000         0.0000
================================================================================
"""  # noqa: E501 - as tshark prints it


def frame(
    path: str = "eth:ip:tcp",
    *,
    ts_ns: int | None = 1,
    length: int = 60,
    outer: Ends | None = (None, None),
    inner: Ends | None = (None, None),
    ports: Ports | None = (None, None),
    quoted_ports: Ports | None = (None, None),
    stream: int | None = None,
) -> Frame:
    return Frame(ts_ns, length, length, 0, names(path), outer, inner, ports, quoted_ports, stream)


def share(aspect: str, theirs: Capture, ours: Capture) -> tuple[int, int]:
    agreement = compare(theirs, ours)[aspect]
    return agreement.equal, agreement.total


@pytest.mark.parametrize(
    ("protocols", "lower"),
    [
        ("eth:ethertype:ip:tcp:http:data", "eth:ip:tcp"),
        ("eth:ethertype:ip:data", "eth:ip:data"),
        ("eth:ethertype:ip:ospf", "eth:ip:ospf"),
        ("eth:ethertype:ipv6:ipv6.hopopts:icmpv6", "eth:ipv6:icmpv6"),
        ("eth:ethertype:ip:icmp:ip:udp:dns", "eth:ip:icmp"),
        ("sll:ethertype:ip:udp:gtp:ip:udp:dns", "sll:ip:udp:gtp:ip:udp"),
        ("eth:ethertype:ip:udp:vxlan:eth:ethertype:arp", "eth:ip:udp:vxlan:eth:arp"),
        ("eth:ethertype:ipv6:ipv6.hopopts:ipv6.dstopts:ipv6.routing:ah:ospf", "eth:ipv6:ah"),
        ("eth:llc:stp", "eth:llc"),
        ("usb:usbhid", "usb"),
        ("eth:ethertype:ip:_ws.malformed", "eth:ip"),
        ("eth", "eth"),
    ],
)
def test_protocols_are_cut_after_the_last_layer_that_is_no_application(protocols: str, lower: str) -> None:
    assert ":".join(to_transport(names(protocols))) == lower


def test_what_an_icmp_error_quotes_is_told_from_what_the_packet_carries() -> None:
    tcp = frozenset({"tcp"})
    assert only_quoted(names("eth:ip:icmp:ip:tcp"), tcp)
    assert not only_quoted(names("eth:ip:tcp"), tcp)
    assert not only_quoted(names("eth:ip:icmp"), tcp)


def test_the_hierarchy_is_read_from_its_indents() -> None:
    assert printed.hierarchy(PHS) == {
        ("eth",): Node(35, 4558),
        ("eth", "ipv6"): Node(21, 2794),
        ("eth", "ipv6", "udp"): Node(21, 2794),
        ("eth", "ipv6", "udp", "lisp"): Node(19, 2534),
        ("eth", "ip"): Node(14, 1764),
        ("eth", "ip", "udp"): Node(14, 1764),
    }


def test_what_hangs_below_a_packet_comment_is_added_to_the_rest() -> None:
    text = """\
pkt_comment                              frames:2 bytes:656
  eth                                    frames:2 bytes:656
    ip                                   frames:1 bytes:314
eth                                      frames:1 bytes:60
"""
    assert printed.hierarchy(text) == {("eth",): Node(3, 716), ("eth", "ip"): Node(1, 314)}


def test_destinations_are_the_leaves() -> None:
    assert printed.destinations(DESTS) == {
        Destination("ff02::1:3", "UDP", 5355): 52,
        Destination("ff02::16", "NONE", 0): 48,
        Destination("ff02::16", "TCP", 80): 3,
        Destination("ff02::16", "TCP", 443): 50,
    }


def test_conversations_keep_rows_that_are_alike_apart() -> None:
    assert printed.conversations(CONVERSATIONS) == {
        Conversation("10.233.5.97", 53949, "172.16.0.102", 22, 66, 77, "22 kB", "10 kB"): 1,
        Conversation("::1", 12345, "::1", 8080, 0, 1, "0 bytes", "512 bytes"): 2,
    }


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (9999, "9999 bytes"), (10_000, "10 kB"), (10_999_999, "10 MB"), (33_999, "33 kB")]
)
def test_sizes_are_written_as_wireshark_does(count: int, text: str) -> None:
    assert printed.size_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "nanoseconds"),
    [
        ("0.002313000", 2_313_000),
        ("1442544361.518581001", 1_442_544_361_518_581_001),
        ("1.5", 1_500_000_000),
        ("-0.5", -500_000_000),
        ("", None),
    ],
)
def test_seconds_are_read_exactly(seconds: str, nanoseconds: int | None) -> None:
    assert oracle.nanoseconds(seconds) == nanoseconds


def test_a_missing_frame_counts_against_every_aspect_of_it() -> None:
    theirs = Capture(frames=[frame(), frame(outer=("10.0.0.1", "10.0.0.2"))])
    ours = Capture(frames=[frame()])
    assert share("frames", theirs, ours) == (0, 1)
    assert share("times", theirs, ours) == (1, 2)
    assert share("protocols", theirs, ours) == (1, 2)
    assert share("addresses", theirs, ours) == (0, 1)


def test_frames_too_many_count_unless_tshark_gave_up_before_them() -> None:
    ours = Capture(frames=[frame(), frame()])
    assert share("frames", Capture(frames=[frame()]), ours) == (0, 1)
    assert share("frames", Capture(frames=[frame()], damaged=True), ours) == (1, 1)
    assert share("frames", Capture(frames=[frame()] * 3, damaged=True), ours) == (0, 1)


def test_a_time_that_is_absent_must_be_absent() -> None:
    assert share("times", Capture(frames=[frame(ts_ns=None)]), Capture(frames=[frame(ts_ns=0)])) == (0, 1)
    assert share("times", Capture(frames=[frame(ts_ns=None)]), Capture(frames=[frame(ts_ns=None)])) == (1, 1)


def test_interfaces_may_be_numbered_otherwise_but_not_mixed() -> None:
    def capture(*interfaces: int | None) -> Capture:
        return Capture(frames=[frame()._replace(interface_id=interface) for interface in interfaces])

    assert share("interfaces", capture(0, 1, 0), capture(0, 1, 2)) == (3, 3)
    assert share("interfaces", capture(0, 1, 0), capture(5, 5, 5)) == (2, 3)
    assert share("interfaces", capture(0, 1), capture(0, None)) == (1, 2)
    assert share("interfaces", capture(None, None), capture(0, 1)) == (0, 0)


def test_addresses_count_where_either_side_has_some() -> None:
    ends = ("10.0.0.1", "10.0.0.2")
    nothing, something = Capture(frames=[frame()]), Capture(frames=[frame(outer=ends)])
    assert share("addresses", nothing, nothing) == (0, 0)
    assert share("addresses", something, nothing) == (0, 1)
    assert share("addresses", nothing, something) == (0, 1)
    assert share("addresses", something, something) == (1, 1)
    assert share("addresses", Capture(frames=[frame(outer=None)]), something) == (0, 0)


def test_ports_of_which_one_is_known_are_compared_by_that_one() -> None:
    theirs = Capture(frames=[frame(ports=(None, 5001)), frame(ports=(None, 5001))])
    ours = Capture(frames=[frame(ports=(9, 5001)), frame(ports=(5001, 9))])
    assert share("ports", theirs, ours) == (1, 2)


def test_streams_agree_when_the_grouping_does_whatever_the_numbers() -> None:
    theirs = Capture(frames=[frame(stream=0), frame(stream=1), frame(stream=0), frame()])
    renumbered = Capture(frames=[frame(stream=7), frame(stream=3), frame(stream=7), frame()])
    merged = Capture(frames=[frame(stream=0), frame(stream=0), frame(stream=0), frame()])
    split = Capture(frames=[frame(stream=0), frame(stream=1), frame(stream=2), frame()])
    extra = Capture(frames=[frame(stream=0), frame(stream=1), frame(stream=0), frame(stream=2)])
    assert share("streams", theirs, renumbered) == (3, 3)
    assert share("streams", theirs, merged) == (0, 3)
    assert share("streams", theirs, split) == (1, 3)
    assert share("streams", theirs, extra) == (3, 4)


def test_handshakes_are_matched_by_the_frames_of_their_streams() -> None:
    theirs = Capture(frames=[frame(stream=0), frame(stream=1)], handshakes={0: Handshake(10, 15), 1: Handshake(20, None)})
    same = Capture(frames=[frame(stream=1), frame(stream=0)], handshakes={1: Handshake(10, 15), 0: Handshake(20, 99)})
    other = Capture(frames=[frame(stream=1), frame(stream=0)], handshakes={1: Handshake(10, 16), 0: Handshake(None, None)})
    assert share("rtt", theirs, same) == (2, 2)
    assert share("initial rtt", theirs, same) == (1, 1)
    assert share("rtt", theirs, other) == (1, 2)
    assert share("initial rtt", theirs, other) == (0, 1)
    assert share("rtt", theirs, Capture(frames=[frame()])) == (0, 2)


def test_counts_are_compared_over_the_keys_of_both_sides() -> None:
    leaf, more = Destination("10.0.0.1", "TCP", 80), Destination("10.0.0.1", "TCP", 81)
    theirs = Capture(destinations=Counter({leaf: 2}))
    assert share("destinations", theirs, Capture(destinations=Counter({leaf: 2}))) == (1, 1)
    assert share("destinations", theirs, Capture(destinations=Counter({leaf: 3}))) == (0, 1)
    assert share("destinations", theirs, Capture(destinations=Counter({leaf: 2, more: 1}))) == (1, 2)


def test_counts_are_not_compared_where_more_of_a_damaged_capture_was_read() -> None:
    leaf = Destination("10.0.0.1", "TCP", 80)
    theirs = Capture(frames=[frame()], destinations=Counter({leaf: 1}), damaged=True)
    assert share("destinations", theirs, Capture(frames=[frame()] * 2, destinations=Counter({leaf: 2}))) == (0, 0)
    assert share("destinations", theirs, Capture(frames=[frame()], destinations=Counter({leaf: 2}))) == (0, 1)


def test_applications_are_no_part_of_the_hierarchy_that_is_compared() -> None:
    theirs = Capture(hierarchy={("eth",): Node(2, 120), ("eth", "ip"): Node(2, 120), ("eth", "ip", "tcp", "http"): Node(1, 60)})
    ours = Capture(hierarchy={("eth",): Node(2, 120), ("eth", "ip"): Node(2, 119)})
    assert share("hierarchy", theirs, ours) == (1, 2)


def test_totals_weigh_things_and_captures_and_never_round_up() -> None:
    frames = [frame() for _ in range(20_000)]
    good = compare(Capture(frames=frames), Capture(frames=frames))
    bad = compare(Capture(frames=[frame()]), Capture(frames=[frame("eth:ip:udp")]))
    total = table.totals({"good": good, "bad": bad})["protocols"]
    assert total.share == 20_000 / 20_001
    assert total.mean == 0.5
    assert (total.identical, total.captures) == (1, 2)
    assert table.percent(total.share) == "99.99"
    assert table.percent(1.0) == "100"
    assert table.percent(None) == "-"


def test_the_verdict_says_what_was_reached_and_what_was_missed() -> None:
    same = compare(Capture(frames=[frame()]), Capture(frames=[frame()]))
    lines = {line[:18].strip() + "/" + line.split()[-1] for line in thresholds.verdict({"same": same})}
    assert {"frames/reached", "protocols/reached", "hierarchy/reached", "rtt/compared"} <= lines
    other = compare(Capture(frames=[frame()]), Capture(frames=[frame("eth:ip:udp", length=61)]))
    missed = [line for line in thresholds.verdict({"other": other}) if line.endswith(thresholds.MISSED)]
    assert {line.split()[0] for line in missed} >= {"lengths", "protocols"}
