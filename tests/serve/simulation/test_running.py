"""A simulated history is the same history, however it is cut into neighbourhoods, lots and processes."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.world import ID_KEY, action, cart_journey, compiled, document

from actors.catalog_files import config_files
from actors.replay_clock import simulated
from actors.replay_clock.in_process import LocalEngine
from actors.shard import shard as shards_of
from engine.catalog.compiled import Catalog
from engine.inputs import Event
from engine.seeds import FIXED_KEY
from engine.turn import handle
from loadtest.world import shop_world
from serve.simulation import running, sorting, sources
from serve.simulation.counted import Counting
from serve.simulation.lines import Lines
from serve.simulation.neighbourhoods import Neighbourhoods
from serve.simulation.running import Options
from serve.simulation.sources import EventFiles

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
CONSENT = {"purposes": {"marketing": {"no_consent_needed": ["email", "sms"]}}}
STOPS = {"stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}]}


def shop() -> Catalog:
    return replace(config_files.load(CONFIGS), id_key=FIXED_KEY)


def write(path: Path, events: Iterable[dict[str, Any]]) -> EventFiles:
    path.write_text("\n".join(map(json.dumps, events)))
    return EventFiles([path])


def in_one_engine(catalog: Catalog, source: EventFiles, shards: int) -> tuple[str, dict[str, Any]]:
    """The lines and the summary of the running engine's shards and conductor, in this process."""
    out = BytesIO()
    lines = Lines(out)
    counting = Counting(catalog, lines)
    engine = LocalEngine(catalog, shards=shards, observer=counting.observer)

    async def feed() -> None:
        last_ms = 0
        for raw in source.lots():
            told = source.read(catalog, raw).told
            for each in told:
                engine.windows[engine.number_of(each.place)].stage([(each.place, each.told, each.at_ms)])
            last_ms = told[-1].at_ms
        await engine.advance(last_ms, drain=True)

    asyncio.run(feed())
    lines.write()
    counted = counting.counted
    counted.events = sum(windows.shard.counts["accepted"] for windows in engine.windows)
    counted.profiles = sum(windows.shard.profiles for windows in engine.windows)
    return out.getvalue().decode(), counted.summary(catalog)


def simulate(catalog: Catalog, source: EventFiles, processes: int = 1) -> tuple[str, dict[str, Any]]:
    out = BytesIO()
    past = running.run(catalog, source, Options(processes), out)
    assert not past.problems
    return out.getvalue().decode(), past.counted.summary(catalog)


@pytest.fixture
def in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SHORT_INPUTS", 0)
    monkeypatch.setattr(sorting, "GROUP_INPUTS", 50)
    monkeypatch.setattr(sources, "LOT_LINES", 700)


def test_neighbourhoods_grow_together():
    found = Neighbourhoods()
    for pair in ("ab", "cd", "ef", "be"):
        found.join(pair)
    assert len({found.of(place) for place in "abef"}) == 1
    assert found.of("c") == found.of("d") != found.of("a")
    assert found.of("x") == "x"


def test_any_number_of_processes_comes_to_the_same_as_the_engines_own_shards(tmp_path: Path, in_groups: None):
    catalog, source = shop(), write(tmp_path / "shop.jsonl", shop_world.generate(customers=60, days=6))
    wanted = in_one_engine(catalog, source, shards=3)
    assert wanted[1]["sends"] and wanted[1]["stops"] and wanted[1]["withdrawn"]
    for processes in (1, 2, 3):
        assert simulate(catalog, source, processes) == wanted


NAMES = st.integers(0, 3)
AT_MS = 1_772_409_600_000


@st.composite
def tangled(draw: st.DrawFn) -> list[dict[str, Any]]:
    """People who share devices, addresses and aliases with one another as it comes."""
    found = []
    for number in range(draw(st.integers(1, 25))):
        who: dict[str, Any] = {}
        if draw(st.booleans()):
            who["userId"] = f"u{draw(NAMES)}"
        if not who or draw(st.booleans()):
            who["anonymousId"] = f"a{draw(NAMES)}"
        kind = draw(st.sampled_from(["identify", "track", "track", "alias"]))
        said: dict[str, Any] = {}
        if kind == "identify":
            said = {"traits": {"email": f"m{draw(NAMES)}@shop.example"}}
        elif kind == "alias":
            if "userId" not in who:
                who = {"userId": f"u{draw(NAMES)}"}
            said = {"previousId": f"a{draw(NAMES)}"}
        else:
            name = draw(st.sampled_from(["Product Added", "Product Added", "Order Completed"]))
            said = {"event": name, "properties": {"cart_id": f"c{draw(NAMES)}"}}
        seconds = number * draw(st.sampled_from([0, 1, 9, 10, 700]))
        stamp = f"2026-03-02T{9 + seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.000Z"
        found.append({"type": kind, "messageId": f"m{number}", "timestamp": stamp} | who | said)
    return sorted(found, key=lambda event: event["timestamp"])


