"""A shard behind its socket, as the dispatcher and the conductor ask it. Nothing is repeated here."""

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
        """Be the one that the shard listens to. Returns how many sends an older one was handing over, which are given
        up."""
        self._dispatcher = dispatcher
        return (await self._client.call(Enlist(dispatcher))).given_up

    async def run(self, span: Span) -> Report:
        """Run a span of windows."""
        return await self._client.call(RunSpan(self._dispatcher, span))

    async def rest(self, now_ms: int, arrived: list[tuple[str, int]]) -> int:
        """Put the replay clock; returns the number of pending timers."""
        return (await self._client.call(Rest(self._dispatcher, now_ms, arrived))).timers

    async def peek(self) -> Report:
        """What is pending."""
        return await self._client.call(Peek(self._dispatcher))

    async def barrier(self, step: BarrierStep, backup: str, path: str = "") -> bool:
        """Lower or lift the barrier of a backup, or copy the store to `path` behind it; whether it has been down all
        the time."""
        return (await self._client.call(MoveBarrier(step, backup, path))).was_down

    async def pull(self, name: str, most: int, channel: str | None = None) -> list[dict[str, Any]]:
        """Up to `most` messages of a channel (empty: of those that nothing can be sent on; None: of all) that are
        authorised and durably `handing_over`; waits a moment where there are none. What a pull of the same name was
        given before is given again."""
        return _pulled((await self._client.call(Pull(self._dispatcher, name, most, channel))).messages)

    async def authorise(self, name: str, profile: str, send: str) -> dict[str, Any] | None:
        """The message of a send that the pull of this name was given, as it may go now; None where it may not."""
        return (await self._client.call(Reauthorise(self._dispatcher, name, profile, send))).message

    async def pins(self) -> list[str]:
        """The profiles of this shard that have processes of their own, or are about to."""
        return list((await self._client.call(Read("pins"))).value)

    async def settle(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Say what providers said. Returns what cannot be taken yet, because its profile is on its way; raises TryAgain
        where nothing was."""
        return (await self._client.call(SettleSends(self._dispatcher, outcomes))).untaken

    def end(self) -> None:
        """Pull nothing more: there is nobody any more."""
        self.is_over = True
        self._client.close()
