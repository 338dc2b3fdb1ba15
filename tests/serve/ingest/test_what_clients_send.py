"""What real clients send without meaning it: nobody, a time in seconds, PHP's empty objects. The same everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.doors import door, tell
from support.world import CART

ABSENT = [None, "", "  ", [], {}, "null", "undefined", "\u200b"]
NO_IDS = [True, 1.5, {"id": 1}, [1]]
FLAG = "/ofrep/v1/evaluate/flags/home_hero"
AT_HOME = CART | {"policies.yaml": CART["policies.yaml"] | {"workspace": {"country": "DE"}}}
CONSENT = {"purpose": "marketing", "channel": "email", "granted": False, "source": "test"}


def asking(user: Any, visitor: Any) -> list[tuple[str, dict[str, Any], str]]:
    """Each way to name somebody, and what an answer calls the user at fault."""
    return [
        ("/v1/track", {"userId": user, "anonymousId": visitor, "event": "Seen"}, "userId"),
        ("/v1/identify", {"userId": user, "anonymousId": visitor}, "userId"),
        ("/v1/page", {"userId": user, "anonymousId": visitor}, "userId"),
        ("/v1/group", {"userId": user, "anonymousId": visitor, "groupId": user}, "userId"),
        ("/v1/decide", {"userId": user, "anonymousId": visitor, "placement": "home_hero"}, "userId"),
        (FLAG, {"context": {"userId": user, "anonymousId": visitor}}, "userId"),
        ("/v1/consent", {"identifiers": {"user_id": user, "anonymous_id": visitor}} | CONSENT, "user_id"),
        (
            "/v1/decide",
            {"identifiers": {"user_id": user, "anonymous_id": visitor}, "placement": "home_hero"},
            "user_id",
        ),
    ]


async def events_of(client: httpx.AsyncClient, who: str) -> list[str]:
    answer = await client.get(f"/v1/profiles/{who}/timeline")
    return [entry["summary"] for entry in answer.json()["entries"]] if answer.status_code == 200 else []


@pytest.mark.parametrize("absent", ABSENT, ids=repr)
def test_nobody_beside_a_visitor_is_nobody_on_every_route(tmp_path: Path, absent: Any):
    async def story():
        async with door(tmp_path) as client:
            for path, body, _ in asking(absent, "a-1"):
                answer = await client.post(path, json=body)
                assert answer.status_code == 200, (path, answer.text)
            flag = {"context": {"targetingKey": absent, "anonymousId": "a-1"}}
            assert (await client.post(FLAG, json=flag)).status_code == 200
            known = (await client.get("/v1/profiles/anonymous_id:a-1")).json()
            assert [(link["namespace"], link["value"]) for link in known["identifiers"]] == [("anonymous_id", "a-1")]
            for path, body, _ in asking(absent, absent):
                answer = await client.post(path, json=body)
                assert answer.status_code == 400, (path, answer.text)
            lacking = await client.post(FLAG, json={"context": {"targetingKey": absent}})
            assert lacking.json()["errorCode"] == "TARGETING_KEY_MISSING"

    tell(story())


@pytest.mark.parametrize("value", NO_IDS, ids=repr)
def test_what_can_be_no_id_is_refused_by_name_on_every_route(tmp_path: Path, value: Any):
    async def story():
        async with door(tmp_path) as client:
            for path, body, field in asking(value, "a-1"):
                answer = await client.post(path, json=body)
                told = answer.json()
                assert answer.status_code == 400, (path, told)
                assert field in told.get("errorDetails", told.get("field")), (path, told)
                assert "must be a text or a whole number" in told.get("errorDetails", told.get("detail")), (path, told)
            key = await client.post(FLAG, json={"context": {"targetingKey": value}})
            assert (key.status_code, key.json()["errorCode"]) == (400, "INVALID_CONTEXT")
            assert await events_of(client, "anonymous_id:a-1") == []

    tell(story())


@pytest.mark.parametrize("spelt", [123, " 123 ", "\ufeff123", "12\u200b3\u00ad"], ids=repr)
def test_whoever_is_spelt_in_several_ways_is_one_person_on_every_route(tmp_path: Path, spelt: Any):
    async def story():
        async with door(tmp_path) as client:
            for path, body, _ in asking(spelt, None):
                assert (await client.post(path, json=body)).status_code == 200, path
            assert (await client.post(FLAG, json={"context": {"targetingKey": spelt}})).status_code == 200
            ids = set()
            for path in ("123", "12%E2%80%8B3", "%EF%BB%BF123"):
                known = (await client.get(f"/v1/profiles/user_id:{path}")).json()
                assert [link["value"] for link in known["identifiers"]] == ["123"]
                ids.add(known["profileId"])
            assert len(ids) == 1

    tell(story())


@pytest.mark.parametrize("empty", [[], {}, None, ""], ids=repr)
def test_what_php_writes_for_an_empty_object_is_one_on_every_route(tmp_path: Path, empty: Any):
    async def story():
        async with door(tmp_path) as client:
            event = {"userId": "ada", "event": "Seen"} | dict.fromkeys(("properties", "traits", "context"), empty)
            assert (await client.post("/v1/track", json=event)).status_code == 200
            asked = {"userId": "ada", "placement": "home_hero", "context": empty, "identifiers": empty}
            asked |= dict.fromkeys(
                ("channel", "requestId", "userHash"), None if isinstance(empty, list | dict) else empty
            )
            assert (await client.post("/v1/decide", json=asked)).status_code == 200
            assert (await client.post(FLAG, json={"context": empty})).status_code == 400
            answer = await client.post(
                "/v1/batch", json={"batch": [event | {"type": "track"}, empty], "context": empty}
            )
            assert [row["index"] for row in answer.json()["rejected"]] == [1]
            stated = {"identifiers": {"user_id": "ada", "email": empty}, "at": empty, "text": None} | CONSENT
            answer = await client.post("/v1/consent", json=stated | {"channel": empty, "purpose": empty})
            assert answer.status_code == 200, answer.text

    tell(story())


def test_a_no_whose_channel_is_a_word_for_nothing_is_about_all_channels(tmp_path: Path):
    async def story():
        async with door(tmp_path) as client:
            stated = CONSENT | {"identifiers": {"user_id": "ada"}, "channel": "undefined"}
            assert (await client.post("/v1/consent", json=stated)).status_code == 200
            (word,) = (await client.get("/v1/profiles/user_id:ada/consent")).json()["consent"]
            assert (word["channel"], word["granted"]) == ("*", False)

    tell(story())


def test_a_time_in_seconds_is_that_time_on_every_route(tmp_path: Path):
    seconds, iso = 1_772_366_400, "2026-03-01T12:00:00.000Z"

    async def story():
        async with door(tmp_path) as client:
            for number, at in enumerate((seconds, str(seconds), seconds * 1000, seconds + 0.0, iso)):
                event = {"type": "track", "userId": f"u{number}", "event": "Seen", "timestamp": at}
                assert (await client.post("/v1/import", json={"batch": [event]})).status_code == 200
                entries = (await client.get(f"/v1/profiles/user_id:u{number}/timeline")).json()["entries"]
                assert entries[0]["at"] == iso
                stated = CONSENT | {"identifiers": {"user_id": f"u{number}"}, "at": at, "granted": True}
                await client.post("/v1/consent", json=stated)
                (word,) = (await client.get(f"/v1/profiles/user_id:u{number}/consent")).json()["consent"]
                assert word["at"] == iso
                past = await client.get(f"/v1/profiles/user_id:u{number}", params={"at": at})
                assert past.status_code in (200, 404), past.text
            for path, body in (("/v1/consent", stated | {"at": "soon"}), ("/v1/clock", {"watermark": [1]})):
                answer = await client.post(path, json=body)
                assert (answer.status_code, answer.json()["field"]) == (
                    400,
                    next(n for n in ("at", "watermark") if n in body),
                )
            assert (await client.get("/v1/profiles/user_id:u0?at=")).status_code == 200

    tell(story())


def test_a_telephone_is_one_person_s_on_every_route_and_what_is_none_is_counted(tmp_path: Path):
    async def story():
        async with door(tmp_path, AT_HOME) as client:
            ada = {"userId": "ada", "traits": {"phone": "0171 1234567", "email": "not an email"}}
            assert (await client.post("/v1/identify", json=ada)).status_code == 200
            known = (await client.get("/v1/profiles/phone:0171%201234567")).json()
            assert known["addresses"] == {"email": None, "phone": "+491711234567"}
            assert [each["value"] for each in known["unusableAddresses"]] == ["not an email"]
            assert known["traits"]["phone"] == "0171 1234567"
            stated = CONSENT | {"identifiers": {"phone": "0171 1234567"}}
            assert (await client.post("/v1/consent", json=stated)).json()["profileId"] == known["profileId"]
            asked = {"identifiers": {"phone": "+49 171 1234567"}, "placement": "home_hero"}
            assert (await client.post("/v1/decide", json=asked)).json()["profileId"] == known["profileId"]
            assert (await client.get("/v1/status")).json()["events"]["unusable_address"] == 1

    tell(story())


# -- any value in any field

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["undefined", "2026-03-01T12:00:00Z", "1772366400", "\u200b", "ada@shop.test", "0171 1234567"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
OF_EVENTS = [
    *("type", "userId", "anonymousId", "previousId", "groupId", "event", "messageId", "name", "category", "channel"),
    *("timestamp", "originalTimestamp", "sentAt", "properties", "traits", "context", "integrations", "userHash"),
]
INSIDE = {
    "traits": ("email", "phone", "country", "address", "loyalty_id", "locale", "timezone"),
    "context": ("traits", "device", "channel", "locale", "timezone", "page", "userHash"),
    "properties": ("value", "currency", "products", "loyalty_id", "purpose", "channel", "granted"),
}
FIELDS = {
    "/v1/decide": "userId anonymousId identifiers placement channel requestId context limit explain userHash",
    "/v1/exposures": "trackingToken event at",
    FLAG: "context",
    "/v1/consent": "identifiers purpose channel granted source at text",
    "/v1/clock": "watermark drain",
}
SOUND = {
    "/v1/decide": {"userId": "ada", "placement": "home_hero"},
    "/v1/exposures": {"trackingToken": "x", "event": "viewed"},
    FLAG: {"context": {"targetingKey": "ada"}},
    "/v1/consent": {"identifiers": {"user_id": "ada"}} | CONSENT,
    "/v1/clock": {"watermark": 1},
}


@st.composite
def hostile_events(draw: st.DrawFn) -> dict[str, Any]:
    event: dict[str, Any] = {"type": draw(st.sampled_from(["track", "identify", "page", "group", "alias"]))}
    event |= {"userId": "ada", "event": "Seen"}
    for name in draw(st.lists(st.sampled_from(OF_EVENTS), max_size=3, unique=True)):
        inner = st.dictionaries(st.sampled_from(INSIDE[name]), VALUES, max_size=3) if name in INSIDE else VALUES
        event[name] = draw(inner | VALUES)
    return event


@st.composite
def hostile_questions(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    path = draw(st.sampled_from(list(FIELDS)))
    names = draw(st.lists(st.sampled_from(FIELDS[path].split()), min_size=1, max_size=3, unique=True))
    return path, SOUND[path] | {name: draw(VALUES) for name in names}


HOSTILE = st.lists(st.tuples(st.lists(hostile_events(), max_size=4), VALUES, VALUES, hostile_questions()), min_size=8)


@pytest.mark.slow
@settings(
    max_examples=20, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(HOSTILE)
def test_no_value_in_any_field_is_our_fault_or_kills_its_neighbour(
    tmp_path_factory: pytest.TempPathFactory, asked: Any
):
    async def story():
        async with door(tmp_path_factory.mktemp("door"), AT_HOME, is_promised=False) as client:
            for number, (events, sent_at, context, (path, body)) in enumerate(asked):
                good = {"type": "track", "userId": "neighbour", "event": "Seen", "messageId": f"m{number}"}
                sent = {"batch": [*events, good], "sentAt": sent_at, "context": context}
                answer = await client.post("/v1/batch", content=json.dumps(sent))
                assert answer.status_code == 200, (sent, answer.text)
                assert len(events) not in [row["index"] for row in answer.json().get("rejected", [])], sent
                answer = await client.post(path, content=json.dumps(body))
                alone = answer.status_code == 503 and path == "/v1/clock"  # there is no dispatcher here
                assert answer.status_code < 500 or alone, (path, body, answer.text)
            seen = await events_of(client, "user_id:neighbour")
            assert seen.count("Seen") == len(asked)
            for rest in ("", "/timeline", "/consent", "/why", "/export"):
                assert (await client.get(f"/v1/profiles/user_id:ada{rest}")).status_code in (200, 404)

    tell(story(), 60)
