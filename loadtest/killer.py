"""Starts an engine, kills parts of it with SIGKILL, and measures how long each is missed.

Only processes that descend from the engine started here are ever killed, by process id and start time (psutil compares
both), found by their kind.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import httpx
import psutil

from loadtest.bench_processes import environment, kind_of
from loadtest.run import family_of, stop, wait_until_ready
from serve.ports import free_port

SHARD, DISPATCHER, INGRESS, HAPROXY, EVERYTHING = "shards", "dispatcher", "ingress", "haproxy", "everything"
NAMES: Final[Mapping[str, str]] = {
    SHARD: "shard",
    DISPATCHER: "dispatcher",
    INGRESS: "Serve replica",
    HAPROXY: "HAProxy",
    EVERYTHING: "everything",
}
BAG: Final = (SHARD, SHARD, SHARD, DISPATCHER, DISPATCHER, DISPATCHER, INGRESS, INGRESS, HAPROXY, HAPROXY, EVERYTHING)
_ROOT: Final = Path(__file__).resolve().parent.parent
_RECOVERS_S: Final = 60.0
_LOOK_S: Final = 0.1


class ChaosEngine:
    """`segue up` on one data directory; it may be killed and started again."""

    def __init__(self, folder: Path, config: Path, keys: Mapping[str, str], smtp_port: int, shards: int) -> None:
        self.data, self.log = folder / "data", folder / "engine.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **keys,
            "SEGUE_SMTP_HOST": "127.0.0.1",
            "SEGUE_SMTP_PORT": str(smtp_port),
            "SEGUE_DECIDE_DEADLINE_MS": "0",  # the ledger counts decisions, and a default is none
        }
        self._options = ["--config", str(config), "--data", str(self.data), "--shards", str(shards)]
        self._process: subprocess.Popen[bytes] | None = None
        self._family: set[psutil.Process] = set()

    def start(self) -> float:
        """Start on what the data directory holds; the seconds until it is ready. EngineError where it never is."""
        began_s = time.monotonic()
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "serve", "up", *self._options, "--port", str(self.port)],
                cwd=_ROOT,
                env=environment(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that Ctrl-C here reaches it once, through `stop`
            )
        self._family = set()
        wait_until_ready(self._process, self.url, self.log, self._family)
        return time.monotonic() - began_s

    def living(self, kind: str) -> list[psutil.Process]:
        """Its processes of a kind, in order of process id."""
        assert self._process is not None
        found = []
        for process in family_of(self._process.pid):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if process.status() != psutil.STATUS_ZOMBIE and kind_of(process.name(), process.cmdline()) == kind:
                    found.append(process)
        return sorted(found, key=lambda process: process.pid)

    def kill_everything(self) -> None:
        """SIGKILL for the front process and all that descends from it, parents first."""
        assert self._process is not None
        front, family = self._process, self._family | family_of(self._process.pid)
        for process in sorted(family, key=lambda each: (each.pid != front.pid, each.pid)):
            _kill(process)
        front.wait()
        psutil.wait_procs(family, timeout=10)

    def is_ready(self) -> bool:
        """What /readyz says."""
        try:
            return httpx.get(f"{self.url}/readyz", trust_env=False, timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> str:
        """As Ctrl-C would; names those of its processes that did not end by themselves and were killed."""
        return "" if self._process is None else stop(self._process, self._family)

    def verify(self) -> str:
        """What `segue verify --replay` complains of; empty where it finds nothing."""
        command = [sys.executable, "-m", "serve", "verify", "--replay", "--data", str(self.data)]
        done = subprocess.run(
            command, cwd=_ROOT, env=environment({}), capture_output=True, text=True, timeout=120, check=False
        )
        return "" if done.returncode == 0 else f"{done.stderr}{done.stdout}".strip()


@dataclass(slots=True)
class Killer:
    """Kills and waits for the recovery, again and again; `arrivals` counts the mails, which only a dispatcher moves."""

    engine: ChaosEngine
    random: Random
    arrivals: Callable[[], int]
    bag: Sequence[str] = BAG
    load_s: tuple[float, float] = (0.5, 3.0)  # between a recovery and the next kill
    kills: Counter[str] = field(default_factory=Counter)
    recoveries_s: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    faults: list[str] = field(default_factory=list)
    rounds: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self, until_s: float, rounds_max: int) -> None:
        """Rounds of load, kill and recovery until that moment of the monotonic clock, or until `ended`.

        EngineError where a start fails.
        """
        waiting: list[str] = []
        while not self.faults and self.rounds < rounds_max:
            if not waiting:
                waiting = self.random.sample(self.bag, len(self.bag))
            load_s = self.random.uniform(*self.load_s)
            if time.monotonic() + load_s > until_s or self.ended.wait(load_s):
                return
            self.round(waiting.pop())

    def round(self, kind: str) -> None:
        """One kill, now and then of two at once, and what it takes until all is well again."""
        self.rounds += 1
        if kind == EVERYTHING:
            self.kills[EVERYTHING] += 1
            self.engine.kill_everything()
            self.recoveries_s[EVERYTHING].append(self.engine.start())
            return
        kinds = [kind]
        if self.random.random() < 0.25:
            kinds.append(
                self.random.choice([other for other in (SHARD, DISPATCHER, INGRESS, HAPROXY) if other != kind])
            )
        began_s = time.monotonic()
        before = [(each, len(self.engine.living(each)), self._kill_one_of(each)) for each in kinds]
        self._wait(before, began_s)

    def _kill_one_of(self, kind: str) -> psutil.Process | None:
        living = self.engine.living(kind)
        if not living:
            return None
        victim = self.random.choice(living)
        if _kill(victim):
            self.kills[kind] += 1
        return victim

    def _wait(self, killed: list[tuple[str, int, psutil.Process | None]], began_s: float) -> None:
        """Until each kind is complete again, the door is open and, after a dispatcher, a mail has arrived."""
        names = " and ".join(NAMES[kind] for kind, _, _ in killed)
        is_well = self._until(lambda: all(self._is_back(*each) for each in killed) and self.engine.is_ready(), began_s)
        if is_well and any(kind == DISPATCHER for kind, _, _ in killed):
            arrived = self.arrivals()
            is_well = self._until(lambda: self.arrivals() > arrived, began_s)
        if is_well:
            for kind, _, _ in killed:
                self.recoveries_s[kind].append(time.monotonic() - began_s)
        elif not self.ended.is_set():
            self.faults.append(f"not well {_RECOVERS_S:g} s after the kill of {names}")

    def _until(self, check: Callable[[], bool], began_s: float) -> bool:
        """Whether `check` comes true in time."""
        while not check():
            if time.monotonic() > began_s + _RECOVERS_S or self.ended.wait(_LOOK_S):
                return False
        return True

    def _is_back(self, kind: str, wanted: int, victim: psutil.Process | None) -> bool:
        living = self.engine.living(kind)
        return victim not in living and len(living) >= min(wanted, 1 if kind == HAPROXY else wanted)


def _kill(process: psutil.Process) -> bool:
    """SIGKILL; False where it has ended by itself. psutil refuses a process id that is used anew."""
    try:
        process.send_signal(signal.SIGKILL)
        return True
    except psutil.NoSuchProcess:
        return False
