"""The way back to the client: adds the headers that all answers have, and knows whether an answer has begun."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from serve.http.protocol import Header, Send


class Sending:
    """A `send` for one request. `status` is 0 until an answer has begun. `is_gone`: the client has hung up, so nothing
    more can be said to it. `is_bare`: it answers a HEAD, so the body is left out."""

    __slots__ = ("_extra", "_is_bare", "_send", "is_gone", "status")

    def __init__(self, send: Send, extra: tuple[Header, ...], *, is_bare: bool = False) -> None:
        self._send, self._extra, self._is_bare = send, extra, is_bare
        self.status, self.is_gone = 0, False

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *self._extra]}
        elif self._is_bare and message.get("body"):
            message = {**message, "body": b""}
        try:
            await self._send(message)
        except OSError:
            self.is_gone = True
            raise
        if message["type"] == "http.response.start":
            self.status = message["status"]
