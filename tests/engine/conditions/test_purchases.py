"""What a customer bought and what of it was taken back; products and categories as one tree."""

from __future__ import annotations

from typing import Any

import pytest
from support.told import Told
from support.world import MINUTE, Customer, World, action, document

from engine.readings import instants, reasons_now

PLACES = {"placements": [{"id": "home_hero", "channel": "web"}, {"id": "inbox", "channel": "sms"}]}


def offer(name: str, percent: int = 0, *, sms: bool = False, **changes: Any) -> dict[str, Any]:
    where = (
        {"channels": ["sms"], "placements": ["inbox"]} if sms else {"channels": ["web"], "placements": ["home_hero"]}
    )
    promised = {"offer": {"discount": percent}} if percent else {}
    return action(name, purpose="service", **where, **promised, **changes)


def shop(*actions: dict[str, Any], **policies: Any) -> World:
    return World(document(placements=PLACES, actions=list(actions), policies=policies))


FULL = {"offers": {"full_price": "14d"}}


def reason(who: Customer, name: str, placement: str = "home_hero", channel: str = "web") -> str:
    rows = who.decides(placement, channel=channel, explain=True, limit=9)["explanation"]["candidates"]
    return next(str(row["reason"]) for row in rows if row["actionId"] == name)


def buys(who: Customer, *lines: dict[str, Any], order: Any = None, **changes: Any) -> None:
    who.does("Order Completed", products=list(lines), **({} if order is None else {"order_id": order}), **changes)
    who.world.advance(minutes=1)


# -- one tree of products and categories


def test_a_full_price_for_a_product_keeps_discounts_on_its_category_away():
    world = shop(offer("shoes", 30, category="shoes"), offer("one", 10, product="sku-1", category="shoes"), **FULL)
    ada = world.customer("ada")
    buys(ada, {"product_id": "sku-1"})
    assert reason(ada, "shoes") == reason(ada, "one") == "offer.full_price"
    world.advance(days=14)
    assert reason(ada, "shoes") == ""


@pytest.mark.parametrize(
    "says",
    [
        ("Product Viewed", {"product_id": "sku-7", "category": "shoes"}),
        ("Cart Viewed", {"products": [{"product_id": "sku-7", "category": "shoes"}]}),
        ("Order Completed", {"products": [{"product_id": "sku-7", "category": "shoes", "discount": 5}]}),
    ],
)
def test_the_customers_own_events_say_which_category_a_product_is_in(says: tuple[str, dict[str, Any]]):
    world = shop(offer("shoes", 30, category="shoes"), **FULL)
    ada, bob = world.customer("ada"), world.customer("bob")
    ada.does(says[0], **says[1])
    for who in (ada, bob):
        buys(who, {"product_id": "sku-7"})
    assert (reason(ada, "shoes"), reason(bob, "shoes")) == ("offer.full_price", "")


def test_categories_lie_within_one_another_by_their_paths():
    world = shop(
        offer("shoes", 30, category="shoes"),
        offer("running", 20, category="shoes/running"),
        offer("trail", 20, category="shoes/trail"),
        offer("shoestrings", 20, category="shoestrings"),
        **FULL,
    )
    ada, bob = world.customer("ada"), world.customer("bob")
    buys(ada, {"product_id": "x", "category": "shoes / running"})
    found = {name: reason(ada, name) for name in ("shoes", "running", "trail", "shoestrings")}
    assert found == {"shoes": "offer.full_price", "running": "offer.full_price", "trail": "", "shoestrings": ""}
    buys(bob, {"category": "shoes"})
    assert reason(bob, "trail") == "offer.full_price", "whatever was bought, it may be this"


def test_another_product_of_the_category_is_another_product():
    world = shop(offer("one", 10, product="sku-1", category="shoes"), **FULL)
    ada, bob = world.customer("ada"), world.customer("bob")
    buys(ada, {"product_id": "sku-2", "category": "shoes"})
    buys(bob, {"category": "shoes"})
    assert (reason(ada, "one"), reason(bob, "one")) == ("", "offer.full_price")


