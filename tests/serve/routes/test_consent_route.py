"""What may be said about consent over HTTP, by whom, and what the answers and the profile say of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.doors import served
from support.world import document

WRITE, SERVER = "wk-of-these-tests", "sk-of-these-tests"
SAID = {"purpose": "marketing", "channel": "email", "granted": True, "source": "prefcentre", "text": "I agree"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        served(tmp_path_factory.mktemp("door"), document(), WRITE, SERVER) as url,
        httpx.Client(base_url=url, headers={"x-api-key": SERVER}, trust_env=False) as opened,
    ):
        yield opened


def track(client: httpx.Client, user: str, said: dict[str, Any], *, key: str = SERVER, path: str = "track") -> None:
    body = {"type": "track", "userId": user, "event": "Consent Updated", "properties": said}
    answer = client.post(
        f"/v1/{path}", json={"batch": [body]} if path in ("batch", "import") else body, headers={"x-api-key": key}
    )
    assert (answer.status_code, answer.json()) == (200, {"success": True})


def shown(client: httpx.Client, user: str) -> dict[str, Any]:
    return dict(client.get(f"/v1/profiles/user_id:{user}/consent").json())


@pytest.mark.parametrize("path", ["track", "batch"])
def test_a_write_key_grants_nothing_whatever_source_it_claims_and_withdraws_at_once(client: httpx.Client, path: str):
    user = f"ada-{path}"
    track(client, user, SAID, key=WRITE, path=path)
    known = shown(client, user)
    assert known["consent"] == []
    assert [(word["granted"], word["source"]) for word in known["awaiting"]] == [(True, "web")]
    track(client, user, SAID | {"granted": False}, key=WRITE, path=path)
    assert [(word["granted"], word["source"]) for word in shown(client, user)["consent"]] == [(False, "web")]


@pytest.mark.parametrize("path", ["track", "batch", "import"])
def test_a_server_key_grants_and_the_source_is_the_name_of_the_key(client: httpx.Client, path: str):
    track(client, f"bea-{path}", SAID, path=path)
    (word,) = shown(client, f"bea-{path}")["consent"]
    assert (word["granted"], word["effective"], word["source"], word["text"]) == (True, True, "server", "I agree")


@pytest.mark.parametrize("path", ["track", "batch", "import"])
def test_what_cannot_be_understood_is_acknowledged_set_aside_counted_and_without_effect(
    client: httpx.Client, path: str
):
    before = client.get("/v1/status").json()["events"]["quarantined"]
    track(client, f"cleo-{path}", SAID | {"channel": "fax", "granted": False}, path=path)
    assert client.get(f"/v1/profiles/user_id:cleo-{path}").status_code == 404
    assert client.get("/v1/status").json()["events"]["quarantined"] == before + 1
    letter = client.get("/v1/dead-letters").json()["deadLetters"][0]
    assert letter["reason"] == "consent: names no channel that there is: 'fax'; there are: email, sms, web"
    event = {"type": "track", "userId": f"cleo-{path}", "event": "Consent Updated", "messageId": path}
    event["properties"] = SAID | {"granted": False}
    retried = client.post(f"/v1/dead-letters/{letter['id']}/retry", json={"event": event})
    assert retried.json() == {"status": "accepted"}
    assert [word["granted"] for word in shown(client, f"cleo-{path}")["consent"]] == [False]


@pytest.mark.parametrize("is_corrected", [True, False])
def test_who_corrects_what_a_write_key_said_lends_it_no_right(client: httpx.Client, is_corrected: bool):
    user = f"fay-{is_corrected}"
    track(client, user, SAID | {"channel": "e-mial"}, key=WRITE)
    letter = client.get("/v1/dead-letters").json()["deadLetters"][0]
    event = {"type": "track", "userId": user, "event": "Consent Updated", "messageId": user, "properties": SAID}
    answer = client.post(f"/v1/dead-letters/{letter['id']}/retry", json={"event": event} if is_corrected else None)
    assert answer.status_code == (200 if is_corrected else 400)
    if is_corrected:
        known = shown(client, user)
        assert (known["consent"], [word["source"] for word in known["awaiting"]]) == ([], ["web"])


def test_an_old_yes_that_is_told_again_lifts_no_newer_no(client: httpx.Client):
    item = {"type": "track", "event": "Consent Updated", "userId": "gil", "properties": SAID}
    times = {"timestamp": "2030-01-01T10:00:00Z"}
    batch = {"sentAt": "2030-01-01T11:00:00Z"}
    ways = [("/v1/batch", batch, times), ("/v1/import", {}, {"timestamp": "2025-01-01T10:00:00Z"})]
    for number, (path, around, when) in enumerate(ways):
        wrong = item | when | {"properties": SAID | {"channel": "e-mial"}, "messageId": f"gil-{number}"}
        no = {"identifiers": {"user_id": "gil"}, "source": "form", "granted": False}
        assert client.post("/v1/consent", json=no).json()["effective"]
        assert client.post(path, json={"batch": [wrong]} | around).json() == {"success": True}
        letter = client.get("/v1/dead-letters").json()["deadLetters"][0]
        right = {"event": item | when | {"messageId": f"gil-{number}"}}
        assert client.post(f"/v1/dead-letters/{letter['id']}/retry", json=right).json() == {"status": "accepted"}
        assert not [word for word in shown(client, "gil")["consent"] if word["granted"] and word["effective"]]


def test_a_receipt_says_whether_the_word_has_effect_and_what_stands_against_it(client: httpx.Client):
    who = {"identifiers": {"user_id": "dora"}, "source": "call centre"}
    no = client.post("/v1/consent", json=who | {"granted": "FALSE"}).json()
    assert (no["granted"], no["effective"], no["against"]) == (False, True, [])
    yes = client.post("/v1/consent", json=who | {"granted": True, "purpose": " Marketing", "channel": "EMAIL"}).json()
    assert (yes["granted"], yes["effective"], yes["reason"]) == (True, False, "a_no_stands")
    assert [(word["receiptId"], word["purpose"], word["channel"]) for word in yes["against"]] == [
        (no["receiptId"], "*", "*")
    ]
    words = shown(client, "dora")["consent"]
    assert [(word["source"], word["key"], word["effective"]) for word in words] == [
        ("call centre", "server", True),
        ("call centre", "server", False),
    ]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"granted": True, "purpose": "marketing"}, "channel"),
        ({"granted": True, "channel": "email"}, "purpose"),
        ({"granted": "perhaps", "purpose": "marketing", "channel": "email"}, "granted"),
        ({"granted": [], "purpose": "marketing", "channel": "email"}, "granted"),
        ({"granted": False, "purpose": "marketing", "channel": "fax"}, "channel"),
        ({"granted": False, "purpose": ["marketing"], "channel": "email"}, "purpose"),
    ],
)
def test_a_word_that_cannot_be_understood_is_refused_by_its_field(
    client: httpx.Client, said: dict[str, Any], field: str
):
    answer = client.post("/v1/consent", json={"identifiers": {"user_id": "eve"}, "source": "form"} | said)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_a_write_key_is_refused_before_its_words_are_read(client: httpx.Client):
    answer = client.post("/v1/consent", json={}, headers={"x-api-key": WRITE})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
