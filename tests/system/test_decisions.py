"""Decisions under load: a cap holds to the unit, and catalogs change between two turns."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.running import SERVER_KEY, WRITE_KEY, Engine, eventually_equal

ASKED, SWAPS, CHANNELS = 1_000, 50, ("web", "app", "kiosk")

PROOF_S = 60.0  # a second of work, on a machine that may be busy


@pytest.fixture
def files(shop: Engine, shop_files: dict[str, str]) -> Iterator[dict[str, str]]:
    """The shop's catalog, which is put back at the end."""
    yield shop_files
    put(shop, shop_files)


def put(shop: Engine, files: dict[str, str]) -> str:
    answer = shop.server.post("/v1/catalog", json={"files": files})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["catalogVersion"])


def rush(files: dict[str, str]) -> dict[str, str]:
    """Ten actions on ten placements of three channels under one cap of three."""
    channels = [{"id": name, "provider": "none"} for name in CHANNELS]
    placements = [{"id": f"corner_{number}", "channel": CHANNELS[number % 3]} for number in range(10)]
    made = {
        "channels.yaml": {"channels": channels},
        "consent.yaml": {"purposes": {"service": {"channels": [], "default": True}}},
        "placements.yaml": {"placements": placements},
        "policies.yaml": {"caps": [{"id": "rush", "limit": 3, "per": "1d"}]},
    }
    for number in range(10):
        made[f"actions/rush_{number}.yaml"] = {
            "id": f"rush_{number}", "tier": "promotional", "purpose": "service", "channels": list(CHANNELS),
            "placements": [place["id"] for place in placements], "value": 1 + number,
            "variants": [{"id": "a"} | {name: {"content": {"title": "Rush"}} for name in CHANNELS}],
        }  # fmt: skip
    return {file: json.dumps(content) for file, content in made.items()}


def client(shop: Engine, key: str = WRITE_KEY) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=40)
    return httpx.AsyncClient(base_url=shop.url, auth=(key, ""), trust_env=False, timeout=60, limits=limits)


async def decide_and_view(web: httpx.AsyncClient, user: str, number: int) -> str:
    place = number % 10
    body = {
        "userId": user,
        "requestId": f"{user}-{number}",
        "channel": CHANNELS[place % 3],
        "placement": f"corner_{place}",
    }
    answer = (await web.post("/v1/decide", json=body)).raise_for_status().json()
    for shown in answer["actions"]:
        told = {"trackingToken": shown["trackingToken"], "event": "viewed"}
        (await web.post("/v1/exposures", json=told)).raise_for_status()
    return "shown" if answer["actions"] else "silence"


def test_a_cap_of_three_holds_under_a_thousand_decisions_on_three_channels(shop: Engine, files: dict[str, str]):
    put(shop, rush(files))
    shop.track("Seen", userId="rushed")

    async def story() -> Counter[str]:
        async with client(shop) as web:
            return Counter(await asyncio.gather(*(decide_and_view(web, "rushed", number) for number in range(ASKED))))

    found = asyncio.run(story())
    (cap,) = [cap for cap in shop.profile("user_id", "rushed")["caps"] if cap["cap"] == "rush"]
    assert (cap["used"], cap["reserved"], cap["left"]) == (3, 0, 0)
    decided = [entry for entry in shop.timeline("user_id", "rushed") if entry["kind"] == "decision"]
    assert len(decided) == ASKED == found["shown"] + found["silence"]
    reasons = Counter((entry["outcome"], entry.get("reason", "")) for entry in decided)
    assert reasons == {("chosen", ""): found["shown"], ("silence", "cap.rush"): found["silence"]}


def test_the_catalog_changes_fifty_times_under_load_and_each_receipt_names_its_own(shop: Engine, files: dict[str, str]):
    offer = files["actions/spring_offer.yaml"]
    assert "weight" not in offer
    versions: set[str] = set()
    over = asyncio.Event()

    async def load(user: str) -> list[dict[str, Any]]:
        answers = []
        async with client(shop) as web:
            while not over.is_set():
                body = {"userId": user, "requestId": f"{user}-{len(answers)}", "placement": "home_hero"}
                answers.append((await web.post("/v1/decide", json=body)).raise_for_status().json())
        return answers

    async def swap() -> None:
        async with httpx.AsyncClient(base_url=shop.url, trust_env=False, timeout=60) as server:
            for number in range(SWAPS):
                changed = files | {"actions/spring_offer.yaml": f"{offer}\nweight: {1 + number}\n"}
                answer = await server.post("/v1/catalog", json={"files": changed}, headers={"x-api-key": SERVER_KEY})
                versions.add(answer.raise_for_status().json()["catalogVersion"])
        over.set()

    async def story() -> list[list[dict[str, Any]]]:
        loads = [asyncio.create_task(load(f"swapped-{number}")) for number in range(4)]
        await swap()
        return list(await asyncio.gather(*loads))

    for user in range(4):
        shop.track("Seen", userId=f"swapped-{user}")
    answers = asyncio.run(story())
    assert len(versions) == SWAPS
    for number, told in enumerate(answers):
        by_id = {answer["decisionId"]: answer for answer in told}
        entries = shop.timeline("user_id", f"swapped-{number}")
        decided = [entry for entry in entries if entry["kind"] == "decision"]
        assert len(decided) == len(told)
        for entry in decided:
            answer = by_id[entry["detail"]["decisionId"]]
            assert entry["detail"]["catalogVersion"] == answer["catalogVersion"]
            rows = entry["detail"]["candidates"]
            chosen = [row["actionId"] for row in rows if row["outcome"] == "chosen"]
            assert chosen == [shown["actionId"] for shown in answer["actions"]]
    seen = {answer["catalogVersion"] for told in answers for answer in told}
    assert len(seen & versions) > SWAPS / 2
    for version in sorted(versions)[:3]:
        assert shop.read(f"/v1/catalog/{version}")["catalogVersion"] == version


