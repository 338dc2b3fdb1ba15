"""The steps of ingest, one after the other, over one list of items."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.world import compiled, document

from engine.catalog.compiled import Catalog
from engine.errors import InvalidInput, Overloaded
from serve.ingest import pipeline
from serve.ingest.arrival import Arrival
from serve.ingest.items import NOT_ALLOWED, OFF_PLAN, REJECTED, Item, Submission
from serve.ingest.segment_format import open_body, parse_each_item

PRICED = {"type": "object", "required": ["price"]}
PLAN = {"events": {"Order Completed": {"schema": PRICED}, "Product Viewed": {"mode": "warn", "schema": PRICED}}}
SOURCES = {"sources": {"web": {"channel": "web", "events": ["Order Completed", "Product Viewed", "Seen"]}}}
CATALOG = compiled(document() | {"tracking_plan.yaml": PLAN, "sources.yaml": SOURCES})


def track(event: str, user: str = "ada", **properties: Any) -> dict[str, Any]:
    return {"type": "track", "userId": user, "event": event, "properties": properties}


def submission(*items: Any, public: bool = True) -> Submission:
    body = json.dumps({"batch": items}).encode()
    return open_body(body, None, Arrival("web", "web", 1_772_366_400_000, public=public))


def after_all_steps(catalog: Catalog, *items: Any) -> tuple[Submission, int]:
    sent = submission(*items)
    parse_each_item(sent, sent.items)
    pipeline.find_each_profile(catalog, sent.items)
    return sent, pipeline.quarantine_what_is_not_to_be_sent(catalog, sent.items)


def results(sent: Submission) -> list[tuple[str, str]]:
    return [(item.result, item.field) for item in sent.items]


def test_each_item_has_an_event_or_the_reason_of_the_step_that_set_it_aside():
    sent, warned = after_all_steps(
        CATALOG,
        track("Order Completed", price=1),
        {"type": "track", "userId": "ada"},
        track("Seen", user="null"),
        track("Order Completed"),
        track("Product Viewed"),
        track("Refund Granted"),
    )
    assert results(sent) == [
        ("", ""),
        (REJECTED, "event"),
        (REJECTED, "userId"),
        (OFF_PLAN, "properties"),
        ("", ""),
        (NOT_ALLOWED, "event"),
    ]
    assert warned == 1
    for item in sent.items:
        assert (item.event is None) == bool(item.message) == bool(item.result)
        assert bool(item.profile) == (item.result != REJECTED)
    assert [item.index for item in sent.items] == list(range(6))


def test_what_is_set_aside_goes_no_further():
    sent, _ = after_all_steps(CATALOG, track("Order Completed"), track("Refund Granted"), 1)
    before = [(item.result, item.reason) for item in sent.items]
    pipeline.find_each_profile(CATALOG, sent.items)
    pipeline.quarantine_what_is_not_to_be_sent(CATALOG, sent.items)
    assert [(item.result, item.reason) for item in sent.items] == before
    assert sent.events == []


def test_a_single_call_is_refused_as_a_whole():
    sent = open_body(b'{"userId": "ada"}', "track", Arrival("web", "web", 0))
    with pytest.raises(InvalidInput) as caught:
        parse_each_item(sent, sent.items)
    assert caught.value.field == "event"


@pytest.mark.parametrize(("items", "is_refused"), [
    ([], True),
    ([1], True),
    ([track("Seen")], True),
    ([track("Seen"), track("Order Completed")], False),
])  # fmt: skip
def test_an_overloaded_engine_takes_a_batch_only_for_what_is_never_shed(items: list[Any], is_refused: bool):
    policies = {"stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}]}
    catalog = compiled(document(policies=policies))
    sent = submission(*items)
    parse_each_item(sent, sent.items)
    pipeline.find_each_profile(catalog, sent.items)
    if is_refused:
        with pytest.raises(Overloaded):
            pipeline.refuse_if_all_may_wait(catalog, sent.items)
    else:
        pipeline.refuse_if_all_may_wait(catalog, sent.items)


@pytest.mark.parametrize("count", [0, 1, 200, 201, 400, 999])
def test_parts_are_all_items_in_their_order(count: int):
    items = [Item(number, b"") for number in range(count)]
    parts = list(pipeline.in_parts(items))
    assert [item for part in parts for item in part] == items
    assert all(len(part) <= pipeline.PART_ITEMS for part in parts)
