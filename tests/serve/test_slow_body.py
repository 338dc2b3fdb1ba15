"""A body that never ends is not waited for."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from engine.errors import InvalidInput, TooLarge, TooSlow
from serve import http
from serve.http import read_request


def read(*parts: MutableMapping[str, Any] | None) -> bytes:
    """Reads a body of these parts; None: nothing comes."""
    waiting = list(parts)

    async def receive() -> MutableMapping[str, Any]:
        part = waiting.pop(0)
        if part is None:
            await asyncio.Event().wait()
        assert part is not None
        return part

    return asyncio.run(read_request("/v1/track", {}, receive, lambda size: None)).body


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_in_parts_is_whole_in_the_end():
    assert read(part(b"{", more=True), part(b"", more=True), part(b"}", more=False)) == b"{}"


def test_a_body_that_stops_coming_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http, "BODY_S_MAX", 0.05)
    with pytest.raises(TooSlow) as fault:
        read(part(b"{", more=True), None)
    assert fault.value.field == "body"


def test_a_client_that_hangs_up_half_way_is_no_request():
    with pytest.raises(InvalidInput):
        read(part(b"{", more=True), {"type": "http.disconnect"})
    with pytest.raises(InvalidInput):
        read({"type": "http.disconnect"})


def test_parts_that_are_too_much_together_are_refused():
    half = b" " * (http.BODY_BYTES_MAX // 2 + 1)
    with pytest.raises(TooLarge):
        read(part(half, more=True), part(half, more=True), None)