def test_an_invalid_catalog_is_named_and_changes_nothing(shop: Engine, files: dict[str, str]):
    before = shop.status()["catalogVersion"]
    broken = files | {"policies.yaml": "caps:\n  - {id: a, limit: 1, per: 0d}\n"}
    answer = shop.server.post("/v1/catalog", json={"files": broken})
    assert answer.status_code == 422
    assert answer.json()["problems"] == ["policies.yaml:2: caps[1].per: a duration of zero means nothing here"]
    answer = shop.server.post("/v1/catalog", json={"files": files | {"../evil.yaml": "a: 1"}})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_catalog")
    assert shop.web.post("/v1/catalog", json={"files": files}).status_code == 403
    assert shop.server.get("/v1/catalog/0123456789abcdef").status_code == 404
    assert shop.status()["catalogVersion"] == before == shop.read("/v1/catalog")["catalogVersion"]


def test_what_changes_in_the_configuration_directory_takes_effect(shop: Engine, files: dict[str, str]):
    before, file = shop.status()["catalogVersion"], shop.config / "policies.yaml"
    written = file.read_text("utf-8")
    try:
        file.write_text("caps: [{id: a, limit: none}]\n", "utf-8")
        eventually_equal(lambda: "the catalog is not taken" in shop.log.read_text("utf-8"), True, PROOF_S)
        assert shop.status()["catalogVersion"] == before
        file.write_text(f"{written}\nworkspace: {{language: de}}\n", "utf-8")
        eventually_equal(lambda: shop.status()["catalogVersion"] != before, True, PROOF_S)
    finally:
        file.write_text(written, "utf-8")
        eventually_equal(lambda: shop.status()["catalogVersion"], before, PROOF_S)


def test_a_catalog_is_proved_before_it_is_taken_whichever_way_it_comes(shop: Engine, files: dict[str, str]):
    before, channels = shop.status()["catalogVersion"], shop.config / "channels.yaml"
    written = channels.read_text("utf-8")
    comma = written.replace('"Alba <', '"Alba, Birka <')
    fault = "channels.yaml:10: channels[2].sender: is not one sender: Alba, Birka <alba@shop.example>"
    endless = "{% for a in range(999) %}" * 3 + "{% endfor %}" * 3
    for changed, told in (
        ({"channels.yaml": comma}, fault),
        (
            {"templates/plain.html": f"<p>\n{endless}"},
            "templates/plain.html:2: template: cannot be written to a customer",
        ),
    ):
        answer = shop.server.post("/v1/catalog", json={"files": files | changed})
        assert answer.status_code == 422
        assert [line[: len(told)] for line in answer.json()["problems"]] == [told]
    misspelt = files["policies.yaml"].replace("Order Completed", "Ordr Completed")
    answer = shop.server.post("/v1/catalog", json={"files": files | {"policies.yaml": misspelt}})
    doubt = "stops[1].on: no event is known as 'Ordr Completed', did you mean 'Order Completed'?"
    assert answer.status_code == 200 and answer.json()["warnings"] == [f"policies.yaml:7: {doubt}"]
    try:
        channels.write_text(comma, "utf-8")
        eventually_equal(lambda: fault in shop.log.read_text("utf-8"), True, PROOF_S)
        channels.write_text(written, "utf-8")
        (shop.config / "policies.yaml").write_text(misspelt, "utf-8")
        eventually_equal(lambda: doubt in shop.log.read_text("utf-8"), True, PROOF_S)
    finally:
        channels.write_text(written, "utf-8")
        (shop.config / "policies.yaml").write_text(files["policies.yaml"], "utf-8")
        put(shop, files)
    eventually_equal(lambda: shop.status()["catalogVersion"], before, PROOF_S)