def carts() -> Catalog:
    plain = document(actions=[action("cart_reminder")], journeys=[cart_journey()], consent=CONSENT, policies=STOPS)
    return compiled(plain)


@settings(max_examples=20, deadline=None)
@given(events=tangled())
def test_people_who_share_identifiers_are_never_torn_apart(
    tmp_path_factory: pytest.TempPathFactory, events: list[dict[str, Any]]
):
    source, catalog = write(tmp_path_factory.mktemp("tangled") / "events.jsonl", events), carts()
    wanted = in_one_engine(catalog, source, shards=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "SHORT_INPUTS", 0)
        patch.setattr(sorting, "GROUP_INPUTS", 1)
        patch.setattr(sources, "LOT_LINES", 3)
        patch.setattr(simulated, "_TURNS_KEPT", 4)
        patch.setattr(gc, "collect", lambda: 0)  # what all tests have made is more than a simulation makes
        assert simulate(catalog, source) == wanted


def test_a_turn_that_fails_is_undone_in_a_simulation_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def faulty(profile: Any, told: Any, catalog: Catalog, now_ms: int) -> Any:
        asked = handle(profile, told, catalog, now_ms)
        if isinstance(told, Event) and told.properties.get("cart_id") == "broken":
            raise RuntimeError("a fault of ours")
        return asked

    monkeypatch.setattr(shards_of, "handle", faulty)
    events = [
        {
            "type": "track",
            "event": "Product Added",
            "userId": "ada",
            "messageId": cart,
            "timestamp": f"2026-03-02T09:0{number}:00.000Z",
            "properties": {"cart_id": cart},
        }
        for number, cart in enumerate(("a", "broken", "b"))
    ]
    source, catalog, out = write(tmp_path / "events.jsonl", events), carts(), BytesIO()
    wanted = in_one_engine(catalog, source, shards=1)
    past = running.run(catalog, source, Options(), out)
    assert (out.getvalue().decode(), past.counted.summary(catalog)) == wanted
    assert [what for _, what in past.problems] == ["a turn failed and was set aside: RuntimeError: a fault of ours"]


def test_a_budget_is_everybodys_so_one_engine_takes_all(tmp_path: Path, in_groups: None):
    budgets = STOPS | {"budgets": [{"id": "few", "limit": 2, "match": {"channel": "email"}}]}
    plain = document(actions=[action("cart_reminder")], journeys=[cart_journey()], consent=CONSENT, policies=budgets)
    events = []
    for number in range(5):
        who = {"userId": f"u{number}", "timestamp": f"2026-03-02T09:0{number}:00.000Z"}
        address = {"email": f"u{number}@shop.example"}
        events.append(who | {"type": "identify", "messageId": f"i{number}", "traits": address})
        said = {"event": "Product Added", "messageId": f"a{number}", "properties": {"cart_id": f"c{number}"}}
        events.append(who | {"type": "track"} | said)
    catalog = compiled(plain)
    _, summary = simulate(catalog, write(tmp_path / "events.jsonl", events), processes=2)
    assert summary["sends"] == {"email": 2} and summary["held"] == {"budget.few": 3}


def test_the_ids_of_a_simulation_are_fixed():
    assert shop().id_key == FIXED_KEY != ID_KEY


@pytest.mark.parametrize("group_inputs", [None, 1])
def test_schedules_and_dates_come_round_until_the_end_of_the_whole_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group_inputs: int | None
):
    if group_inputs:
        monkeypatch.setattr(running, "SHORT_INPUTS", 0)
        monkeypatch.setattr(sorting, "GROUP_INPUTS", group_inputs)
    steps = [{"wait": {"for": "3d"}}, {"send": {"action": "cart_reminder", "channel": "email"}}]
    begins = {"daily": {"schedule": {"cron": "0 9 * * *"}}, "birthday": {"date": {"trait": "born", "yearly": True}}}
    journeys = [
        {"id": name, "tier": "promotional", "trigger": trigger, "re_entry": {"concurrent": 9}, "steps": steps}
        for name, trigger in begins.items()
    ]
    catalog = compiled(document(actions=[action("cart_reminder")], journeys=journeys, consent=CONSENT))
    events: list[dict[str, Any]] = []
    for number in range(3):
        traits = {"email": f"u{number}@shop.example", "born": f"1990-03-0{number + 4}"}
        who = {"userId": f"u{number}", "timestamp": f"2026-03-02T08:0{number}:00.000Z"}
        events.append(who | {"type": "identify", "messageId": f"i{number}", "traits": traits})
    last = {"userId": "u0", "timestamp": "2026-03-12T12:00:00.000Z", "messageId": "last"}
    source = write(tmp_path / "events.jsonl", [*events, last | {"type": "track", "event": "Seen"}])
    lines, summary = simulate(catalog, source)
    assert summary["sends"] == {"email": 3 * 12}
    assert (lines, summary) == in_one_engine(catalog, source, shards=2)
