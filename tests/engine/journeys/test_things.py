"""A price drop, back in stock: facts about things reach those who are interested in them, once each."""

from __future__ import annotations

from typing import Any

import pytest
from support.things import DROP, PRICE_DROPS, drop_journey, fact
from support.told import Told
from support.world import World, action, cart_journey, document

from actors.replay_clock.windows import Windows
from actors.shard.queries.queries import dump
from engine.inputs import Split
from engine.journeys.things import interests

SHOP = document(
    actions=[action("drop_mail"), action("cart_reminder")],
    journeys=[drop_journey(), cart_journey()],
    policies={"stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}]},
)


class Shop(World):
    """A world whose things have facts."""

    def fact(self, thing: str = "sku-1", event: str = "Price Dropped", *, name: str = "", **properties: Any) -> None:
        tell(self, thing, event, name=name, **properties)
        self.settle()


def tell(world: World, thing: str, event: str = "Price Dropped", *, name: str = "", **properties: Any) -> None:
    """Something happens to a product, now."""
    world.engine.take(fact(thing, event, name=name or world.message_id(), at_ms=world.now_ms, **properties))


def shopper(world: World, name: str) -> Any:
    return world.customer(f"{name}@shop.example", consents=("marketing:email",))


def rows(windows: Windows) -> list[tuple[bytes, bytes]]:
    windows.shard.commit()
    return windows.shard.scan("interests")


@pytest.fixture(params=[1, 3])
def shop(request: pytest.FixtureRequest) -> Shop:
    return Shop(SHOP, shards=request.param)


def test_a_price_drop_reaches_those_who_looked_at_the_product_and_nobody_else(shop: Shop):
    ada, bob, eve = (shopper(shop, name) for name in ("ada", "bob", "eve"))
    ada.does("Product Viewed", product_id="sku-1")
    bob.does("Product Viewed", product_id="sku-2")
    eve.does("Product Added", product_id="sku-1", cart_id="c1")
    shop.fact("sku-1", percent=15)
    assert ada.sends == ["drop_mail"]
    assert bob.sends == [] and eve.sends == []
    assert ada.run("price_drop").trigger["percent"] == 15
    assert not any(run.journey == "price_drop" for who in (bob, eve) for run in who.profile.runs)


def test_a_fact_that_fails_the_journeys_tests_reaches_nobody(shop: Shop):
    ada = shopper(shop, "ada")
    ada.does("Product Viewed", product_id="sku-1")
    shop.fact("sku-1", percent=5)
    shop.fact("sku-1", event="Back In Stock", percent=50)
    assert ada.sends == []


def test_a_fact_that_is_told_again_changes_nothing(shop: Shop):
    ada = shopper(shop, "ada")
    ada.does("Product Viewed", product_id="sku-1")
    for _ in range(2):
        shop.fact("sku-1", name="m-1")
    assert ada.sends == ["drop_mail"]


def test_an_interest_ends_after_its_time(shop: Shop):
    ada = shopper(shop, "ada")
    ada.does("Product Viewed", product_id="sku-1")
    shop.advance(days=31)
    shop.fact("sku-1")
    assert ada.sends == [] and not ada.profile.interests
    assert not any(rows(windows) for windows in shop.engine.windows)


def test_the_newest_look_counts_and_numbers_are_ids_too(shop: Shop):
    ada = shopper(shop, "ada")
    ada.does("Product Viewed", product_id=17)
    shop.advance(days=20)
    ada.does("Product Viewed", product_id="17")
    assert len(ada.profile.interests) == 1
    shop.advance(days=20)
    shop.fact("17")
    assert ada.sends == ["drop_mail"]


def test_an_accent_may_be_a_part_of_its_letter_or_stand_behind_it(shop: Shop):
    ada = shopper(shop, "ada")
    ada.does("Product Viewed", product_id="m\u00fcsli")
    shop.fact("mu\u0308sli")
    assert ada.sends == ["drop_mail"]


def test_a_purchase_after_the_fact_stops_what_it_started():
    shop = Shop(
        SHOP | {"journeys/price_drop.yaml": drop_journey(steps=[{"wait": {"for": "1h"}}, drop_journey()["steps"][0]])}
    )
    ada = shopper(shop, "ada")
    ada.does("Product Viewed", product_id="sku-1")
    shop.fact("sku-1")
    assert ada.pending_timers == ["price_drop"]
    ada.does("Order Completed")
    shop.advance(days=1)
    assert ada.sends == []


def test_a_person_who_logs_in_is_told_once_of_what_both_looked_at(shop: Shop):
    ada, visitor = shopper(shop, "ada"), shop.customer(anonymous="a-1")
    ada.does("Product Viewed", product_id="sku-1")
    visitor.does("Product Viewed", product_id="sku-1")
    visitor.does("Product Viewed", product_id="sku-2")
    shop.customer("ada@shop.example", anonymous="a-1").does("Page Viewed")
    shop.settle()
    assert len(ada.profile.interests) == 2
    shop.fact("sku-1")
    shop.fact("sku-2")
    assert ada.sends == ["drop_mail", "drop_mail"]


def test_a_fact_that_meets_a_profile_on_its_way_reaches_the_person_once(shop: Shop):
    ada, visitor = shopper(shop, "ada"), shop.customer(anonymous="a-1")
    visitor.does("Product Viewed", product_id="sku-1")
    shop.customer("ada@shop.example", anonymous="a-1").does("Page Viewed")
    for _ in range(4):  # in each window of the merge
        tell(shop, "sku-1", name=f"m-{shop.now_ms}")
        shop.advance(10_000)
    shop.settle()
    told = [run for run in ada.profile.runs if run.journey == "price_drop"]
    assert len(told) == 4 and len({run.trigger_ms for run in told}) == 4


def test_the_index_says_what_the_profiles_say(shop: Shop):
    people = [shopper(shop, f"p{number}") for number in range(5)]
    for number, who in enumerate(people):
        for sku in range(number):
            who.does("Product Viewed", product_id=f"sku-{sku}")
    found = sum(len(rows(windows)) for windows in shop.engine.windows)
    assert found == sum(len(who.profile.interests) for who in people) == 10


def test_a_customer_has_so_many_interests_at_most(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(interests, "INTERESTS_MAX", 3)
    shop = Shop(SHOP)
    ada = shopper(shop, "ada")
    for sku in range(6):
        ada.does("Product Viewed", product_id=f"sku-{sku}")
    assert len(ada.profile.interests) == 3 == len(rows(shop.engine.windows[0]))
    shop.fact("sku-1")
    assert ada.sends == []
    shop.fact("sku-5")
    assert ada.sends == ["drop_mail"]


def test_no_journey_about_things_costs_a_profile_nothing():
    world = World(document(actions=[action("cart_reminder")], journeys=[cart_journey()]))
    ada = shopper(world, "ada")
    ada.does("Product Viewed", product_id="sku-1")
    assert ada.profile.interests == []


def test_journeys_tell_apart_how_somebody_became_interested():
    by_cart = {
        **DROP,
        "interested": {"event": "Product Added", "within": "7d", "where": {"quantity": {"at_least": 2}}},
    }
    plain = SHOP | {"journeys/in_cart.yaml": drop_journey(id="in_cart", trigger={"thing": by_cart})}
    shop = Shop(plain)
    ada, bob = shopper(shop, "ada"), shopper(shop, "bob")
    ada.does("Product Viewed", product_id="sku-1")
    bob.does("Product Added", product_id="sku-1", quantity=2, cart_id="c1")
    shop.fact("sku-1")
    assert [run.journey for run in ada.profile.runs] == ["price_drop"]
    assert {run.journey for run in bob.profile.runs} == {"abandoned_cart", "in_cart"}


def test_a_journey_that_goes_live_finds_who_has_looked_lately():
    told = Told(document(actions=[action("drop_mail")]))
    ada = shopper(told, "ada")
    ada.does("Product Viewed", product_id="sku-1")
    told.advance(days=1)
    told.takes(PRICE_DROPS)
    told.advance(minutes=5)
    assert len(ada.profile.interests) == 1
    tell(told, "sku-1")
    told.settle()
    assert ada.sends == ["drop_mail"]


def test_a_draft_makes_nobody_interested():
    plain = PRICE_DROPS | {"journeys/price_drop.yaml": drop_journey(status="draft")}
    ada = shopper(world := World(plain), "ada")
    ada.does("Product Viewed", product_id="sku-1")
    assert ada.profile.interests == [] and rows(world.engine.windows[0]) == []


def test_a_split_gives_each_their_own_interests():
    shop = Shop(SHOP)
    ada, visitor = shopper(shop, "ada"), shop.customer(anonymous="a-1")
    ada.does("Product Viewed", product_id="sku-1")
    shop.advance(1_000)
    visitor.does("Product Viewed", product_id="sku-2")
    shop.advance(1_000)
    shop.customer("ada@shop.example", anonymous="a-1").does("Page Viewed")
    shop.settle()
    (past,) = ada.profile.ledger
    shop.engine.ask_profile(ada.id, Split(merge_id=past.id))
    shop.settle()
    assert len(ada.profile.interests) == len(visitor.profile.interests) == 1
    assert ada.id != visitor.id
    assert len(rows(shop.engine.windows[0])) == 2
    shop.fact("sku-2")
    assert not any(run.journey == "price_drop" for run in ada.profile.runs)
    assert any(run.journey == "price_drop" for run in visitor.profile.runs)


def test_any_number_of_shards_comes_to_the_same():
    def story(shards: int) -> dict[str, Any]:
        shop = Shop(SHOP, shards=shards)
        people = [shopper(shop, f"p{number}") for number in range(6)]
        visitor = shop.customer(anonymous="a-1")
        for who in (*people[::2], visitor):
            who.does("Product Viewed", product_id="sku-1")
        shop.customer("p1@shop.example", anonymous="a-1").does("Page Viewed")
        tell(shop, "sku-1")
        shop.advance(15_000)
        tell(shop, "sku-1")
        shop.settle()
        return {name: row for windows in shop.engine.windows for name, row in dump(windows.shard).items()}

    assert story(1) == story(2) == story(5)
