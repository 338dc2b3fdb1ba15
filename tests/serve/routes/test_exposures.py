"""What a page may tell of a tracking token: each kind once, whoever repeats it with whatever time."""

from __future__ import annotations

from pathlib import Path

import httpx
from support.doors import served
from support.world import action, document

WRITE, SERVER = "wk-of-these-tests", "sk-of-these-tests"
SHOES = action("shoes", channels=["web"], placements=["home_hero"], purpose="service", category="shoes")
POLICIES = {
    "caps": [{"id": "two", "limit": 2, "per": "1d", "match": {"channel": "web"}}],
    "fatigue": {"half_life": "300d", "seen": 0.2, "silence_at": 0.75},
}


def test_a_public_key_spends_one_place_and_one_exposure_of_a_kind_per_token(tmp_path: Path):
    with served(tmp_path, document(actions=[SHOES], policies=POLICIES), WRITE, SERVER) as url:
        page = httpx.Client(base_url=url, auth=(WRITE, ""), trust_env=False, timeout=30)
        server = httpx.Client(base_url=url, headers={"x-api-key": SERVER}, trust_env=False, timeout=30)
        with page, server:
            asked = {"userId": "ada", "placement": "home_hero"}
            (shown,) = page.post("/v1/decide", json=asked).raise_for_status().json()["actions"]
            told = {"trackingToken": shown["trackingToken"], "event": "viewed"}
            answers = [page.post("/v1/exposures", json=told | {"at": at}) for at in (None, None, 1, shown["expiresAt"])]
            assert [answer.status_code for answer in answers] == [200] * 4
            assert answers[0].json() == {"success": True, "recorded": "viewed", "reason": ""}
            again = {"success": True, "recorded": False, "reason": "repeated"}
            assert [answer.json() for answer in answers[1:]] == [again] * 3
            profile = server.get("/v1/profiles/user_id:ada").raise_for_status().json()
            assert [(cap["used"], cap["reserved"]) for cap in profile["caps"]] == [(1, 0)]
            assert profile["fatigue"] == {"shoes": 0.2}
            entries = server.get("/v1/profiles/user_id:ada/timeline").json()["entries"]
            assert [entry["outcome"] for entry in entries if entry["kind"] == "exposure"] == ["viewed"]
