"""Edits over HTTP and by command: the plan says what becomes of whoever is inside, and that is what happens."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.doors import SERVER, WRITE, served
from support.world import action, document
from typer.testing import CliRunner, Result

from serve.cli import app

STEPS = [
    {"id": "pause", "wait": {"for": "30d", "reset_on": ["Cart Viewed"]}},
    {"id": "ask", "wait_for": {"event": "Clicked", "timeout": "20d"}},
    {"id": "last", "wait": {"for": "9d"}},
]


def files(steps: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """A shop with one journey."""
    way = {"id": "way", "tier": "promotional", "trigger": {"event": "Product Added"}, "steps": [*steps]} | changes
    return document(actions=[action("first"), action("second")], journeys=[way])


def texts(plain: dict[str, Any]) -> dict[str, str]:
    return {name: data if isinstance(data, str) else json.dumps(data) for name, data in plain.items()}


def written(folder: Path, plain: dict[str, Any]) -> Path:
    """The files of a catalog in a folder; JSON is YAML too."""
    for name, text in texts(plain).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with served(tmp_path, files(STEPS[1:]), WRITE, SERVER) as where:
        yield where


@pytest.fixture
def engine(url: str) -> Iterator[httpx.Client]:
    """An engine in which five customers stand at `ask` and two at `last`."""
    with httpx.Client(base_url=url, headers={"x-api-key": SERVER}, trust_env=False, timeout=30) as client:
        for number in range(7):
            happens(client, number, "Product Added")
        for number in range(2):
            happens(client, number, "Clicked")
        yield client


def happens(client: httpx.Client, number: int, event: str) -> None:
    client.post("/v1/track", json={"userId": f"u{number}", "event": event}).raise_for_status()


def inside(client: httpx.Client) -> Counter[tuple[str, str]]:
    """Where everybody is after their next turn: the state and the step of each one's last run."""
    found: Counter[tuple[str, str]] = Counter()
    for number in range(7):
        happens(client, number, "Page Viewed")
        run = client.get(f"/v1/profiles/user_id:u{number}").json()["journeys"][-1]
        found[run["state"], run["step"]] += 1
    return found


EDITED = [STEPS[1], {"send": {"action": "first", "channel": "email"}}, {"id": "end", "wait": {"for": "1d"}}]


def test_the_plan_says_what_then_happens(engine: httpx.Client):
    proposal = {"files": texts(files(EDITED, on_edit={"rest": "follow", "map": {"last": "end"}}))}
    plan = engine.post("/v1/plan", json=proposal).raise_for_status().json()
    (row,) = plan["journeys"]
    assert (row["change"], row["customers"], row["runs"]) == ("changed", 7, 7)
    assert row["becomes"] == {"follow": 5, "map": 2, "finish": 0, "stop": 0}
    around = {step["step"]: (step["change"], step["before"], step["at"], step["after"]) for step in row["steps"]}
    assert around == {"1": ("new", 5, 0, 2), "end": ("new", 5, 0, 2), "last": ("removed", 5, 2, 0)}
    assert row["rule"] == {"rest": "follow", "map": {"last": "end"}, "stated": True}
    assert engine.get("/v1/catalog").json()["catalogVersion"] == plan["catalogVersion"], "nothing has changed"
    answer = engine.post("/v1/apply", json=proposal | {"plan": plan["plan"]}).raise_for_status().json()
    assert answer["catalogVersion"] == plan["proposed"] and answer["planned"]["journeys"] == plan["journeys"]
    assert inside(engine) == {("active", "ask"): 5, ("active", "end"): 2}


def test_what_nobody_stated_finishes_and_a_rule_beside_the_files_comes_first(engine: httpx.Client):
    proposal: dict[str, Any] = {"files": texts(files(EDITED))}
    (row,) = engine.post("/v1/plan", json=proposal).json()["journeys"]
    assert row["becomes"]["finish"] == 7 and row["rule"] == {"rest": "finish", "map": {}, "stated": False}
    proposal["rules"] = {"way": {"rest": "stop"}}
    (row,) = engine.post("/v1/plan", json=proposal).json()["journeys"]
    assert row["becomes"]["stop"] == 7
    proposal["rules"] = {"weigh": {"rest": "stop"}}
    refused = engine.post("/v1/plan", json=proposal)
    assert refused.status_code == 400 and "there are: way" in refused.json()["message"], refused.text


