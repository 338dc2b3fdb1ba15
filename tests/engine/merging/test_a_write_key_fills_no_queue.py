"""What write keys cause in the review queue is bounded, folded, behind what others have caused, and says its source."""

from __future__ import annotations

from typing import Any

import pytest
from support.letters import SHOP
from support.world import World

from actors.shard.matching import reviews
from engine.inputs import Reviewed
from engine.readings import review_words


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(reviews, "OF_A_WRITE_KEY_MAX", 6)
    return World(SHOP, shards=2)


def seen(world: World, user: str, device: str, **fields: Any) -> None:
    who = world.customer(user, anonymous=device)
    who.does("Seen", **fields)
    world.advance(minutes=1)


def shared(world: World, device: str, *, owner: str = "", source: str = "web", public: bool = True) -> None:
    """A device of a visitor, of whom it is, and of somebody else."""
    for user in ("", owner or f"{device} one", f"{device} two"):
        seen(world, user, device, public=public, source=source)


def queue(world: World) -> list[tuple[str, bool, str]]:
    rows = [row for windows in world.engine.windows for row in reviews.listed(windows.shard, "", 1_000)]
    return [(row["source"], row["public"], row["kind"]) for row in rows]


def test_many_devices_of_one_write_key_fill_no_queue(world: World):
    for number in range(20):
        shared(world, f"tablet-{number}")
    assert len([row for row in queue(world) if row[:2] == ("web", True)]) == 12, "six in each shard"
    for number in range(4):
        shared(world, f"app-{number}", source="app")
    shared(world, "till", source="shop", public=False)
    found = queue(world)
    assert {source for source, *_ in found} == {"web", "app", "shop"}
    assert ("shop", False, "shared") in found, "a trusted word is asked about"
    assert all(world.customer(f"tablet-{number} one").profile.shared for number in range(20)), "and shared they are"


def test_those_of_others_stand_first(world: World):
    shared(world, "till", source="shop", public=False)
    for number in range(4):
        shared(world, f"tablet-{number}")
    for windows in world.engine.windows:
        publics = [row["public"] for row in reviews.listed(windows.shard, "", 1_000)]
        assert publics == sorted(publics)


def test_one_profile_has_one_entry_of_each_kind_by_a_write_key(world: World):
    for number in range(8):
        shared(world, f"tablet-{number}", owner="ada")
    ada = world.customer("ada")
    assert [(entry.kind, entry.source, entry.public) for entry in ada.questions] == [
        ("shared", "web", True),
        ("split", "web", True),
    ]
    assert len(ada.profile.reviewed) == 2


def test_an_answer_makes_room(world: World):
    for number in range(20):
        shared(world, f"tablet-{number}")
    (full, *_) = [windows.shard for windows in world.engine.windows]
    for row in reviews.listed(full, "", 1_000):
        told = Reviewed(entry=review_words.entry(row), accepted=False, by="operator")
        world.engine.ask_profile(row["profile"], told)
    before = len(queue(world))
    for number in range(20, 40):
        shared(world, f"tablet-{number}")
    assert len(queue(world)) == before + 6
