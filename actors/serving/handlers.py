"""The table from each type of request to its handler, which runs in a group of the server.

Inputs (`Ingest`, `Tell`) are not in it: `ShardServer` gives them turns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from actors.replay_clock.windows import Windows
from actors.serving.barrier import Barrier
from actors.serving.inbound_relay import InboundRelay
from actors.serving.intake import Finish
from actors.serving.migration import Migration
from actors.serving.pulls import Pulls
from actors.shard.matching.serving import Matching
from actors.shard.outbox import handing_out
from actors.shard.outbox.fence import Fence
from actors.shard.outbox.outbox import Waiting
from actors.shard.queries.queries import letter, read
from actors.shard.set_aside import dead_letter_actions
from actors.shard.shard import Shard
from actors.transport.frame_server import Reply
from actors.transport.messages.base import Acknowledged, Answer, FromDispatcher, Request
from actors.transport.messages.of_dispatcher import (
    DispatcherName,
    Enlist,
    Enlisted,
    KnownDispatcher,
    MoveBarrier,
    Peek,
    Pull,
    Reauthorise,
    Reauthorised,
    Rest,
    Rested,
    RunSpan,
    SettleSends,
)
from actors.transport.messages.of_doors import (
    DiscardLetter,
    Found,
    Pin,
    Read,
    ReadLetter,
    Retried,
    RetryLetter,
    SetAside,
    Stage,
    Unpin,
)
from actors.transport.messages.of_matching import Having, Matched, NextToMatch, RecordsOf
from actors.transport.messages.of_shards import (
    BeginMove,
    Deliver,
    Delivered,
    EndMove,
    GoHome,
    Lease,
    Leased,
    MoveRecords,
    MoveSlice,
)
from actors.transport.messages.of_things import FactsTaken, TakeFacts
from engine.errors import SegueError, StoreFailed

# No sync at the end of their group: a `RunSpan` itself syncs whatever must be durable, the `Rest` that follows syncs
# everything, and a `Peek` changes nothing.
SYNCED_LATER: Final = (RunSpan, Peek)

# An AtOnce handler returns its answer, which leaves when the group is durable. A ByItself handler answers by itself,
# perhaps in a later group.
AtOnce = Callable[[Any], Answer]
ByItself = Callable[[Any, Reply, list[Finish]], None]


class Handlers:
    """One per shard server."""

    def __init__(
        self,
        shard: Shard,
        windows: Windows | None,
        fence: Fence,
        barrier: Barrier,
        pulls: Pulls,
        relay: InboundRelay,
        migration: Migration,
    ) -> None:
        self._shard, self._fence, self._barrier = shard, fence, barrier
        self._windows = windows
        self._relay = relay
        self._at_once: Mapping[type[Request[Any]], AtOnce] = {
            Read: lambda asked: Found(read(shard, asked.what, asked.profile, asked.argument)),
            ReadLetter: lambda asked: Found(letter(shard, shard.dead.get(asked.number))),
            RetryLetter: lambda asked: Retried(dead_letter_actions.retry(shard, asked.number)),
            DiscardLetter: self._discard,
            SetAside: self._set_aside,
            Lease: lambda asked: Leased([shard.leases.grant(each) for each in asked.wanted]),
            KnownDispatcher: lambda asked: DispatcherName(fence.dispatcher),
            Enlist: lambda asked: Enlisted(fence.enlist(asked.dispatcher)),
            Reauthorise: self._reauthorise,
            MoveBarrier: barrier.move,
            BeginMove: migration.begin,
            MoveRecords: migration.take,
            MoveSlice: migration.take_slice,
            TakeFacts: self._take_facts,
            **_of_matching(Matching(shard, on_demand=windows is not None)),
            **(_on_no_clock() if windows is None else _on_clock(windows)),
        }
        self._by_itself: Mapping[type[Request[Any]], ByItself] = {
            Pull: lambda asked, reply, finishes: pulls.ask(asked, reply),
            Deliver: self._deliver,
            SettleSends: relay.settle,
            Pin: migration.pin,
            Unpin: migration.unpin,
            GoHome: migration.go_home,
            EndMove: migration.end,
        }

    @property
    def requests(self) -> list[type[Request[Any]]]:
        """The types of request that the table has."""
        return [*self._at_once, *self._by_itself]

    def handle(self, request: Request[Any], reply: Reply, finishes: list[Finish]) -> None:
        """Do what is asked. `finishes` are the answers, for when the group is durable. Raises StoreFailed where a
        commit failed on the way: then the whole group has failed."""
        kind = type(request)
        try:
            if isinstance(request, FromDispatcher):
                self._fence.check(request.dispatcher)
            if kind in self._by_itself:
                self._by_itself[kind](request, reply, finishes)
            else:
                finishes.append(reply.prepared(self._at_once[kind](request)))
        except StoreFailed:
            raise
        except Exception as error:  # the outermost loop of this shell: one bad request must not harm its group
            fault = error  # Python unbinds `error` at the end of this block, and the answer leaves later
            finishes.append(lambda: reply.fail(fault))

    def _deliver(self, request: Deliver, reply: Reply, finishes: list[Finish]) -> None:
        if self._barrier.is_down:  # nothing is taken in; the sender brings it again
            finishes.append(reply.prepared(Delivered([])))
        else:
            self._relay.deliver(request, reply, finishes)

    def _reauthorise(self, request: Reauthorise) -> Reauthorised:
        given = Waiting(request.profile, request.send, 0, f"{request.dispatcher}.{request.name}")
        return Reauthorised(handing_out.authorise(self._shard, given, given.dispatcher))

    def _set_aside(self, request: SetAside) -> Acknowledged:
        for profile, item, reason in request.items:
            dead_letter_actions.set_aside(self._shard, profile, item, reason)
        return Acknowledged()

    def _take_facts(self, request: TakeFacts) -> FactsTaken:
        windows, facts = self._windows, self._shard.facts
        if windows is None:
            heard_ms = request.heard_ms  # what a clock that runs ahead says happens now
            told = (msgspec.structs.replace(fact, at_ms=min(fact.at_ms, heard_ms)) for fact in request.facts)
            return FactsTaken([facts.take(fact, heard_ms) for fact in told])
        return FactsTaken([windows.take(fact) for fact in request.facts])

    def _discard(self, request: DiscardLetter) -> Acknowledged:
        self._shard.dead.take(request.number)
        return Acknowledged()


def _of_matching(matching: Matching) -> dict[type[Request[Any]], AtOnce]:
    return {
        NextToMatch: matching.next,
        Having: matching.having,
        RecordsOf: matching.records,
        Matched: matching.matched,
    }


def _on_clock(windows: Windows) -> dict[type[Request[Any]], AtOnce]:
    """Handlers of the conductor's requests, for a shard on the replay clock."""

    def stage(request: Stage) -> Acknowledged:
        windows.stage(request.inputs)
        return Acknowledged()

    return {
        Stage: stage,
        RunSpan: lambda asked: windows.run(asked.span),
        Rest: lambda asked: Rested(windows.rest(asked.now_ms, asked.arrived)),
        Peek: lambda asked: windows.peek(),
    }


def _on_no_clock() -> dict[type[Request[Any]], AtOnce]:
    """Refusals of the same requests, for a shard on the wall clock."""

    def refuse(request: Request[Any]) -> Answer:
        raise SegueError(f"{type(request).__name__} needs a replay clock")

    return {Stage: refuse, RunSpan: refuse, Rest: refuse, Peek: refuse}
