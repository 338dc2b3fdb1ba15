"""A stop of a tier covers the runs of that tier and its sends, in whatever journey they are."""

from __future__ import annotations

from typing import Any

import pytest
from support.told import Told
from support.world import YES_TO_MAIL, Customer, World, action, document

from actors.maintenance import verify_replay
from engine.catalog.compile import examined

STOP = {"id": "purchase", "on": "Order Completed", "tier": "promotional"}
CAP = {"id": "one", "limit": 1, "per": "7d", "match": {"action": "offer"}}
BUDGET = {"id": "few", "limit": 10, "block": 10, "match": {"action": "offer"}}


def mail(name: str, **options: Any) -> dict[str, Any]:
    return {"send": {"action": name, "channel": "email", **options}}


def way(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A lifecycle journey that a sign-up starts."""
    return {"id": "way", "tier": "lifecycle", "trigger": {"event": "Signed Up"}, "steps": list(steps), **changes}


def shop(*journeys: dict[str, Any], offer: dict[str, Any] | None = None, **policies: Any) -> dict[str, Any]:
    actions = [action("offer", **(offer or {})), action("hello", tier="lifecycle")]
    return document(actions=actions, journeys=list(journeys), policies={"stops": [STOP], "caps": [CAP], **policies})


def ada_in(world: World) -> Customer:
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    ada.does("Signed Up")
    return ada


def rebuilt(who: Customer) -> list[Any]:
    shard = who.world.engine.shard(who.id)
    shard.commit()
    return list(verify_replay.differences(shard.batch, who.id, who.profile, shard.catalogs))


def test_a_promotional_send_of_a_lifecycle_journey_is_withdrawn_by_a_purchase_and_gives_its_places_back():
    world = World(shop(way(mail("hello"), mail("offer"), {"wait": {"for": "1h"}}), budgets=[BUDGET]))
    ada = ada_in(world)
    ada.does("Order Completed")
    world.settle()
    assert ada.sends == ["hello"]
    assert ada.outcomes("withdrawn") == [("offer", "stop.purchase")]
    assert [cap["left"] for cap in ada.shown["caps"]] == [1]
    assert world.engine.shard(ada.id).leases.tokens() == {"few": 10}
    assert ada.run("way").state == "active"
    assert rebuilt(ada) == []


@pytest.mark.parametrize("on_held", ["continue", "wait", "exit"])
def test_what_the_run_comes_to_after_the_purchase_is_held_for_good(on_held: str):
    world = World(shop(way({"wait": {"for": "1h"}}, mail("offer", on_held=on_held), mail("hello"))))
    ada = ada_in(world)
    ada.does("Order Completed")
    world.advance(days=2)
    assert ada.outcomes("held") == [("offer", "stop.purchase")]
    assert ada.sends == (["hello"] if on_held != "exit" else [])
    assert ada.run("way").ended_by == ("end" if on_held != "exit" else "stop.purchase")


def test_a_send_that_waits_for_its_reason_to_change_waits_no_more_after_the_purchase():
    world = World(shop(way(mail("offer", on_held="wait"), mail("hello"))))
    ada = world.customer("ada@example.com")
    ada.does("Signed Up")
    world.advance(days=1)
    ada.consents("marketing", "email", False)
    ada.does("Order Completed")
    assert ada.outcomes("held")[:2] == [("offer", "consent.marketing.email"), ("offer", "stop.purchase")]
    ada.consents("marketing", "email", True)
    world.advance(days=2)
    assert "offer" not in ada.sends


@pytest.mark.parametrize("what", ["journey", "action"])
def test_a_send_that_a_pause_keeps_back_is_covered(what: str):
    files = shop(way(mail("offer"), {"wait": {"for": "9d"}}))
    paused = {
        "journey": shop(way(mail("offer"), {"wait": {"for": "9d"}}, status="paused")),
        "action": shop(way(mail("offer"), {"wait": {"for": "9d"}}), offer={"status": "paused"}),
    }[what]
    world = Told(files)
    ada = ada_in(world)
    world.takes(paused)
    world.advance(hours=1)
    assert ada.sends == []
    ada.does("Order Completed")
    world.takes(files)
    world.advance(hours=1)
    assert ada.sends == [] and ada.outcomes("withdrawn") == [("offer", "stop.purchase")]


def test_a_send_that_comes_back_from_its_hand_over_meets_the_purchase():
    world = World(shop(way(mail("offer"))))
    world.provider_says = "retry"
    ada = ada_in(world)
    world.settle()
    ada.does("Order Completed")
    world.provider_says = "sent"
    world.advance(days=1)
    assert ada.sends == [] and ada.outcomes("withdrawn") == [("offer", "stop.purchase")]


def test_a_purchase_of_a_profile_that_is_linked_later_covers_it_too():
    world = World(shop(way(mail("offer"), {"wait": {"for": "9d"}}, mail("offer"))), shards=2)
    world.provider_says = "retry"
    ada = ada_in(world)
    world.customer(anonymous="till").does("Order Completed", at_ms=world.now_ms + 1_000)
    world.advance(minutes=1)
    world.customer("ada@example.com", anonymous="till").does("Page Viewed")
    world.settle()
    world.provider_says = "sent"
    world.drain()
    assert ada.sends == []
    assert ada.outcomes("withdrawn") == [("offer", "stop.purchase")]
    assert ada.outcomes("held") == [("offer", "stop.purchase")]


def test_who_signs_up_after_the_purchase_gets_it_and_so_does_whom_a_purchase_brings():
    thanks = way(mail("offer"), id="thanks", trigger={"event": "Order Completed"})
    for journeys, events in (
        ((way(mail("offer")),), ("Order Completed", "Signed Up")),
        ((thanks,), ("Order Completed",)),
    ):
        world = World(shop(*journeys))
        ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
        for name in events:
            ada.does(name)
        world.advance(hours=1)
        assert ada.sends == ["offer"]


def test_an_action_that_became_promotional_is_stopped_as_such():
    steps = ({"wait": {"for": "1h"}}, mail("offer"))
    world = Told(shop(way(*steps), offer={"tier": "lifecycle"}))
    ada = ada_in(world)
    ada.does("Order Completed")
    world.takes(shop(way(*steps)))
    world.advance(hours=2)
    assert ada.sends == [] and ada.outcomes("held") == [("offer", "stop.purchase")]


@pytest.mark.parametrize(
    ("tier", "stops", "told"),
    [
        (
            "lifecycle",
            [STOP],
            "offer is promotional, and its journey is lifecycle: the stop purchase withdraws this send, and the "
            "journey goes on without it",
        ),
        ("promotional", [STOP], ""),
        ("lifecycle", [{"id": "moved", "on": "Moved"}], ""),
        (
            "service",
            [STOP, {"id": "b", "on": "B", "tier": "promotional"}, {"id": "c", "on": "C", "tier": "service"}],
            "offer is promotional, and its journey is service: the stops purchase, b withdraw this send, and the "
            "journey goes on without it; the stop c withdraws it with the journey, though a stop of that tier is not "
            "about promotional",
        ),
    ],
)
def test_validate_says_which_actions_lie_outside_the_stops_of_their_journeys_tier(
    tier: str, stops: list[dict[str, Any]], told: str
):
    branch = {"branch": [{"when": {"trait": {"name": "x"}}, "steps": [mail("offer")]}]}
    warnings = examined(shop(way(branch, tier=tier), stops=stops)).warnings()
    found = [str(warning) for warning in warnings if "its journey is" in warning.message]
    where = "journeys/way.yaml: steps[1].branch[1].steps[1].send.action"
    assert found == ([f"{where}: {told}"] if told else [])
