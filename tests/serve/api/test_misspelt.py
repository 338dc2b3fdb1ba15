"""A name that is nearly right is refused with the name that was meant, on every route."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.doors import door, tell

DECIDE, EXPOSE, CONSENT = "/v1/decide", "/v1/exposures", "/v1/consent"
FLAG = "/ofrep/v1/evaluate/flags/home_hero"
HERO = {"placement": "home_hero"}
SAID = {"identifiers": {"user_id": "ada"}, "purpose": "marketing", "channel": "email", "granted": False, "source": "s"}

BODIES: list[tuple[str, dict[str, Any], int, str, str]] = [
    (DECIDE, HERO | {"user_id": "ada"}, 400, "user_id", "did you mean userId?"),
    (DECIDE, HERO | {"anonymousID": "x"}, 400, "anonymousID", "did you mean anonymousId?"),
    (DECIDE, {"placment": "home_hero", "userId": "ada"}, 400, "placment", "did you mean placement?"),
    (DECIDE, HERO | {"userId": "ada", "colour": 1}, 400, "colour", "there are: anonymousId, channel"),
    (DECIDE, {"placement": "home-hero", "userId": "ada"}, 400, "placement", "did you mean home_hero?"),
    (DECIDE, {"placement": "nowhere", "userId": "ada"}, 400, "placement", "there are: home_hero"),
    (EXPOSE, {"tracking_token": "x", "event": "viewed"}, 400, "tracking_token", "did you mean trackingToken?"),
    (EXPOSE, {"trackingToken": "x", "event": "view"}, 400, "event", "did you mean viewed?"),
    (CONSENT, SAID | {"sorce": "s"}, 400, "sorce", "did you mean source?"),
    (CONSENT, {"identifier": {"user_id": "ada"}}, 400, "identifier", "did you mean identifiers?"),
    (CONSENT, SAID | {"channel": "e-mial"}, 400, "channel", "did you mean email?"),
    (CONSENT, SAID | {"purpose": "marketting"}, 400, "purpose", "did you mean marketing?"),
    ("/v1/catalog", {"file": {}}, 400, "file", "did you mean files?"),
    ("/v1/track", {"user_id": "ada", "event": "Seen"}, 400, "userId", "did you mean userId, where user_id stands?"),
    ("/v1/track", {"userId": "ada", "Event": "Seen"}, 400, "event", "did you mean event, where Event stands?"),
    (
        "/v1/track",
        {"anonymous_id": "x", "event": "Seen"},
        400,
        "userId",
        "did you mean anonymousId, where anonymous_id",
    ),
    ("/v1/track", {"anonymousID": "x", "event": "Seen"}, 400, "userId", "did you mean anonymousId, where anonymousID"),
    ("/v1/batch", {"events": []}, 400, "batch", "did you mean batch, where events stands?"),
    ("/v1/batch", {}, 400, "batch", "is missing"),
    (DECIDE, {"userId": 1}, 400, "placement", "is missing; there are: home_hero"),
    (DECIDE, {"userId": 1, "placement": None}, 400, "placement", "there are: home_hero"),
    (DECIDE, HERO | {"userId": "anonymous"}, 400, "userId", "names nobody that can be known"),
    (DECIDE, HERO | {"anonymousId": "anonymous"}, 400, "anonymousId", "names nobody that can be known"),
    (DECIDE, HERO | {"identifiers": {"user_id": "anonymous"}}, 400, "identifiers", "names nobody that can be known"),
    (DECIDE, HERO | {"identifiers": {"userId": "x"}}, 400, "userId", "did you mean user_id?"),
    (EXPOSE, {"event": "viewed"}, 400, "trackingToken", "is missing"),
    (EXPOSE, {"trackingToken": "x"}, 400, "event", "is missing"),
    ("/v1/batch", {"bach": []}, 400, "batch", "did you mean batch, where bach stands?"),
    ("/v1/journeys/abandoned_carts/pause", {}, 404, "journey", "did you mean abandoned_cart?"),
    ("/v1/tracks", {}, 404, "path", "did you mean /v1/track?"),
    ("/v1/profile/user_id:ada/pin", {}, 404, "path", "did you mean /v1/profiles?"),
    ("/v1/status", {}, 405, "method", "this path takes GET"),
]


@pytest.mark.parametrize(
    ("path", "body", "status", "field", "hint"), BODIES, ids=[f"{row[0]} {row[3]} {row[4]}" for row in BODIES]
)
def test_what_was_meant_is_said(tmp_path: Path, path: str, body: dict[str, Any], status: int, field: str, hint: str):
    async def story():
        async with door(tmp_path) as client:
            answer = await client.post(path, json=body)
            told = answer.json()
            assert (answer.status_code, told.get("field", "")) == (status, field), told
            assert hint in told["message"]

    tell(story())


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ({"context": {"targeting_key": "ada"}}, "did you mean targetingKey, where targeting_key stands?"),
        ({"context": {"user_id": "ada"}}, "did you mean userId, where user_id stands?"),
        ({"contxt": {"userId": "ada"}}, "did you mean context, where contxt stands?"),
        ({"targetingKey": "ada"}, "targetingKey stands beside `context`"),
    ],
    ids=str,
)
def test_an_evaluation_that_names_nobody_says_what_was_meant(tmp_path: Path, body: dict[str, Any], hint: str):
    async def story():
        async with door(tmp_path) as client:
            answer = await client.post(FLAG, json=body)
            assert (answer.status_code, answer.json()["errorCode"]) == (400, "TARGETING_KEY_MISSING")
            assert hint in answer.json()["errorDetails"]
            lost = await client.post("/ofrep/v1/evaluate/flags/home_herro", json={"context": {"userId": "ada"}})
            assert (lost.status_code, lost.json()["errorCode"]) == (404, "FLAG_NOT_FOUND")
            assert "did you mean home_hero?" in lost.json()["errorDetails"]

    tell(story())


def test_an_item_of_a_batch_that_misses_a_name_is_told_which_stands_in_its_place(tmp_path: Path):
    async def story():
        async with door(tmp_path) as client:
            item = {"type": "track", "user_id": "ada", "event": "Seen"}
            (rejected,) = (await client.post("/v1/batch", json={"batch": [item]})).json()["rejected"]
            assert rejected["field"] == "userId" and "where user_id stands" in rejected["message"]

    tell(story())


@pytest.mark.parametrize(
    ("path", "status", "field", "hint"),
    [
        ("/v1/profiles/user_id:ada/timeline?Limit=5", 400, "Limit", "did you mean limit?"),
        ("/v1/profiles/user_id:ada/why?acton=x", 400, "acton", "did you mean action?"),
        ("/v1/profiles/user_id:ada/why?action=cart_remainder", 404, "action", "did you mean cart_reminder?"),
        ("/v1/profiles/userId:ada", 400, "userId", "did you mean user_id?"),
        ("/v1/profiles/shoe:43", 400, "shoe", "profile_id"),
        ("/v1/dead-letters?kinds=rejected", 400, "kinds", "did you mean kind?"),
        ("/v1/profiles/user_id:ada?utm_source=x", 200, "", ""),
    ],
)
def test_a_query_that_is_nearly_right_is_not_lost_silently(
    tmp_path: Path, path: str, status: int, field: str, hint: str
):
    async def story():
        async with door(tmp_path) as client:
            await client.post("/v1/track", json={"userId": "ada", "event": "Seen"})
            answer = await client.get(path)
            told = answer.json()
            assert (answer.status_code, told.get("field", "")) == (status, field), told
            assert hint in told.get("message", "")

    tell(story())


@pytest.mark.parametrize(
    ("context", "field"),
    [
        ({"targetingKey": True}, "context.targetingKey"),
        ({"userId": [1]}, "context.userId"),
        ({"targetingKey": "anonymous"}, "context.targetingKey"),
        ({"anonymousId": "x" * 300}, "context.anonymousId"),
    ],
    ids=str,
)
def test_an_evaluation_names_the_field_that_can_name_nobody(tmp_path: Path, context: dict[str, Any], field: str):
    async def story():
        async with door(tmp_path) as client:
            answer = await client.post(FLAG, json={"context": context})
            assert answer.status_code == 400 and answer.json()["errorDetails"].startswith(f"{field}: "), answer.text

    tell(story())
