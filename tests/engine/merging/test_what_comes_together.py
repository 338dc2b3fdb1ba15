"""What two profiles have when they have become one, field by field."""

from __future__ import annotations

import pytest
from support.world import HOUR, YES_TO_MAIL, Customer, World, action, cart_journey, document

WEEKLY = {"id": "weekly", "limit": 3, "per": "7d", "match": {"channel": "email"}}
TWICE = cart_journey(
    steps=[
        {"wait": {"for": "1h", "reset_on": ["Cart Opened"]}},
        {"send": {"action": "cart_reminder", "channel": "email", "on_held": "continue"}},
        {"wait": {"for": "1d"}},
        {"send": {"action": "cart_reminder", "channel": "email"}},
    ]
)
SHOP = document(
    actions=[action("cart_reminder", variants=[
        {"id": name, "weight": 1, "email": {"subject": name, "template": "plain.html"}} for name in ("a", "b")
    ])],
    journeys=[TWICE],
    policies={
        "caps": [WEEKLY],
        "holdouts": [{"id": "quiet", "share": 0.5, "match": {"channel": "web"}}],
        "stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}],
    },
)  # fmt: skip


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return World(SHOP, shards=request.param)


def two(world: World) -> tuple[Customer, Customer]:
    """A user, and a card of a till that nobody knows to be hers."""
    ada, till = world.customer("ada@example.com", consents=YES_TO_MAIL), world.customer()
    tell = till.event
    till.event = lambda name, **fields: tell(name, **({"identifiers": (("loyalty_id", "4711"),)} | fields))  # type: ignore[method-assign]
    till._names = lambda: (("loyalty_id", "4711"),)  # type: ignore[method-assign]
    return ada, till


def join(world: World, ada: Customer) -> None:
    ada.does("Seen", identifiers=(("loyalty_id", "4711"),))
    world.settle()


def test_history_interleaves_by_the_time_of_its_events(world: World):
    ada, till = two(world)
    for number, who in enumerate([ada, till, ada, till]):
        who.does(f"Step {number}")
        world.advance(minutes=1)
    join(world, ada)
    assert [event.name for event in ada.profile.history if "Step" in event.name] == [f"Step {n}" for n in range(4)]


def test_of_two_runs_of_one_key_the_one_that_has_come_furthest_stays_with_its_timer(world: World):
    ada, till = two(world)
    till.consents("marketing", "email", True)
    ada.does("Product Added", cart_id="c")
    world.advance(ms=HOUR + 60_000)
    till.does("Product Added", cart_id="c")
    till.does("Product Added", cart_id="another")
    join(world, ada)
    active = {run.key: run for run in ada.profile.runs if run.state == "active"}
    assert set(active) == {"c", "another"} and active["c"].position == 2, "the one after the first message"
    assert [run.ended_by for run in ada.profile.runs if run.state != "active"] == ["merge.duplicate"]
    assert len(ada.pending_timers) == 2, "one timer for each key"
    assert len(world.mailbox) == 1


def test_the_younger_run_stays_where_it_has_come_further(world: World):
    ada, till = two(world)
    till.consents("marketing", "email", True)
    ada.does("Product Added", cart_id="c")
    world.advance(minutes=10)
    till.does("Product Added", cart_id="c")
    world.advance(minutes=40)
    ada.does("Cart Opened", cart_id="c")  # she waits anew
    world.advance(minutes=25)
    join(world, ada)
    (left,) = [run for run in ada.profile.runs if run.state == "active"]
    assert left.position == 2 and left.id == max(ada.profile.runs, key=lambda run: run.entered_ms).id
    assert ada.pending_timers == ["abandoned_cart"]


def test_what_was_sent_on_both_sides_adds_up_under_the_caps(world: World):
    ada, till = two(world)
    till.consents("marketing", "email", True)
    till.does("Identified", kind="identify", traits={"email": "till@example.com"},
              identifiers=(("loyalty_id", "4711"), ("email", "till@example.com")))  # fmt: skip
    for who in (ada, till):
        who.does("Product Added", cart_id=who.user or "till")
    world.advance(hours=2)
    assert len(world.mailbox) == 2
    join(world, ada)
    (cap,) = ada.shown["caps"]
    assert cap["left"] == 1


def test_of_two_words_about_consent_the_strictest_counts(world: World):
    ada, till = two(world)
    till.consents("marketing", "email", False)
    world.advance(minutes=1)
    ada.consents("marketing", "email", True)
    join(world, ada)
    ada.does("Product Added", cart_id="c")
    world.advance(days=1)
    assert world.mailbox == []


def test_stops_unite(world: World):
    ada, till = two(world)
    ada.does("Product Added", cart_id="c")
    world.advance(minutes=1)
    till.does("Order Completed")
    join(world, ada)
    assert ada.run("abandoned_cart").ended_by == "stop.purchase" and ada.pending_timers == []


def test_variants_and_sides_of_holdouts_keep_the_earlier_draw(world: World):
    ada, till = two(world)
    for who in (till, ada):
        who.does("Product Added", cart_id="c")
        world.advance(minutes=1)
    ada.profile.drawn.clear()
    till.consents("marketing", "email", True)
    till.does("Identified", kind="identify", traits={"email": "till@example.com"},
              identifiers=(("loyalty_id", "4711"), ("email", "till@example.com")))  # fmt: skip
    world.advance(hours=2)
    first = dict(till.profile.drawn)
    earlier = {name: drawn for name, drawn in first.items() if drawn.at_ms <= ada.profile.drawn[name].at_ms}
    join(world, ada)
    assert earlier and {name: ada.profile.drawn[name] for name in earlier} == earlier
