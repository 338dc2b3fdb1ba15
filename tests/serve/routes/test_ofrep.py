"""A placement read as a flag: OpenFeature's remote evaluation, by its own client over a real socket, and by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, OpenFeatureError, TargetingKeyMissingError
from openfeature.flag_evaluation import Reason
from support.doors import served
from support.world import action, document

WRITE, SERVER = "wk-of-these-tests", "sk-of-these-tests"
WEB = {"channels": ["web"], "placements": ["home_hero"], "purpose": "service"}
SHOP = document(
    placements={"placements": [{"id": "home_hero", "channel": "web"}, {"id": "corner", "channel": "web"}]},
    actions=[
        action("vip", value=9.0, eligible={"context": {"name": "page", "is": "vip"}}, **WEB),
        action("plain", **WEB),
    ],
    policies={"caps": [{"id": "one", "limit": 1, "per": "1d", "match": {"action": "plain"}}]},
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("door"), SHOP, WRITE, SERVER) as served_url:
        yield served_url


def provider(url: str, key: str = WRITE) -> OFREPProvider:
    made = OFREPProvider(url, headers_factory=lambda: {"Authorization": f"Bearer {key}"})
    made.session.trust_env = False
    return made


def test_openfeatures_own_client_reads_what_is_to_be_shown(url: str):
    found = provider(url).resolve_object_details("home_hero", {}, EvaluationContext("ada"))
    assert (found.value, found.variant, found.reason) == ({"title": "plain"}, "plain.a", Reason.TARGETING_MATCH)
    assert found.flag_metadata["actionId"] == "plain"
    exposed = httpx.post(
        f"{url}/v1/exposures",
        json={"trackingToken": found.flag_metadata["trackingToken"], "event": "viewed"},
        headers={"x-api-key": WRITE},
        trust_env=False,
    )
    assert exposed.json()["recorded"] == "viewed"
    again = provider(url).resolve_object_details("corner", {"a": 1}, EvaluationContext("ada"))
    assert (again.value, again.variant, again.reason) == ({}, "none", Reason.DEFAULT)
    vip = provider(url).resolve_object_details("home_hero", {}, EvaluationContext("bob", {"page": "vip"}))
    assert vip.value == {"title": "vip"}


def test_its_errors_are_the_protocols(url: str):
    with pytest.raises(FlagNotFoundError, match="there is no placement nowhere"):
        provider(url).resolve_object_details("nowhere", {}, EvaluationContext("ada"))
    with pytest.raises(TargetingKeyMissingError):
        provider(url).resolve_object_details("home_hero", {}, EvaluationContext())
    with pytest.raises(OpenFeatureError, match="unauthorized"):
        provider(url, "wrong").resolve_object_details("home_hero", {}, EvaluationContext("ada"))


def post(url: str, path: str, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{url}{path}", content=content, headers={"x-api-key": WRITE, **headers}, trust_env=False)


def test_all_flags_at_once_and_not_again_while_nothing_has_changed(url: str):
    flags = "/ofrep/v1/evaluate/flags"
    first = post(url, flags, {"context": {"targetingKey": "eve"}}, origin="https://shop.example")
    assert first.status_code == 200 and first.headers["access-control-allow-origin"] == "*"
    by_key = {flag["key"]: flag for flag in first.json()["flags"]}
    assert set(by_key) == {"home_hero", "corner"} and by_key["home_hero"]["variant"] == "plain.a"
    tag = first.headers["etag"]
    same = post(url, flags, {"context": {"targetingKey": "eve"}}, **{"if-none-match": tag})
    assert (same.status_code, same.content) == (304, b"")
    other = post(url, flags, {"context": {"targetingKey": "eve", "page": "vip"}}, **{"if-none-match": tag})
    assert other.status_code == 200 and other.headers["etag"] != tag


@pytest.mark.parametrize("wrapped", ["{}", "W/{}", '"other", W/{}', "*"])
def test_a_tag_is_known_however_it_was_made_weak_on_its_way(url: str, wrapped: str):
    body = {"context": {"targetingKey": "weak"}}
    tag = post(url, "/ofrep/v1/evaluate/flags", body).headers["etag"]
    again = post(url, "/ofrep/v1/evaluate/flags", body, **{"if-none-match": wrapped.format(tag)})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = post(url, "/ofrep/v1/evaluate/flags", body, **{"if-none-match": 'W/"other"'})
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/ofrep/v1/evaluate/flags/home_hero", b"{", 400, "PARSE_ERROR"),
        ("/ofrep/v1/evaluate/flags/home_hero", {"context": [1]}, 400, "INVALID_CONTEXT"),
        ("/ofrep/v1/evaluate/flags/home_hero", {"context": {"targetingKey": ""}}, 400, "TARGETING_KEY_MISSING"),
        ("/ofrep/v1/evaluate/flags/home%2Fhero", {"context": {"targetingKey": "a"}}, 404, "FLAG_NOT_FOUND"),
        ("/ofrep/v1/evaluate/flags", {"context": {"targetingKey": "a", "x": "y" * 40_000}}, 400, "INVALID_CONTEXT"),
    ],
)
def test_what_cannot_be_evaluated_is_named(url: str, path: str, body: Any, status: int, code: str):
    answer = post(url, path, body)
    assert (answer.status_code, answer.json()["errorCode"]) == (status, code)
    assert answer.json()["errorDetails"]


def test_a_page_may_ask_and_another_method_may_not(url: str):
    asked = httpx.options(f"{url}/ofrep/v1/evaluate/flags", headers={"origin": "https://shop.example"}, trust_env=False)
    assert asked.status_code == 204 and "if-none-match" in asked.headers["access-control-allow-headers"]
    refused = httpx.get(f"{url}/ofrep/v1/evaluate/flags/home_hero", headers={"x-api-key": WRITE}, trust_env=False)
    assert refused.status_code == 405
