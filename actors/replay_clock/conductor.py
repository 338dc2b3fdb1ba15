"""Moves the replay clock: runs all shards window by window, and carries messages and outcomes between them
(`docs/design/virtual-time.md`).

While no other shard has anything to do, nothing can reach a shard. So it may run ahead alone through many windows,
until a message or an outcome arises that another must take. The result is the same as if all shards went through every
window together, with a fraction of the requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from actors.replay_clock.windows import FOR_EVER_MS, WINDOW_MS
from actors.transport.messages.carried import Message, Outcome
from actors.transport.messages.of_dispatcher import Report, Span

HandOverAll = Callable[[list[dict[str, Any]]], Awaitable[list[Outcome]]]


class ReplayShard(Protocol):
    """A shard on a replay clock, in this process or behind a socket."""

    async def run(self, span: Span) -> Report:
        """Run a span of windows."""
        ...

    async def rest(self, now_ms: int, arrived: list[tuple[str, int]]) -> int:
        """Set the clock; returns the number of pending timers."""
        ...

    async def enlist(self, dispatcher: str) -> int:
        """Listen to this dispatcher: sends that another one was handing over are given up. Raises Fenced where a newer
        one is known."""
        ...

    async def peek(self) -> Report:
        """The pending work, without running anything."""
        ...


@dataclass(slots=True)
class _ShardProgress:
    """The progress of one shard, as the conductor knows it. Messages and outcomes are kept by the window at whose start
    they are taken. `arrived` are messages of this shard's profiles that have arrived, which it has not been told
    yet."""

    shard: ReplayShard
    next_window: int | None = None
    open: int = -1  # the last window that it has entered
    messages: dict[int, list[Message]] = field(default_factory=dict)
    outcomes: dict[int, list[Outcome]] = field(default_factory=dict)
    arrived: list[tuple[str, int]] = field(default_factory=list)

    def due(self) -> int | None:
        """The next window in which this shard has something to do or to take."""
        windows = [*self.messages, *self.outcomes]
        if self.next_window is not None:
            windows.append(self.next_window)
        return min(windows, default=None)

    def alone_until(self, first: int, last: int) -> int:
        """The last window that it may run alone from `first` on: `last` at most, and before any later window at whose
        start it has something to take."""
        return min([last, *(window - 1 for window in (*self.messages, *self.outcomes) if window > first)])


class Conductor:
    """One per engine; one move of the clock at a time."""

    def __init__(
        self,
        shards: Sequence[ReplayShard],
        shard_of: Callable[[str], int],
        hand_over: HandOverAll,
        dispatcher: str,
    ) -> None:
        self._shards = shards
        self._shard_of = shard_of
        self._hand_over = hand_over
        self._dispatcher = dispatcher
        self._tries = 0
        self._lock = asyncio.Lock()
        self._progress = [_ShardProgress(shard) for shard in shards]
        self._travelling: set[tuple[str, int]] = set()
        self._window = -1
        self.now_ms = 0

    @property
    def _name(self) -> str:
        """The name that sends are authorised under. A move that failed changes it, so that the shards give up the sends
        that were being handed over."""
        return f"{self._dispatcher}.{self._tries}"

    def at_rest(self) -> asyncio.Lock:
        """While this lock is held, the clock stands still."""
        return self._lock

    async def advance(self, watermark_ms: int, *, drain: bool = False) -> dict[str, int]:
        """Move the clock to `watermark_ms`, or on until nothing is pending; returns `now` (ms) and `pendingTimers`."""
        async with self._lock:
            try:
                return await self._advance(watermark_ms, drain)
            except Exception:  # a shard died half-way: ask all of them again which messages are on their way
                self._tries += 1
                self._progress = [_ShardProgress(progress.shard) for progress in self._progress]
                self._travelling = set()
                raise

    async def _advance(self, watermark_ms: int, drain: bool) -> dict[str, int]:
        await self._look()
        await self._march(max(watermark_ms, self.now_ms))
        if drain:  # a stretch of its own, in which no schedule begins anything
            await self._march(FOR_EVER_MS)
        reached_ms = (self._window + 1) * WINDOW_MS if drain else 0
        self.now_ms = max(self.now_ms, watermark_ms, reached_ms)
        pending = await asyncio.gather(*(each.shard.rest(self.now_ms, each.arrived) for each in self._progress))
        for progress in self._progress:
            progress.arrived = []
        return {"now": self.now_ms, "pendingTimers": sum(pending)}

    async def _look(self) -> None:
        """Ask the shards what is pending: inputs that were staged or told since, and the remains of a crash."""
        await asyncio.gather(*(progress.shard.enlist(self._name) for progress in self._progress))
        reports = await asyncio.gather(*(progress.shard.peek() for progress in self._progress))
        self.now_ms = max(self.now_ms, *(report.now_ms for report in reports))
        self._window = max(self._window, self.now_ms // WINDOW_MS, *(report.window for report in reports))
        for progress, report in zip(self._progress, reports, strict=True):
            progress.next_window, progress.open = report.next_window, report.window
        for report in reports:
            self._post(report.messages, self._window + 1)

    async def _march(self, until_ms: int) -> None:
        """Window after window, until the next one with anything to do starts after `until_ms`."""
        last = until_ms // WINDOW_MS
        while True:
            due = [progress.due() for progress in self._progress]
            first = min((window for window in due if window is not None), default=None)
            if first is None or first > last:
                return
            running = [progress for progress, window in zip(self._progress, due, strict=True) if window == first]
            others = [window for window in due if window is not None and window > first]
            ahead = running[0].alone_until(first, min([last, *others])) if len(running) == 1 else first
            await asyncio.gather(*(self._run(progress, first, ahead, until_ms) for progress in running))
            if first == last:  # the rest of this window is after the watermark
                return

    async def _run(self, progress: _ShardProgress, first: int, ahead: int, until_ms: int) -> None:
        """Run one shard's span, and carry its messages and outcomes on."""
        taken, said = progress.messages.pop(first, []), progress.outcomes.pop(first, [])
        arrived, progress.arrived = progress.arrived, []
        report = await progress.shard.run(Span(first, ahead, until_ms, self._name, taken, said, arrived))
        self._window = max(self._window, report.window)
        progress.next_window, progress.open = report.next_window, report.window
        for sender, seq in report.arrived:
            self._travelling.discard((sender, seq))
            self._progress[self._shard_of(sender)].arrived.append((sender, seq))
        reached = set(report.arrived)
        waiting = [message for message in taken if (message.sender, message.seq) not in reached]
        self._travelling.difference_update((message.sender, message.seq) for message in waiting)
        self._post(waiting, report.window + 1)
        self._post(report.messages, report.window + 1, known=reached)
        outcomes = report.untaken + (await self._hand_over(report.hand_overs) if report.hand_overs else [])
        if outcomes:
            progress.outcomes.setdefault(report.window + 1, []).extend(outcomes)

    def _post(self, messages: list[Message], window: int, known: Collection[tuple[str, int]] = ()) -> None:
        """Put messages where they will be taken at the start of `window`; those on their way already are left alone."""
        for message in messages:
            name = (message.sender, message.seq)
            if name not in self._travelling and name not in known and not self._has_arrived(name):
                self._travelling.add(name)
                progress = self._progress[self._shard_of(message.to)]
                # After a power cut one shard may be windows behind another: its messages are taken as soon as possible.
                progress.messages.setdefault(max(window, progress.open + 1), []).append(message)

    def _has_arrived(self, name: tuple[str, int]) -> bool:
        return name in self._progress[self._shard_of(name[0])].arrived
