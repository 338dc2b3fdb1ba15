"""The way from matching to the shards: whoever runs a round brings one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from actors.transport.messages.base import Answer, Request
from actors.transport.router import Router
from engine.inputs import Suspect

A = TypeVar("A", bound=Answer)


class Door(Protocol):
    """The shards of an engine, and the processes of pinned profiles, each by a name."""

    async def places(self) -> Sequence[str]:
        """The names of all."""
        ...

    async def ask(self, place: str, request: Request[A]) -> A:
        """A request to one of them."""
        ...

    async def tell(self, profile: str, told: Suspect) -> None:
        """An opinion for a profile, wherever it lives by now."""
        ...


class SocketDoor:
    """The door of a running engine."""

    def __init__(self, router: Router) -> None:
        self._router = router

    async def places(self) -> Sequence[str]:
        """The sockets of all."""
        return await self._router.places()

    async def ask(self, place: str, request: Request[A]) -> A:
        """A request to one of them."""
        return await self._router.at_place(place, request)

    async def tell(self, profile: str, told: Suspect) -> None:
        """An opinion for a profile, wherever it lives by now."""
        await self._router.tell(profile, told)

    def close(self) -> None:
        """Close the connections."""
        self._router.close()