@pytest.mark.parametrize("known", ["by the catalog", "by an event"])
def test_an_offer_on_a_product_and_a_worse_one_on_its_category_are_not_both_shown(known: str):
    of = {"category": "shoes"} if known == "by the catalog" else {}
    world = shop(
        offer("ten", 10, product="sku-1", **of),
        offer("five", 5, sms=True, category="shoes"),
        offer("twenty", 20, sms=True, category="shoes", eligible={"trait": {"name": "vip", "is": True}}),
        offer("hats", 5, sms=True, category="hats"),
    )
    ada = world.customer("ada")
    ada.does("Product Viewed", product_id="sku-1", category="shoes")
    ada.sees(ada.decides()["actions"][0])
    assert reason(ada, "five", "inbox", "sms") == "offer.shown"
    assert reason(ada, "hats", "inbox", "sms") == ""
    ada.identifies(vip=True)
    assert reason(ada, "twenty", "inbox", "sms") == "", "a better one takes its place"
    assert reason(ada, "ten") == "offer.shown"


def test_a_better_offer_on_a_product_leaves_the_one_on_its_category_for_all_others():
    world = shop(offer("ten", 10, category="shoes"), offer("twenty", 20, sms=True, product="sku-1", category="shoes"))
    ada = world.customer("ada")
    ada.sees(ada.decides()["actions"][0])
    assert ada.decides("inbox", channel="sms")["actions"][0]["actionId"] == "twenty"
    assert {promise["subject"] for promise in ada.shown["promises"]} == {"category shoes", "product sku-1"}
    assert reason(ada, "ten") == "offer.shown", "on sku-1 it would be less than what was promised"


def test_after_a_merge_no_worse_offer_stands_beside_a_better_one_that_it_lies_within():
    world = shop(offer("ten", 10, product="sku-1", category="shoes"), offer("shoes", 20, sms=True, category="shoes"))
    user, visitor = world.customer("ada"), world.customer(anonymous="a1")
    user.does("Signed Up")
    user.sees(user.decides()["actions"][0])
    visitor.sees(visitor.decides("inbox", channel="sms")["actions"][0])
    Customer(world, "ada", "a1").identifies()
    world.settle()
    assert [promise["subject"] for promise in user.shown["promises"]] == ["category shoes"]


def the_promise(who: Customer) -> tuple[float, ...]:
    return tuple(promise["discount"] for promise in who.shown["promises"])


def test_an_action_whose_discount_is_lowered_does_not_undercut_what_it_promised():
    def selling(percent: int) -> dict[str, Any]:
        return document(placements=PLACES, actions=[offer("ten", percent, category="shoes")])

    world = Told(selling(20))
    ada, bob = world.customer("ada"), world.customer("bob")
    (shown,), (unseen,) = ada.decides()["actions"], bob.decides()["actions"]
    ada.sees(shown)
    world.takes(selling(5))
    world.advance(hours=12)
    bob.sees(unseen, at_ms=unseen["expiresAt"])
    for who, why in ((ada, "what it promised stands"), (bob, "as it was shown")):
        assert (reason(who, "ten"), the_promise(who)) == ("offer.shown", (20,)), why
    world.takes(selling(30))
    bob.sees(bob.decides()["actions"][0])
    assert the_promise(bob) == (30,), "more than was promised is shown, and stands"
    bob.sees(unseen, "clicked", at_ms=unseen["expiresAt"])
    assert the_promise(bob) == (30,), "what was shown before takes nothing of it away"
    world.takes(selling(20))
    assert (reason(ada, "ten"), reason(bob, "ten")) == ("", "offer.shown")
    world.takes(selling(5))
    world.advance(days=7)
    assert (reason(ada, "ten"), the_promise(ada)) == ("", (5,)), "what stood has expired"


