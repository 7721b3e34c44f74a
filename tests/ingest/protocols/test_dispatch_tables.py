"""Which number leads to which protocol: compared with the tables that tshark prints of itself."""

from __future__ import annotations

import subprocess
from collections import defaultdict

import pytest
import wireshark

from caphouse.ingest.protocols import NOTHING, registry

COMPLETE = (
    "arcnet.protocol_id", "chdlc.protocol", "ethertype", "gre.proto", "ip.proto", "isis.type", "llc.apple_atalk_pid", "llc.apple_awdl_pid",
    "llc.bluetooth_pid", "llc.cisco_pid", "llc.dsap", "llc.extreme_pid", "llc.force10_pid", "llc.foundry_pid", "llc.hpteam_pid",
    "llc.iana_pid", "llc.nortel_pid", "llc.wlccp_pid", "llc.xid_dsap", "netlink.protocol", "nsh.next_proto", "null.type", "osinl.excl",
    "osinl.incl", "ppp.protocol", "pwach.channel_type", "sll.hatype", "sll.ltype", "slow.subtype", "vxlan.next_proto", "fr.nlpid",
)  # fmt: skip
"""Tables that hold all that Wireshark's hold."""

DELIBERATE = {
    # Extension headers are no layers.
    ("ip.proto", 0), ("ip.proto", 43), ("ip.proto", 44), ("ip.proto", 60),
    # Transport protocol class 4 straight over IP is told from other bytes by guessing.
    ("ip.proto", 29),
    # WCCP: GRE itself looks whether a header comes before the packet.
    ("gre.proto", 0x883E),
}  # fmt: skip

CUSTOM = {"vxlan_gpe": "vxlan", "dtls": "dtls"}
"""Wireshark's names of handles whose protocol has another name."""


@pytest.fixture(scope="module")
def theirs() -> dict[str, dict[int, str]]:
    """tshark's tables: number to name of protocol."""
    said = subprocess.run(["tshark", "-G", "decodes"], capture_output=True, text=True, check=True).stdout
    tables: dict[str, dict[int, str]] = defaultdict(dict)
    for line in said.splitlines():
        table, number, name = line.split("\t")[:3]
        if number.isdecimal():
            tables[table][int(number)] = CUSTOM.get(name, name)
    return tables


def ours(table: str) -> dict[int, str]:
    found = registry()
    return {number: found.names[protocol] for number, protocol in enumerate(found.table(table).tolist()) if protocol != NOTHING}


@pytest.mark.skipif(not wireshark.is_reference(), reason=wireshark.MISSING)
@pytest.mark.parametrize("table", COMPLETE)
def test_a_table_is_wiresharks(table: str, theirs: dict[str, dict[int, str]]) -> None:
    found, expected = ours(table), theirs[table]
    numbers = {number for number in found | expected if (table, number) not in DELIBERATE}
    assert {number: found.get(number) for number in numbers} == {number: expected.get(number) for number in numbers}


@pytest.mark.skipif(not wireshark.is_reference(), reason=wireshark.MISSING)
@pytest.mark.parametrize("table", ["udp.port", "igmp.type", "erf.types.type"])
def test_what_a_table_holds_is_wiresharks(table: str, theirs: dict[str, dict[int, str]]) -> None:
    found = ours(table)
    known = {number: name for number, name in found.items() if number in theirs[table]}
    assert known == {number: theirs[table][number] for number in known}
    # Of tunnels by UDP port every one is known there; of ERF types and IGMP messages those that another table does not decide.
    assert table != "udp.port" or known == found


def test_one_number_is_claimed_once() -> None:
    # The registry refuses two different protocols under one number; this is the whole set of them.
    assert len(registry().protocols) > 300
