"""A running engine calls another system from a journey, signed, and the timeline says what became of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.running import Engine, eventually, write_catalog

from actors.delivery.channels.webhook import signature

FILES = {
    "channels.yaml": "channels:\n  - {id: web, provider: none}\n",
    "consent.yaml": "purposes:\n  service: {channels: [], default: true}\n",
    "journeys/crm.yaml": """
id: crm
tier: service
trigger: {event: Order Completed}
steps:
  - parallel:
      arms:
        told:
          - id: tell
            webhook:
              url_env: CRM_URL
              secret_env: CRM_SECRET
              body: {order: $event.order, who: "{{ traits.name }}"}
        waits:
          - wait: {for: 1s}
  - update: {tags: {add: [told]}}
  - exit
""",
}


class Crm(ThreadingHTTPServer):
    """Another system, which takes every call and keeps it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heard: list[tuple[dict[str, str], str]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Crm

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.heard.append((dict(self.headers.items()), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def crm() -> Iterator[Crm]:
    server = Crm()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def outcomes(engine: Engine) -> list[str]:
    return [entry["outcome"] for entry in engine.timeline("user_id", "ada") if entry["kind"] == "webhook"]


def test_a_journey_calls_another_system_and_goes_on(tmp_path: Path, crm: Crm):
    environment = {"CRM_URL": f"http://127.0.0.1:{crm.server_port}/hook", "CRM_SECRET": "a secret"}
    config = write_catalog(tmp_path / "configs", FILES)
    engine = Engine(tmp_path / "engine", config=config, shards=1, environment=environment).start()
    try:
        engine.identify("ada", name="Ada")
        engine.track("Order Completed", {"order": 17}, userId="ada")
        (headers, body), *more = eventually(lambda: crm.heard)
        assert not more and json.loads(body) == {"order": 17, "who": "Ada"}
        sent_s = headers["webhook-timestamp"]
        assert headers["webhook-signature"] == signature("a secret", headers["webhook-id"], sent_s, body)

        eventually(lambda: outcomes(engine) == ["decided", "sent"])
        eventually(lambda: engine.profile("user_id", "ada")["traits"].get("tags") == ["told"])
        (run,) = engine.profile("user_id", "ada")["journeys"]
        assert (run["state"], run["endedBy"]) == ("exited", "exit")
    finally:
        engine.close()
