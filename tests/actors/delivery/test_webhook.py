"""Calls of other systems: what is called, with which headers, and what each answer means. Over a real socket."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from actors.delivery.channels.adapter import Message
from actors.delivery.channels.call import call
from actors.delivery.channels.rendering import Renderer
from actors.delivery.channels.webhook import WebhookAdapter, signature
from engine.errors import Refused, Unavailable, Unknown

SECRET = "whsec_" + base64.b64encode(b"a secret of a shop").decode()


def told(url: str = "", **more: Any) -> dict[str, Any]:
    """An authorised call, as its shard gives it."""
    step = {"url_env": "", "method": "POST", "headers": {}, "headers_env": {}, "secret_env": "", "body": {}}
    return {
        "send": "s1",
        "channel": "segue:webhook",
        "address": url,
        "at_ms": 1_772_000_000_123,
        "profile": "p1",
        "traits": {"name": 'Ada "A"'},
        "event": {"cart": "c1"},
        "webhook": step | {"journey": "way", "step": "crm", "run": "r1"} | more,
    }


def made(url: str = "", **more: Any) -> Message:
    return call(told(url, **more), Renderer({}), 5.0)


def asked(answer: bytes | None, use: Callable[[str], Awaitable[Any]]) -> tuple[Any, list[str]]:
    """Call a server that answers so (None: never), and what it heard."""
    heard: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        heard.append(head.decode() + (await reader.readexactly(length)).decode())
        if answer is not None:
            writer.write(answer)
            await writer.drain()
        writer.close()

    async def run() -> Any:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            try:
                return await use(f"http://127.0.0.1:{port}/hook")
            except (Refused, Unavailable, Unknown) as error:
                return error

    return asyncio.run(run()), heard


def answered(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nlocation: http://127.0.0.1:1/\r\n\r\n".encode()


async def sent(message: Message, environ: dict[str, str]) -> str:
    adapter = WebhookAdapter({}, environ)
    try:
        return await adapter.send(message)
    finally:
        await adapter.close()


def test_a_call_has_its_id_its_time_its_signature_and_its_body():
    def use(url: str) -> Awaitable[str]:
        more = {"secret_env": "S", "headers_env": {"authorization": "T"}, "body": {"who": "{{ traits.name }}", "n": 1}}
        return sent(made(url, **more), {"S": SECRET, "T": "Bearer 1"})

    result, (heard,) = asked(answered("200 OK"), use)
    head, _, body = heard.partition("\r\n\r\n")
    assert result == "http:200" and json.loads(body) == {"who": 'Ada "A"', "n": 1}
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("s1", "1772000000")
    assert headers["authorization"] == "Bearer 1"
    signed = hmac.digest(b"a secret of a shop", f"s1.1772000000.{body}".encode(), "sha256")
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(signed).decode()}"


def test_the_signature_is_that_of_the_standard():
    """The example of https://github.com/standard-webhooks/standard-webhooks."""
    key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    mine = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", '{"test": 2432232314}')
    assert mine == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("204 No Content", str),
        ("302 Found", Refused),
        ("400 Bad Request", Refused),
        ("410 Gone", Refused),
        ("429 Too Many Requests", Unavailable),
        ("503 Service Unavailable", Unavailable),
    ],
)
def test_what_an_answer_means(status: str, outcome: type):
    result, heard = asked(answered(status), lambda url: sent(made(url), {}))
    assert type(result) is outcome and len(heard) == 1, "nobody follows elsewhere"


def test_a_call_without_an_answer_may_have_been_taken():
    result, heard = asked(None, lambda url: sent(made(url), {}))
    assert type(result) is Unknown and len(heard) == 1


def test_what_cannot_be_reached_is_tried_again_and_so_is_a_variable_that_is_not_set():
    for message in (made("http://127.0.0.1:1/"), made(url_env="CRM"), made("http://127.0.0.1:1/", secret_env="S")):
        with pytest.raises(Unavailable):
            asyncio.run(sent(message, {}))


def test_what_is_no_address_is_refused():
    with pytest.raises(Refused):
        asyncio.run(sent(made(url_env="CRM"), {"CRM": "ftp://crm.example/"}))


def test_a_call_without_a_body_tells_where_the_run_is():
    assert json.loads(made("http://crm.example/").text) == {
        "type": "journey.step",
        "timestamp": "2026-02-25T06:13:20.123000Z",
        "data": {"profileId": "p1", "journey": "way", "step": "crm", "run": "r1"},
    }


@pytest.mark.parametrize("body", [{"x": "{{ 'a' * 300000 }}"}, {"x": float("nan")}])
def test_a_body_that_cannot_be_said_is_refused(body: dict[str, Any]):
    with pytest.raises(Refused):
        made("http://crm.example/", body=body)


def test_the_status_alone_is_read_however_long_the_answer_would_be():
    cut = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\nthe beginning of much"
    said, _ = asked(cut, lambda url: sent(made(url), {}))
    assert said == "http:200"


def test_a_header_of_the_file_is_sent_once_however_it_is_spelled():
    said, heard = asked(answered("204 No Content"), lambda url: sent(made(url, headers={"Content-Type": "a/b"}), {}))
    assert said == "http:204"
    assert [line for line in heard[0].split("\r\n") if line.lower().startswith("content-type")] == ["content-type: a/b"]
