"""A body that never ends is not waited for."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from engine.errors import InvalidInput, TooLarge, TooSlow
from serve.http import protocol
from serve.http.admission import ARRIVING, Admission, ArrivingBodies, Limit
from serve.http.protocol import read_request


def read(*parts: MutableMapping[str, Any] | None) -> bytes:
    """Reads a body of these parts; None: nothing comes."""
    waiting = list(parts)

    async def receive() -> MutableMapping[str, Any]:
        part = waiting.pop(0)
        if part is None:
            await asyncio.Event().wait()
        assert part is not None
        return part

    return asyncio.run(read_request("/v1/track", {}, receive, ArrivingBodies(ARRIVING))).body


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_in_parts_is_whole_in_the_end():
    assert read(part(b"{", more=True), part(b"", more=True), part(b"}", more=False)) == b"{}"


def test_a_body_that_stops_coming_is_given_up():
    async def story():
        admission, slow = Admission(), Stalled(b"{")
        looking = asyncio.create_task(admission.give_up_slow(0.05))
        with pytest.raises(TooSlow) as fault:
            await read_request("/v1/track", {}, slow.receive, admission.keyless_arriving)
        assert fault.value.field == "body"
        assert admission.requests == 0
        looking.cancel()

    asyncio.run(asyncio.wait_for(story(), 10))


def test_whoever_is_cancelled_otherwise_is_cancelled():
    async def story():
        arriving, slow = ArrivingBodies(ARRIVING), Stalled(b"{")
        reading = asyncio.create_task(read_request("/v1/track", {}, slow.receive, arriving))
        await slow.is_waited_for.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert arriving.requests == 0

    asyncio.run(asyncio.wait_for(story(), 10))


def test_a_client_that_hangs_up_half_way_is_no_request():
    with pytest.raises(InvalidInput):
        read(part(b"{", more=True), {"type": "http.disconnect"})
    with pytest.raises(InvalidInput):
        read({"type": "http.disconnect"})


def test_parts_that_are_too_much_together_are_refused():
    half = b" " * (protocol.BODY_BYTES_MAX // 2 + 1)
    with pytest.raises(TooLarge):
        read(part(half, more=True), part(half, more=True), None)


def test_a_body_that_says_it_is_too_large_is_refused_before_a_byte_of_it_is_waited_for():
    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("nobody asks for it")

    for length in (b"4194305", b"99999999999", b"9" * 5_000):
        with pytest.raises(TooLarge):
            asyncio.run(read_request("/u/x", {b"content-length": length}, receive, ArrivingBodies(ARRIVING)))


def test_a_body_that_says_much_and_sends_little_takes_what_it_sent_and_makes_room_for_those_that_come():
    async def story():
        arriving = ArrivingBodies(Limit(1, 1 << 20))
        slow = Stalled(b"x" * 10)
        stalled = asyncio.create_task(read_request("/u/x", {b"content-length": b"4194304"}, slow.receive, arriving))
        await slow.is_waited_for.wait()
        assert (arriving.requests, arriving.bytes) == (1, 10)
        whole = [part(b"{}", more=False)]

        async def receive() -> MutableMapping[str, Any]:
            return whole.pop()

        assert (await read_request("/u/y", {}, receive, arriving)).body == b"{}"
        with pytest.raises(TooSlow):
            await stalled
        assert (arriving.requests, arriving.bytes) == (0, 0)

    asyncio.run(asyncio.wait_for(story(), 10))


class Stalled:
    """A body of which a part comes, and no more."""

    def __init__(self, body: bytes) -> None:
        self.is_waited_for = asyncio.Event()
        self._parts = [part(body, more=True)]

    async def receive(self) -> MutableMapping[str, Any]:
        if not self._parts:
            self.is_waited_for.set()
            await asyncio.Event().wait()
        return self._parts.pop()