def test_care_after_a_purchase_is_about_all_that_lies_within_its_category():
    rule = {"id": "shoes", "category": "shoes", "for": "30d", "show": ["care"]}
    world = shop(
        offer("running", category="shoes/running", value=9.0),
        offer("one", product="sku-1", category="shoes/trail", value=8.0),
        offer("care", category="shoes"),
        after_purchase=[rule],
    )
    ada = world.customer("ada")
    assert reason(ada, "care") == "eligibility"
    buys(ada, {"product_id": "sku-1"})
    assert reason(ada, "running") == reason(ada, "one") == "suppress.after_shoes"
    assert reason(ada, "care") == ""


# -- refunds


ONE = offer("one", 10, product="sku-1")
TWO = offer("two", 10, product="sku-2")


def refunds(who: Customer, order: Any = None, **changes: Any) -> None:
    who.does("Order Refunded", **({} if order is None else {"order_id": order}), **changes)
    who.world.advance(minutes=1)


def held(who: Customer) -> list[str]:
    """The offers that a full price keeps away."""
    rows = who.decides(explain=True, limit=9)["explanation"]["candidates"]
    return sorted(row["actionId"] for row in rows if row["reason"] == "offer.full_price")


@pytest.mark.parametrize(
    ("order", "refund", "left"),
    [
        ("o1", {"order_id": "o1"}, []),
        ("o1", {"order_id": "o1", "products": []}, []),
        ("o1", {"order_id": "o1", "products": None}, []),
        ("o1", {"order_id": "o2"}, ["one", "two"]),
        ("o1", {"order_id": "o1", "products": [{"product_id": "sku-1"}]}, ["two"]),
        ("o1", {"order_id": "o2", "products": [{"product_id": "sku-1"}]}, ["one", "two"]),
        ("o1", {"order_id": "o1", "product_id": "sku-1"}, ["two"]),
        ("o1", {"order_id": "o1", "products": [{"product_id": "sku-9"}]}, ["one", "two"]),
        ("o1", {"order_id": "o1", "products": [{"quantity": 1}]}, ["one", "two"]),
        (1001, {"order_id": "1001"}, []),
        ("1001", {"order_id": 1001}, []),
        (1001, {"order_id": 1001.0}, []),
        (" o1 ", {"order_id": "o1"}, []),
        ("o1", {"products": [{"product_id": "sku-1"}]}, ["two"]),
        ("o1", {}, ["one", "two"]),
        ("o1", {"order_id": None}, ["one", "two"]),
        (None, {"order_id": "o1"}, ["one", "two"]),
        (None, {"order_id": "o1", "products": [{"product_id": "sku-1"}]}, ["two"]),
        (None, {"products": [{"product_id": "sku-1"}, {"product_id": "sku-2"}]}, []),
    ],
)
def test_a_refund_takes_back_the_lines_of_its_order_and_of_no_other(
    order: Any, refund: dict[str, Any], left: list[str]
):
    ada = shop(ONE, TWO, **FULL).customer("ada")
    buys(ada, {"product_id": "sku-1"}, {"product_id": "sku-2"}, order=order)
    ada.does("Order Refunded", **refund)
    assert held(ada) == left


def test_a_refund_that_comes_before_its_order_takes_it_back_too():
    ada = shop(ONE, TWO, **FULL).customer("ada")
    refunds(ada, "o1")
    buys(ada, {"product_id": "sku-1"}, order="o1")
    assert held(ada) == []
    refunds(ada, products=[{"product_id": "sku-2"}])
    buys(ada, {"product_id": "sku-2"}, order="o2")
    assert held(ada) == ["two"], "one that names no order is about what was bought before it"


def test_a_refund_by_another_order_leaves_the_same_product_bought():
    ada = shop(ONE, **FULL).customer("ada")
    buys(ada, {"product_id": "sku-1"}, order="o1")
    buys(ada, {"product_id": "sku-1"}, order="o2")
    refunds(ada, "o1", products=[{"product_id": "sku-1"}])
    assert held(ada) == ["one"]
    refunds(ada, "o2")
    assert held(ada) == []


