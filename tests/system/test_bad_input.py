"""Bad input gets a clear error that names the field; the good part is kept; the engine goes on (Invariant 11)."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from support.running import SERVER_KEY, WRITE_KEY, Engine

WEB = {"authorization": f"Bearer {WRITE_KEY}"}
SERVER = {"authorization": f"Bearer {SERVER_KEY}"}
STRANGER = {"authorization": "Bearer nobody-knows-me"}
GOOD = {"userId": "bad-input", "event": "Seen"}
HERO = {"userId": "bad-input", "placement": "home_hero"}
KB, MB = 1024, 1024 * 1024

# what, method, path, headers, body → status, code, field (None: the body as a whole is at fault)
TABLE: list[tuple[str, str, str, dict[str, str], Any, int, str, str | None]] = [
    ("not JSON", "POST", "/v1/track", WEB, b"{userId:", 400, "invalid_input", None),
    ("not UTF-8", "POST", "/v1/track", WEB, b'{"userId":"\xff"}', 400, "invalid_input", None),
    ("a list", "POST", "/v1/track", WEB, [], 400, "invalid_input", None),
    ("no batch", "POST", "/v1/batch", WEB, {}, 400, "invalid_input", None),
    ("a batch that is none", "POST", "/v1/batch", WEB, {"batch": 1}, 400, "invalid_input", "batch"),
    ("nobody", "POST", "/v1/track", WEB, {"event": "Seen"}, 400, "invalid_input", "userId"),
    ("nobody real", "POST", "/v1/track", WEB, GOOD | {"userId": "null"}, 400, "invalid_input", "userId"),
    ("no event name", "POST", "/v1/track", WEB, {"userId": "u"}, 400, "invalid_input", "event"),
    ("no time", "POST", "/v1/track", WEB, GOOD | {"timestamp": "soon"}, 400, "invalid_input", "timestamp"),
    ("a wrong type", "POST", "/v1/track", WEB, GOOD | {"properties": "red"}, 400, "invalid_input", "properties"),
    ("33 KB", "POST", "/v1/track", WEB, GOOD | {"properties": {"x": "y" * 33 * KB}}, 400, "invalid_input", None),
    ("not gzip", "POST", "/v1/track", WEB | {"content-encoding": "gzip"}, GOOD, 400, "invalid_input", "body"),
    ("5 MB", "POST", "/v1/batch", WEB, b"[" + b" " * 5 * MB, 413, "too_large", "body"),
    ("no key", "POST", "/v1/track", {}, GOOD, 401, "unauthorised", None),
    ("unknown key", "POST", "/v1/track", STRANGER, GOOD, 401, "unauthorised", None),
    ("no key to decide", "POST", "/v1/decide", {}, HERO, 401, "unauthorised", None),
    ("no key to read", "GET", "/v1/profiles/user_id:u", {}, None, 401, "unauthorised", None),
    ("server key in body", "POST", "/v1/track", {}, GOOD | {"writeKey": SERVER_KEY}, 401, "unauthorised", "writeKey"),
    ("web explains", "POST", "/v1/decide", WEB, HERO | {"explain": True}, 403, "forbidden", "explain"),
    (
        "web decides by mail",
        "POST",
        "/v1/decide",
        WEB,
        {"identifiers": {"email": "a@b.example"}, "placement": "home_hero"},
        403,
        "forbidden",
        "identifiers",
    ),
    ("web reads", "GET", "/v1/profiles/user_id:u", WEB, None, 403, "forbidden", None),
    ("web reads a timeline", "GET", "/v1/profiles/user_id:u/timeline", WEB, None, 403, "forbidden", None),
    ("web reads numbers", "GET", "/v1/status", WEB, None, 403, "forbidden", None),
    ("web imports", "POST", "/v1/import", WEB, {"batch": []}, 403, "forbidden", None),
    ("web moves the clock", "POST", "/v1/clock", WEB, {"watermark": 0}, 403, "forbidden", None),
    ("web grants consent", "POST", "/v1/consent", WEB, {}, 403, "forbidden", None),
    ("unknown placement", "POST", "/v1/decide", WEB, HERO | {"placement": "attic"}, 400, "invalid_input", "placement"),
    ("no placement", "POST", "/v1/decide", WEB, {"userId": "u"}, 400, "invalid_input", None),
    ("nobody to decide for", "POST", "/v1/decide", WEB, {"placement": "home_hero"}, 400, "invalid_input", "userId"),
    ("limit 0", "POST", "/v1/decide", WEB, HERO | {"limit": 0}, 400, "invalid_input", "limit"),
    (
        "bad token",
        "POST",
        "/v1/exposures",
        WEB,
        {"trackingToken": "abc", "event": "viewed"},
        400,
        "invalid_input",
        "trackingToken",
    ),
    (
        "unknown purpose",
        "POST",
        "/v1/consent",
        SERVER,
        {"identifiers": {"user_id": "u"}, "purpose": "x", "channel": "email", "granted": True, "source": "test"},
        400,
        "invalid_input",
        "purpose",
    ),
    (
        "no word on consent",
        "POST",
        "/v1/consent",
        SERVER,
        {"identifiers": {"user_id": "u"}, "purpose": "marketing", "channel": "email", "source": "test"},
        400,
        "invalid_input",
        "granted",
    ),
    ("consent not UTF-8", "POST", "/v1/consent", SERVER, b'{"purpose":"\xff"}', 400, "invalid_input", "body"),
    ("consent not JSON", "POST", "/v1/consent", SERVER, b"purpose=marketing", 400, "invalid_input", None),
    ("a clock of its own", "POST", "/v1/clock", SERVER, {"watermark": 0}, 403, "forbidden", "watermark"),
    ("no watermark", "POST", "/v1/clock", SERVER, {}, 400, "invalid_input", "watermark"),
    ("a stranger", "GET", "/v1/profiles/user_id:nobody-at-all", SERVER, None, 404, "not_found", "identifier"),
    ("no namespace", "GET", "/v1/profiles/ada", SERVER, None, 400, "invalid_input", "identifier"),
    ("unknown namespace", "GET", "/v1/profiles/shoe:42", SERVER, None, 400, "invalid_input", "shoe"),
    ("no address", "GET", "/v1/profiles/email:ada", SERVER, None, 400, "invalid_input", "email"),
    ("limit none", "GET", "/v1/profiles/user_id:u/timeline?limit=x", SERVER, None, 400, "invalid_input", "limit"),
    ("unknown path", "GET", "/v1/profile", SERVER, None, 404, "not_found", "path"),
    ("unknown call", "POST", "/v1/tracks", WEB, GOOD, 404, "not_found", "path"),
    ("wrong method", "GET", "/v1/batch", WEB, None, 405, "invalid_input", "method"),
    ("wrong method for status", "POST", "/v1/status", SERVER, {}, 405, "invalid_input", "method"),
]


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "code", "field"),
    [pytest.param(*row[1:], id=row[0]) for row in TABLE],
)
def test_bad_input_is_named(
    shop: Engine,
    method: str,
    path: str,
    headers: dict[str, str],
    body: Any,
    status: int,
    code: str,
    field: str | None,
):
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    answer = _plain(shop, method, path, headers, content)
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["message"] and "\n" not in problem["message"] and "Traceback" not in answer.text
    if field is not None:
        assert problem["field"] == field
    assert _plain(shop, "POST", "/v1/track", WEB, json.dumps(GOOD).encode()).status_code == 200


def test_invariant_11_the_good_part_of_a_batch_is_kept_and_the_bad_part_is_named_and_set_aside(shop: Engine):
    def event(name: str, **more: Any) -> dict[str, Any]:
        return {"type": "track", "userId": "half-good", "event": name, "messageId": f"half-{name}"} | more

    rejected = shop.status()["events"]["rejected"]
    batch = [
        event("first"),
        event("large", properties={"x": "y" * 33 * KB}),
        event("timeless", timestamp="yesterday"),
        {"type": "track", "event": "nobody's"},
        event("typeless", type="shout"),
        17,
        event("last"),
    ]
    answer = shop.web.post("/v1/batch", json={"batch": batch})
    assert answer.status_code == 200 and answer.json()["success"] is True
    named = {item["index"]: item["field"] for item in answer.json()["rejected"]}
    assert named == {1: "", 2: "timestamp", 3: "userId", 4: "type", 5: ""}
    assert all(item["message"] for item in answer.json()["rejected"])
    assert [entry["summary"] for entry in shop.timeline("user_id", "half-good")] == ["first", "last"]
    assert shop.status()["events"]["rejected"] == rejected + 5
    letters = [row for row in shop.dead_letters() if row["kind"] == "Rejected"][:5]
    kept = {row["input"]["text"][:60]: (row["input"]["field"], row["reason"]) for row in letters}
    assert sorted(kept.values()) == sorted((item["field"], item["message"]) for item in answer.json()["rejected"])
    assert {row["input"]["is_cut"] for row in letters if "large" in row["input"]["text"][:100]} == {True}
    (timeless,) = (row for row in letters if "timeless" in row["input"]["text"])
    retry = f"/v1/dead-letters/{timeless['id']}/retry"
    refused = shop.server.post(retry)
    assert (refused.status_code, refused.json()["field"]) == (400, "event.timestamp")
    assert shop.server.post(retry, json={"event": event("timeless")}).json() == {"status": "accepted"}
    assert [entry["summary"] for entry in shop.timeline("user_id", "half-good")] == ["first", "last", "timeless"]
    assert shop.server.post(retry).status_code == 404


def test_a_batch_of_which_every_item_is_bad_is_answered_with_all_of_them(shop: Engine):
    answer = shop.web.post("/v1/batch", json={"batch": [{}, {"type": "track"}]})
    assert answer.status_code == 200
    assert [item["index"] for item in answer.json()["rejected"]] == [0, 1]


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(shop: Engine):
    bomb = gzip.compress(b"[" + b" " * 64 * MB)
    assert len(bomb) < MB
    answer = _plain(shop, "POST", "/v1/batch", WEB | {"content-encoding": "gzip"}, bomb)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_page_may_call_and_read_errors_too(shop: Engine):
    page = {"origin": "https://shop.example"}
    asked = page | {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    for path in ("/v1/batch", "/v1/t", "/v1/decide", "/v1/exposures"):
        preflight = shop.web.request("OPTIONS", path, headers=asked)
        assert preflight.status_code in (200, 204)
        assert preflight.headers["access-control-allow-origin"] in ("*", "https://shop.example")
        assert preflight.headers["access-control-max-age"] == "7200"
        allowed = {name.strip() for name in preflight.headers["access-control-allow-headers"].split(",")}
        assert allowed >= {"authorization", "content-type", "x-retry-count"}
        for headers, content in ((WEB, b"{}"), (WEB, b"no JSON"), ({}, b"{}")):
            answer = _plain(shop, "POST", path, headers | page, content)
            assert answer.headers["access-control-allow-origin"] in ("*", "https://shop.example"), answer.text
    closed = _plain(shop, "GET", "/v1/status", SERVER | page, None)
    assert "access-control-allow-origin" not in closed.headers


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_browsers_may_call_it_what_they_like_and_put_their_key_into_the_body(shop: Engine, content_type: str):
    body = json.dumps({"writeKey": WRITE_KEY, "batch": [GOOD | {"type": "track"}]}).encode()
    answer = _plain(shop, "POST", "/v1/b", {"content-type": content_type}, body)
    assert (answer.status_code, answer.json()) == (200, {"success": True})


def _plain(shop: Engine, method: str, path: str, headers: dict[str, str], content: bytes | None) -> Any:
    """A request with these headers and no key of the client's own."""
    request = shop.server.build_request(method, path, headers=headers, content=content)
    if "x-api-key" not in headers:
        del request.headers["x-api-key"]
    return shop.server.send(request)
