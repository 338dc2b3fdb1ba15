"""A sweep of `make prove`: a journey is edited at random while thousands of customers are inside; the plan must be what
then happens.

Customers come over some days and stand at every step. Then the journey is edited again and again, some edits before
anybody has had a turn since the last one. Before each the plan is made from the index alone. After the turn of
everybody, what became of each run is counted from the profiles, and has to be the same, customer by customer.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

from actors.replay_clock.in_process import LocalEngine
from actors.serving import catalog_switch
from actors.shard.shard import Shard
from actors.shard.standing import index
from engine import audit, effects
from engine.catalog import statuses
from engine.catalog.compile import compile_document
from engine.catalog.compiled import Catalog
from engine.catalog.editing import plan
from engine.inputs import Event
from engine.profile import Profile
from engine.seeds import profile_id
from loadtest.chaos.outcome import Figure, Outcome
from loadtest.world.bench_catalog import ID_KEY
from loadtest.world.shop_world import START_MS

CUSTOMERS: Final = 10_000
EDITS: Final = 8
_SHARDS: Final = 2
_DAY_MS: Final = 86_400_000
_DAYS: Final = 12
_ROWS: Final = 5_000
_JOURNEY: Final = "way"
_FAULTS_MAX: Final = 20

Steps = list[dict[str, Any]]
Seen = Counter[tuple[str, str]]  # runs by the version and the step that they are at, or by the word `stop`


def sweep(size: int, folder: Path) -> Outcome:
    """Edit one journey again and again, with so many customers inside."""
    world = _World(size)
    faults: list[str] = []
    planned_s = 0.0
    for number in range(EDITS):
        began_s = time.monotonic()
        proposed, made = world.plan(number)
        planned_s = max(planned_s, time.monotonic() - began_s)
        faults += [f"edit {number}: {fault}" for fault in world.make(number, proposed, made)]
        if len(faults) > _FAULTS_MAX:
            break
    figures = [Figure("customers", size), Figure("edits", EDITS), Figure("runs moved", world.moved)]
    return Outcome([*figures, Figure("slowest plan", round(planned_s, 2), "s")], faults)


class _World:
    def __init__(self, customers: int) -> None:
        self._random = Random(f"edits/{customers}")
        self._names = [f"p{number}" for number in range(customers)]
        self._words: dict[str, dict[str, str]] = {}  # by profile and run, how its last turn moved or stopped it
        self.moved = 0
        self._steps: Steps = [_wait("w0", 1), _send(0), _wait("w1", 3), _ask("ask", 4), _wait("", 2), _wait("w2", 9)]
        self._plain: dict[str, Any] = statuses.carried(None, _document(self._steps, None))
        self._engine = LocalEngine(_compiled(self._plain), shards=_SHARDS, observer=self._observe)
        self._clock_ms = START_MS + _DAYS * _DAY_MS
        self._come()

    @property
    def _shards(self) -> list[Shard]:
        return [windows.shard for windows in self._engine.windows]

    def _come(self) -> None:
        """Customers come, some with two carts; some click."""
        for number, name in enumerate(self._names):
            at_ms = START_MS + self._random.randrange(_DAYS * _DAY_MS)
            carts = 2 if self._random.random() < 0.2 else 1
            told = [_event(name, f"{number}-{cart}", "Product Added", at_ms, cart=f"c{cart}") for cart in range(carts)]
            if self._random.random() < 0.5:
                told.append(_event(name, f"{number}-click", "Clicked", at_ms + 5 * _DAY_MS))
            self._engine.stage([event for event in told if event.at_ms < self._clock_ms])
        asyncio.run(self._engine.advance(self._clock_ms))

    # -- the plan

    def plan(self, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """A random edit of the journey, as the document that it makes; and its plan."""
        self._steps, rule = self._edited(number)
        proposed = statuses.carried(self._plain, _document(self._steps, rule))
        active = self._shards[0].catalog
        following = dataclasses.replace(_compiled(proposed), archive=active.archive | {active.version: active})
        return proposed, plan.plan(active, following, {_JOURNEY: self._inside()})

    def _inside(self) -> Counter[tuple[plan.Place, ...]]:
        found: Counter[tuple[plan.Place, ...]] = Counter()
        for shard in self._shards:
            shard.commit()
            after = b""
            while True:
                counted, after = shard.standing.counted(_JOURNEY, after, _ROWS)
                for places, customers in counted.items():
                    found[tuple(map(index.read, places))] += customers
                if not after:
                    break
        return found

    def _edited(self, number: int) -> tuple[Steps, Any]:
        random, steps = self._random, [dict(step) for step in self._steps]
        at = random.randrange(len(steps))
        match random.choice(("add", "add", "remove", "longer", "kind")):
            case "add":
                steps.insert(at, random.choice((_wait(f"n{number}", 2), _wait("", number + 1), _send(number))))
            case "remove" if len(steps) > 3:
                del steps[at]
            case "kind":
                steps[at] = _ask(str(steps[at].get("id", f"k{number}")), 2)
            case _:
                steps[at] = _wait(str(steps[at].get("id", "")), 20 + number)
        named = [str(step["id"]) for step in steps if "id" in step]
        rest = random.choice(("follow", "follow", "follow", "finish", "stop" if number == EDITS - 1 else "finish"))
        was = random.choice([str(step["id"]) for step in self._steps if "id" in step])
        return steps, {"rest": rest, "map": {was: random.choice(named)} if named and random.random() < 0.5 else {}}

    # -- what then happens

    def make(self, number: int, proposed: dict[str, Any], made: dict[str, Any]) -> Iterator[str]:
        """Let an edit take effect, give everybody a turn (after every second edit), and compare."""
        self._plain = proposed
        catalog = _compiled(proposed)
        for shard in self._shards:
            catalog_switch.adopt(shard, catalog)
        if number % 2 and number != EDITS - 1:
            return  # the next edit comes before anybody's turn
        if not made["journeys"]:
            return  # nothing was edited after all
        (row,) = made["journeys"]
        predicted: Seen = Counter()
        for group in row["groups"]:
            where = group.get("to", group)
            is_over = group["becomes"] == "stop"
            predicted["stop" if is_over else where["version"], "" if is_over else where["step"]] += group["runs"]
        happened, words = self._turns(number)
        if happened != predicted:
            yield f"runs stand at {happened - predicted}, and the plan says {predicted - happened}"
        wanted = {word: count for word, count in row["becomes"].items() if count}
        if dict(words) != wanted:
            yield f"what became of customers is {dict(words)}, and the plan says {wanted}"
        asyncio.run(self._engine.advance(self._clock_ms))

    def _turns(self, number: int) -> tuple[Seen, Counter[str]]:
        """Give everybody a turn in which nothing else happens; where their runs are then, and what became of them."""
        happened: Seen = Counter()
        words: Counter[str] = Counter()
        for name in self._names:
            home = profile_id(ID_KEY, "user_id", name)
            record = self._engine.shard(home).record(home)
            if not isinstance(record, Profile):
                continue
            inside = [run.id for run in record.runs if run.state == "active"]
            self._engine.ask_profile(home, _event(name, f"{name}-turn-{number}", "Page Viewed", self._clock_ms))
            record = self._engine.shard(home).record(home)
            assert isinstance(record, Profile)
            happened.update(_where(self._shards[0].catalog, run) for run in record.runs if run.id in inside)
            words.update({self._words[home].get(run, "finish") for run in inside})
        return happened, words

    def _observe(self, profile: str, now_ms: int, asked: list[effects.Effect]) -> None:
        notes = [effect.entry for effect in asked if isinstance(effect, effects.Note)]
        self._words[profile] = {each.run: word for each in notes if (word := _word(each))}
        self.moved += len(self._words[profile])


def _word(entry: audit.Entry) -> str:
    """What became of a run by an edit, from an entry of its timeline."""
    if entry.outcome == "moved":
        return str(entry.detail["by"])
    return "stop" if entry.kind == "stop" and entry.reason == "journey.edited" else ""


def _where(catalog: Catalog, run: Any) -> tuple[str, str]:
    if run.state != "active":
        return "stop", ""
    program = catalog.of_version(run.version).journeys[_JOURNEY].steps
    return run.version, program[run.position].id


def _event(name: str, message: str, event: str, at_ms: int, **properties: Any) -> Event:
    return Event(
        kind="track",
        name=event,
        at_ms=at_ms,
        received_at_ms=at_ms,
        source="sweep",
        channel="web",
        message_id=message,
        user_id=name,
        properties=properties,
    )


def _wait(name: str, days: int) -> dict[str, Any]:
    return ({"id": name} if name else {}) | {"wait": {"for": f"{days}d"}}


def _ask(name: str, days: int) -> dict[str, Any]:
    return ({"id": name} if name else {}) | {"wait_for": {"event": "Clicked", "timeout": f"{days}d"}}


def _send(number: int) -> dict[str, Any]:
    return {"send": {"action": f"letter_{number % 2}", "channel": "inbox"}}


def _document(steps: Steps, rule: Any) -> dict[str, Any]:
    journey = {"id": _JOURNEY, "tier": "service", "trigger": {"event": "Product Added"}, "key": "cart", "steps": steps}
    letter = {"tier": "service", "purpose": "service", "channels": ["inbox"]}
    letter |= {"variants": [{"id": "a", "inbox": {"content": {"title": "Hello"}}}]}
    return {
        "channels.yaml": {"channels": [{"id": "inbox", "provider": "sandbox"}]},
        "consent.yaml": {"purposes": {"service": {"channels": [], "default": True}}},
        "journeys/way.yaml": journey | ({"on_edit": rule} if rule else {}),
        **{f"actions/letter_{number}.yaml": letter | {"id": f"letter_{number}"} for number in range(2)},
    }


def _compiled(plain: dict[str, Any]) -> Catalog:
    return dataclasses.replace(compile_document(plain), id_key=ID_KEY)
