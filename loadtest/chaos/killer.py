"""Starts an engine, kills parts of it with SIGKILL, and measures how long each is gone.

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

from actors.platform.ports import free_port
from loadtest.processes.engine import family_of, stop, wait_until_ready
from loadtest.processes.running import environment, kind_of

SHARD, DISPATCHER, INGRESS, HAPROXY, EVERYTHING = "shards", "dispatcher", "ingress", "haproxy", "everything"
DASHBOARD, CONTROLLER, GCS, RAYLET = "dashboard", "controller", "gcs", "raylet"
NAMES: Final[Mapping[str, str]] = {
    SHARD: "shard",
    DISPATCHER: "dispatcher",
    INGRESS: "Serve replica",
    HAPROXY: "HAProxy",
    EVERYTHING: "everything",
    DASHBOARD: "dashboard",
    CONTROLLER: "Serve's controller",
    GCS: "GCS",
    RAYLET: "raylet",
}
VITAL: Final = (GCS, RAYLET)  # without one of these the front process gives up, and is started again
_SEVERAL: Final = (SHARD, SHARD, SHARD, DISPATCHER, DISPATCHER, DISPATCHER, INGRESS, INGRESS, HAPROXY, HAPROXY)
BAG: Final = (*_SEVERAL, DASHBOARD, CONTROLLER, CONTROLLER, *VITAL, EVERYTHING)
_GIVES_UP_S: Final = 60.0
_GAVE_UP: Final = 3
_ROOT: Final = Path(__file__).resolve().parents[2]
_RECOVERS_S: Final = 60.0
_LOOK_S: Final = 0.1
_REASON: Final = "segue: the engine stops: "


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
        self._told = 0

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

    def look(self) -> None:
        """Note its processes, which must not outlive it, and the length of its log."""
        assert self._process is not None
        self._family |= family_of(self._process.pid)
        self._told = self.log.stat().st_size

    def has_ended(self) -> bool:
        """Whether the front process has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def kill_everything(self) -> None:
        """SIGKILL for the front process and all that descends from it, parents first."""
        assert self._process is not None
        front, family = self._process, self._family | family_of(self._process.pid)
        for process in sorted(family, key=lambda each: (each.pid != front.pid, each.pid)):
            _kill(process)
        front.wait()
        psutil.wait_procs(family, timeout=10)

    def gave_up(self, limit_s: float) -> str:
        """Wait for the front process to end as it must where the engine cannot go on. Returns a complaint about how it
        ended; empty where all is right."""
        assert self._process is not None
        try:
            code = self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return f"the front process runs on {limit_s:g} s later"
        with self.log.open("rb") as file:
            file.seek(self._told)
            reasons = [line for line in file.read().decode(errors="replace").splitlines() if _REASON in line]
        left = [process for process in self._family if process.is_running() and not _is_over(process)]
        if code != _GAVE_UP or not reasons:
            return f"the front process ended with {code}, and said: {reasons or 'nothing'}"
        return f"{len(left)} of its processes run on" if left else ""

    def is_ready(self) -> bool:
        """What /readyz says."""
        try:
            return httpx.get(f"{self.url}/readyz", trust_env=False, timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> str:
        """Stop it as Ctrl-C would. Returns the names of its processes that did not end by themselves and were
        killed."""
        return "" if self._process is None else stop(self._process, self._family)

    def verify(self) -> str:
        """The complaint of `segue verify --replay`; empty where it finds nothing."""
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
                waiting = self.random.sample(self.bag, len(self.bag))  # shuffled: every kind comes, in any order
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
        self.engine.look()
        began_s = time.monotonic()
        before = [(each, len(self.engine.living(each)), self._kill_one_of(each)) for each in kinds]
        self._wait(before, began_s)

    def _supervise(self, kinds: list[str], began_s: float) -> None:
        """Do the work of a supervisor: when the front process has ended, start it again on the same data and port."""
        complaint = self.engine.gave_up(_GIVES_UP_S)
        if complaint:
            names = " and ".join(NAMES[kind] for kind in kinds)
            self.faults.append(f"after the kill of {names}: {complaint}")
            return
        self.engine.start()
        for kind in kinds:
            self.recoveries_s[kind].append(time.monotonic() - began_s)

    def _kill_one_of(self, kind: str) -> psutil.Process | None:
        living = self.engine.living(kind)
        if not living:
            return None
        victim = self.random.choice(living)
        if _kill(victim):
            self.kills[kind] += 1
        return victim

    def _wait(self, killed: list[tuple[str, int, psutil.Process | None]], began_s: float) -> None:
        """Wait until each kind is complete again, the engine is ready and, after the kill of a dispatcher, a mail has
        arrived; or until the front process has given up, as it must without a vital part, and is started again."""
        kinds = [kind for kind, _, _ in killed]
        if not set(kinds).isdisjoint(VITAL):
            self._supervise(kinds, began_s)
            return
        names = " and ".join(NAMES[kind] for kind, _, _ in killed)
        is_well = self._until(lambda: all(self._is_back(*each) for each in killed) and self.engine.is_ready(), began_s)
        if self.engine.has_ended():
            self._supervise(kinds, began_s)
            return
        if is_well and any(kind == DISPATCHER for kind, _, _ in killed):
            arrived = self.arrivals()  # a dispatcher may run and send nothing: only a new mail shows that it works
            is_well = self._until(lambda: self.arrivals() > arrived, began_s)
        if is_well:
            for kind, _, _ in killed:
                self.recoveries_s[kind].append(time.monotonic() - began_s)
        elif not self.ended.is_set():
            self.faults.append(f"not well {_RECOVERS_S:g} s after the kill of {names}")

    def _until(self, check: Callable[[], bool], began_s: float) -> bool:
        """Whether `check` comes true in time."""
        while not check():
            if self.engine.has_ended():
                return False
            if time.monotonic() > began_s + _RECOVERS_S or self.ended.wait(_LOOK_S):
                return False
        return True

    def _is_back(self, kind: str, wanted: int, victim: psutil.Process | None) -> bool:
        living = self.engine.living(kind)
        return victim not in living and len(living) >= min(wanted, 1 if kind in (HAPROXY, DASHBOARD) else wanted)


def _is_over(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _kill(process: psutil.Process) -> bool:
    """SIGKILL; False where it has ended by itself. psutil refuses a process id that is used anew."""
    try:
        process.send_signal(signal.SIGKILL)
        return True
    except psutil.NoSuchProcess:
        return False
