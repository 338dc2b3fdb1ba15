"""Values that nobody means well with, on every route that takes any: each is refused in a few words, or taken."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from support.doors import SERVER, door, tell

from engine.values.identifiers import VALUE_CHARS_MAX

DEEP = "[" * 400 + "]" * 400
VALUES = {
    "deep": DEEP,
    "deep objects": '{"a":' * 400 + "1" + "}" * 400,
    "very deep": "[" * 100_000 + "]" * 100_000,
    "an integer beyond 64 bits": str(2**64),
    "a lower one": str(-(2**63) - 1),
    "10,000 digits": "9" * 10_000,
    "no number": "NaN",
    "a NUL": '"a\\u0000b"',
    "a NUL in a name": '{"a\\u0000b": 1}',
    "half a character": '"\\ud800"',
    "long": '"' + "x" * 100_000 + '"',
    "long name": '{"' + "x" * 100_000 + '": 1}',
    "null": "null",
    "a list": "[]",
    "an object": "{}",
    "a number": "1.5",
    "true": "true",
    "empty": '""',
}

# What each route takes, with one place after the other for a hostile value.
BODIES: list[tuple[str, dict[str, Any]]] = [
    ("/v1/decide", {"userId": "ada", "placement": "home_hero", "requestId": "r", "context": {"page": "x"}, "limit": 1}),
    ("/v1/decide", {"identifiers": {"user_id": "ada"}, "placement": "home_hero", "explain": True, "channel": "web"}),
    ("/v1/decide", {"identifiers": {"profile_id": "zz"}, "placement": "home_hero"}),
    ("/v1/exposures", {"trackingToken": "x", "event": "viewed", "at": 1}),
    ("/ofrep/v1/evaluate/flags", {"context": {"targetingKey": "ada", "page": "x"}}),
    ("/ofrep/v1/evaluate/flags/home_hero", {"context": {"userId": "ada", "anonymousId": "a"}}),
    (
        "/v1/consent",
        {"identifiers": {"user_id": "ada"}, "purpose": "marketing", "channel": "email", "granted": False, "at": 1}
        | {"source": "test", "text": "x"},
    ),
    (
        "/v1/consent",
        {"identifiers": {"profile_id": "zz"}, "purpose": "*", "channel": "*", "granted": False, "source": "t"},
    ),
    ("/v1/catalog", {"files": {"policies.yaml": "caps: []", "stray.yaml": "never taken"}}),
    ("/v1/backup", {"directory": "relative", "keys": "relative"}),
    ("/v1/clock", {"watermark": 1, "drain": True}),
    ("/v1/dead-letters/0-1/retry", {"event": {"type": "track", "userId": "ada", "event": "Seen"}}),
    ("/v1/track", {"userId": "ada", "event": "Seen", "messageId": "m", "timestamp": 1, "context": {"channel": "web"}}),
    ("/v1/identify", {"userId": "ada", "traits": {"email": "ada@shop.test", "phone": "x"}}),
    ("/v1/alias", {"userId": "ada", "previousId": "ad"}),
    ("/v1/group", {"userId": "ada", "groupId": "g", "traits": {"a": 1}}),
    ("/v1/batch", {"batch": [{"type": "track", "userId": "ada", "event": "Seen"}], "sentAt": "x", "context": {"a": 1}}),
    ("/v1/import", {"batch": [{"type": "track", "userId": "ada", "event": "Seen", "timestamp": "x"}]}),
]
_MARK = "here"


def places(value: Any) -> list[Any]:
    """The same value once for each place in it, with a mark in that place."""
    found: list[Any] = [_MARK]
    if isinstance(value, dict):
        for name, inner in value.items():
            found += [value | {name: marked} for marked in places(inner)]
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += [[*value[:index], marked, *value[index + 1 :]] for marked in places(inner)]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("path", "body"), BODIES, ids=[f"{n}{path}" for n, (path, _) in enumerate(BODIES)])
def test_no_value_in_any_place_of_any_body_is_our_fault(tmp_path: Path, path: str, body: dict[str, Any]):
    async def story():
        async with door(tmp_path) as client:
            for marked, (name, value) in itertools.product(places(body), VALUES.items()):
                sent = json.dumps(marked).replace(f'"{_MARK}"', value).encode()
                answer = await client.post(path, content=sent)
                assert answer.status_code < 500 or _is_alone(answer), (str(marked)[:99], name, answer.text[:300])
                assert len(answer.content) < 5_000, (str(marked)[:99], name)
            assert (await client.get("/v1/profiles/user_id:ada/export")).status_code in (200, 404)

    tell(story(), 120)


def _is_alone(answer: httpx.Response) -> bool:
    """Whether it was handed on to the dispatcher, of which there is none here."""
    return answer.status_code == 503 and "nobody answers at the socket" in answer.text


PATHS = [
    "/v1/profiles/{}",
    "/v1/profiles/profile_id:{}",
    "/v1/profiles/profile_id:{}/timeline",
    "/v1/profiles/profile_id:{}/why?action=x",
    "/v1/profiles/user_id:{}",
    "/v1/profiles/email:{}/consent",
    "/v1/profiles/user_id:ada/timeline?limit={}",
    "/v1/profiles/user_id:ada/why?action={}",
    "/v1/profiles/user_id:ada?at={}",
    "/v1/catalog/{}",
    "/v1/dead-letters?limit={}",
    "/u/{}",
]
PARTS = [
    "zz",
    "",
    "\0",
    "x" * 20_000,
    "9" * 5_000,
    "٣",
    str(2**64),
    "-1",
    "1e999",
    "00" * 15,
    "\u202e",
    "a/b",
    "%",
    "'",
]


@pytest.mark.parametrize("path", PATHS)
def test_no_part_of_a_path_is_our_fault(tmp_path: Path, path: str):
    async def story():
        async with door(tmp_path) as client:
            await client.post("/v1/track", json={"userId": "ada", "event": "Seen"})
            for part in PARTS:
                answer = await client.get(path.replace("{}", quote(part, safe="")))
                assert answer.status_code < 500, (part, answer.text)
                assert len(answer.content) < 5_000, part
                if "profile_id" in path:
                    assert answer.status_code >= 400, part

    tell(story(), 60)


@pytest.mark.parametrize("method", ["pin", "retry"])
def test_no_id_of_what_is_not_there_is_our_fault(tmp_path: Path, method: str):
    async def story():
        async with door(tmp_path) as client:
            for part in PARTS:
                at = quote(part, safe="")
                profile = f"/v1/profiles/profile_id:{at}"
                letters = (at, f"0-{at}", f"{at}-0")
                if method == "pin":
                    answers = [await client.post(f"{profile}/pin"), await client.delete(profile)]
                else:
                    answers = [await client.post(f"/v1/dead-letters/{letter}/retry") for letter in letters]
                assert all(400 <= answer.status_code < 500 for answer in answers), (part, [a.text for a in answers])

    tell(story(), 60)


def test_names_that_are_too_long_or_hold_a_nul_are_refused_by_name(tmp_path: Path):
    long = "x" * (VALUE_CHARS_MAX + 1)

    async def story():
        async with door(tmp_path) as client:
            for body, field in (
                ({"userId": "ada", "event": long}, "event"),
                ({"userId": "ada", "event": "a\0b"}, "event"),
                ({"userId": long, "event": "Seen"}, "userId"),
                ({"userId": "a\0b", "event": "Seen"}, "userId"),
                ({"userId": "ada", "event": "Seen", "context": {"channel": long}}, "context.channel"),
            ):
                answer = await client.post("/v1/track", json=body)
                assert (answer.status_code, answer.json()["field"]) == (400, field)

    tell(story())


def test_no_byte_of_a_header_is_our_fault(tmp_path: Path):
    async def story():
        async with door(tmp_path) as client:
            for name in ("authorization", "x-api-key", "content-encoding", "if-none-match", "origin", "x-request-id"):
                for value in (b"Basic \xff\xfe", b"Bearer \xff", b"Basic " + b"/" * 9, b"\xff" * 300, b"Basic", b" "):
                    for path in ("/v1/track", "/v1/consent", "/ofrep/v1/evaluate/flags"):
                        request = client.build_request("POST", path, content=b"{}")
                        raw = [each for each in request.headers.raw if each[0].lower() != b"x-api-key"]
                        if name not in ("authorization", "x-api-key"):
                            raw.append((b"x-api-key", SERVER.encode()))
                        request.headers = httpx.Headers([*raw, (name.encode(), value)])
                        assert (await client.send(request)).status_code < 500, (name, value, path)

    tell(story(), 60)
