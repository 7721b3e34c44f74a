"""Where Wireshark's frame.protocols is cut: what belongs to the transport layer and below, and what is an application.

A packet's protocols are compared down to the transport layer only, because an application label is an approximation on our side
and depends on hundreds of dissectors on Wireshark's. The cut must not hide differences, so it is made after the *last* name that
belongs to a link, network, tunnel or transport layer; whatever comes directly after an IP header counts as transport.
"""

from __future__ import annotations

from collections.abc import Iterable

LINKS = frozenset(
    "arcnet arp can capwap.data cfp chdlc erf erspan eth fddi fr ieee8021ad ieee8021ah infiniband lisp-data llc macsec mpls "
    "netlink nflog null pcap_pktdata pktap ppi ppp pppoed pppoes prism radiotap raw sll tr vlan wlan wlan_radio".split(),
)
"""Names of link and shim layers."""

NETWORKS = frozenset({"ip", "ipv6"})

TUNNELS = frozenset("ah capwap esp etherip geneve gre gtp l2tp lisp nsh teredo vxlan".split())
"""Names of protocols that carry other packets."""

TRANSPORTS = frozenset({"tcp", "udp", "udplite", "sctp", "dccp"})
"""Names of protocols with ports."""

ERRORS = frozenset({"icmp", "icmpv6"})
"""What comes after these is quoted from another packet: no node of the protocol hierarchy, and nothing that this packet carries."""

_NO_LAYERS = frozenset({"", "ethertype", "pkt_comment"})
_LOWER = LINKS | NETWORKS | TUNNELS | TRANSPORTS


def names(protocols: str) -> tuple[str, ...]:
    """The names of a frame.protocols text, without what is no layer."""
    return layers(protocols.split(":"))


def layers(found: Iterable[str]) -> tuple[str, ...]:
    """The names without the pseudo layer `ethertype`, IPv6's extension headers, packet comments and marks of malformed packets."""
    return tuple(name for name in found if name not in _NO_LAYERS and not name.startswith(("ipv6.", "_ws.")))


def to_transport(path: tuple[str, ...]) -> tuple[str, ...]:
    """The names down to the transport layer, what an ICMP message quotes left out; at least the first one."""
    path = before_quote(path)
    end = 0
    for index, name in enumerate(path):
        if name in _LOWER or (index and path[index - 1] in NETWORKS):
            end = index
    return path[: end + 1]


def before_quote(path: tuple[str, ...]) -> tuple[str, ...]:
    """The names up to and including the first ICMP or ICMPv6."""
    return next((path[: index + 1] for index, name in enumerate(path) if name in ERRORS), path)


def only_quoted(path: tuple[str, ...], kinds: frozenset[str]) -> bool:
    """Whether names of `kinds` occur, and only in what an ICMP message quotes."""
    return any(name in kinds for name in path) and not any(name in kinds for name in before_quote(path))