def test_of_three_pieces_one_may_be_given_back_and_what_is_repeated_counts_once():
    ada = shop(ONE, **FULL).customer("ada")
    buys(ada, {"product_id": "sku-1", "quantity": 3}, order="o1")
    piece = {"product_id": "sku-1", "quantity": "1"}
    for left in (["one"], ["one"], []):
        refunds(ada, "o1", products=[piece])
        assert held(ada) == left
    bob = shop(ONE, **FULL).customer("bob")
    buys(bob, {"product_id": "sku-1", "quantity": 2}, order="o1")
    for _ in range(3):
        refunds(bob, "o1", products=[piece], message_id="the same")
    assert held(bob) == ["one"]


@pytest.mark.parametrize(
    ("bought", "says", "left"),
    [
        (1, {"quantity": 0}, ["one"]),
        (1, {"quantity": "0"}, ["one"]),
        (2, {"quantity": -2}, []),
        (2, {"quantity": "-1"}, ["one"]),
        (2, {}, []),
        (2, {"quantity": ""}, []),
        (2, {"quantity": None}, []),
        ("2", {"quantity": "2"}, []),
        (3, {"quantity": 2.0}, ["one"]),
    ],
)
def test_a_refund_takes_back_as_many_pieces_as_it_says_and_the_whole_line_where_it_does_not(
    bought: Any, says: dict[str, Any], left: list[str]
):
    ada = shop(ONE, **FULL).customer("ada")
    buys(ada, {"product_id": "sku-1", "quantity": bought}, order="o1")
    refunds(ada, "o1", products=[{"product_id": "sku-1"} | says])
    assert held(ada) == left


def test_a_refund_of_no_piece_takes_nothing_back_without_an_order_either():
    ada = shop(ONE, **FULL).customer("ada")
    buys(ada, {"product_id": "sku-1"})
    refunds(ada, products=[{"product_id": "sku-1", "quantity": 0}])
    assert held(ada) == ["one"]


def test_an_object_of_rows_is_the_rows_in_purchases_and_refunds_recent_or_not():
    ada = shop(ONE, TWO, offers={"full_price": "60d"}).customer("ada")
    rows = {"0": {"product_id": "sku-1"}, "2": {"product_id": "sku-2"}}
    ada.does("Order Completed", products=rows, order_id="o1", shipping={"address": {"town": {"name": "Bern"}}})
    assert held(ada) == ["one", "two"]
    for number in range(60):
        ada.does("Page Seen", number=number)
    (details,) = ada.profile.details.values()
    assert details[0].properties == {"order_id": "o1", "products": rows}
    assert held(ada) == ["one", "two"]
    refunds(ada, "o1", products={"1": {"product_id": "sku-1"}})
    assert held(ada) == ["two"]
    for number in range(60):
        ada.does("Page Seen", number=number)
    assert held(ada) == ["two"]


def test_an_item_whose_parts_are_all_objects_is_one_line_where_it_names_a_product():
    ada = shop(ONE, **FULL, purchases={"product": "product.id"}).customer("ada")
    buys(ada, {"product": {"id": "sku-1"}, "price": {"amount": 5}}, order="o1")
    assert held(ada) == ["one"]


@pytest.mark.parametrize(
    ("discount", "is_full"),
    [(each, True) for each in (0, -0.0, False, None, "", "0", "0.00", "0,00", "0 €", "0%", "0,0 %", {"amount": "0,00"})]
    + [(each, False) for each in (5, -5, "5,00", "0,01", "10%", True, "SALE", {"amount": 5}, [0, "1"])],
)
def test_no_discount_however_it_is_written_is_the_full_price(discount: Any, is_full: bool):
    ada = shop(ONE, **FULL).customer("ada")
    buys(ada, {"product_id": "sku-1", "discount": discount})
    assert held(ada) == (["one"] if is_full else [])


