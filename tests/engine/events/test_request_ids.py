"""A request id belongs to its whole question: placement, limit and context, of one customer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.world import World, action, document

from actors.storage import keys
from engine import codec
from engine.errors import InvalidInput, RequestIdUsed
from engine.events import once
from engine.inputs import Decide

OFFERS = [
    action("hero", channels=["web"], placements=["home_hero"], purpose="service"),
    action("other_hero", channels=["web"], placements=["home_hero"], purpose="service"),
    action("banner", channels=["web"], placements=["banner"], purpose="service"),
]
PLACES = [{"id": "home_hero", "channel": "web", "default": {}}, {"id": "banner", "channel": "web", "default": {}}]


def shop() -> World:
    return World(document(actions=OFFERS, placements={"placements": PLACES}))


def ids(answer: dict[str, Any]) -> list[str]:
    return [shown["actionId"] for shown in answer["actions"]]


@pytest.mark.parametrize(
    "other",
    [
        {"placement": "banner"},
        {"limit": 2},
        {"context": {"page": "shoes"}},
        {"context": {"page": "bags", "depth": 1, "more": True}},
        {"context": {}},
    ],
    ids=str,
)
def test_one_request_id_for_another_question_is_refused_and_takes_nothing(other: dict[str, Any]):
    ada = shop().customer("ada")
    asked = {"request_id": "r", "context": {"page": "bags", "depth": 1}}
    first = ada.decides(**asked)
    entries = len(ada.timeline)
    with pytest.raises(RequestIdUsed) as refused:
        ada.decides(**(asked | other))
    assert refused.value.field == "requestId"
    assert len(ada.timeline) == entries
    assert ada.decides(**asked) == first


def test_a_context_is_the_same_in_whatever_order_its_names_stand():
    ada = shop().customer("ada")
    first = ada.decides(request_id="r", context={"a": 1, "b": {"c": 2, "d": [1, 2]}})
    assert ada.decides(request_id="r", context={"b": {"d": [1, 2], "c": 2}, "a": 1}) == first
    with pytest.raises(RequestIdUsed):
        ada.decides(request_id="r", context={"a": 1, "b": {"c": 2, "d": [2, 1]}})


@pytest.mark.parametrize(
    "same",
    [
        {"page": "bags", "depth": 1.0},
        {"page": "bags", "depth": 1, "more": None},
        {"page": "bags", "depth": 1, "more": "", "list": [], "inner": {"none": None}},
    ],
    ids=str,
)
def test_a_context_is_the_same_however_a_number_or_nothing_is_written(same: dict[str, Any]):
    ada = shop().customer("ada")
    first = ada.decides(request_id="r", context={"page": "bags", "depth": 1})
    assert ada.decides(request_id="r", context=same) == first
    for other in ({"page": "bags", "depth": 1.5}, {"page": "bags", "depth": "1"}, {"page": "bags", "depth": True}):
        with pytest.raises(RequestIdUsed):
            ada.decides(request_id="r", context=other)


def test_explaining_is_no_part_of_the_question_and_nobody_is_told_more_than_they_ask_for():
    ada = shop().customer("ada")
    explained = ada.decides(request_id="r", explain=True)
    told = explained | {}
    assert told.pop("explanation")["candidates"]
    assert ada.decides(request_id="r") == told
    assert ada.decides(request_id="r", explain=True) == explained
    ada.decides(request_id="q")
    assert "explanation" not in ada.decides(request_id="q", explain=True)  # it was not made then


def test_a_visitor_who_signs_in_between_asks_the_same_question_by_either_name():
    world = shop()
    visitor = world.customer(anonymous="visitor")
    first = visitor.decides(request_id="r")
    signed_in = world.customer("ada", anonymous="visitor")
    signed_in.identifies()
    world.settle()
    assert signed_in.decides(request_id="r")["decisionId"] == first["decisionId"]
    assert visitor.decides(request_id="r")["decisionId"] == first["decisionId"]
    with pytest.raises(RequestIdUsed):
        signed_in.decides("banner", request_id="r")


def test_another_customer_may_use_the_same_request_id():
    world = shop()
    first = world.customer("ada").decides(request_id="r")
    other = world.customer("bea").decides("banner", request_id="r")
    assert (ids(first), ids(other)) == (["hero"], ["banner"])


def test_after_a_day_a_request_id_is_free_again():
    world = shop()
    ada = world.customer("ada")
    ada.decides(request_id="r")
    world.advance(hours=25)
    assert ids(ada.decides("banner", request_id="r")) == ["banner"]


def test_an_answer_that_was_kept_before_questions_were_is_given_again():
    world = shop()
    ada = world.customer("ada")
    first = ada.decides(request_id="r")
    shard = world.engine.shard(ada.id)
    key = keys.profile_key(ada.id) + once.key_of(Decide(placement="home_hero", channel="web", request_id="r"))
    at_ms = world.now_ms.to_bytes(8)
    shard.batch.put("seen", key, codec.seal(at_ms + msgspec.msgpack.encode(first)), ada.id)
    assert ada.decides(request_id="r") == first


def test_what_is_refused_names_the_field():
    assert issubclass(RequestIdUsed, InvalidInput) and RequestIdUsed.code == "request_id_used"
