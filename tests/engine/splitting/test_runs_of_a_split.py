"""What a split gives back of journeys: each run with its branches, and nothing that the merge alone had begun."""

from __future__ import annotations

from typing import Any

import pytest
from support.matching import Guest
from support.splitting import differences, record, split
from support.world import START_MS, Customer, World, action, document

from engine.vocabulary import HOUR_MS

CARD = (("loyalty_id", "card"),)


def letter(name: str) -> dict[str, Any]:
    return {"send": {"action": name, "channel": "email"}}


def texts(after: dict[str, Any]) -> dict[str, Any]:
    """A journey that waits for `Go`, and then sends two texts side by side: one soon, one after `after`."""
    text = {"send": {"action": "text", "channel": "sms"}}
    arms = {"soon": [{"wait": {"for": "2h"}}, text], "late": [after, text]}
    steps = [{"wait_for": {"event": "Go", "timeout": "3d"}}, {"parallel": {"arms": arms}}]
    return document(
        actions=[action("text", purpose="service", channels=["sms"])],
        journeys=[{"id": "way", "tier": "service", "trigger": {"event": "Started"}, "steps": steps}],
    )


def left(world: World) -> list[tuple[str, str, int]]:
    """What has left: the action, its address, and after how many hours."""
    return [
        (str(sent["action"]["id"]), str(sent["address"]), (sent["at_ms"] - START_MS) // HOUR_MS)
        for sent in world.mailbox
    ]


def with_mail(world: World) -> tuple[Customer, Customer]:
    """A person, and a guest who is known by a card and an address of their own."""
    ada, guest = world.customer("ada@example.com"), Guest(world, "card")
    address = "guest@example.com"
    guest.does("Identified", kind="identify", traits={"email": address}, identifiers=(("email", address),))
    ada.does("Page Viewed")
    world.settle()
    return ada, guest


def join(world: World, ada: Customer, guest: Customer) -> None:
    ada.does("Page Viewed", identifiers=CARD)
    world.settle()
    assert ada.id == guest.id


def part(world: World, ada: Customer, guest: Customer) -> None:
    split(world, ada.id)
    world.settle()
    assert ada.id != guest.id


@pytest.mark.parametrize("since", [1, 3, 8, 30], ids=lambda hours: f"split {hours} h after the merge")
def test_a_run_comes_back_with_its_branches(since: int):
    """Ada has gone; the merge answers what the visitor's run waits for, so it takes two ways in that very turn."""
    world = World(texts({"wait": {"for": "6h"}}), shards=2)
    ada, visitor = world.customer("ada@example.com"), world.customer(anonymous="laptop")
    visitor.does("Started")
    world.advance(hours=1)
    ada.does("Go")
    world.customer("ada@example.com", anonymous="laptop").does("Page Viewed")
    world.settle()
    assert ada.id == visitor.id
    world.advance(hours=since)
    part(world, ada, visitor)
    if since == 1:  # neither branch has gone on, so the run waits as before
        assert [(run.position, run.branches) for run in visitor.profile.runs] == [(0, 0)]
        assert ada.profile.runs == []
    world.advance(days=20)
    hours = [at for _, _, at in left(world)]
    assert hours == ([3, 7] if since > 1 else [74, 78])
    assert [run.state for run in visitor.profile.runs] == ["completed"]
    assert differences(world) == []


def test_a_branch_that_has_come_to_its_end_does_not_come_back():
    """Both were there before the merge. It answers the late one, which sends, ends, and is forgotten at once."""
    world = World(texts({"wait_for": {"event": "More", "timeout": "9d"}}), shards=2)
    ada, visitor = world.customer("ada@example.com"), world.customer(anonymous="laptop")
    visitor.does("Started")
    visitor.does("Go")
    world.advance(minutes=1)
    ada.does("More")
    world.customer("ada@example.com", anonymous="laptop").does("Page Viewed")
    world.settle()
    assert ada.id == visitor.id
    assert len(left(world)) == 1  # the late one, which More has answered
    world.advance(hours=1)
    part(world, ada, visitor)
    world.advance(days=20)
    assert [at for _, _, at in left(world)] == [0, 2]


VIEWERS = {"viewers": {"event": {"name": "Product Viewed", "count": {"at_least": 2}, "within": "30d"}}}


def of_viewers(*steps: dict[str, Any]) -> dict[str, Any]:
    return document(
        actions=[action(name, purpose="service") for name in ("hello", "more", "goodbye")],
        journeys=[
            {"id": "enter", "tier": "service", "trigger": {"segment": {"id": "viewers"}}, "steps": [*steps]},
            {
                "id": "leave",
                "tier": "service",
                "trigger": {"segment": {"id": "viewers", "on": "exit"}},
                "steps": [letter("goodbye")],
            },
        ],
        segments={"segments": VIEWERS},
    )


@pytest.mark.parametrize("says", ["retry", "sent"])
@pytest.mark.parametrize("first", [[letter("hello")], [{"wait": {"for": "1h"}}]], ids=["a letter", "a wait"])
@pytest.mark.parametrize("since", [0, 2], ids=["at once", "after two hours"])
def test_a_run_that_the_merge_itself_began_ends_with_it(says: Any, first: list[dict[str, Any]], since: int):
    """Each has viewed once: only both together are viewers."""
    world = World(of_viewers(*first, {"wait": {"for": "1d"}}, letter("more")), shards=4)
    ada, guest = with_mail(world)
    ada.does("Product Viewed")
    guest.does("Product Viewed")
    world.settle()
    world.provider_says = says
    join(world, ada, guest)
    assert [run.journey for run in ada.profile.runs] == ["enter"]
    world.advance(hours=since)
    part(world, ada, guest)
    world.provider_says = "sent"
    world.advance(days=3)
    assert {name for name, _, _ in left(world)} <= {"hello"}
    runs = [*record(world, ada.id).runs, *record(world, guest.id).runs]
    assert [(run.state, run.ended_by) for run in runs] in ([], [("stopped", "split")])
    assert differences(world) == []


@pytest.mark.parametrize("viewer", ["ada", "guest"])
def test_with_nothing_in_between_nobody_enters_or_leaves_a_segment(viewer: str):
    world = World(of_viewers(letter("hello")), shards=4)
    ada, guest = with_mail(world)
    for _ in range(2):
        (ada if viewer == "ada" else guest).does("Product Viewed")
    world.settle()
    assert [name for name, _, _ in left(world)] == ["hello"]
    join(world, ada, guest)
    world.advance(minutes=5)
    part(world, ada, guest)
    assert [who.shown["segments"] for who in (ada, guest)] == [
        ["viewers"] * (viewer == name) for name in ("ada", "guest")
    ]
    world.advance(days=2)
    assert [name for name, _, _ in left(world)] == ["hello"]
    world.advance(days=40)
    assert [(name, who) for name, who, _ in left(world)][1:] == [("goodbye", f"{viewer}@example.com")]
    assert differences(world) == []


def test_what_both_as_one_have_entered_since_is_no_news_to_whom_it_is_of():
    world = World(of_viewers(letter("hello")), shards=4)
    ada, guest = with_mail(world)
    join(world, ada, guest)
    guest.does("Product Viewed")
    guest.does("Product Viewed")
    world.advance(hours=1)
    assert [name for name, _, _ in left(world)] == ["hello"]
    part(world, ada, guest)
    world.advance(days=1)
    assert guest.shown["segments"] == ["viewers"] and ada.shown["segments"] == []
    assert [name for name, _, _ in left(world)].count("hello") == 1


@pytest.mark.parametrize("hours", [10, 13, 15])
def test_each_meets_the_times_of_a_schedule_once_whenever_a_merge_comes_and_goes(hours: int):
    """Everybody has a moment of their own between twelve and four."""
    noon = {"schedule": {"cron": "0 12 * * *", "zone": "workspace", "spread": "4h"}}
    shop = document(
        actions=[action("noon", purpose="service")],
        journeys=[{"id": "daily", "tier": "service", "trigger": noon, "steps": [letter("noon")]}],
    )
    moments: list[list[tuple[str, str, int]]] = []
    for is_joined in (False, True):
        world = World(shop, shards=4)
        ada, guest = with_mail(world)
        world.advance(hours=hours)
        if is_joined:
            join(world, ada, guest)
            part(world, ada, guest)
        world.advance(hours=30 - hours)
        moments.append(left(world))
        assert differences(world) == []
    assert moments[0] == moments[1] and len(moments[0]) == 2
