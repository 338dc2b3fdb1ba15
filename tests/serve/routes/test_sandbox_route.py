"""What sandboxes were given, asked for by channel and by customer: what is none is refused by name."""

from __future__ import annotations

from pathlib import Path

from support.doors import door, tell
from support.world import action, document

SHOP = document(actions=[action("cart_reminder")], policies={"workspace": {"country": "DE"}})


def test_a_channel_that_is_none_is_refused_with_those_that_there_are(tmp_path: Path):
    async def story():
        async with door(tmp_path) as client:
            assert (await client.get("/v1/sandbox?channel=email")).json() == {"messages": []}
            assert (await client.get("/v1/sandbox?channel=")).status_code == 200
            refused = await client.get("/v1/sandbox?channel=emial")
            assert (refused.status_code, refused.json()["field"]) == (400, "channel")
            assert "did you mean email? there are: " in refused.json()["message"]

    tell(story())


def test_a_customer_is_named_as_in_a_path(tmp_path: Path):
    async def story():
        async with door(tmp_path, SHOP) as client:
            unknown = await client.get("/v1/sandbox?profile=user_id:nobody")
            assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
            traits = {"phone": "0171 1234567"}
            await client.post("/v1/identify", json={"userId": "ada", "traits": traits})
            by_path = await client.get("/v1/profiles/phone:0171%201234567")
            by_query = await client.get("/v1/sandbox", params={"profile": "phone:0171 1234567"})
            assert (by_path.status_code, by_query.status_code) == (200, 200), by_query.text

    tell(story())
