"""A sweep of `make prove`: people are joined out of many identifiers, and taken apart again, while shards are killed.

Each person comes under a user id, an address, a card and three devices, in any order and several at once, so that
profiles ask each other from both ends. Some merges are undone on the way, and some people opt out. Every request is
repeated until it is acknowledged. At the end each event that was acknowledged stands in exactly one timeline, no
identifier leads nowhere, nobody has become somebody else, and every no still holds.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import quote

import httpx

from actors.platform.ports import free_port
from loadtest.chaos.killer import INGRESS, SHARD, ChaosEngine, Killer
from loadtest.chaos.outcome import Figure, Outcome
from loadtest.chaos.shop import write_catalog
from loadtest.processes.engine import EngineError

SECONDS: Final = 120
_SHARDS: Final = 4
_CLIENTS: Final = 4
_PEOPLE: Final = 12  # that one client plays at once
_DEEDS: Final = 14
_SPLITS, _OPTS_OUT = 0.12, 0.3
_AGAIN: Final = frozenset((429, 500, 502, 503, 504))
_SETTLE_S: Final = 120.0
_NO: Final = {"purpose": "marketing", "channel": "email", "granted": False, "source": "account"}


@dataclass
class Person:
    """Somebody under many names; `told` are the events that were acknowledged."""

    name: str
    random: Random
    told: list[str] = field(default_factory=list)
    has_opted_out: bool = False
    splits: int = 0

    @property
    def identifiers(self) -> list[tuple[str, str]]:
        """All of them, the user id first."""
        devices = [("anonymous_id", f"{self.name}-{number}") for number in range(3)]
        return [
            ("user_id", self.name),
            ("email", f"{self.name}@shop.example"),
            ("loyalty_id", f"L-{self.name}"),
            *devices,
        ]

    def event(self) -> dict[str, Any]:
        """An event under one to three of them."""
        names = self.random.sample(self.identifiers, self.random.choice((1, 2, 2, 3)))
        listed = [{"id": value, "type": name, "collection": "users", "encoding": "none"} for name, value in names]
        message = f"{self.name}-{len(self.told)}"
        return {"type": "track", "event": "Seen", "messageId": message, "context": {"externalIds": listed}}


class Joining:
    """One run against an engine. Faults gather in `made`."""

    def __init__(self, engine: ChaosEngine, keys: dict[str, str], seed: int, made: Outcome) -> None:
        self._engine, self._seed, self._made = engine, seed, made
        self._headers = {"x-api-key": keys["SEGUE_SERVER_KEY"]}
        self.people: list[Person] = []
        self.repeats: Counter[str] = Counter()

    def play(self, client: int, until_s: float) -> None:
        """People in lots, one after the other, until it is time."""
        with httpx.Client(base_url=self._engine.url, headers=self._headers, trust_env=False, timeout=60) as http:
            for lot in itertools.count():
                if time.monotonic() > until_s:
                    return
                names = [f"p{client}-{lot}-{number}" for number in range(_PEOPLE)]
                people = [Person(name, Random(f"{self._seed}/{name}")) for name in names]
                self.people += people
                for _ in range(_DEEDS):
                    for person in people:
                        self._does_something(http, person)

    def _does_something(self, http: httpx.Client, person: Person) -> None:
        drawn = person.random.random()
        if drawn < _SPLITS:
            self._take_apart(http, person)
        elif not person.has_opted_out and drawn > 1 - _OPTS_OUT / _DEEDS and person.told:
            body = _NO | {"identifiers": {"user_id": person.name}}
            if self._insist(http, "/v1/consent", body).status_code == 200:
                person.has_opted_out = True
        else:
            event = person.event()
            answer = self._insist(http, "/v1/batch", {"batch": [event]})
            if answer.json() != {"success": True}:
                self._made.faults.append(f"{event['messageId']} was answered {answer.text[:200]}")
            person.told.append(event["messageId"])

    def _take_apart(self, http: httpx.Client, person: Person) -> None:
        """Undo the newest merge of one of the profiles of this person, if there is one."""
        namespace, value = person.random.choice(person.identifiers)
        found = self._get(http, _path(namespace, value))
        merges = [
            row["mergeId"] for row in (found or {}).get("merges", ()) if "mergeId" in row and "undoneAt" not in row
        ]
        if merges:
            answer = self._insist(
                http, f"{_path(namespace, value)}/split", {"mergeId": merges[-1]}, refusals=(400, 404, 409)
            )
            person.splits += answer.status_code == 200

    def _insist(
        self, http: httpx.Client, path: str, body: dict[str, Any], *, refusals: tuple[int, ...] = (404,)
    ) -> httpx.Response:
        """The answer in the end: while a shard is away, the same is asked again."""
        until_s, said = time.monotonic() + _SETTLE_S, ""
        while True:
            try:
                answer = http.post(path, json=body)
                if answer.status_code == 200 or answer.status_code in refusals:
                    return answer
                if answer.status_code not in _AGAIN:
                    raise EngineError(f"{path} was answered {answer.status_code}: {answer.text[:200]}")
                self.repeats[str(answer.status_code)] += 1
                said = answer.text[:300]
            except httpx.TransportError as error:
                self.repeats[type(error).__name__] += 1
                said = str(error)
            if time.monotonic() > until_s:
                raise EngineError(f"{path} {body} was not acknowledged within {_SETTLE_S:g} s: {said}")
            time.sleep(0.1)

    def _get(self, http: httpx.Client, path: str) -> dict[str, Any] | None:
        """A reading; None where nobody is known, or where the shard is away."""
        try:
            answer = http.get(path)
        except httpx.TransportError:
            return None
        return dict(answer.json()) if answer.status_code == 200 else None

    # -- the books

    def settle(self) -> dict[str, Any]:
        """Wait until no message between profiles is on its way; the engine's figures then."""
        until_s, status = time.monotonic() + _SETTLE_S, None
        with httpx.Client(base_url=self._engine.url, headers=self._headers, trust_env=False, timeout=60) as http:
            while time.monotonic() < until_s:
                status = self._get(http, "/v1/status") if self._engine.is_ready() else None
                if status is not None and status["messages"]["pending"] == 0:
                    return status
                time.sleep(0.5)
        raise EngineError("messages between profiles are on their way still")

    def balance(self) -> int:
        """Compare what was acknowledged with what the timelines hold; returns how many events there are."""
        homes: dict[str, str] = {}
        with httpx.Client(base_url=self._engine.url, headers=self._headers, trust_env=False, timeout=60) as http:
            for person in self.people:
                self._balance_one(http, person, homes)
        return sum(len(person.told) for person in self.people)

    def _balance_one(self, http: httpx.Client, person: Person, homes: dict[str, str]) -> None:
        seen: Counter[str] = Counter()
        places: set[str] = set()
        for namespace, value in person.identifiers:
            found = self._get(http, f"{_path(namespace, value)}/timeline?limit=10000")
            if found is None or found["profileId"] in places:
                continue
            places.add(found["profileId"])
            seen.update(row["messageId"] for row in found["entries"] if row["kind"] == "event")
        told = Counter(person.told)
        for fault, lost in (("lost", told - seen), ("there twice or not theirs", seen - told)):
            if lost:
                self._made.faults.append(f"{person.name}: {sorted(lost)[:3]} {fault}")
        for place in places:
            if homes.setdefault(place, person.name) != person.name:
                self._made.faults.append(f"{person.name} and {homes[place]} are one profile")
        if person.has_opted_out:
            rows = (self._get(http, f"{_path('user_id', person.name)}/consent") or {}).get("consent", ())
            said = {(row["purpose"], row["channel"]): row["granted"] for row in rows}
            if said.get(("marketing", "email")) is not False:
                self._made.faults.append(f"{person.name}: the opt-out does not hold")


