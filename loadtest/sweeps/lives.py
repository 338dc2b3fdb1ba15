"""A sweep of `make prove`: random lives of people who are joined, split, joined again and erased while the power fails.

It plays more lives than the tests do, and others each time (`tests/support/lives.py` has what is done in them and what
must hold). A life that goes wrong is printed step by step; the seed of a run plays the same ones again.
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
_REPOSITORY: Final = Path(__file__).parents[2]
_TEST: Final = "tests/engine/splitting/test_conservation.py::test_the_same_in_long_lives"


def sweep(size: int, folder: Path) -> Outcome:
    """Play so many lives."""
    seed = random.SystemRandom().randrange(1 << 32)
    command = [sys.executable, "-m", "pytest", "--timeout=0", "-p", "no:cacheprovider", f"--hypothesis-seed={seed}"]
    told = {"LIVES": str(size), "HYPOTHESIS_PROFILE": "explore", "HYPOTHESIS_STORAGE_DIRECTORY": str(folder)}
    log = folder / "lives.log"
    with log.open("wb") as output:
        ended = subprocess.run(
            [*command, _TEST], cwd=_REPOSITORY, env=os.environ | told, stdout=output, stderr=output, check=False
        )
    faults = [f"seed {seed}: a life goes wrong, see {log}"] if ended.returncode else []
    return Outcome([Figure("lives", size), Figure("steps of each", 60)], faults)
