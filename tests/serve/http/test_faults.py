"""A fault of ours, wherever it happens, is one problem that a client can read, and one line of the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from fastapi.responses import StreamingResponse
from support.doors import SERVER, door, tell

from engine.errors import UsageError
from serve.application.app import App
from serve.http.gateway import Gateway
from serve.routes.pages import decide

SECRET = "ada@example.com"
DECISION = {"placement": "home_hero", "userId": "ada"}
PAGE = {"origin": "https://shop.example"}


class Listener:
    """What an application says to a server, message by message; hangs up after `lasts` of them."""

    def __init__(self, lasts: int = 1_000) -> None:
        self.messages: list[dict[str, Any]] = []
        self._lasts = lasts

    async def hear(self, message: dict[str, Any]) -> None:
        if len(self.messages) >= self._lasts:
            raise OSError("the connection is gone")
        self.messages.append(message)

    @property
    def kinds(self) -> list[str]:
        return [message["type"] for message in self.messages]

    @property
    def told(self) -> tuple[int, dict[bytes, bytes], dict[str, Any]]:
        """The status, the headers and the body of one whole answer."""
        assert self.kinds == ["http.response.start", "http.response.body"]
        start, body = self.messages
        return start["status"], dict(start["headers"]), msgspec.json.decode(body["body"])


async def asked(app: Any, method: str, path: str, body: bytes = b"", listener: Listener | None = None) -> Listener:
    """One request without a server or a client in between, which would hide what is said twice."""
    headers = [(b"x-api-key", SERVER.encode()), (b"origin", b"https://shop.example"), (b"x-request-id", b"mine")]
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b""}
    scope |= {"headers": headers, "http_version": "1.1", "scheme": "http", "server": ("door", 80), "root_path": ""}
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return waiting.pop() if waiting else await asyncio.Future()

    heard = listener or Listener()
    await asyncio.wait_for(app(scope, receive, heard.hear), 10)
    return heard


def app_of(client: httpx.AsyncClient) -> Any:
    return client._transport.app  # type: ignore[attr-defined]


async def broken(*args: object, **named: object) -> Any:
    raise KeyError(SECRET)


def is_one_problem(heard: Listener, status: int = 500) -> dict[bytes, bytes]:
    """The headers of an answer that is a problem and says nothing of a customer."""
    got, headers, body = heard.told
    assert (got, headers[b"content-type"], headers[b"x-request-id"]) == (status, b"application/problem+json", b"mine")
    assert {"type", "title", "status", "detail", "code", "message"} <= body.keys() and body["status"] == status
    assert SECRET not in str(heard.messages)
    return headers


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/profiles/user_id:ada", b""),
        ("GET", "/v1/profiles/user_id:ada/timeline", b""),
        ("GET", "/v1/status", b""),
        ("GET", "/readyz", b""),
        ("POST", "/v1/decide", msgspec.json.encode(DECISION)),
        ("POST", "/ofrep/v1/evaluate/flags/home_hero", b'{"context": {"targetingKey": "ada"}}'),
        ("POST", "/v1/track", b'{"userId": "ada", "event": "Seen"}'),
        ("POST", "/u/x", b""),
    ],
)
def test_a_fault_in_any_route_is_one_problem_with_its_request_id_and_one_line_of_the_log(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
    body: bytes,
):
    async def story():
        async with door(tmp_path) as client:
            await client.get("/readyz")
            gateway = app_of(client).open()[0]
            for name in ("read", "everywhere", "tell", "ingest"):
                monkeypatch.setattr(gateway.router, name, broken)
            monkeypatch.setattr("serve.routes.consent._read", broken_at_once)
            with caplog.at_level(logging.ERROR):
                headers = is_one_problem(await asked(app_of(client), method, path, body))
            assert (b"access-control-allow-origin" in headers) == path.startswith(("/v1/decide", "/ofrep", "/v1/track"))
            lines = [record for record in caplog.records if record.message == "request_failed"]
            assert [(line.request_id, line.error) for line in lines] == [("mine", "KeyError")]

    tell(story())


def broken_at_once(*args: object) -> Any:
    raise KeyError(SECRET)


def test_what_cannot_be_written_as_json_is_one_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def story():
        async with door(tmp_path) as client:
            gateway = app_of(client).open()[0]

            async def odd(*args: object) -> Any:
                return {"profileId": object()}

            monkeypatch.setattr(gateway.router, "read", odd)
            is_one_problem(await asked(app_of(client), "GET", "/v1/profiles/user_id:ada/export"))
            monkeypatch.setattr(decide, "ok", lambda value: msgspec.json.encode(object()))
            is_one_problem(await asked(app_of(client), "POST", "/v1/decide", msgspec.json.encode(DECISION)))

    tell(story())


def test_an_answer_in_parts_is_told_to_its_end(tmp_path: Path):
    async def parts() -> AsyncIterator[bytes]:
        for number in range(3):
            await asyncio.sleep(0)
            yield b"%d" % number

    async def story():
        async with door(tmp_path) as client:
            _, others = app_of(client).open()
            others.add_api_route("/docs/slowly", lambda: StreamingResponse(parts()))
            for _ in range(20):
                assert (await client.get("/docs/slowly")).text == "012"

    tell(story())


def test_a_fault_in_the_middle_of_an_answer_ends_it_and_begins_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async def parts() -> AsyncIterator[bytes]:
        yield b"the beginning"
        raise KeyError(SECRET)

    async def story():
        async with door(tmp_path) as client:
            _, others = app_of(client).open()
            others.add_api_route("/docs/slowly", lambda: StreamingResponse(parts()))
            heard = await asked(app_of(client), "GET", "/docs/slowly")
            assert heard.kinds == ["http.response.start", "http.response.body"]
            assert heard.messages[-1]["more_body"] is True
            assert [record.message for record in caplog.records].count("request_failed") == 1

    tell(story())


@pytest.mark.parametrize("path", ["/v1/decide", "/v1/status", "/healthz", "/v1/profiles/user_id:ada"])
@pytest.mark.parametrize("lasts", [0, 1])
def test_a_client_that_is_gone_is_no_fault_and_is_told_nothing_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str, lasts: int
):
    async def story():
        async with door(tmp_path) as client:
            method = "POST" if path == "/v1/decide" else "GET"
            await asked(app_of(client), method, path, msgspec.json.encode(DECISION), Listener(lasts))
            assert [record.message for record in caplog.records if record.name.startswith("serve")] == []
            assert (await client.get("/readyz")).status_code == 200

    tell(story())


def test_a_door_that_cannot_open_says_so_to_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def shut(*args: object) -> Gateway:
        raise UsageError(f"the keys file of {SECRET} is missing")

    async def story():
        async with door(tmp_path) as client:
            monkeypatch.setattr("serve.application.app.Gateway", shut)
            app = App(app_of(client)._config)
            for method, path in (("GET", "/readyz"), ("POST", "/v1/track"), ("GET", "/v1/status")):
                is_one_problem(await asked(app, method, path))

    tell(story())


def test_a_fault_of_one_dependency_of_a_route_is_one_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def story():
        async with door(tmp_path) as client:
            monkeypatch.setattr(Gateway, "named", broken_at_once)
            is_one_problem(await asked(app_of(client), "GET", "/v1/profiles/user_id:ada"))

    tell(story())
