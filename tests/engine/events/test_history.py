"""A history is bounded in memory and loses nothing: what conditions, stops and people ask of it does not change."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.world import DAY, HOUR, START_MS, YES_TO_MAIL, World, action, cart_journey, compiled, document

from engine import codec
from engine.catalog.compiled import Catalog
from engine.conditions import event_atoms
from engine.conditions.predicates import build
from engine.decide.questions import Questions
from engine.effects import Page
from engine.events import history
from engine.profile import Profile
from engine.recent_events import Happened
from engine.turn_state import Turn
from engine.view import View

NAMES, CATEGORIES = ("Seen", "Bought"), ("bags", "shoes")


def _event(name: str, **body: Any) -> dict[str, Any]:
    return {"event": {"name": name, **body}}


CONDITIONS = [
    _event("Seen"),
    _event("Seen", count={"at_least": 3}, within="2d"),
    _event("Seen", count={"at_most": 2}),
    _event("Seen", count={"at_least": 2, "at_most": 40}, within="9d", where={"category": "bags"}),
    _event("Bought", where={"category": "$action.category"}),
    _event("Bought", count={"at_least": 2}, within="3d", where={"category": {"not": "$action.category"}}),
    _event("Seen", count={"at_least": 20}, within="9d"),
    _event("Bought", count={"at_most": 15}, within="9d", where={"category": "bags"}),
    {"all": [{"not": _event("Bought", within="1d")}, {"any": [_event("Seen", within="12h"), _event("Bought")]}]},
]


def _catalog(conditions: list[dict[str, Any]]) -> Catalog:
    made = [
        action(f"a{number}", channels=["web"], eligible=condition, **category)
        for number, condition in enumerate(conditions)
        for category in ({"category": CATEGORIES[number % 2]},)
    ]
    none = action("none", channels=["web"], eligible=CONDITIONS[4])
    return compiled(document(actions=[*made, none], policies={"stops": [{"id": "purchase", "on": "Order Completed"}]}))


CATALOG = _catalog([condition for condition in CONDITIONS for _ in CATEGORIES])
OTHER = _catalog(CONDITIONS[:2])
HAPPENED = st.tuples(st.sampled_from(NAMES), st.sampled_from(CATEGORIES), st.integers(-3 * HOUR, 5 * HOUR))
PAST = st.lists(HAPPENED, min_size=90, max_size=200)


def _live(profile: Profile, past: list[tuple[str, str, int]], catalog: Catalog) -> list[Happened]:
    """Tell a profile its past; returns what left it in pages."""
    left, now_ms = [], START_MS
    for seq, (name, category, pause_ms) in enumerate(past):
        now_ms += abs(pause_ms)
        turn = Turn(profile, catalog, now_ms)
        turn.remember(Happened(now_ms + min(pause_ms, 0) * 5, seq, name, {"category": category}))
        history.spill(turn)
        left += [event for effect in turn.effects if isinstance(effect, Page) for event in effect.events]
    return left


def _answers(profile: Profile, catalog: Catalog, now_ms: int) -> list[bool]:
    answers = []
    for each in catalog.actions.values():
        view = View(profile, catalog, now_ms)
        answers.append(all(build(part)(view) for part in each.eligible))
        together = Questions.of((part, 1) for part in each.eligible)
        assert answers[-1] == (not together.refusing(view, 1))
    return answers


@settings(max_examples=25, deadline=None)
@given(PAST)
def test_every_condition_answers_as_if_the_whole_past_were_in_memory(past: list[tuple[str, str, int]]):
    profile, whole = Profile("p"), Profile("p")
    left = _live(profile, past, CATALOG)
    whole.history = sorted([*left, *profile.history], key=lambda event: (event.at_ms, event.seq))
    assert len(whole.history) == len(past)
    assert len(profile.history) <= history.RECENT_MAX and profile.spilled == len(left)
    end_ms = max((event.at_ms for event in whole.history), default=START_MS)
    for now_ms in (end_ms + 1, end_ms + DAY, end_ms + 8 * DAY):
        assert _answers(profile, CATALOG, now_ms) == _answers(whole, CATALOG, now_ms)
    other = codec.decode_record(codec.encode_record(profile))
    assert isinstance(other, Profile)
    history.recount(other, OTHER, left)
    assert _answers(other, OTHER, end_ms + HOUR) == _answers(whole, OTHER, end_ms + HOUR)
    history.recount(other, CATALOG, left)
    assert (other.tallies, other.spilled) == (profile.tallies, profile.spilled)


def test_the_memory_of_a_long_life_is_bounded():
    profile = Profile("p")
    _live(profile, [("Seen", "bags", HOUR)] * 5_000, CATALOG)
    assert len(profile.history) <= history.RECENT_MAX
    assert max(map(len, profile.tallies.values())) <= 41


def test_a_condition_keeps_its_answer_under_a_new_catalog_after_a_restart():
    def files(least: int) -> dict[str, Any]:
        loyal = {"event": {"name": "Seen", "count": {"at_least": least}}}
        return document(actions=[action("offer", channels=["web"], placements=["home_hero"], eligible=loyal)])

    from actors.storage.memory_store import MemoryStore

    stores: list[Any] = [MemoryStore()]
    world = World(files(10), stores=stores)
    ada = world.customer("ada")
    for _ in range(150):
        ada.does("Seen")
    assert ada.profile.spilled >= 64
    assert len(ada.decides()["actions"]) == 1
    for least, shown in ((150, 1), (151, 0), (10, 1)):
        again = World(files(least), stores=stores)
        again.now_ms = world.now_ms
        assert len(again.customer("ada").decides()["actions"]) == shown, least


def test_a_late_cart_is_not_entered_when_the_purchase_after_it_lies_many_events_back():
    world = World()
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    cart_ms = world.now_ms
    world.advance(hours=1)
    ada.does("Order Completed")
    for _ in range(200):
        ada.does("Page Viewed")
    ada.does("Product Added", cart_id="c", at_ms=cart_ms)
    assert ada.profile.runs == []


@pytest.mark.parametrize("shards", [1, 3])
def test_a_merge_brings_the_whole_past_along(shards: int):
    files = document(
        actions=[
            action(
                "offer", channels=["web"], placements=["home_hero"], eligible=_event("Seen", count={"at_least": 240})
            )
        ],
        journeys=[cart_journey(steps=[{"wait": {"for": "1h"}}])],
    )
    world = World(files, shards=shards)
    visitor, ada = world.customer(anonymous="laptop"), world.customer("ada")
    for number in range(120):
        visitor.does("Seen", number=number)
        ada.does("Seen", number=1_000 + number)
    assert ada.decides()["actions"] == []
    world.customer("ada", anonymous="laptop").does("Page Viewed")
    world.settle()
    assert len(ada.decides()["actions"]) == 1
    shard = world.engine.shard(ada.id)
    events = [*shard.older(ada.id), *ada.profile.history]
    seen = sorted(event.properties["number"] for event in events if event.name == "Seen")
    assert seen == [*range(120), *range(1_000, 1_120)]
    assert ada.profile.ledger[0].events == 120


@pytest.mark.parametrize(("where", "is_new"), [({"kind": "a"}, False), ({"kind": {"not": "a"}}, True)])
def test_what_was_counted_by_other_rules_is_counted_anew(
    where: dict[str, Any], is_new: bool, monkeypatch: pytest.MonkeyPatch
):
    """Tests that only compare with a text mean what they always meant: nobody's pages are read for those."""

    def name() -> str:
        gc.collect()  # equal conditions are one as long as a catalog holds them
        asked = action("a", eligible=_event("Ruled", where=where))
        return history.counters_of(compiled(document(actions=[asked]))).name

    now = name()
    monkeypatch.setattr(event_atoms, "RULES", event_atoms.RULES - 1)
    assert (name() != now) is is_new