def test_a_mapping_from_a_step_that_nobody_can_be_at_is_refused_or_warned_of(engine: httpx.Client):
    proposal: dict[str, Any] = {
        "files": texts(files(EDITED)),
        "rules": {"way": {"rest": "stop", "map": {"asc": "end"}}},
    }
    refused = engine.post("/v1/plan", json=proposal)
    assert (refused.status_code, refused.json()["field"]) == (400, "rules")
    assert "way has no step asc in any version that somebody is in; there are: ask, last" in refused.json()["message"]
    proposal = {"files": texts(files(EDITED, on_edit={"map": {"asc": "end"}}))}
    *_, warning = engine.post("/v1/plan", json=proposal).raise_for_status().json()["warnings"]
    assert warning.startswith("on_edit.map: way has no step asc")
    arms = {"a": [{"id": "in", "wait": {"for": "1d"}}], "b": [{"wait": {"for": "2d"}}]}
    forked = files([*EDITED, {"parallel": {"id": "both", "arms": arms}}])
    proposal = {"files": texts(forked), "rules": {"way": {"map": {"ask": "in"}}}}
    refused = engine.post("/v1/plan", json=proposal)
    assert refused.status_code == 400 and "nobody at ask of way can go on at in" in refused.json()["message"]
    unknown = engine.get("/v1/plan", params={"to": "x"})
    assert (unknown.status_code, unknown.json()["field"]) == (404, "to")


def test_a_plan_that_was_overtaken_is_not_done(engine: httpx.Client):
    proposal = {"files": texts(files(EDITED, on_edit="follow"))}
    plan = engine.post("/v1/plan", json=proposal).json()["plan"]
    engine.post("/v1/journeys/way/pause").raise_for_status()
    refused = engine.post("/v1/apply", json=proposal | {"plan": plan})
    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (409, "outdated", "plan")


def test_roll_back_is_one_command_and_brings_those_inside_back(
    engine: httpx.Client, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("SEGUE_SERVER_KEY", SERVER)
    none = segue("rollback", "--yes", url=url)
    assert none.exit_code != 0 and "404 not_found: to: no other catalog was active before" in str(none.exception)
    first = engine.get("/v1/catalog").json()["files"]
    new = written(tmp_path / "new", files(EDITED, on_edit={"rest": "follow", "map": {"last": "end"}}))
    done = segue("apply", "--config", str(new), "--yes", url=url)
    assert done.exit_code == 0 and "7 customers inside" in done.output and "5 follow, 2 map" in done.output
    assert inside(engine)["active", "end"] == 2
    back = segue("rollback", "--yes", url=url)
    assert back.exit_code == 0 and "5 follow, 2 finish" in back.output, back.output
    assert engine.get("/v1/catalog").json()["files"] == first
    assert inside(engine) == {("active", "ask"): 5, ("active", "end"): 2}, "nobody knows where end was before"


def test_a_branch_is_a_proposal_too(engine: httpx.Client, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("SEGUE_SERVER_KEY", SERVER)
    shop = tmp_path / "shop"
    configs = written(shop / "configs", files(STEPS[1:]))
    git(shop, "init", "-q", "-b", "main")
    git(shop, "add", ".")
    git(shop, "commit", "-qm", "as it is")
    git(shop, "checkout", "-qb", "idea")
    written(configs, files(EDITED))
    git(shop, "commit", "-qam", "an idea")
    git(shop, "checkout", "-q", "main")
    nothing = segue("plan", "--config", str(configs), url=url)
    assert "nothing changes" in nothing.output, (nothing.output, nothing.exception)
    planned = segue("plan", "--config", str(configs), "--branch", "idea", "--inside", "way=stop", url=url)
    assert "7 stop" in planned.output and "journeys/way.yaml" in planned.output, (planned.output, planned.exception)
    for words, said in (
        (["--branch", "none"], "git:"),
        (["--branch=-x"], "no name of a branch"),
        (["--inside", "way=run"], "is not JOURNEY=follow"),
        (["--map", "way"], "is not JOURNEY:STEP=STEP"),
    ):
        refused = segue("plan", "--config", str(configs), *words, url=url)
        assert refused.exit_code != 0 and said in str(refused.exception), (words, refused.output, refused.exception)


def test_a_workspace_that_asks_for_approval_takes_nothing_else(tmp_path: Path):
    policies: dict[str, Any] = {"workspace": {"publish": "approve"}}
    with (
        served(tmp_path, files(STEPS) | {"policies.yaml": policies}, WRITE, SERVER) as url,
        httpx.Client(base_url=url, headers={"x-api-key": SERVER}, trust_env=False, timeout=30) as client,
    ):
        for plain in (files(EDITED) | {"policies.yaml": policies}, files(STEPS)):
            refused = client.post("/v1/catalog", json={"files": texts(plain)})
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        same = client.post("/v1/catalog", json={"files": texts(files(STEPS) | {"policies.yaml": policies})})
        assert same.status_code == 200, "what is active was approved"
        assert client.post("/v1/journeys/way/pause").status_code == 200, "an operator needs no approval"
        client.post("/v1/apply", json={"files": texts(files(STEPS))}).raise_for_status()
        assert client.post("/v1/catalog", json={"files": texts(files(EDITED))}).status_code == 200


def segue(*words: str, url: str) -> Result:
    return CliRunner().invoke(app, [*words, "--url", url])


def git(where: Path, *words: str) -> None:
    who = ["-c", "user.name=test", "-c", "user.email=test@shop.example"]
    subprocess.run(["git", *who, *words], cwd=where, check=True, capture_output=True)
