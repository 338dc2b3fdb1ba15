"""One connection to each socket that a process asks, shared by all its parts, and one way to repeat a request."""

from __future__ import annotations

from typing import TypeVar

from actors.platform.retry import Backoff, repeated
from actors.transport.frame_client import FrameClient
from actors.transport.messages.base import Answer, Request
from engine.errors import NotReady

A = TypeVar("A", bound=Answer)


class Clients:
    """The connections of one process, by the path of the socket."""

    def __init__(self) -> None:
        self._clients: dict[str, FrameClient] = {}

    async def call(self, path: str, request: Request[A]) -> A:
        """One request and its answer; raises as `FrameClient.call` does."""
        client = self._clients.get(path)
        if client is None:
            client = self._clients[path] = FrameClient(path)
        return await client.call(request)

    async def call_until_there(self, path: str, request: Request[A], backoff: Backoff) -> A:
        """The same, repeated while nobody is there or the connection drops. The request may be handled twice, so it
        must be safe to repeat. Raises NotReady when the backoff's patience is at an end."""
        return await repeated(lambda: self.call(path, request), backoff, NotReady)

    def drop(self, path: str) -> None:
        """Nobody listens at this path any more; requests under way there fail with NotReady."""
        client = self._clients.pop(path, None)
        if client is not None:
            client.close()

    def close(self) -> None:
        """Hang up everywhere."""
        for path in list(self._clients):
            self.drop(path)
