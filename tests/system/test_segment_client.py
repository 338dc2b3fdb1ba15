"""Segment's and RudderStack's own Python clients, as they come from PyPI, talk to the running engine."""

from __future__ import annotations

from collections import Counter

import pytest
from rudderstack.analytics.client import Client as RudderClient
from segment.analytics.client import Client
from support.running import WRITE_KEY, Engine


@pytest.mark.parametrize("gzip", [False, True])
def test_what_segments_client_sends_arrives(shop: Engine, gzip: bool):
    failures: list[object] = []
    user = f"client-{gzip}"
    client = Client(
        WRITE_KEY, host=shop.url, gzip=gzip, on_error=lambda error, items: failures.append(error), max_retries=1
    )
    client.identify(user, {"email": f"{user}@shop.example", "name": "Zoë"})
    for number in range(250):
        client.track(user, "Clicked", {"number": number, "who": "Zoë 🧡"})
    client.page(user, "Shoes", "Women")
    client.flush()
    client.join()
    assert failures == []
    entries = shop.timeline("user_id", user)
    # batches of 100, each with a `sentAt` of its own: by corrected time their neighbours may change places
    assert Counter(entry["summary"] for entry in entries) == {"Identified": 1, "Clicked": 250, "Page Viewed": 1}
    clicked = [entry["properties"] for entry in entries if entry["summary"] == "Clicked"]
    assert sorted(properties["number"] for properties in clicked) == list(range(250))
    assert {properties["who"] for properties in clicked} == {"Zoë 🧡"}
    assert {entry["source"] for entry in entries} == {"web"}
    assert shop.profile("email", f"{user}@shop.example")["traits"]["name"] == "Zoë"


def test_segments_client_is_told_that_its_key_is_unknown(shop: Engine):
    failures: list[Exception] = []
    client = Client("no-such-key", host=shop.url, on_error=lambda error, items: failures.append(error), max_retries=1)
    client.track("nobody", "Clicked")
    client.flush()
    client.join()
    assert [getattr(failure, "status", None) for failure in failures] == [401]
    assert getattr(failures[0], "code", None) == "unauthorised"


def test_what_rudderstacks_client_sends_arrives_though_it_hides_traits_in_the_context(shop: Engine):
    failures: list[object] = []
    user = "client-rudder"
    client = RudderClient(WRITE_KEY, host=shop.url, on_error=lambda error, items: failures.append(error), max_retries=1)
    client.identify(user, {"email": f"{user}@shop.example", "name": "Zoë"})
    for number in range(250):
        client.track(user, "Clicked", {"number": number})
    client.page(user, "Shoes", "Women")
    client.flush()
    client.join()
    assert failures == []
    entries = shop.timeline("user_id", user)
    assert Counter(entry["summary"] for entry in entries) == {"Identified": 1, "Clicked": 250, "Page Viewed": 1}
    assert shop.profile("email", f"{user}@shop.example")["traits"]["name"] == "Zoë"
