"""How far two descriptions of the same capture agree, aspect by aspect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from .model import Capture, Ends, Frame, Ports
from .paths import to_transport

EXAMPLES = 5
"""Disagreements kept for a reader, of each aspect and capture."""


@dataclass
class Agreement:
    """How many things of one aspect were compared, how many are equal, and some that are not."""

    equal: int = 0
    total: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def share(self) -> float | None:
        """Part that is equal, 0 to 1; None when there was nothing to compare."""
        return self.equal / self.total if self.total else None

    @property
    def identical(self) -> bool:
        """Whether nothing differs."""
        return self.equal == self.total

    def count(self, what: object, theirs: object, ours: object) -> None:
        """Compare one thing."""
        self.total += 1
        if theirs == ours:
            self.equal += 1
        elif len(self.examples) < EXAMPLES:
            self.examples.append(f"{what}: Wireshark {theirs}, caphouse {ours}")


Comparison = dict[str, Agreement]
"""Agreement by aspect."""

Aspect = Callable[[Capture, Capture], Agreement]
"""Compares one aspect of a capture: what Wireshark says with what caphouse says."""

Key = TypeVar("Key")

_NEITHER = (None, None)


def compare(theirs: Capture, ours: Capture) -> Comparison:
    """Compare all aspects of one capture."""
    return {name: aspect(theirs, ours) for name, aspect in ASPECTS.items()}


def _pairs(theirs: Capture, ours: Capture) -> Iterator[tuple[int, Frame, Frame | None]]:
    """Frames of theirs, numbered from 1, each with ours; None where we have none."""
    for index, frame in enumerate(theirs.frames):
        yield index + 1, frame, ours.frames[index] if index < len(ours.frames) else None


def _frames(theirs: Capture, ours: Capture) -> Agreement:
    """The number of frames. Where tshark gave up on damage, what it had read must be there, and more may be."""
    result = Agreement()
    result.count("frames", len(theirs.frames), len(theirs.frames) if _reads_on(theirs, ours) else len(ours.frames))
    return result


def _reads_on(theirs: Capture, ours: Capture) -> bool:
    return theirs.damaged and len(ours.frames) > len(theirs.frames)


def _per_frame(value: Callable[[Frame], object]) -> Aspect:
    """Compare one value of each frame; where theirs is None it is not stated, and nothing is compared."""

    def aspect(theirs: Capture, ours: Capture) -> Agreement:
        result = Agreement()
        for number, frame, our_frame in _pairs(theirs, ours):
            if (expected := value(frame)) is not None:
                result.count(f"frame {number}", expected, None if our_frame is None else value(our_frame))
        return result

    return aspect


def _interfaces(theirs: Capture, ours: Capture) -> Agreement:
    """Whether frames of one interface of ours are of one interface of theirs.

    The numbers may differ: tshark begins anew with each section of a pcapng, while ours run through the whole file.
    """
    result = Agreement()
    match: dict[int | None, int] = {}
    for number, frame, our_frame in _pairs(theirs, ours):
        if frame.interface_id is not None:
            found = our_frame and our_frame.interface_id
            result.count(f"frame {number}", frame.interface_id, None if found is None else match.setdefault(found, frame.interface_id))
    return result


def _both_sides(value: Callable[[Frame], Ends | Ports | None]) -> Aspect:
    """Compare source and destination of the frames where either description has one; half a pair of theirs is compared by that half."""

    def aspect(theirs: Capture, ours: Capture) -> Agreement:
        result = Agreement()
        for number, frame, our_frame in _pairs(theirs, ours):
            expected = value(frame)
            found: tuple[object, ...] = (our_frame and value(our_frame)) or _NEITHER
            if expected is None or expected == found == _NEITHER:
                continue
            if expected != _NEITHER:
                found = tuple(None if side is None else other for side, other in zip(expected, found, strict=True))
            result.count(f"frame {number}", expected, found)
        return result

    return aspect


def _streams(theirs: Capture, ours: Capture) -> Agreement:
    """Whether the same frames are grouped into TCP connections; the numbers of the groups may differ.

    A frame counts as equal when its group on our side holds exactly the same frames.
    """
    result = Agreement()
    their_groups: dict[int, set[int]] = {}
    our_groups: dict[int, set[int]] = {}
    for number, frame, our_frame in _pairs(theirs, ours):
        if frame.tcp_stream is not None:
            their_groups.setdefault(frame.tcp_stream, set()).add(number)
        if our_frame is not None and our_frame.tcp_stream is not None:
            our_groups.setdefault(our_frame.tcp_stream, set()).add(number)
    our_group = {number: group for group in our_groups.values() for number in group}
    for stream, group in their_groups.items():
        for number in group:
            same = our_group.get(number, set())
            result.count(f"frame {number}, stream {stream}", len(group), len(group) if same == group else f"{len(same)} other frames")
    for number in sorted(our_group.keys() - {number for group in their_groups.values() for number in group}):
        result.count(f"frame {number}", "no stream", "a stream")
    return result


def _handshakes(which: int) -> Aspect:
    """Compare one time of the handshakes that Wireshark finds; the streams of the two sides are matched by their first frame."""

    def aspect(theirs: Capture, ours: Capture) -> Agreement:
        result = Agreement()
        our_stream: dict[int, int | None] = {}
        for _, frame, our_frame in _pairs(theirs, ours):
            if frame.tcp_stream is not None:
                our_stream.setdefault(frame.tcp_stream, our_frame.tcp_stream if our_frame else None)
        for stream, handshake in theirs.handshakes.items():
            if handshake[which] is not None:
                match = our_stream.get(stream)
                found = None if match is None else ours.handshakes.get(match)
                result.count(f"stream {stream}", handshake[which], None if found is None else found[which])
        return result

    return aspect


def _counts(what: Callable[[Capture], Mapping[Key, object]]) -> Aspect:
    """Compare what each side counts under the keys that either has; nothing where tshark gave up and we read on."""

    def aspect(theirs: Capture, ours: Capture) -> Agreement:
        result = Agreement()
        if _reads_on(theirs, ours):
            return result
        expected, found = what(theirs), what(ours)
        for key in dict.fromkeys([*expected, *found]):
            result.count(key, expected.get(key), found.get(key))
        return result

    return aspect


ASPECTS: dict[str, Aspect] = {
    "frames": _frames,
    "times": _per_frame(lambda frame: (frame.ts_ns,)),
    "lengths": _per_frame(lambda frame: (frame.wire_length, frame.captured_length)),
    "interfaces": _interfaces,
    "protocols": _per_frame(lambda frame: ":".join(to_transport(frame.path))),
    "addresses": _both_sides(lambda frame: frame.outer),
    "inner addresses": _both_sides(lambda frame: frame.inner),
    "ports": _both_sides(lambda frame: frame.ports),
    "quoted ports": _both_sides(lambda frame: frame.quoted_ports),
    "streams": _streams,
    "rtt": _handshakes(0),
    "initial rtt": _handshakes(1),
    "destinations": _counts(lambda capture: capture.destinations),
    "destinations 6": _counts(lambda capture: capture.destinations_v6),
    "hierarchy": _counts(lambda capture: {path: node for path, node in capture.hierarchy.items() if to_transport(path) == path}),
    "conversations": _counts(lambda capture: capture.conversations),
}
"""What is compared, in the order in which it is printed."""
