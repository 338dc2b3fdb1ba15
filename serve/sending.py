"""The answer to one request, which is begun once, whoever begins it, and carries the headers that all answers have."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from serve.http import Header, Send


class Sending:
    """A `send` for one request. `status` is 0 until an answer has begun, and `is_gone` says that nobody listens: then
    there is nothing to mend and nothing to say."""

    __slots__ = ("_extra", "_send", "is_gone", "status")

    def __init__(self, send: Send, extra: tuple[Header, ...]) -> None:
        self._send, self._extra = send, extra
        self.status, self.is_gone = 0, False

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *self._extra]}
        try:
            await self._send(message)
        except OSError:
            self.is_gone = True
            raise
        if message["type"] == "http.response.start":
            self.status = message["status"]
