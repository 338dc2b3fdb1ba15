"""What became of a shown action counts once per token and kind, whoever repeats it, whenever, and wherever it lives."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.world import DAY, Customer, World, action, document

from actors.replay_clock.in_process import LocalEngine
from actors.storage.memory_store import MemoryStore
from engine.vocabulary import ExposureEvent

KINDS: tuple[ExposureEvent, ...] = ("viewed", "clicked", "dismissed", "converted")
AGAIN = {"recorded": False, "reason": "repeated"}
TOO_LATE = {"recorded": False, "reason": "token_expired"}


def shop(stores: list[Any] | None = None, **policies: Any) -> World:
    """One web action that tires, in a world of its own."""
    shoes = action("shoes", channels=["web"], placements=["home_hero"], purpose="service", category="shoes")
    fatigue = {"half_life": "1d", "seen": 0.2, "dismissed": 0.3, "clicked": 0.1, "silence_at": 0.75}
    return World(document(actions=[shoes], policies={"fatigue": fatigue} | policies), stores=stores)


def exposures(who: Customer) -> list[str]:
    return [entry.outcome for entry in who.timeline if entry.kind == "exposure"]


def test_a_display_that_is_told_four_times_counts_once():
    ada = shop().customer("ada")
    shown = ada.decides()["actions"][0]
    answers = [ada.sees(shown) for _ in range(4)]
    assert answers == [{"recorded": "viewed", "reason": ""}, AGAIN, AGAIN, AGAIN]
    assert ada.shown["fatigue"] == {"shoes": 0.2} and exposures(ada) == ["viewed"]
    assert [shown["actionId"] for shown in ada.decides()["actions"]] == ["shoes"], "nobody was silenced"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_counts_once_per_token_at_whatever_time_it_is_told_to_have_happened(kind: ExposureEvent):
    world = shop()
    ada = world.customer("ada")
    ada.does("Page Viewed")
    shown = ada.decides()["actions"][0]
    ada.sees(shown, kind)
    level = ada.shown["fatigue"]
    for at_ms in (0, world.now_ms - 1, shown["expiresAt"], shown["expiresAt"] + DAY):
        assert ada.sees(shown, kind, at_ms=at_ms) == AGAIN
    assert ada.shown["fatigue"] == level and exposures(ada) == [kind]
    for other in KINDS:
        if other != kind:
            assert ada.sees(shown, other)["recorded"] == other
    assert sorted(exposures(ada)) == sorted(KINDS)


def test_two_tokens_are_two_displays_and_a_reload_that_costs_no_place_is_none():
    ada = shop().customer("ada")
    for _ in range(2):
        ada.sees(ada.decides()["actions"][0])
    assert exposures(ada) == ["viewed", "viewed"], "nothing counts this action, so each decision is one of its own"
    bob = shop(caps=[{"id": "three", "limit": 3, "per": "1d"}]).customer("bob")
    for _ in range(3):
        bob.sees(bob.decides()["actions"][0])
    assert exposures(bob) == ["viewed"] and len(bob.profile.places) == 1


def test_a_token_that_is_spelled_another_way_is_the_same_token():
    ada = shop().customer("ada")
    shown = ada.decides()["actions"][0]
    token: str = shown["trackingToken"]
    ada.sees(shown)
    for spelled in (token + "=" * (-len(token) % 4), f"{token[:9]}....{token[9:]}"):
        assert ada.sees(shown | {"trackingToken": spelled}) == AGAIN


def test_a_token_is_remembered_through_a_merge_and_a_restart():
    stores: list[Any] = [MemoryStore(), MemoryStore()]
    world = shop(stores)
    visitor = world.customer(anonymous="visitor")
    shown = visitor.decides()["actions"][0]
    visitor.sees(shown)
    visitor.sees(shown, "clicked")
    ada = world.customer("ada")
    ada.does("Page Viewed")
    world.customer("ada", anonymous="visitor").does("Signed In")
    world.settle()
    assert visitor.id == ada.id
    assert [ada.sees(shown), visitor.sees(shown, "clicked")] == [AGAIN, AGAIN]
    assert ada.sees(shown, "converted")["recorded"] == "converted"
    world.engine = LocalEngine(world.catalog, stores=stores)
    asyncio.run(world.engine.advance(world.now_ms))
    assert [ada.sees(shown, kind) for kind in ("viewed", "clicked", "converted")] == [AGAIN] * 3
    assert sorted(exposures(ada)) == ["clicked", "converted", "viewed"]


def test_a_view_that_comes_late_counts_by_its_own_time_and_only_once():
    world = shop(caps=[{"id": "one", "limit": 1, "per": "7d"}])
    ada = world.customer("ada")
    shown = ada.decides()["actions"][0]
    world.advance(days=2)
    assert ada.sees(shown, at_ms=shown["expiresAt"]) == {"recorded": "viewed", "reason": ""}
    world.advance(days=20)
    assert ada.sees(shown, at_ms=shown["expiresAt"]) == AGAIN


@pytest.mark.parametrize(("after_ms", "recorded"), [(30 * DAY, "viewed"), (30 * DAY + 1, False)])
def test_a_token_is_worth_nothing_a_month_after_its_end(after_ms: int, recorded: object):
    world = shop()
    ada = world.customer("ada")
    ada.does("Page Viewed")
    shown = ada.decides()["actions"][0]
    world.advance(shown["expiresAt"] + after_ms - world.now_ms)
    answer = ada.sees(shown, at_ms=shown["expiresAt"])
    assert answer["recorded"] == recorded
    if not recorded:
        assert answer == TOO_LATE and exposures(ada) == [] and ada.shown["fatigue"] == {}


def test_what_is_remembered_of_tokens_ends_with_what_they_are_worth():
    world = shop(workspace={"reserve": "3h"})
    ada = world.customer("ada")
    shard = world.engine.shard(ada.id) if ada.does("Page Viewed") else None
    assert shard is not None
    before = len(shard.records("seen", ada.id))
    shown = [ada.decides()["actions"][0] for _ in range(3)]
    for each in shown:
        ada.sees(each)
        ada.sees(each, "clicked")
    assert len(shard.records("seen", ada.id)) == before + 6
    world.advance(shown[0]["expiresAt"] + 30 * DAY - world.now_ms)
    _tidy(shard)
    assert len(shard.records("seen", ada.id)) == before + 6 and ada.sees(shown[0]) == AGAIN
    world.advance(days=2)
    _tidy(shard)
    assert len(shard.records("seen", ada.id)) == before
    assert ada.sees(shown[0]) == TOO_LATE
    assert len(shard.records("seen", ada.id)) == before, "what is worth nothing need not be remembered"


def _tidy(shard: Any) -> None:
    for _ in range(3):
        shard.retention.work()
        shard.commit()


def test_a_stranger_who_dismisses_twice_is_tired_once():
    stranger = shop().customer(anonymous="nobody yet")
    shown = stranger.decides()["actions"][0]
    assert stranger.sees(shown, "dismissed")["recorded"] == "dismissed"
    stranger.world.advance(minutes=5)
    assert stranger.sees(shown, "dismissed") == AGAIN
    assert stranger.shown["fatigue"] == {"shoes": pytest.approx(0.3, abs=0.01)}
