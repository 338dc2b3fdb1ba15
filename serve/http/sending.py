"""The answer to one request, which is begun once, whoever begins it, and carries the headers that all answers have."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from serve.http.protocol import Header, Send


class Sending:
    """A `send` for one request. `status` is 0 until an answer has begun, and `is_gone` says that nobody listens: then
    there is nothing to mend and nothing to say. The answer to a HEAD `is_bare`: that to a GET without its body."""

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