@pytest.mark.parametrize(
    ("line", "item", "left"),
    [
        ({"sku": "sku-1"}, {"sku": "sku-1"}, []),
        ({"product_id": "p", "sku": "sku-1"}, {"sku": "sku-1"}, []),
        ({"product_id": "sku-1", "variant": "red"}, {"product_id": "sku-1", "variant": "blue"}, ["one"]),
        ({"product_id": "sku-1", "variant": "red"}, {"product_id": "sku-1"}, []),
        ({"product_id": "sku-1", "category": "shoes"}, {"category": "shoes"}, []),
        ({"product_id": "sku-1", "category": "shoes"}, {"category": "hats"}, ["one"]),
    ],
)
def test_lines_are_known_by_product_sku_variant_or_category(
    line: dict[str, Any], item: dict[str, Any], left: list[str]
):
    ada = shop(ONE, **FULL).customer("ada")
    buys(ada, line, order="o1")
    refunds(ada, "o1", products=[item])
    assert held(ada) == left


def test_products_are_the_same_as_a_number_and_as_a_text_and_a_discount_may_be_a_text():
    world = shop(offer("one", 10, product="77"), **FULL)
    for item, wanted in (
        ({"product_id": 77}, "offer.full_price"),
        ({"product_id": "77", "discount": "0.00"}, "offer.full_price"),
        ({"product_id": "77", "discount": ""}, "offer.full_price"),
        ({"product_id": "77", "discount": "5"}, ""),
        ({"product_id": "77", "discount": "SALE"}, ""),
    ):
        who = world.customer(f"u{item}")
        buys(who, item)
        assert reason(who, "one") == wanted, item


def test_odd_lines_fail_nobody():
    ada = shop(ONE, **FULL).customer("ada")
    for odd in (None, 5, "sku-1", [[{"product_id": "sku-1"}]], {"product_id": []}, [None, 5, {"product_id": {"a": 1}}]):
        ada.does("Order Completed", products=odd, order_id=odd)
        ada.does("Order Refunded", products=odd, order_id=odd)
    assert held(ada) == []


def test_what_was_bought_long_ago_and_what_was_taken_back_is_still_known_when_much_has_happened_since():
    world = shop(ONE, TWO, offers={"full_price": "60d"})
    ada = world.customer("ada")
    buys(ada, {"product_id": "sku-1"}, {"product_id": "sku-2"}, order="o1")
    for number in range(60):
        ada.does("Page Seen", number=number)
    assert ada.profile.spilled and held(ada) == ["one", "two"]
    refunds(ada, "o1", products=[{"product_id": "sku-2"}])
    for number in range(60):
        ada.does("Page Seen", number=number)
    assert held(ada) == ["one"]


def test_a_visitors_order_and_the_users_refund_meet_after_a_login():
    world = shop(ONE, TWO, **FULL)
    visitor, user = world.customer(anonymous="a1"), world.customer("ada")
    buys(visitor, {"product_id": "sku-1"}, order="o1")
    refunds(user, "o1")
    Customer(world, "ada", "a1").identifies()
    world.settle()
    assert held(user) == []


def test_a_refund_gives_no_place_back_and_ends_no_promise():
    world = shop(offer("ten", 10, product="sku-1"), caps=[{"id": "one", "limit": 1, "per": "7d"}])
    ada = world.customer("ada")
    ada.sees(ada.decides()["actions"][0])
    buys(ada, {"product_id": "sku-1"}, order="o1")
    refunds(ada, "o1")
    assert len(ada.shown["promises"]) == 1 and ada.shown["caps"][0]["left"] == 0


def test_who_asks_why_is_told_what_was_bought():
    world = shop(ONE, **FULL)
    ada = world.customer("ada")
    buys(ada, {"product_id": "sku-1"}, order="o1")
    (gate,) = reasons_now.why(ada.profile, world.catalog, world.now_ms, "one")["gates"]
    assert gate["reason"] == "offer.full_price"
    assert gate["condition"] == {
        "path": "offers.full_price.bought.product sku-1",
        "wanted": "not: at full price in the last 14 days",
        "saw": f"bought on {instants.iso(world.now_ms - MINUTE)[:19]}Z",
    }
