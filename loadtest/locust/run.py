"""`make load`: Locust plays people against an engine that is started for them and stopped after them. All options are
Locust's: `--shape burst -u 100 -t 60s --processes 2 --html load.html`.

Exit code: Locust's own, or 1 where the engine did not come up or had to be killed.
"""

from __future__ import annotations

import itertools
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from loadtest.processes.engine import EngineError, running_engine

_ROOT = Path(__file__).resolve().parents[2]
_LOCUST = ("--headless", "--only-summary", "-u", "20", "-r", "10", "-t", "20s")
_LOCUST_S = 120


def main() -> int:
    """Start, load, stop."""
    if find_spec("locust") is None:
        print("Locust is not installed: pip install 'segue[load]'", file=sys.stderr)
        return 1
    keys = {"SEGUE_WRITE_KEY": secrets.token_urlsafe(24), "SEGUE_SERVER_KEY": secrets.token_urlsafe(24)}
    environment = os.environ | keys
    try:
        with (
            tempfile.TemporaryDirectory(prefix="segue-load-") as folder,
            running_engine(Path(folder), environment) as url,
        ):
            print(f"The engine is ready at {url}; Locust plays", flush=True)
            return play(url, environment, sys.argv[1:])
    except EngineError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def play(url: str, environment: Mapping[str, str], more: Sequence[str] = ()) -> int:
    """Run Locust and return its exit code. It ends by itself, and is killed where it does not. `more` are options of
    Locust."""
    locustfile = _ROOT / "loadtest" / "locustfile.py"
    command = [sys.executable, "-m", "locust", "-f", str(locustfile), *_LOCUST, "--host", url, *more]
    limit_s = _LOCUST_S + seconds_of(more)
    try:
        return subprocess.run(command, cwd=_ROOT, env=dict(environment), timeout=limit_s, check=False).returncode
    except subprocess.TimeoutExpired:
        raise EngineError(f"Locust did not end within {limit_s} s") from None


def seconds_of(options: Sequence[str]) -> int:
    """How long Locust was told to play; 0 where it was not told."""
    for name, value in itertools.pairwise(options):
        if name in ("-t", "--run-time"):
            from locust.util.timespan import parse_timespan  # Locust patches sockets wherever it is imported

            return int(parse_timespan(value))
    return 0


if __name__ == "__main__":
    sys.exit(main())
