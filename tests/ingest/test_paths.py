"""Protocol paths."""

from __future__ import annotations

import threading

import numpy as np

from caphouse.ingest.paths import ROOT, Paths

NAMES = ["eth", "ip", "tcp", "vlan"]


def test_a_path_is_its_names_joined() -> None:
    """Each step appends a name, and the same way gives the same number."""
    paths = Paths(NAMES)
    eth = paths.extend(np.full(3, ROOT, dtype=np.int64), 0)
    assert eth.tolist() == [1, 1, 1]
    tagged = paths.extend(eth[:1], 3)
    mixed = np.array([eth[0], tagged[0], eth[1]], dtype=np.int64)
    assert [paths.texts[number] for number in paths.extend(mixed, 1)] == ["eth:ip", "eth:vlan:ip", "eth:ip"]


def test_more_paths_than_the_limit_stop_at_the_parent() -> None:
    """A capture made of ever longer paths costs no more memory than the limit."""
    paths = Paths(NAMES, limit=100)
    number = np.full(1, ROOT, dtype=np.int64)
    for _ in range(1000):
        number = paths.extend(number, 3)
    assert len(paths) == 100
    assert paths.texts[number[0]] == ":".join(["vlan"] * 99)


def test_threads_agree_on_numbers() -> None:
    """Several threads that extend the same paths at once get the same numbers."""
    paths = Paths(NAMES)
    found: list[list[str]] = []

    def work() -> None:
        number = np.full(1, ROOT, dtype=np.int64)
        texts = []
        for step in range(300):
            number = paths.extend(number, step % 4)
            texts.append(paths.texts[number[0]])
        found.append(texts)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = [":".join(NAMES[step % 4] for step in range(length + 1)) for length in range(300)]
    assert found == [expected] * 8
    assert len(set(paths.texts)) == len(paths) == 301
