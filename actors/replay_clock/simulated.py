"""An engine for a history that nobody will ask for again: one shard, in memory, on a replay clock.

Turns, windows and all rules are those of the running engine; what differs is what is kept. Nothing is read after a
simulation, so there is no journal, no audit chain and no copy of what is staged. Records stay in memory as they are,
and are packed only when there are many. No other shard takes part, so the clock needs no conductor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from actors.platform.clock import ReplayClock
from actors.replay_clock.windows import WINDOW_MS, Staged, Windows
from actors.shard.outbox.outbox import Waiting
from actors.shard.shard import Done, Observer, Shard
from actors.storage import keys
from actors.storage.memory_store import MemoryStore
from actors.transport.messages.carried import Message, Outcome
from actors.transport.messages.of_dispatcher import Span
from engine import codec
from engine.catalog.compiled import Catalog
from engine.inputs import AnyInput, Fact
from engine.profile import Profile
from engine.vocabulary import Settlement

Provider = Callable[[dict[str, Any]], Settlement]
Heard = Callable[[Profile, AnyInput], None]

FOR_EVER_MS: Final = 1 << 52
_UNREAD: Final = ("journal", "audit", "sandbox", "staged")  # families that no turn reads
_TURNS_KEPT: Final = 20_000  # then what has changed is packed, so that memory does not grow with the turns
_DISPATCHER: Final = "local.1"


class SimulatedShard(Shard):
    """A shard whose records are packed only now and then. A turn that fails is undone as ever: the packed record is
    read, and the turns since are repeated."""

    _turns = 0
    heard: Heard | None = None

    def _turn(self, profile: Profile, told: AnyInput, dedup_key: bytes | None, *, is_new: bool) -> Done:
        done = super()._turn(profile, told, dedup_key, is_new=is_new)
        if self.heard is not None and done.status == "accepted":
            self.heard(profile, told)
        return done

    def journal(self, profile_id: str, told: AnyInput, now_ms: int) -> None:
        """Nobody will read it, but the turn counts."""
        self._turns += 1

    def commit(self, *, sync: bool = True, final: bool = False) -> None:
        """Let other turns read what these have written, and pack the changed records where there were many."""
        if self._turns < _TURNS_KEPT:
            self.batch.commit()
        else:
            self._turns = 0
            super().commit(sync=False)


class _SimulatedWindows(Windows):
    """Windows whose staged inputs are in memory alone."""

    def stage(self, inputs: list[tuple[str, AnyInput, int]]) -> None:
        """Keep (profile, input, time) until the clock reaches its time; later ones are not before earlier ones."""
        waiting = self._staged[self._position :]
        waiting += [Staged(max(0, at_ms).to_bytes(8), profile, told) for profile, told, at_ms in inputs]
        self._staged, self._position = waiting, 0


class SimulatedEngine:
    """One shard and its clock. `provider` is given a message and returns its outcome. `observer` sees the effects of
    each turn, and `heard` the profile after the turn of an input."""

    def __init__(self, catalog: Catalog, observer: Observer, provider: Provider, heard: Heard | None = None) -> None:
        clock, unchained = ReplayClock(), replace(catalog, is_chained=False)
        self.shard = SimulatedShard(0, MemoryStore(_UNREAD), unchained, clock, observer=observer)
        self.shard.heard = heard
        self.windows = _SimulatedWindows(self.shard, clock)
        self._provider = provider
        self._messages: list[Message] = []
        self._outcomes: list[Outcome] = []
        self._arrived: list[tuple[str, int]] = []
        self._takes = 0  # the window at whose start messages and outcomes are taken

    def begin(self, place: str, state: bytes, history: list[tuple[bytes, bytes]]) -> None:
        """Somebody is there from the beginning: a packed record, and the rows of the history beside it."""
        shard, record = self.shard, codec.decode_record(state)
        shard.batch.put("state", keys.profile_key(place), state)
        for key, page in history:
            shard.batch.put("history", key, page)
        if isinstance(record, Profile):
            shard.profiles += not record.is_blank
            for run in record.runs:
                if run.state == "active" and run.due_ms:
                    shard.add_timer(keys.timer_key(run.due_ms, place, run.id, run.generation))
            for send in record.sends:
                shard.enqueue(Waiting(place, send.id, send.waits_ms, send.dispatcher))
        shard.commit()

    def stage(self, inputs: list[tuple[str, AnyInput, int]]) -> None:
        """Keep (profile, input, time) until the clock reaches its time."""
        self.windows.stage(inputs)

    def take(self, fact: Fact) -> None:
        """Keep a fact about a thing until the clock reaches its time."""
        self.windows.take(fact)

    def advance(self, until_ms: int) -> None:
        """Run everything up to `until_ms`, window after window, as a conductor of one shard would."""
        self.shard.settle_orphans(_DISPATCHER)  # of people who began in the middle of a hand-over
        last = until_ms // WINDOW_MS
        following = self.windows.peek().next_window
        while (first := self._due(following)) is not None and first <= last:
            following = self._run(first, last, until_ms)
            if first == last:  # the rest of this window is after `until_ms`
                break
        self.windows.rest(until_ms if until_ms < FOR_EVER_MS else self.windows.clock.now_ms(), self._arrived)
        self._arrived = []

    def _due(self, following: int | None) -> int | None:
        """The next window with anything to do or to take."""
        if self._messages or self._outcomes:
            return self._takes if following is None else min(self._takes, following)
        return following

    def _run(self, first: int, last: int, until_ms: int) -> int | None:
        """Run windows from `first` on until something has to be taken; returns the next with anything to do."""
        is_taken = first >= self._takes
        messages, outcomes = (self._messages, self._outcomes) if is_taken else ([], [])
        if is_taken:
            self._messages, self._outcomes = [], []
        elif self._messages or self._outcomes:
            last = min(last, self._takes - 1)
        span = Span(first, last, until_ms, _DISPATCHER, messages, outcomes, self._arrived)
        report = self.windows.run(span)
        self._arrived = report.arrived
        reached = set(report.arrived)
        self._messages = [each for each in report.messages if (each.sender, each.seq) not in reached]
        self._outcomes += report.untaken
        self._outcomes += [Outcome(each["profile"], each["send"], self._provider(each)) for each in report.hand_overs]
        self._takes = report.window + 1
        return report.next_window
