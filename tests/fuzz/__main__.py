"""A long run over mutated packets, mutated captures, and captures sent all the way to flows and receipts; one process, in steps.

    make fuzz INPUTS=1000000
    make fuzz INPUTS=1000000 STEP=700     goes on where another run stopped

Each step is made from its number alone, so that a find can be made again. A find is printed, and the run goes on; a hang or too much
memory ends it.
"""

from __future__ import annotations

import argparse
import faulthandler
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import islice

from . import decoder, readers, whole

CAPTURES = 30
"""Captures that are only read, and as many that go all the way, in a step; beside `decoder.ROUND` packets."""
STEP_INPUTS = decoder.ROUND + 2 * CAPTURES
MOST_MEMORY_BYTES = 1 << 30
"""Of the process at its peak."""
HANG_SECONDS = 300
"""After which a step ends the run with a traceback."""
TOLD_EVERY = 20
"""Steps between two lines that say how far the run is."""


def _found(name: str, check: Callable[[], object]) -> int:
    """Run one check; 1 where it is a find, else 0."""
    try:
        check()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a find
        print(f"find: {name}: {error!r}", flush=True)  # noqa: T201 - a script
        return 1
    return 0


def run_step(step: int) -> Counter[str]:
    """Run one step; gives the number of inputs of each kind, and of finds."""
    [(number, packets, rng)] = islice(decoder.rounds(step), 1)
    finds = _found(f"round {number} of packets", partial(decoder.check, packets, rng))
    for number, kind, content, rng in islice(readers.cases(step * CAPTURES), CAPTURES):
        finds += _found(f"capture {number} made from {kind}", partial(readers.check, content, rng))
    for number, content, within in islice(whole.cases(step * CAPTURES), CAPTURES):
        finds += _found(f"whole capture {number}", partial(whole.check, content, within))
    return Counter(packets=len(packets), read=CAPTURES, whole=CAPTURES, finds=finds)


def peak_bytes() -> int:
    """The most memory that this process had at any time."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> int:
    """Run steps until there were enough inputs."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--step", type=int, default=0, help="the first step")
    options = parser.parse_args()
    steps = -(-options.inputs // STEP_INPUTS)
    done: Counter[str] = Counter()
    began = time.monotonic()

    def tell(following: int) -> None:
        inputs = done["packets"] + done["read"] + done["whole"]
        rate = inputs / (time.monotonic() - began)
        kinds = f"{done['packets']:,} packets, {done['read']:,} captures read, {done['whole']:,} captures all the way"
        memory = f"peak {peak_bytes() >> 20} MiB"
        print(f"{inputs:,} inputs ({kinds}): {done['finds']} finds, {rate:,.0f}/s, {memory}; next step {following}", flush=True)  # noqa: T201 - a script

    for step in range(options.step, options.step + steps):
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        done += run_step(step)
        if (step - options.step) % TOLD_EVERY == TOLD_EVERY - 1 or step == options.step + steps - 1:
            tell(step + 1)
        if peak_bytes() > MOST_MEMORY_BYTES:
            print(f"more than {MOST_MEMORY_BYTES >> 20} MiB in step {step}")  # noqa: T201 - a script
            return 1
    faulthandler.cancel_dump_traceback_later()
    return min(done["finds"], 1)


if __name__ == "__main__":
    sys.exit(main())
