"""What a web page asks for by itself: beacons without headers, Segment's settings and statistics, preflights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.doors import SERVER, WRITE, door, tell
from support.world import action, document

from serve.routes.pages.browser import _address

SHOP = document(actions=[action("spring", channels=["web"], placements=["home_hero"], purpose="service")])
ORIGIN = "https://shop.example"
BEACON = {"content-type": "text/plain;charset=UTF-8", "origin": ORIGIN}


def of_a_page(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """The same client without a key of its own."""
    del client.headers["x-api-key"]
    return client


def may_be_read(answer: httpx.Response) -> bool:
    return answer.headers.get("access-control-allow-origin") == "*"


async def beacon(client: httpx.AsyncClient, path: str, body: Any) -> httpx.Response:
    """As `navigator.sendBeacon` posts a text: no header but the type of it."""
    return await client.post(path, content=json.dumps(body), headers=BEACON)


def test_a_beacon_with_its_key_in_the_body_is_heard_wherever_a_page_may_send_one(tmp_path: Path):
    async def story():
        async with door(tmp_path, SHOP) as client:
            of_a_page(client)
            key = {"writeKey": WRITE}
            asked = await beacon(client, "/v1/decide", {"placement": "home_hero", "anonymousId": "visitor"} | key)
            assert (asked.status_code, may_be_read(asked)) == (200, True), asked.text
            token = asked.json()["actions"][0]["trackingToken"]
            shown = {"trackingToken": token, "event": "viewed"}
            told = await beacon(client, "/v1/exposures", shown | key)
            assert (told.status_code, told.json()) == (200, {"success": True, "recorded": "viewed", "reason": ""})
            again = await beacon(client, "/v1/exposures", shown | key)
            assert again.json()["reason"] == "repeated"
            left = {"type": "track", "anonymousId": "visitor", "event": "Left"}
            for path, body in (("/v1/t", left | key), ("/v1/b", {"batch": [left]} | key)):
                answer = await beacon(client, path, body)
                assert (answer.status_code, answer.json(), may_be_read(answer)) == (200, {"success": True}, True)

    tell(story())


@pytest.mark.parametrize("path", ["/v1/decide", "/v1/exposures", "/v1/batch"])
def test_a_beacon_with_no_key_a_wrong_one_or_a_server_key_is_told_so(tmp_path: Path, path: str):
    async def story():
        async with door(tmp_path) as client:
            of_a_page(client)
            bodies = [{}, {"writeKey": "nobody's"}, {"writeKey": SERVER}, {"writeKey": 5}, []]
            answers = [await beacon(client, path, body) for body in bodies]
            assert [answer.status_code for answer in answers] == [401] * 5
            assert all(may_be_read(answer) for answer in answers)
            assert answers[2].json()["field"] == "writeKey"

    tell(story())


def test_what_segments_client_counts_about_itself_is_taken_and_ignored(tmp_path: Path):
    async def story():
        async with door(tmp_path) as client:
            of_a_page(client)
            series = {"series": [{"type": "Counter", "metric": "analytics_js.invoke.error", "value": 1, "tags": {}}]}
            for body in (json.dumps(series), "", "not JSON {"):
                answer = await client.post("/v1/m", content=body, headers=BEACON)
                assert (answer.status_code, answer.json(), may_be_read(answer)) == (200, {"success": True}, True)
            assert (await client.get("/v1/m")).status_code == 405

    tell(story())


def test_segments_client_learns_from_a_host_and_a_key_where_to_send_events(tmp_path: Path):
    async def story():
        async with door(tmp_path) as client:
            of_a_page(client)
            answer = await client.get(f"/v1/projects/{WRITE}/settings")
            assert (answer.status_code, may_be_read(answer)) == (200, True)
            assert answer.headers["cache-control"] == "public, max-age=300"
            (name, segment), *others = answer.json()["integrations"].items()
            assert (name, others) == ("Segment.io", [])  # of several, it would load scripts for each
            # the page is one of https, so that it reaches nothing else
            wanted = {"apiKey": WRITE, "apiHost": "door/v1", "protocol": "https"}
            assert {field: segment[field] for field in wanted} == wanted
            assert answer.json()["metrics"]["sampleRate"] == 0

    tell(story())


@pytest.mark.parametrize("key", ["nobody's", SERVER, "%00", "a%2Fb", "x" * 10_000, "%FF"])
def test_settings_of_a_key_that_is_none_are_not_found_and_the_page_can_read_why(tmp_path: Path, key: str):
    async def story():
        async with door(tmp_path) as client:
            answer = await of_a_page(client).get(f"/v1/projects/{key}/settings")
            assert (answer.status_code, may_be_read(answer)) == (404, True), answer.text
            assert "write key" in answer.json()["message"]

    tell(story())


@pytest.mark.parametrize(
    ("public_url", "headers", "address"),
    [
        ("https://segue.shop.example", {b"host": b"segue.shop.example"}, ("https", "segue.shop.example")),
        ("https://shop.example/segue/", {b"host": b"shop.example"}, ("https", "shop.example/segue")),
        ("http://127.0.0.1:8000", {b"host": b"127.0.0.1:8000"}, ("http", "127.0.0.1:8000")),
        ("http://127.0.0.1:8000", {b"host": b"localhost:8000"}, ("http", "localhost:8000")),
        ("http://0.0.0.0:8000", {b"host": b"s.example", b"x-forwarded-proto": b"https"}, ("https", "s.example")),
        ("http://0.0.0.0:8000", {b"host": b"s.example", b"origin": b"https://shop.example"}, ("https", "s.example")),
        ("http://0.0.0.0:8000", {b"host": b"s.example", b"origin": b"http://shop.example"}, ("http", "s.example")),
        ("http://0.0.0.0:1", {b"host": b"localhost:1", b"origin": b"https://shop.example"}, ("http", "localhost:1")),
        ("https://a.example", {b"host": b'evil"/<x>'}, ("https", "a.example")),
        ("https://a.example", {}, ("https", "a.example")),
        ("http://0.0.0.0:1", {b"host": b"[::1]:80", b"x-forwarded-proto": b"gopher"}, ("http", "[::1]:80")),
    ],
)
def test_events_go_to_where_the_page_found_us(public_url: str, headers: dict[bytes, bytes], address: tuple[str, str]):
    assert _address(public_url, headers) == address


@pytest.mark.parametrize(
    "path",
    [
        f"/analytics.js/v1/{WRITE}/analytics.min.js",
        "/analytics.js/v1/nobody/analytics.classic.js",
        "/analytics-next/bundles/ajs-destination.bundle.js",
        "/next-integrations/actions/x.js",
    ],
)
def test_who_asks_for_segments_script_is_told_where_it_is(tmp_path: Path, path: str):
    async def story():
        async with door(tmp_path) as client:
            answer = await of_a_page(client).get(path)
            assert (answer.status_code, may_be_read(answer)) == (404, True)
            told = answer.json()
            assert told["code"] == "not_found" and "@segment/analytics-next" in told["message"]
            assert "docs/for-web-developers.md" in told["message"]

    tell(story())


@pytest.mark.parametrize(
    "path",
    [
        "/v1/decide",
        "/v1/exposures",
        "/v1/t",
        "/v1/m",
        "/v1/projects/x/settings",
        "/ofrep/v1/evaluate/flags",
        "/ofrep/v1/configuration",
        "/v1/trak",
        "/v1/track/",
        "/v1/batch/",
        "/v1/decide/",
        "/v1/exposures/x",
        "/v1/m/",
    ],
)
def test_a_page_may_ask_before_it_sends_and_reads_what_is_wrong(tmp_path: Path, path: str):
    async def story():
        async with door(tmp_path) as client:
            of_a_page(client)
            await client.get("/healthz")
            wanted = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
            asked = await client.options(path, headers=wanted)
            assert (asked.status_code, may_be_read(asked)) == (204, True)
            assert asked.headers.get_list("access-control-allow-origin") == ["*"]
            assert "authorization" in asked.headers["access-control-allow-headers"]
            assert asked.headers["access-control-max-age"] == "7200"
            assert may_be_read(await client.post(path, json={}))

    tell(story())


def test_a_page_may_not_read_what_only_a_server_asks_for(tmp_path: Path):
    async def story():
        async with door(tmp_path) as client:
            for path in ("/v1/status", "/v1/profiles/user_id:ada", "/v1/catalog", "/readyz", "/u/x", "/v1/import"):
                assert not may_be_read(await client.get(path)), path

    tell(story())


def test_a_page_may_send_any_header_that_is_one_and_no_credentials(tmp_path: Path):
    async def story():
        async with door(tmp_path) as client:
            of_a_page(client)
            named = "content-encoding, Traceparent,x-requested-with,,bad name,a\tb,x-" + "y" * 100
            asked = await client.options("/v1/batch", headers={"access-control-request-headers": named})
            allowed = asked.headers["access-control-allow-headers"].split(", ")
            assert {"authorization", "content-encoding", "traceparent", "x-requested-with"} < set(allowed)
            assert len(allowed) == len(set(allowed)) and not any(" " in each or len(each) > 64 for each in allowed)
            assert "access-control-allow-credentials" not in asked.headers
            many = ",".join(f"x-{number}" for number in range(10_000))
            asked = await client.options("/v1/batch", headers={"access-control-request-headers": many})
            assert len(asked.headers["access-control-allow-headers"]) < 2_000

    tell(story())


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_header_for_a_key_is_none_and_the_body_has_it(tmp_path: Path, empty: str):
    async def story():
        async with door(tmp_path) as client:
            body = {"anonymousId": "visitor", "event": "Seen", "writeKey": WRITE}
            headers = {"authorization": empty, "x-api-key": empty}
            assert (await client.post("/v1/track", json=body, headers=headers)).status_code == 200
            asked = {"placement": "home_hero", "anonymousId": "visitor", "writeKey": WRITE}
            assert (await client.post("/v1/decide", json=asked, headers=headers)).status_code in (200, 400)
            del body["writeKey"]
            assert (await client.post("/v1/track", json=body, headers=headers)).status_code == 401

    tell(story())
