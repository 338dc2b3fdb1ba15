"""Segment's and RudderStack's own Python clients, as they come from PyPI, talk to the running engine."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from rudderstack.analytics.client import Client as RudderClient
from segment.analytics.client import Client
from support.running import WRITE_KEY, Engine

CLICKS = 250


@pytest.mark.parametrize("gzip", [False, True])
def test_what_segments_client_sends_arrives(shop: Engine, gzip: bool):
    user = f"client-{gzip}"
    assert failures_of(Client, user, host=shop.url, gzip=gzip) == []
    clicked = clicks_after_one_identify_and_one_page(shop, user)
    assert {properties["who"] for properties in clicked} == {"Zoë 🧡"}
    assert {entry["source"] for entry in shop.timeline("user_id", user)} == {"web"}


def test_segments_client_is_told_that_its_key_is_unknown(shop: Engine):
    failures: list[Exception] = []
    client = Client("no-such-key", host=shop.url, on_error=lambda error, items: failures.append(error), max_retries=1)
    client.track("nobody", "Clicked")
    client.flush()
    client.join()
    assert [getattr(failure, "status", None) for failure in failures] == [401]
    assert getattr(failures[0], "code", None) == "unauthorised"


def test_what_rudderstacks_client_sends_arrives_though_it_hides_traits_in_the_context(shop: Engine):
    assert failures_of(RudderClient, "client-rudder", host=shop.url) == []
    clicks_after_one_identify_and_one_page(shop, "client-rudder")


def failures_of(kind: type[Client] | type[RudderClient], user: str, **options: object) -> list[object]:
    """What a client could not send of one person's visit."""
    failures: list[object] = []
    client = kind(WRITE_KEY, on_error=lambda error, items: failures.append(error), max_retries=1, **options)
    client.identify(user, {"email": f"{user}@shop.example", "name": "Zoë"})
    for number in range(CLICKS):
        client.track(user, "Clicked", {"number": number, "who": "Zoë 🧡"})
    client.page(user, "Shoes", "Women")
    client.flush()
    client.join()
    return failures


def clicks_after_one_identify_and_one_page(engine: Engine, user: str) -> list[dict[str, Any]]:
    entries = engine.timeline("user_id", user)
    # batches of 100, each with a `sentAt` of its own: by corrected time their neighbours may change places
    assert Counter(entry["summary"] for entry in entries) == {"Identified": 1, "Clicked": CLICKS, "Page Viewed": 1}
    clicked = [entry["properties"] for entry in entries if entry["summary"] == "Clicked"]
    assert sorted(properties["number"] for properties in clicked) == list(range(CLICKS))
    assert engine.profile("email", f"{user}@shop.example")["traits"]["name"] == "Zoë"
    return clicked
