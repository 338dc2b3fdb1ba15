"""A request id over HTTP: one answer to one question, and a 422 that says so to another."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.doors import WRITE, door, tell
from support.world import action, document

SHOP = document(actions=[action("spring", channels=["web"], placements=["home_hero"], purpose="service")])
ASKED = {"placement": "home_hero", "userId": "ada", "requestId": "r"}


@pytest.mark.parametrize("other", [{"limit": 2}, {"context": {"page": "bags"}}], ids=str)
def test_one_request_id_for_two_questions_is_422_and_names_it(tmp_path: Path, other: dict[str, object]):
    async def story():
        async with door(tmp_path, SHOP) as client:
            first = (await client.post("/v1/decide", json=ASKED)).json()
            refused = await client.post("/v1/decide", json=ASKED | other)
            assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
            told = refused.json()
            assert (told["code"], told["field"], told["status"]) == ("request_id_used", "requestId", 422)
            assert refused.headers["access-control-allow-origin"] == "*"
            assert (await client.post("/v1/decide", json=ASKED | {"context": {}, "limit": 1})).json() == first

    tell(story())


def test_a_page_is_not_told_the_explanation_that_a_server_asked_for(tmp_path: Path):
    async def story():
        async with door(tmp_path, SHOP) as client:
            explained = (await client.post("/v1/decide", json=ASKED | {"explain": True})).json()
            page = (await client.post("/v1/decide", json=ASKED, headers={"x-api-key": WRITE})).json()
            assert explained.pop("explanation") and page == explained

    tell(story())
