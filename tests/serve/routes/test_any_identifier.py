"""Namespaces of a workspace's own, and any identifier, on every route that takes one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from support.doors import served
from support.world import action, document

WRITE, SERVER = "wk-of-these-tests", "sk-of-these-tests"
IDENTITY = {
    "namespaces": {
        "member_no": {"canonical": "digits", "paths": ["properties.member"], "blocked_patterns": ["0+"]},
        "crm_id": {"canonical": "upper"},
    }
}
SHOP = document(
    identity=IDENTITY,
    actions=[action("plain", channels=["web"], placements=["home_hero"], purpose="service")],
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        served(tmp_path_factory.mktemp("door"), SHOP, WRITE, SERVER) as url,
        httpx.Client(base_url=url, headers={"x-api-key": SERVER}, trust_env=False) as opened,
    ):
        yield opened


def profile(client: httpx.Client, reference: str) -> str:
    answer = client.get(f"/v1/profiles/{quote(reference, safe=':')}")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["profileId"])


def told(client: httpx.Client, **fields: Any) -> None:
    answer = client.post("/v1/track", json={"event": "Bought", **fields})
    assert (answer.status_code, answer.json()) == (200, {"success": True}), answer.text


def test_one_person_is_found_by_every_route_however_the_number_is_written(client: httpx.Client):
    told(client, properties={"member": "12-34 56"})
    found = profile(client, "member_no:12 34 56")
    assert profile(client, "member_no:123456") == found
    named = {"member_no": "1234-56"}
    asked = client.post("/v1/decide", json={"placement": "home_hero", "identifiers": named})
    assert asked.json()["profileId"] == found
    no = {"identifiers": named, "purpose": "marketing", "channel": "email", "granted": False, "source": "till"}
    assert client.post("/v1/consent", json=no).json()["profileId"] == found
    flag = client.post("/ofrep/v1/evaluate/flags/home_hero", json={"context": {"identifiers": named}})
    assert flag.json()["variant"] == "plain.a"
    batch = {"batch": [{"type": "track", "event": "Bought", "messageId": "i-1", "properties": {"member": "123 456"}}]}
    assert client.post("/v1/import", json=batch).json() == {"success": True}
    events = client.get("/v1/profiles/member_no:123456").json()["identifiers"]
    assert [(link["namespace"], link["value"]) for link in events] == [("member_no", "123456")]
    assert profile(client, "member_no:123-456") == found


def test_of_several_the_first_in_the_order_is_asked(client: httpx.Client):
    told(client, context={"externalIds": [{"type": "crm_id", "id": "x-7"}]})
    told(client, context={"traits": {"email": "x7@shop.example"}})
    several = {"email": "x7@shop.example", "crm_id": "X-7"}
    asked = client.post("/v1/decide", json={"placement": "home_hero", "identifiers": several})
    assert asked.json()["profileId"] == profile(client, "crm_id:x-7") != profile(client, "email:x7@shop.example")


@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({"member_no": "none"}, "member_no"),
        ({"member_no": "000"}, "identifiers"),
        ({"memberno": "123"}, "memberno"),
        ({"crm_id": "x" * 10_240}, "crm_id"),
        ({"crm_id": "\u0430da"}, "crm_id"),  # a Cyrillic а
    ],
)
def test_an_identifier_that_is_none_is_named(client: httpx.Client, named: dict[str, str], field: str):
    asked = client.post("/v1/decide", json={"placement": "home_hero", "identifiers": named})
    assert (asked.status_code, asked.json()["field"]) == (400, field)
    no = {"identifiers": named, "purpose": "marketing", "channel": "email", "granted": False, "source": "till"}
    assert client.post("/v1/consent", json=no).status_code == 400
    assert client.post("/ofrep/v1/evaluate/flags", json={"context": {"identifiers": named}}).status_code == 400


def test_a_write_key_asks_by_user_id_and_anonymous_id_alone(client: httpx.Client):
    context = {"context": {"identifiers": {"member_no": "123456"}}}
    answer = client.post("/ofrep/v1/evaluate/flags", json=context, headers={"x-api-key": WRITE})
    assert answer.status_code == 403


def test_marks_of_direction_are_no_part_of_a_name(client: httpx.Client):
    told(client, userId="\u202eada\u202c")
    assert profile(client, "user_id:ada") == profile(client, "user_id:\u200fada")


def test_a_guest_who_states_an_address_and_orders_in_one_batch_is_one_person(client: httpx.Client):
    guest = {"anonymousId": "a-guest"}
    batch = [
        {"type": "identify", "traits": {"email": "guest@shop.example", "name": "G."}} | guest,
        {"type": "track", "event": "Order Completed", "properties": {"order_id": "o"}} | guest,
        {"type": "track", "event": "Thanked"} | guest,
    ]
    assert client.post("/v1/batch", json={"batch": batch}).json() == {"success": True}
    assert profile(client, "anonymous_id:a-guest") == profile(client, "email:guest@shop.example")
    entries = client.get("/v1/profiles/email:guest@shop.example/timeline").json()["entries"]
    assert [entry["summary"] for entry in entries if entry["kind"] in ("event", "merge")] == [
        "Identified",
        "Order Completed",
        "Thanked",
    ]
