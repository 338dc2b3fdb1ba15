"""The tracking plan over HTTP: let pass, counted, or set aside until it is fixed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.doors import served
from support.world import compiled, document

from engine.errors import CatalogError

WRITE, SERVER = "wk-of-these-tests", "sk-of-these-tests"
PRICED = {"type": "object", "required": ["price"], "properties": {"price": {"type": "number", "minimum": 0}}}
PLAN = {
    "unknown": "warn",
    "events": {
        "Order Completed": {"schema": PRICED},
        "Product Viewed": {"mode": "warn", "schema": PRICED},
        "Page Viewed": {"mode": "allow"},
        "Identified": {"mode": "allow"},
    },
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    plain = document() | {"tracking_plan.yaml": PLAN}
    with (
        served(tmp_path_factory.mktemp("door"), plain, WRITE, SERVER) as url,
        httpx.Client(base_url=url, headers={"x-api-key": SERVER}, trust_env=False) as opened,
    ):
        yield opened


def track(client: httpx.Client, name: str, **properties: Any) -> dict[str, Any]:
    body = {
        "type": "track",
        "userId": "ada",
        "event": name,
        "properties": properties,
        "messageId": f"{name}-{properties}",
    }
    answer = client.post("/v1/track", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def names(client: httpx.Client) -> list[str]:
    entries = client.get("/v1/profiles/user_id:ada/timeline").json()["entries"]
    return [entry["summary"] for entry in entries if entry["kind"] == "event"]


def test_what_the_plan_refuses_is_acknowledged_set_aside_fixed_and_told_again(client: httpx.Client):
    assert track(client, "Page Viewed") == {"success": True}
    assert track(client, "Order Completed", price="dear") == {"success": True}
    assert track(client, "Product Viewed") == {"success": True}
    assert track(client, "Unheard Of") == {"success": True}
    assert sorted(names(client)) == ["Page Viewed", "Product Viewed", "Unheard Of"]
    counts = client.get("/v1/status").json()["events"]
    assert (counts["quarantined"], counts["warned"], counts["rejected"]) == (1, 2, 0)
    (letter,) = client.get("/v1/dead-letters").json()["deadLetters"]
    assert letter["reason"] == 'tracking plan: properties.price: "dear" is not of type "number"'
    again = client.post(f"/v1/dead-letters/{letter['id']}/retry")
    assert again.status_code == 400 and "still objects" in again.text
    fixed = {
        "type": "track",
        "userId": "ada",
        "event": "Order Completed",
        "properties": {"price": 9.5},
        "messageId": "f",
    }
    assert client.post(f"/v1/dead-letters/{letter['id']}/retry", json={"event": fixed}).json() == {"status": "accepted"}
    assert "Order Completed" in names(client)
    assert client.get("/v1/dead-letters").json()["deadLetters"] == []


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        (
            {"events": {"A": {"schema": {"type": "nope"}}}},
            "tracking_plan.yaml: events.A.schema: is no",
        ),
        ({"events": {"A": {"schema": {"$ref": "http://127.0.0.1:9/x.json"}}}}, "a reference leads out of the plan"),
        (
            {"events": {"A": {"mode": "drop"}}},
            "events.A.mode: should be 'allow'",
        ),
        ({"unknown": "warn", "event": {}}, "tracking_plan.yaml: event"),
    ],
)
def test_a_plan_with_a_fault_is_refused(plan: dict[str, Any], problem: str):
    with pytest.raises(CatalogError) as refused:
        compiled(document() | {"tracking_plan.yaml": plan})
    assert any(problem in line for line in refused.value.problems), refused.value.problems
