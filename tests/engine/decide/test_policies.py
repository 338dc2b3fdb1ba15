"""Rules over all actions: calendar caps, levers, fatigue, holdouts, diversity, offers, and what follows a purchase."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import DAY, HOUR, Customer, World, action, document

from engine.decide import exposures
from engine.readings import reasons_now

VIP = {"trait": {"name": "vip", "is": True}}


def offer(name: str, **changes: Any) -> dict[str, Any]:
    """A web offer that needs no consent."""
    return action(name, **({"channels": ["web"], "placements": ["home_hero"], "purpose": "service"} | changes))


def shop(*actions: dict[str, Any], placement: dict[str, Any] | None = None, **policies: Any) -> World:
    """A world with one placement, these actions and these policies."""
    hero = {"id": "home_hero", "channel": "web"} | (placement or {})
    return World(document(actions=list(actions), policies=policies, placements={"placements": [hero]}))


def ids(answer: dict[str, Any]) -> list[str]:
    return [shown["actionId"] for shown in answer["actions"]]


def reasons(answer: dict[str, Any]) -> dict[str, str]:
    return {row["actionId"]: row["reason"] for row in answer["explanation"]["candidates"]}


def sees_all(customer: Customer, answer: dict[str, Any]) -> None:
    for shown in answer["actions"]:
        customer.sees(shown)


@pytest.mark.parametrize(("period", "until_h"), [("day", 23), ("week", 7 * 24 - 1), ("month", 30 * 24 - 1)])
def test_a_calendar_cap_starts_anew_with_the_customers_own_day_week_or_month(period: str, until_h: int):
    """The world begins on Monday 2 March 2026 at midnight UTC, which is 01:00 in Berlin (summer time from the 29th)."""
    cap = {"id": "one", "limit": 1, "per": period, "window": "calendar"}
    world = shop(offer("a"), caps=[cap], workspace={"zone": "Europe/Berlin"})
    ada = world.customer("ada")
    sees_all(ada, ada.decides())
    begins_ms = world.now_ms - (DAY if period == "month" else 0) - HOUR
    end_ms = begins_ms + (31 * DAY - HOUR if period == "month" else (until_h + 1) * HOUR)
    world.advance(ms=end_ms - 1 - world.now_ms)
    answer = ada.decides(explain=True)
    assert (ids(answer), reasons(answer)) == ([], {"a": "cap.one"})
    assert [row["resetsAt"][:13] for row in ada.shown["caps"]] == [_iso(end_ms)[:13]]
    world.advance(ms=1)
    assert ids(ada.decides()) == ["a"]


def _iso(ms: int) -> str:
    from engine.readings.instants import iso

    return iso(ms)


def test_a_calendar_cap_goes_by_the_zone_that_the_customers_events_tell():
    cap = {"id": "one", "limit": 1, "per": "day", "window": "calendar"}
    world = shop(offer("a"), caps=[cap])
    ada = world.customer("ada")
    ada.does("Page Viewed", context={"timezone": "Asia/Tokyo"})  # 09:00 there
    sees_all(ada, ada.decides())
    world.advance(hours=15)
    assert ids(ada.decides()) == ["a"], "midnight in Tokyo"


def test_a_lever_multiplies_the_score_and_is_told_among_its_terms():
    world = shop(
        offer("shoes", value=1.0, category="shoes"),
        offer("hats", value=1.5, category="hats"),
        levers=[{"id": "push", "weight": 2.0, "match": {"category": "shoes", "channel": "web"}}],
    )
    answer = world.customer("ada").decides(explain=True)
    assert ids(answer) == ["shoes"]
    rows = {row["actionId"]: row for row in answer["explanation"]["candidates"]}
    assert rows["shoes"]["score"] == 200.0 and rows["shoes"]["terms"]["lever"] == 2.0
    assert rows["hats"]["score"] == 150.0 and rows["hats"]["terms"]["lever"] == 1.0


def test_what_is_dismissed_tires_and_what_is_clicked_refreshes_and_time_heals():
    world = shop(
        offer("shoes", value=1.5, category="shoes"),
        offer("hats", value=1.0, category="hats"),
        offer("help", tier="service", value=0.01, eligible={"trait": {"name": "lost", "is": True}}),
        fatigue={"half_life": "1d", "seen": 0.0, "dismissed": 0.5, "clicked": 0.5},
    )
    ada = world.customer("ada")
    ada.sees(ada.decides()["actions"][0], "dismissed")
    answer = ada.decides(explain=True)
    assert ids(answer) == ["hats"]
    rows = {row["actionId"]: row for row in answer["explanation"]["candidates"]}
    assert rows["shoes"]["score"] == 75.0 and rows["shoes"]["terms"]["freshness"] == 0.5
    world.advance(days=1)
    assert ids(ada.decides()) == ["shoes"], "half of it is forgotten: 150 × 0.75"
    ada.sees(ada.decides()["actions"][0], "dismissed")
    assert ids(ada.decides()) == ["hats"]
    assert ada.shown["fatigue"] == {"shoes": 0.75}
    ada.sees(ada.decides()["actions"][0], "clicked")
    assert "hats" not in ada.shown["fatigue"]


def test_who_is_too_tired_gets_silence_and_service_never_tires():
    world = shop(
        offer("shoes", category="shoes"),
        offer("help", tier="service", category="shoes", placements=[], channels=["email"]),
        fatigue={"half_life": "1d", "seen": 0.4, "silence_at": 0.75},
    )
    ada = world.customer("ada")
    for _ in range(2):
        sees_all(ada, ada.decides())
    answer = ada.decides(explain=True)
    assert (ids(answer), reasons(answer)["shoes"]) == ([], "suppress.fatigue")
    world.advance(hours=3)
    assert ids(ada.decides()) == ["shoes"]


def test_a_holdout_gets_nothing_of_what_matches_and_nothing_in_its_place():
    world = shop(
        offer("rich", value=9.0, category="shoes"),
        offer("poor", value=1.0, category="hats"),
        offer("ticket", tier="service", eligible=VIP),
        holdouts=[{"id": "control", "share": 0.4, "match": {"category": "shoes"}}],
    )
    answers = {number: world.customer(f"u{number}").decides(explain=True) for number in range(60)}
    held = [number for number, answer in answers.items() if reasons(answer)["rich"] == "holdout.control"]
    assert 12 <= len(held) <= 36
    for number, answer in answers.items():
        assert ids(answer) == ([] if number in held else ["rich"])
        assert world.customer(f"u{number}").decides()["actions"] == answer["actions"] or number not in held
    ada = world.customer(f"u{held[0]}")
    ada.identifies(vip=True)
    assert ids(ada.decides()) == ["ticket"], "service is not withheld"
    assert ada.shown["holdouts"] == ["control"]


def test_of_one_category_no_more_than_the_placement_says():
    many = [offer(f"shoe{number}", value=9.0 - number, category="shoes") for number in range(3)]
    world = shop(*many, offer("hat", category="hats", value=1.0), placement={"per_category": 2})
    answer = world.customer("ada").decides(limit=4, explain=True)
    assert ids(answer) == ["shoe0", "shoe1", "hat"]
    assert reasons(answer)["shoe2"] == "diversity.category"


TEN = {"discount": 10, "price": 89.9, "lasts": "7d"}
TWENTY = {"discount": 20, "lasts": "7d"}


def text(name: str, **changes: Any) -> dict[str, Any]:
    """The same on another channel."""
    return offer(name, product="sku-1", channels=["sms"], placements=["inbox"], **changes)


def two_channels(**policies: Any) -> World:
    """Ten per cent is worth more to us, so it is chosen first where nothing was promised."""
    return World(
        document(
            placements={
                "placements": [{"id": "home_hero", "channel": "web"}, {"id": "inbox", "channel": "sms"}],
            },
            policies=policies,
            actions=[
                offer("ten", value=9.0, product="sku-1", category="shoes", offer=TEN),
                offer("twenty", value=5.0, product="sku-1", offer=TWENTY, eligible=VIP),
                text("fifteen", offer={"discount": 15}),
                text("eight", offer={"discount": 8}, value=2.0),
                text("plain", value=0.5),
            ],
        )
    )  # fmt: skip


def test_an_offer_once_shown_is_what_all_channels_show_until_a_better_one_replaces_it():
    world = two_channels()
    ada = world.customer("ada")
    assert ids(ada.decides("inbox", channel="sms")) == ["eight"], "nothing was promised yet"
    bob = world.customer("bob")
    bob.sees(bob.decides()["actions"][0])
    answer = bob.decides("inbox", channel="sms", explain=True)
    assert ids(answer) == ["fifteen"] and reasons(answer)["eight"] == "offer.shown"
    answer = bob.decides(explain=True)
    assert reasons(answer)["ten"] == "offer.shown", "fifteen stands now, as long as it may be seen"
    world.advance(minutes=31)
    assert ids(bob.decides()) == ["ten"], "fifteen was never seen, so it binds nobody"


def test_a_seen_offer_stands_for_as_long_as_it_says():
    world = two_channels()
    ada = world.customer("ada")
    ada.identifies(vip=True)
    for _ in range(2):
        ada.sees(ada.decides()["actions"][0])
    world.advance(days=6)
    assert [promise["action"] for promise in ada.shown["promises"]] == ["ten"]
    answer = ada.decides("inbox", channel="sms", explain=True)
    assert reasons(answer)["eight"] == "offer.shown"
    world.advance(days=1)
    assert ids(ada.decides("inbox", channel="sms")) == ["eight"]


def test_the_price_shown_is_signed_into_the_token():
    world = two_channels()
    shown = world.customer("ada").decides()["actions"][0]
    assert shown["offer"] == {
        "product": "sku-1", "discount": 10, "priceMinor": 8990, "currency": "EUR", "until": world.now_ms + 7 * DAY
    }  # fmt: skip
    token = exposures.read_token(world.catalog.id_key, shown["trackingToken"])
    assert token.offer is not None and token.offer.plain() == shown["offer"]


@pytest.mark.parametrize(
    ("item", "reason"), [({}, "offer.full_price"), ({"discount": 5}, ""), ({"discount": 0}, "offer.full_price")]
)
def test_who_paid_full_price_sees_no_discount_on_it_for_a_while(item: dict[str, Any], reason: str):
    world = two_channels(offers={"full_price": "14d"})
    ada = world.customer("ada")
    ada.does("Order Completed", products=[{"product_id": "sku-2"}, {"product_id": "sku-1", **item}])
    answer = ada.decides(explain=True)
    assert reasons(answer)["ten"] == reason
    world.advance(days=14)
    assert ids(ada.decides()) == ["ten"]


def test_a_refund_takes_the_full_price_back():
    world = two_channels(offers={"full_price": "14d"})
    ada = world.customer("ada")
    ada.does("Order Completed", products=[{"product_id": "sku-1"}])
    world.advance(days=1)
    ada.does("Order Refunded", products=[{"product_id": "sku-1"}])
    assert ids(ada.decides()) == ["ten"]


def test_after_a_purchase_care_takes_the_place_of_what_was_bought():
    world = shop(
        offer("shoes_sale", category="shoes", value=9.0),
        offer("shoes_new", category="shoes", value=8.0),
        offer("shoe_care", category="shoes", value=1.0),
        offer("hats", category="hats", value=0.5),
        after_purchase=[{"id": "shoes", "category": "shoes", "for": "30d", "show": ["shoe_care"]}],
    )
    ada = world.customer("ada")
    answer = ada.decides(explain=True)
    assert ids(answer) == ["shoes_sale"] and reasons(answer)["shoe_care"] == "eligibility"
    ada.does("Order Completed", products=[{"product_id": "s1", "category": "shoes"}])
    answer = ada.decides(limit=2, explain=True)
    assert ids(answer) == ["shoe_care", "hats"]
    assert reasons(answer)["shoes_sale"] == reasons(answer)["shoes_new"] == "suppress.after_shoes"
    world.advance(days=30)
    assert ids(ada.decides()) == ["shoes_sale"]
    ada.does("Order Completed", products=[{"category": "shoes"}])
    world.advance(hours=1)
    ada.does("Order Refunded", products=[{"category": "shoes"}])
    assert ids(ada.decides()) == ["shoes_sale"]


def test_some_element_passes_all_tests_together():
    cheap_shoes = {"products": {"some": {"category": "shoes", "price": {"less_than": 50}}}}
    world = shop(offer("a", eligible={"event": {"name": "Order Completed", "where": cheap_shoes}}))
    ada = world.customer("ada")
    ada.does("Order Completed", products=[{"category": "shoes", "price": 80}, {"category": "hats", "price": 20}])
    assert ids(ada.decides()) == []
    ada.does("Order Completed", products=[{"category": "hats", "price": 20}, {"category": "shoes", "price": 40}])
    assert ids(ada.decides()) == ["a"]


def test_the_customer_can_be_told_why_in_a_sentence_of_their_own():
    seen = {
        "event": {"name": "Product Viewed", "count": {"at_least": 2}, "within": "7d", "where": {"category": "shoes"}}
    }
    asked = {"all": [{"trait": {"name": "country", "in": ["AT", "DE"]}}, {"not": VIP}, {"any": [seen, VIP]}]}
    world = shop(
        offer("shoes", eligible=asked, purpose="marketing"),
        offer("own", because="You asked us to remind you.", value=0.5),
        offer("plain", value=0.1),
        placement={"per_category": None},
    )
    ada = world.customer("ada")
    ada.identifies(country="AT")
    for _ in range(2):
        ada.does("Product Viewed", category="shoes")
    answer = ada.decides(limit=3, explain=True)
    said = {row["actionId"]: row.get("sentence") for row in answer["explanation"]["candidates"]}
    assert said == {
        "shoes": "You see this because your country is AT and there was “Product Viewed” (category shoes) "
        "at least 2 times in the last 7 days.",
        "own": "You asked us to remind you.",
        "plain": "Everybody may see this here.",
    }


def test_the_sentence_says_nothing_of_a_trait_that_says_nothing():
    ada = shop(offer("a", eligible={"trait": {"name": "city", "not": "Wien"}})).customer("ada")
    ada.identifies(city=" ")
    (row,) = ada.decides(explain=True)["explanation"]["candidates"]
    assert row["sentence"] == "Everybody may see this here."


def test_who_asks_why_is_told_the_part_of_the_condition_that_failed_and_what_it_saw():
    grown = {"trait": {"name": "age", "at_least": 18}}
    bought = {"event": {"name": "Order Completed", "where": {"products.category": "$action.category"}}}
    suppress = [
        {"id": "minors", "when": {"not": grown}, "tier": "promotional"},
        {"id": "settled", "when": {"any": [{"suppression": "bought"}, VIP]}},
        {"id": "bought", "when": bought, "tier": "service"},
    ]
    world = shop(
        offer("vips", eligible={"all": [{"trait": {"name": "country"}}, VIP]}),
        offer("shoes", category="shoes"),
        offer("care", category="shoes"),
        suppress=suppress,
        after_purchase=[{"id": "shoes", "category": "shoes", "for": "30d", "show": ["care"]}],
    )
    ada = world.customer("ada")
    ada.identifies(country="AT", age="17", vip=False)
    ada.does("Order Completed", products=[{"category": "shoes"}])
    told = {row["actionId"]: row.get("condition") for row in ada.decides(explain=True)["explanation"]["candidates"]}
    assert told["vips"] == {"path": "eligible.all[2].trait.vip", "wanted": "is true", "saw": "false"}
    (why,) = reasons_now.why(ada.profile, world.catalog, world.now_ms, "vips")["gates"]
    assert (why["reason"], why["condition"]) == ("eligibility", told["vips"])
    assert told["shoes"] == {"path": "suppress.minors.when.not.trait.age", "wanted": "at least 18", "saw": '"17"'}
    ada.identifies(age=18)
    told = {row["actionId"]: row.get("condition") for row in ada.decides(explain=True)["explanation"]["candidates"]}
    assert told["shoes"] == {
        "path": "suppress.settled.when.any[1].suppression.bought.event.Order Completed",
        "wanted": 'not: at least 1 where products.category is "shoes"',
        "saw": "1",
    }
    other = shop(offer("care", category="shoes"), after_purchase=[
        {"id": "shoes", "category": "shoes", "for": "30d", "show": ["care"]}
    ]).customer("ada")  # fmt: skip
    (row,) = other.decides(explain=True)["explanation"]["candidates"]
    assert row["condition"]["path"] == "after_purchase.bought.category shoes"


def test_silence_is_better_than_what_the_customer_would_hardly_take():
    world = shop(
        offer("dear", value=99.0, propensity={"constant": 0.01}),
        offer("score", value=5.0, propensity={"trait": "score", "default": 0.1}),
        offer("service", tier="lifecycle", propensity={"constant": 0.02}),
        min_propensity=0.05,
    )
    ada = world.customer("ada")
    answer = ada.decides(explain=True)
    assert ids(answer) == ["score"] and reasons(answer)["service"] == "propensity.low"
    ada.identifies(score=0.04)
    answer = ada.decides(limit=3, explain=True)
    assert ids(answer) == [] and set(reasons(answer).values()) == {"propensity.low"}


def test_a_dismissed_display_counts_as_seen_where_the_policy_says_so():
    caps = [{"id": "one", "limit": 1, "per": "1d"}]
    for policy, wanted in (("release", ["a"]), ("count", [])):
        ada = shop(offer("a"), caps=caps, on_dismissed=policy).customer("ada")
        ada.sees(ada.decides()["actions"][0], "dismissed")
        ada.world.advance(minutes=31)
        assert ids(ada.decides()) == wanted


def test_a_held_send_tells_every_other_reason_against_it_and_what_it_was_worth():
    journey = {
        "id": "j",
        "tier": "promotional",
        "trigger": {"event": "Go"},
        "steps": [{"send": {"action": "letter", "channel": "email"}}],
    }
    letter = action("letter", value=2.0, propensity={"constant": 0.5}, eligible=VIP)
    world = World(document(actions=[letter], journeys=[journey]))
    ada = world.customer("ada")
    ada.does("Go")
    (held,) = [entry for entry in ada.timeline if entry.kind == "send"]
    assert (held.reason, held.detail["also"]) == ("fit.no_email", ["consent.marketing.email", "eligibility"])
    assert "condition" not in held.detail
    assert held.detail["worth"] == 100.0


def test_a_held_send_tells_in_the_timeline_which_part_of_its_condition_failed():
    journey = {
        "id": "j",
        "tier": "promotional",
        "trigger": {"event": "Go"},
        "steps": [{"send": {"action": "letter", "channel": "email"}}],
    }
    world = World(document(actions=[action("letter", eligible=VIP)], journeys=[journey]))
    ada = world.customer("ada", consents=("marketing:email",))
    ada.identifies(email="ada@shop.example", vip="yes")
    ada.does("Go")
    (held,) = [entry for entry in ada.timeline if entry.kind == "send"]
    assert held.reason == "eligibility"
    assert held.detail["condition"] == {"path": "eligible.trait.vip", "wanted": "is true", "saw": '"yes"'}
