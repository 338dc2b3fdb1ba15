"""Caps under concurrency, and the answers that a front end gets: once, cheap to repeat, and gone with the stranger."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from support.running import WRITE_KEY, Engine, MailServer, eventually

CARTS = 200


def test_a_cap_of_two_holds_under_200_concurrent_triggers(shop: Engine, mailbox: MailServer):
    shop.identify("capped", email="capped@shop.example")
    asyncio.run(_two_hundred_price_drops(shop, "capped"))
    eventually(lambda: len(shop.sends("capped")) == CARTS and shop.is_quiet())
    outcomes = shop.sends("capped")
    assert outcomes.count(("held", "cap.alerts")) == CARTS - 2
    assert [outcome for outcome, _ in outcomes].count("sent") == 2
    mails = mailbox.to("capped@shop.example")
    assert len({mail["Message-ID"] for mail in mails}) == len(mails) == 2
    assert _cap(shop, "capped", "alerts") == {"limit": 2, "used": 2, "reserved": 0, "left": 0}
    assert all(run["state"] == "completed" for run in shop.profile("user_id", "capped")["journeys"])


def test_the_same_request_id_gets_the_same_answer(shop: Engine):
    shop.track("Seen", userId="asks-twice")
    first = _decide(shop, userId="asks-twice", requestId="r1")
    assert [shown["actionId"] for shown in first["actions"]] == ["spring_offer"]
    assert _decide(shop, userId="asks-twice", requestId="r1") == first
    assert _decide(shop, userId="asks-twice", requestId="r2")["decisionId"] != first["decisionId"]


def test_a_page_reload_takes_no_second_place_and_seeing_it_commits_the_first(shop: Engine):
    shop.track("Seen", userId="reloads")
    answers = [_decide(shop, userId="reloads") for _ in range(5)]
    assert {answer["actions"][0]["expiresAt"] for answer in answers} == {answers[0]["actions"][0]["expiresAt"]}
    assert _cap(shop, "reloads", "hero") == {"limit": 2, "used": 0, "reserved": 1, "left": 1}
    for answer in answers[:2]:
        body = {"trackingToken": answer["actions"][0]["trackingToken"], "event": "viewed"}
        assert shop.web.post("/v1/exposures", json=body).json()["success"] is True
    assert _cap(shop, "reloads", "hero") == {"limit": 2, "used": 1, "reserved": 0, "left": 1}
    kinds = [entry["kind"] for entry in shop.timeline("user_id", "reloads")]
    assert kinds == ["event", *["decision"] * 5, "exposure"], "who tells it again adds nothing"


def test_a_stranger_who_is_shown_nothing_leaves_no_profile(shop: Engine):
    # two offers seen fill the cap of a known customer; a stranger's place is taken by nobody
    status = shop.status()
    answer = _decide(shop, anonymousId="passes-by", requestId="once", placement="empty_corner")
    assert answer["actions"] == []
    assert _decide(shop, anonymousId="passes-by", requestId="once", placement="empty_corner") == answer
    assert shop.server.get("/v1/profiles/anonymous_id:passes-by").status_code == 404
    assert sum(shard["profiles"] for shard in shop.status()["shards"]) == sum(
        shard["profiles"] for shard in status["shards"]
    )


def test_a_server_may_ask_by_any_identifier_and_is_told_why(shop: Engine):
    shop.register("explained", email="explained@shop.example")
    body = {"identifiers": {"email": "Explained@Shop.example"}, "placement": "home_hero", "explain": True}
    answer = shop.server.post("/v1/decide", json=body).json()
    assert answer["profileId"] == shop.profile("user_id", "explained")["profileId"]
    candidates = {row["actionId"]: row["outcome"] for row in answer["explanation"]["candidates"]}
    assert candidates == {
        "spring_offer": "chosen",
        "cart_reminder": "dropped",
        "price_alert": "dropped",
        "letter": "dropped",
        "news": "dropped",
    }
    assert all(row["reason"] or row["outcome"] == "chosen" for row in answer["explanation"]["candidates"])


async def _two_hundred_price_drops(shop: Engine, user: str) -> None:
    limits = httpx.Limits(max_connections=50)
    async with httpx.AsyncClient(
        base_url=shop.url, auth=(WRITE_KEY, ""), trust_env=False, timeout=60, limits=limits
    ) as client:
        bodies = [
            {"userId": user, "event": "Price Dropped", "properties": {"cart_id": f"c{number}"}}
            for number in range(CARTS)
        ]
        answers = await asyncio.gather(*(client.post("/v1/track", json=body) for body in bodies))
    assert {answer.status_code for answer in answers} == {200}


def _decide(shop: Engine, placement: str = "home_hero", **asked: Any) -> dict[str, Any]:
    answer = shop.web.post("/v1/decide", json={"placement": placement} | asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _cap(shop: Engine, user: str, cap: str) -> dict[str, int]:
    found = next(row for row in shop.profile("user_id", user)["caps"] if row["cap"] == cap)
    return {name: found[name] for name in ("limit", "used", "reserved", "left")}
