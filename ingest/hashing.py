"""BLAKE3 of a capture's content, computed beside the reading where that is what everybody waits for."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from blake3 import blake3

ASIDE_BYTES = 1 << 22
"""Bytes that are worth being handed to another thread."""


class Hash:
    """The hash of the bytes that it was given so far, in their order.

    Args:
        aside: Whether another thread computes it, which begins when there is enough to do. Bytes must stay as they are until `settle` then.
    """

    def __init__(self, *, aside: bool) -> None:
        self._hash = blake3()
        self._aside = aside
        self._parts: list[memoryview] = []
        self._bytes = 0
        self._thread: ThreadPoolExecutor | None = None
        self._running: Future[None] | None = None

    def add(self, part: memoryview) -> None:
        """Hash the next bytes, or keep them in mind to do so."""
        if not self._aside:
            self._hash.update(part)
            return
        self._parts.append(part)
        self._bytes += len(part)
        if self._bytes >= ASIDE_BYTES:
            self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="caphouse-hash")
            self.hand_over()

    def hand_over(self) -> None:
        """Have nothing kept in mind any more: the other thread hashes it. For little, before there is one, this one does."""
        if self._thread is None:
            self.settle()
            return
        self._wait()
        parts, self._parts, self._bytes = self._parts, [], 0
        self._running = self._thread.submit(self._update, parts)

    def settle(self) -> None:
        """Hash all that was given; it may be overwritten from then on."""
        self._wait()
        parts, self._parts, self._bytes = self._parts, [], 0
        self._update(parts)

    def hexdigest(self) -> str:
        """64 hex digits."""
        self.settle()
        return self._hash.hexdigest()

    def close(self) -> None:
        """End the other thread; nothing can be added any more."""
        if self._thread is not None:
            self._thread.shutdown()

    def _wait(self) -> None:
        if self._running is not None:
            self._running.result()
            self._running = None

    def _update(self, parts: list[memoryview]) -> None:
        for part in parts:
            self._hash.update(part)
