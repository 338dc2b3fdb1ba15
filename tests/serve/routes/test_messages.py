"""What was said to a customer, over HTTP and by command: the very texts that the dispatcher handed over, with links
that work for nobody."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from support.doors import SERVER, WRITE, door, served, tell
from support.running import eventually
from support.world import ID_KEY, action, cart_journey, document
from typer.testing import CliRunner

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.delivery.handover import Handover
from actors.delivery.shard_link import ShardLink
from actors.platform.meter import NoMeter
from actors.transport.messages.carried import Outcome
from serve.cli import app

FILES = document(
    actions=[
        action(
            "receipt",
            tier="service",
            purpose="service",
            variants=[{"id": "a", "email": {"subject": "Thank you, {{ traits.name }}", "template": "plain.html"}}],
        )
    ],
    journeys=[
        cart_journey(
            id="receipt",
            tier="service",
            trigger={"event": "Order Completed"},
            key="order_id",
            steps=[{"send": {"action": "receipt", "channel": "email"}}],
        )
    ],
) | {"templates/plain.html": "<p>{{ event.total | money }}</p><a href='{{ unsubscribe_url }}'>settings</a>"}

ADA = {"type": "identify", "userId": "ada", "traits": {"email": "ada@example.com", "name": "Ada"}}
BOUGHT = {"order_id": "1", "total": "19,90"}
ORDER = {"batch": [ADA, {"type": "track", "userId": "ada", "event": "Order Completed", "properties": BOUGHT}]}


async def handed_over(folder: Path, outcome: str = "sent") -> dict[str, Any]:
    """The next message of the engine in `folder`, as a dispatcher is given it, and settled."""
    link = ShardLink(str(folder / "shard"))
    await link.enlist("1.test")
    messages: list[dict[str, Any]] = []
    while not messages:
        messages = await link.pull("a", 1)
    await link.settle([Outcome(messages[0]["profile"], messages[0]["send"], outcome, "")])
    link.end()
    return messages[0]


def test_a_message_is_shown_as_it_was_handed_over_and_its_links_work_for_nobody(tmp_path: Path):
    async def story():
        async with door(tmp_path, FILES) as client:
            (await client.post("/v1/batch", json=ORDER)).raise_for_status()
            message = await handed_over(tmp_path)
            sent = Handover(ActiveCatalog(tmp_path / "catalog", ID_KEY), {}, "", NoMeter())._render(message)
            later = {"type": "identify", "userId": "ada", "traits": {"email": "a@else.example", "name": "A."}}
            (await client.post("/v1/batch", json={"batch": [later]})).raise_for_status()
            entries = (await client.get("/v1/profiles/user_id:ada/timeline")).json()["entries"]
            (send,) = {row["detail"]["send"] for row in entries if row["kind"] == "send"}
            answer = await client.get(f"/v1/profiles/user_id:ada/messages/{send}")
            assert answer.status_code == 200, answer.text
            said = answer.json()
            assert (said["from"], said["outcome"], said["missing"]) == ("rendered", "sent", "")
            assert (said["subject"], said["address"]) == ("Thank you, Ada", "ada@example.com")
            assert (sent.subject, sent.address) == ("Thank you, Ada", "ada@example.com")
            assert said["html"] == sent.html.replace(message["opt_out"], "not-shown") and "€19.90" in said["html"]
            assert said["text"] == sent.text.replace(message["opt_out"], "not-shown")
            assert (said["sendId"], said["catalogVersion"]) == (message["send"], message["version"])
            assert message["opt_out"] not in answer.text
            assert (await client.get("/u/not-shown")).status_code == 404
            by_mail = quote("email:a@else.example", safe="")
            assert (await client.get(f"/v1/profiles/{by_mail}/messages/{send}")).json() == said
            for strange in (
                f"user_id:ada/messages/{send}x",
                f"user_id:bob/messages/{send}",
                "user_id:ada/messages/a%2Fb",
            ):
                assert (await client.get(f"/v1/profiles/{strange}")).status_code == 404
            keyless = await client.get(f"/v1/profiles/user_id:ada/messages/{send}", headers={"x-api-key": WRITE})
            assert keyless.status_code in (401, 403)
            (await client.delete("/v1/profiles/user_id:ada")).raise_for_status()
            assert (await client.get(f"/v1/profiles/user_id:ada/messages/{send}")).status_code == 404

    tell(story())


def test_what_was_refused_for_its_template_says_why(tmp_path: Path):
    files = FILES | {"templates/plain.html": "{% for i in range(event.lines) %}x{% endfor %}"}
    order = ORDER["batch"][1] | {"properties": {"order_id": "1", "lines": 9**9}}

    async def story():
        async with door(tmp_path, files) as client:
            (await client.post("/v1/batch", json={"batch": [ADA, order]})).raise_for_status()
            message = await handed_over(tmp_path, "refused")
            said = (await client.get(f"/v1/profiles/user_id:ada/messages/{message['send']}")).json()
            assert (said["from"], said["subject"], said["outcome"]) == (None, None, "refused")
            assert said["missing"].startswith("template plain.html: ")

    tell(story())


def test_the_command_shows_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with served(tmp_path, FILES, WRITE, SERVER) as url:
        httpx.post(f"{url}/v1/batch", json=ORDER, headers={"x-api-key": SERVER}, trust_env=False).raise_for_status()
        message = asyncio.run(asyncio.wait_for(handed_over(tmp_path), 20))
        monkeypatch.setenv("SEGUE_SERVER_KEY", SERVER)
        asked = ["profile", "user_id:ada", "--message", message["send"], "--url", url]
        shown = eventually(lambda: CliRunner().invoke(app, asked))
        assert shown.exit_code == 0 and "Thank you, Ada" in shown.output and "€19.90" in shown.output, shown.output
        assert "rendered anew" in shown.output and message["version"] in shown.output
        unknown = CliRunner().invoke(app, [*asked[:3], "nosuch", *asked[4:]])
        assert unknown.exit_code != 0 and "Traceback" not in unknown.output
