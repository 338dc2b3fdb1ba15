"""Clients that are broken, slow, or mean no good: each gets a clear error, and nobody else notices (Invariant 11)."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections import Counter
from typing import Any

import pytest
from support.running import WRITE_KEY, Engine, eventually

HEAD = f"Host: shop.example\r\nX-API-Key: {WRITE_KEY}\r\nContent-Type: application/json\r\n"
DECIDE = json.dumps({"userId": "abuse", "placement": "home_hero"}).encode()


def connected(engine: Engine, timeout_s: float = 60) -> socket.socket:
    return socket.create_connection(("127.0.0.1", engine.port), timeout_s)


def told(engine: Engine, raw: bytes) -> tuple[int, dict[str, Any]]:
    """The answer to raw bytes: its status, and its body where that is JSON (HAProxy and uvicorn refuse in few words of
    their own what is hardly HTTP, and a page for people is HTML)."""
    with connected(engine) as line:
        line.sendall(raw)
        answer = http.client.HTTPResponse(line)
        answer.begin()
        body = answer.read()
        assert b"Traceback" not in body and len(body) < 1_000
        with contextlib.suppress(ValueError):
            return answer.status, json.loads(body)
        return answer.status, {}


def posted(path: str, body: bytes, more: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\n{HEAD}Content-Length: {len(body)}\r\n{more}\r\n".encode() + body


def is_well(engine: Engine) -> None:
    assert told(engine, posted("/v1/decide", DECIDE))[0] == 200


def event(properties: str) -> bytes:
    return f'{{"userId":"abuse","event":"Odd","properties":{properties}}}'.encode()


ODD = {
    "10,000 deep": (event('{"a":' * 10_000 + "1" + "}" * 10_000), 400),
    "a lone surrogate": (event('{"a":"\\ud800"}'), 400),
    "NaN": (event('{"a":NaN}'), 400),
    "Infinity": (event('{"a":1e999}'), 400),
    "NUL": (event('{"a":"x\\u0000y"}'), 200),
    "400 digits": (event(f'{{"a":{"9" * 400}}}'), 400),
    "a key twice": (event('{"a":1,"a":2}'), 200),  # the last one counts, as everywhere
    "nothing": (b"", 400),
    "half a body's JSON": (b'{"userId":"abu', 400),
}


@pytest.mark.parametrize("what", ODD)
def test_odd_json_is_taken_or_named(shop: Engine, what: str):
    body, status = ODD[what]
    for path in ("/v1/track", "/v1/batch"):
        sent = body if path == "/v1/track" else b'{"batch":[' + body[:-1] + b',"type":"track"}]}'
        answered, problem = told(shop, posted(path, sent))
        assert answered < 500, problem
        assert path == "/v1/batch" or answered == status, problem
        assert answered == 200 or problem["message"]
    is_well(shop)


RAW = {
    "no HTTP": b"HELO shop.example\r\n\r\n",
    "200 headers": b"GET /healthz HTTP/1.1\r\n"
    + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 200) for n in range(200))
    + b"\r\n",
    "one header of 64 KB": b"GET /healthz HTTP/1.1\r\nX-Large: " + b"y" * 65_536 + b"\r\n\r\n",
    "a path of 64 KB": b"GET /" + b"y" * 65_536 + b" HTTP/1.1\r\n\r\n",
    "two lengths": b"POST /v1/track HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length below 0": b"POST /v1/track HTTP/1.1\r\nContent-Length: -2\r\n\r\n{}",
    "NUL in a header": b"GET /healthz HTTP/1.1\r\nX-Odd: a\0b\r\n\r\n",
}


@pytest.mark.parametrize("what", RAW)
def test_what_is_hardly_http_is_refused(shop: Engine, what: str):
    assert told(shop, RAW[what])[0] == 400
    is_well(shop)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/../v1/status",
        "//v1/track",
        "/v1/track/",
        "/v1/profiles/user_id:%00",
        "/v1/profiles/user_id:%ff%fe",
        "/v1/profiles/..%2f..%2fetc%2fpasswd",
        "/v1/profiles/user_id:a%2Fb%2Ftimeline",
        "/v1/catalog/..%2f..%2fkeys.json",
        "/u/..%2f..%2fkeys.json",
        "/%",
        "/v1/dead-letters/9-9%20OR%201=1/retry",
        "http://elsewhere.example/v1/status",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "TRACE", "BREW"])
def test_a_path_leads_nowhere_but_where_it_says(shop: Engine, method: str, path: str):
    status, problem = told(shop, f"{method} {path} HTTP/1.1\r\n{HEAD}Content-Length: 2\r\n\r\n{{}}".encode())
    assert 400 <= status < 500 and problem.get("message", "-"), (status, problem)
    assert "watermark" not in problem and "sends" not in problem


def test_whoever_sends_a_byte_a_second_or_nothing_holds_a_line_and_not_for_long(shop: Engine):
    half_open = [connected(shop) for _ in range(100)]
    slow_head, slow_body = connected(shop), connected(shop)
    slow_head.sendall(b"POST /v1/decide HTTP/1.1\r\nHost: shop")
    slow_body.sendall(f"POST /v1/decide HTTP/1.1\r\n{HEAD}Content-Length: 100\r\n\r\n".encode())
    over = threading.Event()

    def drip() -> None:
        with contextlib.suppress(OSError):
            while not over.wait(1):
                slow_head.sendall(b"x")
                slow_body.sendall(b" ")

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        is_well(shop)
        for line in (slow_head, slow_body):
            answer = http.client.HTTPResponse(line)
            answer.begin()
            assert answer.status == 408
        is_well(shop)
    finally:
        over.set()
        dripping.join()
        for line in (*half_open, slow_head, slow_body):
            line.close()


def test_who_hangs_up_while_its_decision_is_in_a_group_harms_nobody_in_it(shop: Engine):
    statuses: Counter[int] = Counter()

    def ask() -> None:
        statuses[told(shop, posted("/v1/decide", DECIDE))[0]] += 1

    for _ in range(5):
        leaving = [connected(shop) for _ in range(20)]
        staying = [threading.Thread(target=ask) for _ in range(10)]
        for thread in staying:
            thread.start()
        for line in leaving:
            line.sendall(posted("/v1/decide", DECIDE))
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, not a goodbye
            line.close()
        for thread in staying:
            thread.join()
    assert statuses == {200: 50}
    eventually(lambda: shop.web.get("/readyz").status_code == 200)
    is_well(shop)
