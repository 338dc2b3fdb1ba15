"""What a shard raises, seen from outside: each class has its status on every route, and none is a lost connection."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from support.doors import door, tell
from support.world import ID_KEY, START_MS

from actors.platform.clock import ReplayClock
from actors.platform.retry import Backoff
from actors.serving.intake import Intake
from actors.transport import router
from actors.transport.router import Router
from engine.errors import BY_CODE, SegueError
from engine.inputs import Merge
from engine.seeds import profile_id

SECRET = "the secret of ada@example.com"
TRACK = {"type": "track", "userId": "ada", "event": "Seen", "messageId": "m"}
CONSENT = {
    "identifiers": {"user_id": "ada"},
    "purpose": "marketing",
    "channel": "email",
    "granted": False,
    "source": "t",
}
ASKING = {
    "/v1/decide": {"userId": "ada", "placement": "home_hero"},
    "/ofrep/v1/evaluate/flags/home_hero": {"context": {"targetingKey": "ada"}},
    "/ofrep/v1/evaluate/flags": {"context": {"targetingKey": "ada"}},
    "/v1/consent": CONSENT,
    "/v1/track": TRACK,
    "/v1/batch": {"batch": [TRACK]},
    "/v1/import": {"batch": [TRACK]},
}
READING = [
    f"/v1/profiles/user_id:ada{rest}"
    for rest in ("", "/timeline", "/why", "/why?action=cart_reminder", "/consent", "/export", "?at=2026-01-01")
]
STATUS = {
    "outdated": 409,
    "invalid_input": 400,
    "unauthorised": 401,
    "forbidden": 403,
    "not_found": 404,
    "too_slow": 408,
    "too_large": 413,
    "invalid_catalog": 422,
    "request_id_used": 422,
    "overloaded": 429,
    "parked": 429,
    "not_ready": 503,
    "store_failed": 503,
    "try_again": 503,
}
LED_ON = ("moved", "parted", "away", "beside")  # the router goes where they point
NOT_FOLLOWED = [cls for code, cls in sorted(BY_CODE.items()) if code not in LED_ON]


def sample(cls: type[SegueError]) -> SegueError:
    values = {"str": SECRET, "int": 2500, "tuple[str, ...]": ("a.yaml:1: x: is missing",)}
    return cls(*(values[str(each.annotation)] for each in inspect.signature(cls).parameters.values()))


RAISED = [*map(sample, NOT_FOLLOWED), KeyError(SECRET)]


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_whatever_a_shard_raises_is_a_problem_on_every_route(tmp_path: Path, monkeypatch: Any, error: Exception):
    status = STATUS.get(getattr(error, "code", ""), 500)

    def fails(*_: Any) -> Any:
        raise error

    async def story():
        async with door(tmp_path, is_promised=False) as client:
            monkeypatch.setattr(router, "STARTING", Backoff(first_s=0.05, most_s=0.05, patience_s=0.1))
            monkeypatch.setattr(Intake, "receive", fails)
            asked = [(path, await client.post(path, json=body)) for path, body in ASKING.items()]
            for path, answer in asked + [(path, await client.get(path)) for path in READING]:
                told = answer.json()
                if "errorCode" in told:  # OpenFeature has shapes of its own
                    assert answer.status_code == status and status in (400, 404), (path, told)
                    continue
                assert (answer.status_code, told["status"]) == (status, status), (path, told)
                assert answer.headers["content-type"] == "application/problem+json" and told["message"]
                assert ("retry-after" in answer.headers) == (status in (429, 503))
                assert status != 500 or SECRET not in answer.text

    tell(story(), 60)


def test_a_decision_for_a_visitor_who_is_just_being_taken_over_is_asked_again_on_a_replay_clock(tmp_path: Path):
    visitor, user = (profile_id(ID_KEY, *pair) for pair in (("anonymous_id", "a-1"), ("user_id", "ada")))

    async def story():
        async with door(tmp_path, replay=ReplayClock(START_MS)) as client:
            seen = {"anonymousId": "a-1", "event": "Seen", "messageId": "m1"}
            assert (await client.post("/v1/track", json=seen)).status_code == 200
            await Router([str(tmp_path / "shard")]).tell_place(visitor, Merge(to=user))
            asked = await client.post("/v1/decide", json={"anonymousId": "a-1", "placement": "home_hero"})
            assert (asked.status_code, asked.json()["code"]) == (429, "parked")
            assert asked.headers["retry-after"] == "1"
            flag = await client.post("/ofrep/v1/evaluate/flags/home_hero", json={"context": {"anonymousId": "a-1"}})
            assert flag.status_code == 429
            stated = CONSENT | {"identifiers": {"anonymous_id": "a-1"}}
            assert (await client.post("/v1/consent", json=stated)).status_code == 429

    tell(story())