def sweep(seconds: int, folder: Path) -> Outcome:
    """Join and take apart for so many seconds, with a kill every few of them, then do the books."""
    keys = {"SEGUE_WRITE_KEY": secrets.token_urlsafe(24), "SEGUE_SERVER_KEY": secrets.token_urlsafe(24)}
    seed = secrets.randbelow(1_000_000)
    engine = ChaosEngine(folder, write_catalog(folder / "configs"), keys, free_port(), _SHARDS)
    made = Outcome([Figure("seed", seed)])
    run = Joining(engine, keys, seed, made)
    killer = Killer(engine, Random(seed), itertools.count().__next__, (SHARD, SHARD, SHARD, INGRESS), (1.0, 4.0))
    try:
        engine.start()
        _play(run, killer, seconds)
        status = run.settle()
        events = run.balance()
        _tell(made, run, killer, status["identity"], events)
    except (EngineError, httpx.HTTPError) as error:
        made.faults.append(f"the sweep broke off: {type(error).__name__} {error}")
    finally:
        killed = engine.stop()
    made.faults += killer.faults
    if killed:
        made.faults.append(f"the engine did not stop cleanly; killed: {killed}")
    if complaint := engine.verify():
        made.faults.append(f"segue verify --replay: {complaint}")
    return made


def _play(run: Joining, killer: Killer, seconds: int) -> None:
    until_s = time.monotonic() + seconds
    with ThreadPoolExecutor(_CLIENTS) as pool:
        playing = [pool.submit(run.play, client, until_s) for client in range(_CLIENTS)]
        try:
            killer.run(until_s, 10_000)
        finally:
            for each in playing:
                each.result()


def _tell(made: Outcome, run: Joining, killer: Killer, figures: dict[str, Any], events: int) -> None:
    made.figures += [
        Figure("people", len(run.people)),
        Figure("events acknowledged, each in one timeline", events),
        Figure("merges", figures["merges"]),
        Figure("splits", sum(person.splits for person in run.people)),
        Figure("opt-outs that hold", sum(person.has_opted_out for person in run.people)),
        Figure("kills", killer.kills.total()),
        Figure("requests that were said again", run.repeats.total()),
    ]


def _path(namespace: str, value: str) -> str:
    return f"/v1/profiles/{namespace}:{quote(value, safe='')}"
