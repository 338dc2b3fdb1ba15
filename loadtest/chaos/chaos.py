"""`make chaos`: real load, `kill -9` at random, and at the end books that must balance to zero.

Like real clients, these repeat requests that were not acknowledged, with the same ids. The ledger that they keep is
compared with the timelines, the profiles and the mailboxes. Everything is on loopback and bounded. Exit code: 0 where
the books balance, 1 where they do not, with each imbalance named.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import quote

import httpx

from loadtest.chaos.balance import FINAL, balance, pending_timers
from loadtest.chaos.clients import Client, Traffic
from loadtest.chaos.killer import BAG, NAMES, ChaosEngine, Killer
from loadtest.chaos.ledger import Found, Ledger
from loadtest.chaos.mail_server import UnreliableMailServer
from loadtest.chaos.outcome import Figure, Outcome
from loadtest.chaos.shop import Shopper, write_catalog
from loadtest.processes.engine import EngineError

SECONDS, SECONDS_MAX = 300, 420
_LIVE_MAX_S: Final = 530.0  # ten minutes, less a stop and a verification
_SETTLE_S: Final = 90.0
_CLIENTS: Final = 8
_BATCH_MEAN: Final = 5.0
_REFUSING_ONE_IN: Final = 20


@dataclass(frozen=True, slots=True)
class KillPlan:
    """The plan of a run. The same seed draws the same customers, deeds and kills, though not at the same instants."""

    seconds: float = SECONDS
    seed: int = 1
    customers: int = 200
    events_per_s: float = 150.0
    shards: int = 3
    bag: Sequence[str] = BAG
    rounds_max: int = 10_000
    load_s: tuple[float, float] = (0.5, 3.0)
    puts_mail_off: bool = True


@dataclass(slots=True)
class Report:
    """The result of a run."""

    seed: int
    took_s: float = 0.0
    rounds: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    recoveries_s: dict[str, list[float]] = field(default_factory=dict)
    events: int = 0
    acknowledged: int = 0
    traffic: Traffic = field(default_factory=Traffic)
    sends: dict[str, int] = field(default_factory=dict)
    mails: int = 0
    timers: int = 0
    imbalances: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """For people."""
        kills = ", ".join(f"{NAMES[kind]} {times}" for kind, times in self.kills.most_common())
        sends = ", ".join(f"{outcome} {times:,}" for outcome, times in sorted(self.sends.items()) if times)
        repeats = self.traffic.refusals
        said = [
            f"seed {self.seed}, {self.took_s:.0f} s, {self.rounds} rounds",
            f"kills:     {kills or 'none'}",
            *(f"recovery:  {NAMES[kind]} {_spread(times)}" for kind, times in sorted(self.recoveries_s.items())),
            f"events:    {self.events:,} told, {self.acknowledged:,} acknowledged",
            f"requests:  {self.traffic.acknowledged:,} acknowledged, {self.traffic.resent:,} of them said again",
            f"repeats:   {repeats.total():,}{_listed(repeats)}",
            f"sends:     {sends or 'none'}",
            f"mails:     {self.mails:,}",
            f"timers:    {self.timers:,} pending",
        ]
        return [*said, *(f"IMBALANCE: {line}" for line in self.imbalances)]


class Run:
    """One run in a folder: the engine's data, its log and the ledger's file lie there."""

    def __init__(self, plan: KillPlan, folder: Path) -> None:
        random = Random(plan.seed)
        self._plan = plan
        self._keys = {"SEGUE_WRITE_KEY": secrets.token_urlsafe(24), "SEGUE_SERVER_KEY": secrets.token_urlsafe(24)}
        self._shoppers = [Shopper(f"c{number}", Random(random.getrandbits(64))) for number in range(plan.customers)]
        refusing = frozenset(shopper.address for shopper in self._shoppers[::_REFUSING_ONE_IN])
        self._mailbox = UnreliableMailServer(refusing, puts_off=plan.puts_mail_off)
        config = write_catalog(folder / "configs")
        self._engine = ChaosEngine(folder, config, self._keys, self._mailbox.port, plan.shards)
        self._killer = Killer(self._engine, Random(random.getrandbits(64)), self._arrivals, plan.bag, plan.load_s)
        self._file = (folder / "ledger.jsonl").open("w", encoding="utf-8")
        self._ledger, self._traffic, self._found = Ledger(self._file), Traffic(), Found()
        self._random = random

    def run(self) -> Report:
        """Load and kill, settle, audit, stop, verify. Nothing that it started runs on afterwards."""
        began_s = time.monotonic()
        imbalances: list[str] = []
        try:
            self._engine.start()
            asyncio.run(asyncio.wait_for(self._live(), _LIVE_MAX_S))
        except (EngineError, TimeoutError, httpx.HTTPError) as error:
            imbalances.append(f"the run broke off: {type(error).__name__} {error}")
        finally:
            killed = self._engine.stop()
            self._mailbox.close()
            self._file.close()
        imbalances += self._killer.faults
        if self._found.status:  # else the run broke off, and says why
            imbalances += balance(self._ledger, self._found)
        if killed:
            imbalances.append(f"the engine did not stop cleanly; killed: {killed}")
        complaint = self._engine.verify()
        if complaint:
            imbalances.append(f"segue verify --replay: {complaint}")
        return self._report(time.monotonic() - began_s, imbalances)

    async def _live(self) -> None:
        until_s = time.monotonic() + self._plan.seconds
        pause_s = _CLIENTS * _BATCH_MEAN / self._plan.events_per_s
        clients = [self._client(number) for number in range(_CLIENTS)]
        is_over = asyncio.Event()
        playing = [asyncio.create_task(client.play(is_over.is_set, pause_s)) for client in clients]
        try:
            await asyncio.to_thread(self._killer.run, until_s, self._plan.rounds_max)
            is_over.set()
            await asyncio.wait_for(asyncio.gather(*playing), _SETTLE_S)
            await asyncio.to_thread(self._settle)
            for client in clients:
                self._found.decisions |= await client.ask_again()
            await asyncio.to_thread(self._look)
        finally:
            self._killer.ended.set()
            for task in playing:
                task.cancel()
            for client in clients:
                await client.close()

    def _client(self, number: int) -> Client:
        shoppers = self._shoppers[number::_CLIENTS]
        random = Random(self._random.getrandbits(64))
        return Client(self._engine.url, self._keys, shoppers, self._ledger, self._mailbox.links, self._traffic, random)

    def _arrivals(self) -> int:
        return len(self._mailbox.mails) + self._mailbox.refused

    def _settle(self) -> None:
        """Wait until nothing waits to leave and no short timer is pending, or until time is up."""
        wanted, until_s = pending_timers(self._ledger), time.monotonic() + _SETTLE_S
        while time.monotonic() < until_s:
            if self._engine.is_ready():
                status = self._read("/v1/status")
                waits = status["sends"]["waiting"] + status["messages"]["pending"]
                if waits == 0 and status["timers"]["pending"] == wanted:
                    return
            time.sleep(0.5)

    def _look(self) -> None:
        """Read every profile and timeline, the status and the mail, for the balance."""
        found = self._found
        for shopper in self._shoppers:
            path = f"/v1/profiles/user_id:{quote(shopper.name)}"
            found.profiles[shopper.name] = self._read(path)
            found.timelines[shopper.name] = self._read(f"{path}/timeline?limit=10000")["entries"]
        found.status = self._read("/v1/status")
        found.mails = list(self._mailbox.mails)

    def _read(self, path: str) -> dict[str, Any]:
        headers = {"x-api-key": self._keys["SEGUE_SERVER_KEY"]}
        answer = httpx.get(f"{self._engine.url}{path}", headers=headers, trust_env=False, timeout=30)
        if answer.status_code != 200:
            raise EngineError(f"{path} was answered {answer.status_code}: {answer.text[:200]}")
        return dict(answer.json())

    def _report(self, took_s: float, imbalances: list[str]) -> Report:
        status = self._found.status
        return Report(
            seed=self._plan.seed,
            took_s=took_s,
            rounds=self._killer.rounds,
            kills=self._killer.kills,
            recoveries_s=dict(self._killer.recoveries_s),
            events=len(self._ledger.events),
            acknowledged=len(self._ledger.acknowledged),
            traffic=self._traffic,
            sends={outcome: status["sends"][outcome] for outcome in FINAL if outcome in status["sends"]}
            if status
            else {},
            mails=self._arrivals() - self._mailbox.refused,
            timers=status["timers"]["pending"] if status else 0,
            imbalances=imbalances,
        )


def sweep(seconds: int, folder: Path) -> Outcome:
    """One run as a sweep of `make prove`, with a new seed."""
    seed = secrets.randbelow(1_000_000)
    report = Run(KillPlan(seconds=min(seconds, SECONDS_MAX), seed=seed), folder).run()
    figures = [
        Figure("seed", seed),
        Figure("rounds", report.rounds),
        Figure("kills", report.kills.total()),
        Figure("events acknowledged", report.acknowledged),
        *(Figure(outcome, times) for outcome, times in sorted(report.sends.items())),
        Figure("mails", report.mails),
        *(
            Figure(f"{NAMES[kind]} is missed, at most", round(max(times), 1), "s")
            for kind, times in sorted(report.recoveries_s.items())
        ),
    ]
    return Outcome(figures, report.imbalances)


def main(arguments: Sequence[str] | None = None) -> int:
    """One run and its report. The folder is kept, and named, where the books do not balance."""
    parser = argparse.ArgumentParser(prog="chaos", description="Load, kill -9, and an account of both.")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"of load and kills; {SECONDS}, at most {SECONDS_MAX}"
    )
    parser.add_argument("--seed", type=int, default=None, help="draws customers, deeds and kills")
    asked = parser.parse_args(arguments)
    if not 1 <= asked.seconds <= SECONDS_MAX:
        parser.error(f"--seconds is from 1 to {SECONDS_MAX}, so that all of it ends within ten minutes")
    seed = secrets.randbelow(1_000_000) if asked.seed is None else asked.seed
    folder = Path(tempfile.mkdtemp(prefix="segue-chaos-"))
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # the engine must not outlive this
    print(f"Chaos for {asked.seconds:g} s with seed {seed}", flush=True)
    try:
        report = Run(KillPlan(seconds=asked.seconds, seed=seed), folder).run()
    except KeyboardInterrupt:
        return 130
    print("\n".join(report.lines()))
    if report.imbalances:
        print(f"The data, the engine's log and the ledger are kept in {folder}", file=sys.stderr)
        return 1
    print("The books balance.")
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _listed(counted: Counter[str]) -> str:
    return f" ({', '.join(f'{what} {times:,}' for what, times in counted.most_common())})" if counted else ""


def _spread(times_s: list[float]) -> str:
    return f"{statistics.median(times_s):.1f} s median, {max(times_s):.1f} s at most, of {len(times_s)}"


if __name__ == "__main__":
    sys.exit(main())
