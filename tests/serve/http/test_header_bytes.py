"""No byte of any header is our fault: it is an answer, or a refusal in a few words, on every route."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.doors import SERVER, door, tell

from serve.http.protocol import declared_size

pytestmark = pytest.mark.slow

ROUTES = [
    ("POST", "/v1/track", b'{"userId": "ada", "event": "Seen", "messageId": "m"}'),
    ("POST", "/v1/batch", b'{"batch": []}'),
    ("POST", "/v1/import", b'{"batch": []}'),
    ("POST", "/v1/decide", b'{"userId": "ada", "placement": "home_hero"}'),
    ("OPTIONS", "/v1/decide", b""),
    ("POST", "/v1/exposures", b"{}"),
    ("POST", "/ofrep/v1/evaluate/flags", b'{"context": {"targetingKey": "ada"}}'),
    ("POST", "/ofrep/v1/evaluate/flags/home_hero", b'{"context": {"targetingKey": "ada"}}'),
    ("POST", "/v1/consent", b"{}"),
    ("GET", "/v1/profiles/user_id:ada", b""),
    ("GET", "/v1/catalog", b""),
    ("GET", "/v1/status", b""),
    ("GET", "/u/nothing", b""),
    ("GET", "/healthz", b""),
    ("GET", "/nowhere", b""),
]
NAMES = [
    b"authorization",
    b"x-api-key",
    b"content-type",
    b"content-length",
    b"content-encoding",
    b"x-request-id",
    b"traceparent",
    b"if-none-match",
    b"origin",
    b"cookie",
    b"host",
    b"user-agent",
    b"accept",
    b"x-retry-count",
    b"x-forwarded-for",
    b"expect",
]
KEY = SERVER.encode()
VALUES = [
    b"",
    b" ",
    b"\xff\xfe",
    b"Basic \xff\xfe",
    b"Basic " + base64.b64encode(b"\xff\xfe:"),
    b"Basic " + base64.b64encode(KEY),
    b"Basic " + base64.b64encode(KEY + b":x")[:-1],
    b"Basic",
    b"Basic =",
    b"Bearer \xe4",
    b"Bearer " + "\ufeff".encode() + KEY,
    b"Digest x",
    KEY + b", " + KEY,
    b"\x00",
    b"a\tb",
    b"1" * 5_000,
    b"-1",
    b"+5",
    b"1_0",
    "\u0661\u0662".encode(),
    b"\xb2",
    b"gzip\xff",
    b'W/"x", *, "\xff',
    b"*",
    b"00-\xff-01",
    b"multipart/form-data",
    b"application/json; charset=nothing",
    b"application/json; charset=\xff",
    b"https://\xff.example",
    b"[::1",
]


async def ask(client: httpx.AsyncClient, route: tuple[str, str, bytes], name: bytes, value: bytes) -> None:
    method, path, body = route
    headers = [(b"x-api-key", KEY), (b"origin", b"https://shop.example"), (name, value)]
    headers = [each for each in headers[:2] if each[0] != name and name != b"authorization"] + headers[2:]
    request = client.build_request(method, path, content=body)
    request.headers = httpx.Headers([(each, said) for each, said in headers])
    answer = await client.send(request)
    assert answer.status_code < 500, (path, name, value, answer.text)
    assert answer.status_code < 400 or "internal" not in answer.text.lower()
    assert answer.headers["x-request-id"].isascii()


@pytest.mark.parametrize("name", NAMES, ids=[name.decode() for name in NAMES])
def test_no_header_that_anybody_sends_is_our_fault(tmp_path: Path, name: bytes):
    async def story():
        async with door(tmp_path) as client:
            for route, value in itertools.product(ROUTES, VALUES):
                await ask(client, route, name, value)

    tell(story(), 60)


@settings(max_examples=15, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(ROUTES), st.sampled_from(NAMES), st.binary(max_size=40)), min_size=40))
def test_no_bytes_in_any_header_are_our_fault(tmp_path_factory: pytest.TempPathFactory, asked):
    async def story():
        async with door(tmp_path_factory.mktemp("door")) as client:
            for route, name, value in asked:
                await ask(client, route, name, value)

    tell(story(), 60)


@pytest.mark.parametrize(
    "value", [b"Basic \xff\xfe", b"Basic " + base64.b64encode(b"\xff\xfe"), b"\xff", b"Bearer \xff"]
)
def test_a_key_of_bytes_that_are_no_text_is_no_key(tmp_path: Path, value: bytes):
    async def story():
        async with door(tmp_path) as client:
            for method, path, body in ROUTES[:4]:
                request = client.build_request(method, path, content=body)
                request.headers = httpx.Headers([(b"authorization", value)])
                answer = await client.send(request)
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthorised"), answer.text

    tell(story())


def test_a_length_that_is_none_is_not_believed():
    for said in (b"", b"\xb2", b"-1", b"1_0", "\u0661".encode()):
        assert declared_size({b"content-length": said}) == 0
