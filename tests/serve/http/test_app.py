"""The application before a real shard, without Ray: what a crowded replica turns away, and what it lets in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from support import promised
from support.doors import WRITE, door, tell
from support.world import ID_KEY

from engine import seeds
from serve.application import admitting
from serve.http import auth, paths
from serve.http.admission import Limit
from serve.routes.pages import ingest

FULL = Limit(0, 0)


def track(name: str) -> dict[str, str]:
    return {"type": "track", "userId": "ada", "event": name}


def test_a_crowded_replica_turns_away_only_what_may_be_shed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(admitting, "SHEDDABLE", FULL)

    async def story():
        async with door(tmp_path) as client:
            decide = {"placement": "home_hero", "userId": "ada"}
            for path, body in (
                ("/v1/track", track("Product Viewed")),
                ("/v1/batch", {"batch": [track("Product Viewed")]}),
                ("/v1/batch", {"batch": [track('Order "Completed"')]}),  # only parsing can tell
                ("/v1/import", {"batch": [track("Product Viewed")]}),
                ("/v1/decide", decide),  # of an engine without a deadline
            ):
                answer = await client.post(path, json=body)
                assert (answer.status_code, answer.headers["retry-after"]) == (429, "1"), path
                assert answer.json()["code"] == "overloaded"
                assert path == "/v1/import" or answer.headers["access-control-allow-origin"] == "*"
            consent = {"identifiers": {"user_id": "ada"}, "purpose": "marketing", "channel": "email", "granted": False}
            consent |= {"at": "2026-03-01T00:00:00Z", "source": "test"}
            for path, body in (
                ("/v1/track", track("Order Completed")),
                ("/v1/batch", {"batch": [track("Product Viewed"), track("Consent Updated")]}),
                ("/v1/consent", consent),
            ):
                assert (await client.post(path, json=body)).status_code == 200, path
            for path in ("/healthz", "/readyz", "/v1/status", "/v1/profiles/user_id:ada"):
                assert (await client.get(path)).status_code == 200, path

    tell(story())


def test_a_full_replica_still_says_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("SHEDDABLE", "LOOKED_INTO", "NEVER_SHED"):
        monkeypatch.setattr(admitting, name, FULL)

    async def story():
        async with door(tmp_path) as client:
            assert (await client.get("/healthz")).status_code == 200
            refused = await client.post("/v1/track", json=track("Order Completed"))
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")

    tell(story())


def test_places_are_given_back_whatever_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("SHEDDABLE", "LOOKED_INTO", "NEVER_SHED"):
        monkeypatch.setattr(admitting, name, Limit(1, 1 << 20))

    async def story():
        async with door(tmp_path) as client:
            for _ in range(3):
                assert (await client.post("/v1/batch", content=b"{")).status_code == 400
                assert (await client.get("/v1/profiles/user_id:nobody")).status_code == 404
                assert (await client.post("/v1/track", json=track("Product Viewed"))).status_code == 200

    tell(story())


def test_a_decision_that_finds_no_room_is_what_its_placement_shows_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("SHEDDABLE", "LOOKED_INTO"):
        monkeypatch.setattr(admitting, name, FULL)

    async def story():
        async with door(tmp_path, deadline_s=5.0) as client:
            answer = await client.post("/v1/decide", json={"placement": "home_hero", "userId": "ada"})
            assert (answer.status_code, answer.json()["degraded"], answer.json()["default"]) == (200, True, {})
            flag = await client.post("/ofrep/v1/evaluate/flags/home_hero", json={"context": {"targetingKey": "ada"}})
            assert (flag.status_code, flag.json()["variant"]) == (200, "default")
            assert (await client.post("/v1/track", json=track("Order Completed"))).status_code == 429

    tell(story())


def never_sent() -> AsyncIterator[bytes]:
    """A body that must not be read."""

    async def parts() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    return parts()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/u/x", {"content-length": "99999999999"}, 413),
        ("/u/x", {"content-length": "300000"}, 413),
        ("/v1/batch", {"content-length": "4194305"}, 413),
        ("/v1/decide", {"content-length": "300000"}, 413),
        ("/v1/exposures", {"content-length": "300000"}, 413),
        ("/v1/batch", {"x-api-key": "nobody's"}, 401),
        ("/v1/consent", {"x-api-key": "nobody's"}, 401),
        ("/v1/decide", {"x-api-key": "nobody's"}, 401),
        ("/ofrep/v1/evaluate/flags", {"authorization": "Bearer nobody's"}, 401),
    ],
)
def test_what_the_headers_say_is_answered_before_the_body_is_read(
    tmp_path: Path, path: str, headers: dict[str, str], status: int
):
    async def story():
        async with door(tmp_path) as client:
            assert (await client.post(path, content=never_sent(), headers=headers)).status_code == status

    tell(story())


def test_who_shows_no_key_takes_no_room_of_those_who_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(admitting, "WITHOUT_KEY", FULL)

    async def story():
        async with door(tmp_path) as client:
            token = seeds.sign(ID_KEY, "opt-out", msgspec.msgpack.encode(("0" * 30, "marketing", "email", "s")))
            assert (await client.post("/v1/track", json=track("Seen"))).status_code == 200
            del client.headers["x-api-key"]
            assert (await client.post("/u/nothing")).status_code == 429
            assert (await client.post("/v1/consent", json={})).status_code == 429
            assert (await client.get(f"/u/{token}")).status_code == 200
            assert (await client.get("/readyz")).status_code == 200
            assert (await client.post("/v1/track", json=track("Seen") | {"writeKey": WRITE})).status_code == 200

    tell(story())


TOO_MUCH = b'{"userId": "ada", "placement": "home_hero", "context": {"page": "' + b"x" * (10 << 20) + b'"}}'
DEEP = b'{"userId": "ada", "placement": "home_hero", "context": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}"
BAD_DECISIONS = [
    (TOO_MUCH, 413, "body"),
    (DEEP, 400, "body"),
    (b'{"userId": "ada", "placement": "home_hero", "context": {"score": NaN}}', 400, "body"),
    (b'{"userId": "ada", "placement": "home_hero", "context": [1]}', 400, "context"),
    (b'{"userId": "ada", "placement": "home_hero", "limit": 0}', 400, "limit"),
    (b'{"userId": "ada", "placement": "nowhere"}', 400, "placement"),
    (b'{"userId": "ada", "placement": "home_hero", "channel": "email"}', 400, "channel"),
    (b'{"userId": "ada", "placement": "home_hero", "context": {"a": "\\ud800"}}', 400, "body"),
]


@pytest.mark.parametrize(("body", "status", "field"), BAD_DECISIONS, ids=[str(row[0][:70]) for row in BAD_DECISIONS])
def test_a_decision_that_cannot_be_asked_is_named_and_nothing_is_taken(
    tmp_path: Path, body: bytes, status: int, field: str
):
    async def story():
        async with door(tmp_path) as client:
            answer = await client.post("/v1/decide", content=body)
            assert answer.status_code == status, answer.text
            assert answer.json()["field"].startswith(field), answer.text
            assert (await client.get("/v1/profiles/user_id:ada")).status_code == 404
            assert (
                await client.post("/v1/decide", json={"userId": "ada", "placement": "home_hero"})
            ).status_code == 200

    tell(story())


def test_keys_are_made_and_revoked_while_it_runs_and_a_rate_holds(tmp_path: Path):
    async def story():
        async with door(tmp_path) as client:
            path = tmp_path / "keys.json"
            plain = auth.create(path, "app", "write", 0.05)
            for _ in range(800):
                answer = await client.post("/v1/track", json=track("Seen"), headers={"x-api-key": plain})
                if answer.status_code == 200:
                    break
                await asyncio.sleep(0.02)
            codes = [
                (await client.post("/v1/track", json=track("Seen"), headers={"x-api-key": plain})).status_code
                for _ in range(3)
            ]
            assert 429 in codes
            auth.revoke(path, "app")
            for _ in range(800):
                answer = await client.post("/v1/track", json=track("Seen"), headers={"x-api-key": plain})
                if answer.status_code == 401:
                    return
                await asyncio.sleep(0.02)
            raise AssertionError("a revoked key still counts")

    tell(story())


def test_every_answer_has_a_request_id_the_clients_own_where_it_is_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async def story():
        async with door(tmp_path) as client:
            for path in ("/healthz", "/readyz", "/v1/profiles/user_id:nobody", "/nowhere"):
                ids = {(await client.get(path)).headers["x-request-id"] for _ in range(2)}
                assert len(ids) == 2 and all(len(each) == 32 for each in ids), path
                own = await client.get(path, headers={"x-request-id": "mine-1"})
                assert own.headers["x-request-id"] == "mine-1"
            wrong = await client.get("/healthz", headers={"x-request-id": "x" * 200})
            assert len(wrong.headers["x-request-id"]) == 32

    tell(story())


def test_a_batch_of_nothing_but_faults_costs_no_more_than_its_first_ones_and_is_counted_whole(tmp_path: Path):
    async def story():
        async with door(tmp_path) as client:
            good = track("Seen") | {"messageId": "good"}
            answer = await client.post("/v1/batch", json={"batch": [{}] * 49_000 + [good]})
            told = answer.json()
            assert (answer.status_code, told["rejectedTotal"]) == (200, 49_000)
            assert [item["index"] for item in told["rejected"]] == list(range(ingest.REJECTED_NAMED_MAX))
            assert len(answer.content) < 20_000
            kept = (await client.get("/v1/dead-letters?limit=1000&kind=rejected")).json()["deadLetters"]
            assert len(kept) == ingest.REJECTED_NAMED_MAX
            assert (await client.get("/v1/dead-letters?kind=quarantined")).json()["deadLetters"] == []
            assert (await client.get("/v1/dead-letters?kind=odd")).status_code == 400
            entries = (await client.get("/v1/profiles/user_id:ada/timeline")).json()["entries"]
            assert [entry["summary"] for entry in entries] == ["Seen"]
            assert (await client.get("/v1/status")).json()["events"]["rejected"] == 49_000

    tell(story(), 60)


def test_others_have_their_turn_while_a_large_batch_is_read(tmp_path: Path):
    async def story():
        async with door(tmp_path) as client:
            reading = asyncio.create_task(client.post("/v1/batch", json={"batch": [{}] * 49_000}))
            answered = 0
            while not reading.done():
                answered += (await client.get("/healthz")).status_code == 200
                await asyncio.sleep(0)
            assert reading.result().status_code == 200 and answered > 100

    tell(story(), 60)


@pytest.mark.slow
def test_catalogs_posted_at_once_each_get_an_outcome_of_their_own(tmp_path: Path):
    def files(number: int) -> dict[str, str]:
        purposes = f"purposes:\n  marketing: {{channels: [email]}}\n  other_{number}: {{channels: [email]}}\n"
        return {"channels.yaml": "channels:\n  - {id: email, provider: none}\n", "consent.yaml": purposes}

    async def story():
        async with door(tmp_path) as client:
            first = (await client.get("/v1/catalog")).json()["catalogVersion"]
            posts = [client.post("/v1/catalog", json={"files": files(number)}) for number in range(10)]
            fault = client.post("/v1/catalog", json={"files": {"consent.yaml": "purposes: 3"}})
            *answers, refused = await asyncio.gather(*posts, fault)
            assert [answer.status_code for answer in answers] == [200] * 10, [each.text for each in answers]
            assert (refused.status_code, refused.json()["code"]) == (422, "invalid_catalog")
            followed = {answer.json()["previous"]: answer.json()["catalogVersion"] for answer in answers}
            version, seen = first, 0
            while version in followed:
                version, seen = followed[version], seen + 1
            assert (seen, version) == (10, (await client.get("/v1/catalog")).json()["catalogVersion"])

    tell(story(), 60)


def test_every_route_has_its_name_in_the_metrics_and_nothing_else_has_one(tmp_path: Path):
    async def story():
        async with door(tmp_path) as client:
            await client.get("/healthz")
            names = client._transport.app._names  # type: ignore[attr-defined]
            for path in promised.document()["paths"]:
                named = paths.known(path.replace("{", "").replace("}", ""), names)
                assert named and path.startswith(named), path
            assert paths.known("/v1/nothing/ada", names) == ""

    tell(story())
