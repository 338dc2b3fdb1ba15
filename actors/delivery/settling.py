"""Tells one shard the outcomes of its messages. An outcome goes as soon as it is known; outcomes that come while a call
is under way go together in the next one."""

from __future__ import annotations

import asyncio
from typing import Final

from actors.delivery.shard_link import ShardLink
from actors.transport.messages.carried import Outcome
from engine.errors import TryAgain

_PAUSE_S: Final = 0.2

_Told = tuple[Outcome, asyncio.Future[None]]


class Settling:
    """One per shard. `tell` raises Fenced where the dispatcher was replaced."""

    def __init__(self, link: ShardLink) -> None:
        self._link = link
        self._waiting: list[_Told] = []
        self._task: asyncio.Task[None] | None = None

    async def tell(self, outcome: Outcome) -> None:
        """Tell the outcome of a send; returns when the shard has it, and repeats the call until then."""
        known = asyncio.get_running_loop().create_future()
        self._waiting.append((outcome, known))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        await known

    async def _work(self) -> None:
        while self._waiting:
            told, self._waiting = self._waiting, []
            try:
                untaken = await self._say([outcome for outcome, _ in told])
            except Exception as error:  # `tell` raises it, to whoever waits there
                _finish(told, error)
                continue
            _finish([each for each in told if each[0] not in untaken])
            if untaken:  # the shard is down, or a profile is moving
                self._waiting = [each for each in told if each[0] in untaken] + self._waiting
                await asyncio.sleep(_PAUSE_S)

    async def _say(self, outcomes: list[Outcome]) -> list[Outcome]:
        try:
            return await self._link.settle(outcomes)
        except TryAgain:
            return outcomes


def _finish(told: list[_Told], error: Exception | None = None) -> None:
    for _, known in told:
        if known.done():
            continue  # the caller of `tell` was cancelled
        if error is None:
            known.set_result(None)
        else:
            known.set_exception(error)
