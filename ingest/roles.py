"""Which side of a conversation is the client.

For TCP the sender of the first SYN, else the receiver of the first SYN/ACK. Where neither was seen, and for other protocols with ports:
a port that is known to serve against one that is not, else the lower port, unless both are of the range from which systems draw the
ports of clients. Else the sender of the first packet.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .columns import Bool, Int32, Int64
from .vectors import Vector

ROLE_SOURCES = ("syn", "syn-ack", "port", "first")
BY_SYN, BY_SYN_ACK, BY_PORT, BY_FIRST = range(4)
FIRST_CLIENT_PORT = 32_768
"""Linux draws from here on; RFC 6335, section 6, from 49,152 on."""
SYN, ACK = 0x02, 0x10
_NONE, _SYN_ACK, _SYN = 0, 1, 2


class StreamRoles:
    """The client's side of each TCP stream, learned from SYN and SYN/ACK; two bytes a stream.

    A side is the first (False) or second (True) of the stream's pair of endpoints, whatever order the caller uses throughout.
    """

    def __init__(self) -> None:
        self._known_by = Vector(np.int8, _NONE)
        self._client = Vector(np.bool_)

    def update(self, stream: Int32, side: Bool, flags: npt.NDArray[np.int16]) -> None:
        """Learn from segments with SYN, in file order.

        Args:
            stream: int32[m]. side: bool[m], the sender's. flags: int16[m].
        """
        if not len(stream):
            return
        size = int(stream.max()) + 1
        known_by, client = self._known_by.grow(size), self._client.grow(size)
        pure = flags & ACK == 0
        for kind, is_kind in ((_SYN_ACK, ~pure), (_SYN, pure)):
            # Written backwards, so that the first segment of each stream is what stays.
            rows = np.flatnonzero(is_kind & (known_by[stream] < kind))[::-1]
            client[stream[rows]] = side[rows] ^ (kind == _SYN_ACK)
            known_by[stream[rows]] = kind

    def client(self, stream: Int64) -> tuple[npt.NDArray[np.int8], Bool]:
        """How the client of each stream is known (int8[m], of `ROLE_SOURCES`; -1 when it is not), and its side (bool[m])."""
        size = int(stream.max(initial=-1)) + 1
        known_by = self._known_by.grow(size)[stream]
        source = np.array([-1, BY_SYN_ACK, BY_SYN], dtype=np.int8)[known_by]
        return source, self._client.grow(size)[stream]


def by_port(sender_port: Int64, receiver_port: Int64, known: Bool | None) -> tuple[Bool, Bool]:
    """Tell the client by ports.

    Args:
        sender_port, receiver_port: int64[m] of the first packet, -1 without ports.
        known: bool[65536], ports that are known to serve; None when none are.

    Returns:
        bool[m], whether the ports tell anything; bool[m], whether the sender is the client.
    """
    lower_serves = (sender_port != receiver_port) & (np.minimum(sender_port, receiver_port) < FIRST_CLIENT_PORT)
    tells = lower_serves
    sender_is_client = receiver_port < sender_port
    if known is not None:
        sender_known, receiver_known = known[sender_port], known[receiver_port]
        one_known = sender_known != receiver_known
        tells = tells | one_known
        sender_is_client = np.where(one_known, receiver_known, sender_is_client)
    return tells & (sender_port >= 0), sender_is_client
