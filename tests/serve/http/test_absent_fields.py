"""A field that says nothing is as one that is not there, on every route, whatever kind of value it should have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.doors import WRITE, door, tell
from support.world import action, document

SHOP = document(actions=[action("spring", channels=["web"], placements=["home_hero"], purpose="service")])
ASKED = {"placement": "home_hero", "userId": "ada"}
NOTHINGS = (None, "", " ", [], {}, "undefined", "\u3164")
OPTIONAL = ("requestId", "limit", "explain", "channel", "context", "userHash", "writeKey", "anonymousId", "identifiers")


@pytest.mark.parametrize("absent", NOTHINGS, ids=repr)
def test_a_decision_is_asked_with_nothing_in_any_field_that_may_be_absent(tmp_path: Path, absent: Any):
    async def story():
        async with door(tmp_path, SHOP) as client:
            plain = (await client.post("/v1/decide", json=ASKED)).json()
            for field in OPTIONAL:
                answer = await client.post("/v1/decide", json=ASKED | {field: absent})
                assert answer.status_code == 200, (field, answer.text)
                assert [each["actionId"] for each in answer.json()["actions"]] == ["spring"]
                assert answer.json().keys() == plain.keys(), field
            shown = {"trackingToken": plain["actions"][0]["trackingToken"], "event": "viewed", "writeKey": absent}
            assert (await client.post("/v1/exposures", json=shown | {"at": absent})).status_code == 200

    tell(story())


@pytest.mark.parametrize("absent", NOTHINGS, ids=repr)
def test_an_event_is_taken_with_nothing_in_any_field_that_may_be_absent(tmp_path: Path, absent: Any):
    async def story():
        async with door(tmp_path) as client:
            for kind in ("page", "screen"):
                told = {"userId": "ada", "name": absent, "category": absent, "event": absent, "type": absent}
                properties = {"name": "Shoes"}
                answer = await client.post(f"/v1/{kind}", json=told | {"properties": properties})
                assert answer.status_code == 200, answer.text
            missing = await client.post("/v1/track", json={"userId": "ada", "event": absent})
            assert (missing.status_code, missing.json()["field"]) == (400, "event")
            both = {"userId": absent, "targetingKey": "ada"}
            flag = await client.post("/ofrep/v1/evaluate/flags/home_hero", json={"context": both})
            assert flag.status_code == 200, flag.text

    tell(story())


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("limit", True),
        ("limit", 1.5),
        ("limit", "3"),
        ("limit", 0),
        ("explain", "yes"),
        ("explain", 1),
        ("requestId", 7),
        ("requestId", [1]),
    ],
)
def test_what_is_there_and_wrong_is_refused_by_name(tmp_path: Path, field: str, wrong: Any):
    async def story():
        async with door(tmp_path, SHOP) as client:
            answer = await client.post("/v1/decide", json=ASKED | {field: wrong})
            assert (answer.status_code, answer.json()["field"]) == (400, field)

    tell(story())


def test_a_query_that_says_nothing_is_none(tmp_path: Path):
    async def story():
        async with door(tmp_path) as client:
            await client.post("/v1/track", json={"userId": "ada", "event": "Seen"})
            for query in (
                "timeline?limit=",
                "timeline?limit",
                "timeline?limit=undefined",
                "why?action=",
                "why?action=&journey=",
            ):
                answer = await client.get(f"/v1/profiles/user_id:ada/{query}")
                plain = await client.get(f"/v1/profiles/user_id:ada/{query.partition('?')[0]}")
                assert (answer.status_code, answer.json().keys()) == (200, plain.json().keys()), query
            assert (await client.get("/v1/profiles/user_id:ada/timeline?limit=1&")).status_code == 200
            assert (await client.get("/v1/profiles/user_id:ada/timeline?limit=x")).status_code == 400

    tell(story())


def test_an_empty_batch_is_taken_however_it_is_written(tmp_path: Path):
    async def story():
        async with door(tmp_path) as client:
            for batch in ([], {}):
                answer = await client.post("/v1/batch", json={"batch": batch, "writeKey": WRITE})
                assert (answer.status_code, answer.json()) == (200, {"success": True})

    tell(story())
