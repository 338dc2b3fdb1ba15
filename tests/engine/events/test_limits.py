"""What a client can make grow in one profile is bounded: more is refused by name, and all else in the event counts."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import CART, DAY, HOUR, Customer, World, action, cart_journey, document

from engine import codec, limits
from engine.audit import Entry

KB = 1 << 10


@pytest.fixture
def world() -> World:
    return World(CART)


def refusals(who: Customer, reason: str) -> list[Entry]:
    """What was refused, by its reason."""
    return [entry for entry in who.timeline if entry.reason == reason]


def state_bytes(who: Customer) -> int:
    return len(codec.canonical(who.profile))


def test_traits_beyond_their_number_are_refused_by_name_and_the_known_ones_still_change(world: World):
    ada = world.customer("ada")
    ada.identifies(**{f"t{number:03}": number for number in range(limits.TRAITS_MAX)})
    ada.identifies(t000="new", extra="one too many")
    assert ada.profile.trait_values["t000"] == "new"
    assert len(ada.profile.traits) == limits.TRAITS_MAX and "extra" not in ada.profile.traits
    (entry,) = refusals(ada, "limit.traits")
    assert (entry.kind, entry.outcome) == ("event", "refused")
    assert "extra" in entry.summary and entry.detail["traits"] == ["extra"]


def test_a_trait_that_is_too_large_is_refused_by_name_and_its_old_value_stays(world: World):
    ada = world.customer("ada")
    ada.identifies(plan="free", city="Ghent")
    ada.identifies(plan="x" * (limits.TRAIT_BYTES_MAX + 1), city="Bruges")
    assert ada.profile.trait_values == {"plan": "free", "city": "Bruges"}
    assert [entry.detail["traits"] for entry in refusals(ada, "limit.trait_bytes")] == [["plan"]]


def test_a_day_of_large_traits_does_not_make_a_profile_huge(world: World):
    ada = world.customer("ada")
    for number in range(1_440):
        ada.identifies(**{f"t{number}": "x" * 31_000})
    assert state_bytes(ada) < 300 * KB
    assert len(refusals(ada, "limit.traits_bytes")) == 1_440 - len(ada.profile.traits)
    ada.identifies(city="Ghent")
    assert ada.profile.trait_values["city"] == "Ghent", "there is still room for what is small"


def test_a_purchase_with_too_many_traits_still_stops_and_an_opt_out_still_counts(world: World):
    ada = world.customer("ada@example.com", consents=("marketing:email",))
    ada.does("Product Added", cart_id="c")
    ada.does("Order Completed", traits={"big": "x" * (limits.TRAIT_BYTES_MAX + 1)})
    assert ada.run("abandoned_cart").ended_by == "stop.purchase"
    no = {"purpose": "marketing", "channel": "email", "granted": False}
    ada.does("Consent Updated", traits={"big": "x" * (limits.TRAIT_BYTES_MAX + 1)}, properties=no)
    assert [record.granted for record in ada.profile.consent] == [False]
    assert len(refusals(ada, "limit.trait_bytes")) == 2


def test_a_merge_does_not_go_beyond_the_bounds_and_names_what_it_leaves(world: World):
    visitor, ada = world.customer(anonymous="laptop"), world.customer("ada")
    visitor.identifies(**{f"v{number}": number for number in range(300)})
    world.advance(minutes=1)
    visitor.identifies(newest=1)
    ada.identifies(**{f"a{number}": number for number in range(300)})
    world.customer("ada", anonymous="laptop").does("Page Viewed")
    world.settle()
    assert visitor.id == ada.id
    assert len(ada.profile.traits) == limits.TRAITS_MAX
    assert ada.profile.trait_values["newest"] == 1
    assert {f"a{number}" for number in range(300)} <= ada.profile.traits.keys()
    (entry,) = refusals(ada, "limit.traits")
    assert len(entry.detail["traits"]) == 101 and entry.kind == "merge"


def test_identifiers_and_their_places_beyond_the_bound_are_refused_by_name(world: World):
    ada = world.customer("ada")
    for number in range(limits.IDENTIFIERS_MAX + 2):
        ada.does("Page Viewed", identifiers=(("device_id", f"d{number}"),))
    assert len(ada.profile.identifiers) == limits.IDENTIFIERS_MAX
    assert len(ada.profile.held) < limits.IDENTIFIERS_MAX
    assert [entry.detail["identifiers"] for entry in refusals(ada, "limit.identifiers")] == [
        [f"device_id:d{limits.IDENTIFIERS_MAX - 1}"],
        [f"device_id:d{limits.IDENTIFIERS_MAX}"],
        [f"device_id:d{limits.IDENTIFIERS_MAX + 1}"],
    ]


def test_aliases_beyond_the_bound_are_refused_by_name(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "POINTERS_MAX", 10)
    ada = world.customer("ada")
    for number in range(12):
        ada.does("Aliased", kind="alias", previous_id=f"old{number}")
    world.settle()
    assert len(ada.profile.held) <= 10
    refused = [entry.detail["identifiers"] for entry in refusals(ada, "limit.pointers")]
    assert refused == [[f"previousId:old{number}"] for number in range(5, 12)]


def test_runs_beyond_the_bound_are_not_entered_and_said(world: World):
    ada = world.customer("ada")
    for number in range(limits.RUNS_MAX + 2):
        ada.does("Product Added", cart_id=f"c{number}")
    assert len(ada.profile.runs) == limits.RUNS_MAX
    assert [entry.outcome for entry in refusals(ada, "limit.runs")] == ["not_entered"] * 2
    ada.does("Order Completed")
    assert {run.ended_by for run in ada.profile.runs} == {"stop.purchase"}
    ada.does("Product Added", cart_id="again")
    assert ada.run("abandoned_cart").key == "again"


def test_large_triggers_are_bounded_together_and_ended_runs_make_room(world: World):
    ada = world.customer("ada")
    for number in range(20):
        ada.does("Product Added", cart_id=f"c{number}", note="x" * 30_000)
    entered = len(ada.profile.runs)
    assert 5 <= entered < 10 and len(refusals(ada, "limit.runs")) == 20 - entered
    ada.does("Order Completed")
    ada.does("Product Added", cart_id="again", note="x" * 30_000)
    assert ada.run("abandoned_cart").state == "active"
    assert state_bytes(ada) < 1_000 * KB


@pytest.mark.parametrize("name", ["Page Viewed", "Order Completed"])
def test_large_recent_events_leave_for_pages_and_still_count(world: World, name: str):
    ada = world.customer("ada")
    for number in range(100):
        ada.does(name, number=number, note="x" * 30_000)
    assert state_bytes(ada) < 600 * KB
    shard = world.engine.shard(ada.id)
    numbers = [e.properties["number"] for e in [*shard.older(ada.id), *ada.profile.history] if e.name == name]
    assert numbers == list(range(100))
    assert ada.profile.history[-1].properties["number"] == 99


def test_a_purchase_that_was_large_still_stops_what_comes_late(world: World):
    ada = world.customer("ada")
    ada.does("Order Completed", note="x" * 31_000)
    for _ in range(30):
        ada.does("Page Viewed", note="x" * 31_000)
    ada.does("Product Added", at_ms=world.now_ms - 1_000, cart_id="c")
    assert ada.profile.runs == []


def test_places_that_no_cap_counts_do_not_pile_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "PLACES_MAX", 20)
    caps: dict[str, Any] = {"caps": [{"id": "weekly", "limit": 5, "per": "7d", "match": {"channel": "email"}}]}
    text = cart_journey(steps=[{"send": {"action": "text", "channel": "sms"}}])
    mail = cart_journey(
        id="m", trigger={"event": "Mail"}, steps=[{"send": {"action": "cart_reminder", "channel": "email"}}]
    )
    actions = [action("cart_reminder", purpose="service"), action("text", purpose="service", channels=["sms"])]
    world = World(document(actions=actions, journeys=[text, mail], policies=caps))
    ada = world.customer("ada@example.com")
    for number in range(5):
        ada.does("Mail", cart_id=f"m{number}")
    for number in range(60):
        ada.does("Product Added", cart_id=f"c{number}")
        world.advance(minutes=1)
    assert len(ada.profile.places) <= 21
    assert len([place for place in ada.profile.places if place.channel == "email"]) == 5
    ada.does("Mail", cart_id="one more")
    assert ada.outcomes("held") == [("cart_reminder", "cap.weekly")]
    world.advance(DAY * 8 + HOUR)
    ada.does("Mail", cart_id="a week later")
    world.advance(minutes=1)
    assert ada.sends.count("cart_reminder") == 6
