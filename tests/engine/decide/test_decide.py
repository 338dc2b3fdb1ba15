"""A decision: gates in order with one reason each, strict arbitration, places that a page reload costs only once."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import DAY, MINUTE, World, action, document

from engine.decide import receipt
from engine.errors import InvalidInput

HERO = {"id": "home_hero", "channel": "web"}
ORDER = [
    "validity.not_yet",
    "fit.channel",
    "fit.no_email",
    "consent.marketing.web",
    "eligibility",
    "suppress.bought",
    "cap.one",
    "",
]


def offer(name: str, **changes: Any) -> dict[str, Any]:
    """A web offer that needs no consent."""
    return action(name, **({"channels": ["web"], "placements": ["home_hero"], "purpose": "service"} | changes))


def shop(*actions: dict[str, Any], caps: list[dict[str, Any]] | None = None) -> World:
    """A world with one placement and these actions."""
    return World(document(actions=list(actions), policies={"caps": caps or []}))


def one(limit: int = 1, **match: str) -> list[dict[str, Any]]:
    return [{"id": "one", "limit": limit, "per": "1d", "match": match or {"channel": "web"}}]


def ids(answer: dict[str, Any]) -> list[str]:
    return [shown["actionId"] for shown in answer["actions"]]


def reasons(answer: dict[str, Any]) -> dict[str, str]:
    return {row["actionId"]: row["reason"] for row in answer["explanation"]["candidates"]}


@pytest.mark.parametrize("passed", range(len(ORDER)), ids=[reason or "chosen" for reason in ORDER])
def test_the_first_gate_that_objects_gives_the_reason(passed: int):
    def is_past(gate: str) -> bool:
        return ORDER.index(gate) < passed

    world = World(
        document(
            channels={
                "channels": [
                    {"id": "web", "provider": "none", "address": "email"},
                    {"id": "sms", "provider": "sandbox"},
                ]
            },
            consent={
                "purposes": {
                    "marketing": {"channels": ["web", "sms"], "default": False},
                    "service": {"channels": [], "default": True},
                }
            },
            placements={"placements": [HERO, {"id": "banner", "channel": "sms"}]},
            actions=[
                offer(
                    "offer",
                    purpose="marketing",
                    category="shoes",
                    valid={} if is_past("validity.not_yet") else {"from": "2030-01-01"},
                    eligible={"trait": {"name": "vip", "is": True}},
                ),
                action("filler", channels=["sms"], placements=["banner"], purpose="service"),
            ],
            policies={
                "caps": one(tier="promotional"),
                "suppress": [
                    {
                        "id": "bought",
                        "when": {
                            "event": {"name": "Order Completed", "where": {"products.category": "$action.category"}}
                        },
                    }
                ],
            },
        )
    )
    ada = world.customer("ada")
    if is_past("fit.no_email"):
        ada.identifies(email="ada@example.com")
    if is_past("consent.marketing.web"):
        ada.consents("marketing", "web", True)
    if is_past("eligibility"):
        ada.identifies(vip=True)
    if not is_past("suppress.bought"):
        ada.does("Order Completed", products=[{"category": "hats"}, {"category": "shoes"}])
    if not is_past("cap.one"):
        assert ids(ada.decides("banner", channel="sms")) == ["filler"]
    answer = ada.decides(channel="web" if is_past("fit.channel") else "sms", explain=True)
    assert reasons(answer) == {"offer": ORDER[passed], "filler": "fit.placement"}
    assert ids(answer) == (["offer"] if ORDER[passed] == "" else [])


def test_an_offer_ends_with_its_last_day_in_the_workspaces_zone():
    world = shop(offer("over", valid={"until": "2026-03-01"}), offer("today", valid={"until": "2026-03-02"}))
    answer = world.customer("ada").decides(explain=True)
    assert ids(answer) == ["today"]
    assert reasons(answer)["over"] == "validity.over"


def test_tiers_are_strict_then_the_score_counts_then_the_id():
    world = shop(
        offer("p_rich", value=900.0, propensity={"constant": 1.0}),
        offer("s_poor", tier="service", value=0.01, propensity={"constant": 0.01}),
        offer("l_poor", tier="lifecycle", value=0.01, propensity={"constant": 0.01}),
        offer("p_b", value=2.0, propensity={"constant": 0.5}),
        offer("p_a", value=1.0, propensity={"constant": 0.5}, weight=2.0),
    )
    answer = world.customer("ada").decides(limit=3, explain=True)
    assert ids(answer) == ["s_poor", "l_poor", "p_rich"]
    assert reasons(answer) == {
        "s_poor": "",
        "l_poor": "",
        "p_rich": "",
        "p_a": "outranked.p_rich",
        "p_b": "outranked.p_rich",
    }
    ranked = [row["actionId"] for row in answer["explanation"]["candidates"]]
    assert ranked == ["s_poor", "l_poor", "p_rich", "p_a", "p_b"]
    terms = answer["explanation"]["candidates"][3]
    assert terms["score"] == 100.0 and terms["terms"] == {"propensity": 0.5, "value": 100.0, "weight": 2.0}


def test_a_batch_score_that_arrives_as_a_trait_is_the_propensity():
    world = shop(offer("a", propensity={"trait": "score", "default": 0.2}), offer("b", propensity={"constant": 0.5}))
    ada = world.customer("ada")
    assert ids(ada.decides()) == ["b"]
    ada.identifies(score=0.9)
    assert ids(ada.decides()) == ["a"]
    ada.identifies(score=17)
    assert ids(ada.decides()) == ["b"], "no probability: the default counts"


def test_several_actions_in_one_answer_respect_the_cap_that_they_share():
    world = shop(
        offer("a", value=3.0), offer("b", value=2.0), offer("c", tier="service"), caps=one(2, tier="promotional")
    )
    ada = world.customer("ada")
    answer = ada.decides(limit=5, explain=True)
    assert ids(answer) == ["c", "a", "b"]
    world = shop(
        offer("a", value=3.0), offer("b", value=2.0), offer("c", tier="service"), caps=one(1, tier="promotional")
    )
    answer = world.customer("ada").decides(limit=5, explain=True)
    assert ids(answer) == ["c", "a"]
    assert reasons(answer) == {"c": "", "a": "", "b": "cap.one"}


def test_a_page_reload_costs_nothing_and_an_expired_place_counts_no_more():
    world = shop(offer("a", value=2.0), offer("b"), caps=one(action="a"))
    ada = world.customer("ada")
    first = ada.decides()
    world.advance(minutes=29)
    assert ids(ada.decides()) == ["a"] and len(ada.profile.places) == 1
    assert ada.decides()["actions"][0]["trackingToken"] == first["actions"][0]["trackingToken"]
    world.advance(minutes=1)
    again = ada.decides()
    assert ids(again) == ["a"], "the place has expired, nobody had to write that down"
    assert again["actions"][0]["trackingToken"] != first["actions"][0]["trackingToken"]


def test_what_was_seen_in_time_counts_and_what_was_not_does_not():
    world = shop(offer("a", value=2.0), offer("b"), caps=one(action="a"))
    ada = world.customer("ada")
    shown = ada.decides()["actions"][0]
    assert ada.sees(shown) == {"recorded": "viewed", "reason": ""}
    world.advance(minutes=40)
    assert ids(ada.decides()) == ["b"]
    world.advance(days=1)
    assert ids(ada.decides()) == ["a"]


@pytest.mark.parametrize(("late_ms", "reason", "next_shown"), [(0, "", "b"), (1, "over_exposure", "a")])
def test_a_view_counts_by_its_own_time_even_when_it_arrives_late(late_ms: int, reason: str, next_shown: str):
    world = shop(offer("a", value=2.0), offer("b"), caps=one(action="a"))
    ada = world.customer("ada")
    shown = ada.decides()["actions"][0]
    assert shown["expiresAt"] == world.now_ms + 30 * MINUTE
    world.advance(hours=2)
    assert ada.sees(shown, at_ms=shown["expiresAt"] + late_ms)["reason"] == reason
    assert ids(ada.decides()) == [next_shown]
    assert [entry.reason for entry in ada.timeline if entry.kind == "exposure"] == [reason]


def test_a_view_before_the_decision_is_a_wrong_clock_and_counts_from_the_decision():
    world = shop(offer("a", value=2.0), offer("b"), caps=one(action="a"))
    ada = world.customer("ada")
    ada.sees(ada.decides()["actions"][0], at_ms=0)
    world.advance(minutes=40)
    assert ids(ada.decides()) == ["b"]


def test_dismissing_gives_the_place_back_and_seeing_it_after_all_is_over_exposure():
    world = shop(offer("a", value=2.0), offer("a2", value=1.5), caps=one())
    ada = world.customer("ada")
    shown = ada.decides()["actions"][0]
    assert ids(ada.decides()) == ["a"]
    ada.sees(shown, "dismissed")
    assert ada.profile.places == []
    assert ada.sees(shown)["reason"] == "over_exposure"
    seen = ada.decides()["actions"][0]
    ada.sees(seen, "clicked")
    ada.sees(seen, "dismissed")
    assert len(ada.profile.places) == 1, "what was seen cannot be unseen"


def test_a_token_that_was_not_made_here_is_refused_and_changes_nothing():
    world = shop(offer("a"), caps=one())
    ada = world.customer("ada")
    shown = ada.decides()["actions"][0]
    before = len(ada.timeline)
    forged = shown["trackingToken"][:-3] + "abc"
    for token in (forged, "", "x" * 5000, "…"):
        with pytest.raises(InvalidInput, match="trackingToken"):
            ada.sees(shown | {"trackingToken": token})
    assert len(ada.timeline) == before and ada.profile.places[0].left_ms == 0


def test_the_same_request_id_gets_the_same_answer_whatever_has_happened_since():
    world = shop(offer("a", value=2.0), offer("b", value=1.0), caps=one(action="a"))
    ada = world.customer("ada")
    first = ada.decides(request_id="r1")
    ada.sees(first["actions"][0])
    world.advance(hours=1)
    assert ids(ada.decides(request_id="r2")) == ["b"]
    assert ada.decides(request_id="r1") == first
    assert len([entry for entry in ada.timeline if entry.kind == "decision"]) == 2


def test_a_customer_keeps_the_variant_and_all_variants_are_used():
    variants = [{"id": name, "web": {"content": {"title": name}}} for name in ("x", "y")]
    world = shop(offer("a", variants=variants))
    first = {n: world.customer(f"u{n}").decides()["actions"][0] for n in range(40)}
    world.advance(days=1)
    assert {n: world.customer(f"u{n}").decides()["actions"][0]["variant"] for n in first} == {
        n: shown["variant"] for n, shown in first.items()
    }
    assert {shown["variant"] for shown in first.values()} == {"x", "y"}
    assert all(shown["content"] == {"title": shown["variant"]} for shown in first.values())


def test_a_stranger_for_whom_nothing_is_reserved_leaves_no_profile_but_a_receipt_for_a_day():
    world = shop(offer("a"))
    shard = world.engine.windows[0].shard
    stranger = world.customer(anonymous="nobody")
    answer = stranger.decides(request_id="r")
    assert ids(answer) == ["a"]
    assert shard.record(stranger.id) is None and shard.profiles == 0
    assert not shard.scan("state") and not shard.scan("audit") and len(shard.scan("strangers")) == 1
    world.advance(hours=23)
    assert stranger.decides(request_id="r") == answer
    world.advance(hours=3)
    assert not shard.scan("strangers") and not shard.scan("seen")
    assert stranger.decides(request_id="r")["decisionId"] != answer["decisionId"]


def test_a_stranger_with_a_reserved_place_is_remembered_by_the_identifier_that_was_given():
    world = shop(offer("a", value=2.0), offer("b"), caps=one(action="a"))
    visitor = world.customer(anonymous="tablet")
    visitor.sees(visitor.decides()["actions"][0])
    world.customer("ada", anonymous="tablet").does("Page Viewed")
    world.advance(minutes=40)
    assert ids(world.customer("ada").decides()) == ["b"], "what the visitor saw counts for the user"


def test_silence_has_a_receipt_too():
    world = shop(offer("a", eligible={"trait": {"name": "vip", "is": True}}))
    ada = world.customer("ada")
    ada.does("Page Viewed")
    assert ada.decides()["actions"] == []
    (entry,) = [entry for entry in ada.timeline if entry.kind == "decision"]
    assert (entry.outcome, entry.reason) == ("silence", "eligibility")
    kept = receipt.read(entry.detail["receipt"])
    assert receipt.outcomes(kept, world.catalog, "web") == [("a", "dropped", "eligibility")]


def test_a_placement_that_nothing_is_made_for_has_a_receipt_that_can_be_read():
    world = World(document(placements={"placements": [{"id": "corner", "channel": "web"}]}))
    ada = world.customer("ada")
    ada.does("Page Viewed")
    assert ada.decides("corner")["actions"] == []
    (entry,) = [entry for entry in ada.timeline if entry.kind == "decision"]
    shown = receipt.shown(receipt.read(entry.detail["receipt"]), world.catalog, "web")
    assert (shown["candidates"], shown["scores"]) == ([], [])


def test_events_older_than_a_window_do_not_count_for_eligibility():
    seen = {
        "event": {"name": "Product Viewed", "count": {"at_least": 2}, "within": "7d", "where": {"category": "shoes"}}
    }
    world = shop(offer("a", eligible=seen))
    ada = world.customer("ada")
    ada.does("Product Viewed", category="shoes")
    ada.does("Product Viewed", category="hats")
    assert ids(ada.decides()) == []
    ada.does("Product Viewed", category="shoes", at_ms=world.now_ms - 1)
    assert ids(ada.decides()) == ["a"]
    world.advance(ms=7 * DAY - 1)
    assert ids(ada.decides()) == []
