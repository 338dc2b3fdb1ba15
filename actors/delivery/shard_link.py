"""A shard behind its socket, with the requests of the dispatcher and the conductor. No request is repeated here."""

from __future__ import annotations

from typing import Any

import msgspec

from actors.transport.frame_client import FrameClient
from actors.transport.messages.carried import Outcome
from actors.transport.messages.of_dispatcher import (
    BarrierStep,
    Enlist,
    KnownDispatcher,
    MoveBarrier,
    Peek,
    Pull,
    Reauthorise,
    Report,
    Rest,
    RunSpan,
    SettleSends,
    Span,
)
from actors.transport.messages.of_doors import Read

_pulled = msgspec.msgpack.Decoder(list[dict[str, Any]]).decode


class ShardLink:
    """One connection to one shard, or to the process of a pinned profile."""

    def __init__(self, path: str) -> None:
        self._client = FrameClient(path)
        self._dispatcher = ""
        self.is_over = False

    async def known(self) -> str:
        """The name of the dispatcher that the shard listens to."""
        return (await self._client.call(KnownDispatcher())).name

    async def enlist(self, dispatcher: str) -> int:
        """Become the dispatcher that the shard listens to. Returns how many sends an older one was handing over; they
        are given up."""
        self._dispatcher = dispatcher
        return (await self._client.call(Enlist(dispatcher))).given_up

    async def run(self, span: Span) -> Report:
        """Run a span of windows."""
        return await self._client.call(RunSpan(self._dispatcher, span))

    async def rest(self, now_ms: int, arrived: list[tuple[str, int]]) -> int:
        """Set the replay clock; returns the number of pending timers."""
        return (await self._client.call(Rest(self._dispatcher, now_ms, arrived))).timers

    async def peek(self) -> Report:
        """Ask what is pending on the replay clock."""
        return await self._client.call(Peek(self._dispatcher))

    async def barrier(self, step: BarrierStep, backup: str, path: str = "") -> bool:
        """Lower or lift the barrier of a backup, or copy the store to `path` behind it; whether it has been down all
        the time."""
        return (await self._client.call(MoveBarrier(step, backup, path))).was_down

    async def pull(self, name: str, most: int, channel: str | None = None) -> list[dict[str, Any]]:
        """Up to `most` messages of a channel (empty: of all channels on which nothing can be sent; None: of all) that
        are authorised and durably `handing_over`; waits a moment where there are none. Messages that a pull of the same
        name was given before are given again."""
        return _pulled((await self._client.call(Pull(self._dispatcher, name, most, channel))).messages)

    async def authorise(self, name: str, profile: str, send: str) -> dict[str, Any] | None:
        """The message of a send that the pull of this name was given, as it may go now; None where it may not."""
        return (await self._client.call(Reauthorise(self._dispatcher, name, profile, send))).message

    async def pins(self) -> list[str]:
        """The profiles of this shard that have processes of their own, or are about to."""
        return list((await self._client.call(Read("pins"))).value)

    async def settle(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Tell outcomes of sends. Returns those that cannot be taken yet, because their profiles are on the way;
        raises TryAgain where none was taken."""
        return (await self._client.call(SettleSends(self._dispatcher, outcomes))).untaken

    def end(self) -> None:
        """Pull nothing more: the shard has gone."""
        self.is_over = True
        self._client.close()
