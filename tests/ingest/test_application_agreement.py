"""Application labels against tshark's on the captures of the corpus."""

from __future__ import annotations

import pytest
from application_agreement import Agreement, agreement, labels
from parity.oracle import captures

pytestmark = pytest.mark.skipif(not captures(), reason="no corpus beside the checkout")

UNNAMED_BY_TSHARK = {
    # tshark takes two connections by their ports for SASP and ASAP; the bytes are BitTorrent's handshake.
    ("wswiki__BitTorrent.Transfer1.cap", "bittorrent"): 2,
    # A connect request with the magic number of BEP 15, for which tshark 4.0 has no dissector.
    ("mercury__emix.pcap", "bt-tracker"): 1,
}
"""Peer-to-peer flows that are right though tshark does not say so."""


@pytest.fixture(scope="module")
def agreements() -> dict[str, Agreement]:
    return {capture.name: agreement(capture, ours) for capture, ours in labels(captures()).items()}


def test_packets_that_tshark_names_have_the_same_label(agreements: dict[str, Agreement]) -> None:
    """At least 98 % of them, and 95 % in the mean over the captures in which tshark names any."""
    total = Agreement()
    for found in agreements.values():
        total.add(found)
    assert total.named > 29_000
    assert total.named_share >= 0.98, total.differences.most_common(10)
    shares = [found.named_share for found in agreements.values() if found.named >= 10]
    assert sum(shares) / len(shares) >= 0.95


def test_nothing_else_is_called_peer_to_peer(agreements: dict[str, Agreement]) -> None:
    """Every flow that we call peer-to-peer is called so by tshark, too, or is known to be."""
    found = {(name, label) for name, agreed in agreements.items() for label, by_tshark in agreed.peer_to_peer if by_tshark}
    assert {("mercury__emix.pcap", "bt-dht"), ("wswiki__BitTorrent.Transfer1.cap", "bittorrent")} <= found
    alone = {
        (name, label): count
        for name, agreed in agreements.items()
        for (label, by_tshark), count in agreed.peer_to_peer.items()
        if not by_tshark
    }
    assert alone == UNNAMED_BY_TSHARK
