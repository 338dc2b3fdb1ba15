"""Sweeps of `make prove` that play a property test of ours with more examples, and with others each time.

- `lives`: people who are joined, split, joined again and erased while the power fails (`tests/support/lives.py`).
- `journeys`: journeys of every kind of step, streams of events and crashes (`tests/support/random_journeys.py`).

An example that goes wrong is printed in the log; the seed of a run plays the same ones again.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Final

from loadtest.chaos.outcome import Figure, Outcome

LIVES: Final = 3_000
JOURNEYS: Final = 10_000
_REPOSITORY: Final = Path(__file__).parents[2]


def lives(size: int, folder: Path) -> Outcome:
    """Play so many lives of 60 steps."""
    return _play("lives", "tests/engine/splitting/test_conservation.py::test_the_same_in_long_lives", size, folder)


def journeys(size: int, folder: Path) -> Outcome:
    """Play so many journeys, each with a crash and without one."""
    return _play("journeys", "tests/engine/journeys/test_random_journeys.py::test_many_more_of_them", size, folder)


def _play(what: str, test: str, size: int, folder: Path) -> Outcome:
    seed = random.SystemRandom().randrange(1 << 32)
    command = [sys.executable, "-m", "pytest", "--timeout=0", "-p", "no:cacheprovider", f"--hypothesis-seed={seed}"]
    told = {"EXAMPLES": str(size), "HYPOTHESIS_PROFILE": "explore", "HYPOTHESIS_STORAGE_DIRECTORY": str(folder)}
    log = folder / f"{what}.log"
    with log.open("wb") as output:
        ended = subprocess.run(
            [*command, test], cwd=_REPOSITORY, env=os.environ | told, stdout=output, stderr=output, check=False
        )
    faults = [f"seed {seed}: one of the {what} goes wrong, see {log}"] if ended.returncode else []
    return Outcome([Figure(what, size)], faults)
