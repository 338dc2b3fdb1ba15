"""The operator's word over HTTP and by command: who may say it, what is answered, and that a shard goes by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.doors import served
from support.world import action, cart_journey, document
from typer.testing import CliRunner

from serve.cli import app

WRITE, SERVER = "wk-of-these-tests", "sk-of-these-tests"
FILES = document(
    actions=[action("cart_reminder", purpose="service")],
    journeys=[cart_journey(id="way"), cart_journey(id="asleep", status="draft")],
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("door"), FILES, WRITE, SERVER) as where:
        yield where


@pytest.fixture
def engine(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, headers={"x-api-key": SERVER}, trust_env=False, timeout=30) as client:
        yield client
        client.post("/v1/journeys/way/resume")


def journeys(engine: httpx.Client) -> dict[str, tuple[str, str, str]]:
    rows = engine.get("/v1/journeys").raise_for_status().json()["journeys"]
    return {row["journey"]: (row["status"], row["file"], row["operator"]) for row in rows}


def says(engine: httpx.Client, journey: str, word: str) -> dict[str, Any]:
    answer = engine.post(f"/v1/journeys/{journey}/{word}").raise_for_status().json()
    assert engine.get("/v1/status").json()["catalogVersion"] == answer["catalogVersion"], "every shard goes by it"
    return dict(answer)


def test_a_journey_is_paused_resumed_and_stopped_over_http(engine: httpx.Client):
    first = engine.get("/v1/catalog").json()
    assert journeys(engine) == {"asleep": ("draft", "draft", "live"), "way": ("live", "live", "live")}
    assert first["operator"] == {}
    answer = says(engine, "way", "pause")
    assert (answer["journey"], answer["status"], answer["file"]) == ("way", "paused", "live")
    assert answer["previous"] == first["catalogVersion"] != answer["catalogVersion"]
    assert journeys(engine)["way"] == ("paused", "live", "paused")
    stands = engine.get("/v1/catalog").json()
    assert stands["files"] == first["files"] and stands["operator"] == {"journeys": {"way": {"status": "paused"}}}
    assert says(engine, "way", "pause")["catalogVersion"] == answer["catalogVersion"], "said already"
    assert says(engine, "way", "resume")["catalogVersion"] == first["catalogVersion"]
    assert says(engine, "way", "stop")["status"] == "stopped"
    assert says(engine, "way", "resume")["status"] == "live"


def test_who_is_in_a_journey_that_is_stopped_is_out_at_once(engine: httpx.Client):
    event = {"userId": "ada", "event": "Product Added", "properties": {"cart_id": "c1"}}
    assert engine.post("/v1/track", json=event).status_code == 200
    assert engine.get("/v1/profiles/user_id:ada").json()["journeys"][0]["state"] == "active"
    says(engine, "way", "stop")
    profile = engine.get("/v1/profiles/user_id:ada").json()
    (run,) = profile["journeys"]
    assert (run["state"], run["endedBy"], profile["timers"]) == ("stopped", "journey.stopped", [])


def test_a_posted_catalog_leaves_what_was_said(engine: httpx.Client):
    says(engine, "way", "pause")
    given = engine.get("/v1/catalog").json()["files"]
    texts = {
        file: data if isinstance(data, str) else httpx.Response(200, json=data).text for file, data in given.items()
    }
    answer = engine.post("/v1/catalog", json={"files": texts | {"policies.yaml": "min_propensity: 0.01"}})
    assert answer.status_code == 200, answer.text
    assert journeys(engine)["way"] == ("paused", "live", "paused")
    answer = engine.post("/v1/catalog", json={"files": texts | {"operator.yaml": "journeys: {}"}})
    assert answer.status_code == 422 and "kept by the engine" in answer.json()["problems"][0]


@pytest.mark.parametrize(
    ("path", "key", "status", "field"),
    [
        ("way/pause", WRITE, 403, ""),
        ("way/pause", "nobody's", 401, ""),
        ("weigh/pause", SERVER, 404, "journey"),
        ("way/forget", SERVER, 400, "word"),
        ("asleep/resume", SERVER, 400, "journey"),
    ],
)
def test_a_word_that_cannot_be_said_is_refused_by_name(
    engine: httpx.Client, path: str, key: str, status: int, field: str
):
    before = engine.get("/v1/catalog").json()["catalogVersion"]
    answer = engine.post(f"/v1/journeys/{path}", headers={"x-api-key": key})
    assert answer.status_code == status and answer.json().get("field", "") == field
    assert engine.get("/v1/catalog").json()["catalogVersion"] == before


def test_the_command_says_what_holds(engine: httpx.Client, url: str, monkeypatch: pytest.MonkeyPatch):
    def segue(*words: str) -> str:
        result = CliRunner().invoke(app, ["journey", *words, "--url", url])
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    monkeypatch.setenv("SEGUE_SERVER_KEY", SERVER)
    assert segue("pause", "way").startswith("way is paused, by catalog ")
    assert [line.split() for line in segue("list").splitlines()] == [
        ["journey", "status", "file", "operator"],
        ["asleep", "draft", "draft", "live"],
        ["way", "paused", "live", "paused"],
    ]
    assert segue("stop", "way").startswith("way is stopped")
    assert segue("resume", "way").startswith("way is live")
    refused = CliRunner().invoke(app, ["journey", "resume", "asleep", "--url", url])
    assert "its file says draft: change it there" in str(refused.exception)


def test_why_says_where_a_customer_stands_with_each_journey(
    engine: httpx.Client, url: str, monkeypatch: pytest.MonkeyPatch
):
    cart = {"userId": "why", "event": "Product Added", "properties": {"cart_id": "c1"}}
    for _ in range(3):
        engine.post("/v1/track", json=cart, headers={"x-api-key": WRITE}).raise_for_status()
    path = "/v1/profiles/user_id:why/why"
    known = engine.get(path).raise_for_status().json()
    rows = {row["journeyId"]: (row["status"], row["inside"], row["reason"]) for row in known["journeys"]}
    assert rows == {"asleep": ("draft", False, "journey.draft"), "way": ("live", True, "")}
    assert all(row["at"] for row in known["journeys"]) and known["actions"]
    (row,) = engine.get(path, params={"journey": "way"}).json()["journeys"]
    assert row["journeyId"] == "way"
    nowhere = engine.get(path, params={"journey": "nowhere"})
    assert nowhere.status_code == 404 and nowhere.json()["field"] == "journey"
    entries = engine.get("/v1/profiles/user_id:why/timeline").json()["entries"]
    silent = [(row["journey"], row["reason"]) for row in entries if row.get("outcome") == "not_entered"]
    assert sorted(silent) == [("asleep", "journey.draft"), ("way", "journey.concurrent")]
    monkeypatch.setenv("SEGUE_SERVER_KEY", SERVER)
    told = CliRunner().invoke(app, ["profile", "user_id:why", "--explain", "--url", url])
    assert told.exit_code == 0, told.exception
    active_catalog = [line.split() for line in told.output.splitlines()[-2:]]
    assert [(line[0], line[1], line[-1]) for line in active_catalog] == [
        ("asleep", "draft", "journey.draft"),
        ("way", "live", "inside"),
    ]
