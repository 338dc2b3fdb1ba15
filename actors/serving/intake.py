"""Sorts the requests that reach a shard over its socket: inputs go into the mailboxes of their profiles, all other
requests into a queue of their own, which is served first. Above a bound, requests that may be shed are refused here,
before they cost a turn.

Whether events of a frame are shed depends only on what waited before the frame came. So the events of one profile in
one frame are all taken or all shed, except those that are never shed. If one is shed, the client is told to repeat the
whole request with the same ids. Events that were taken are then repeats and change nothing, so each attempt takes more
of the request.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol

from actors.platform.clock import stopwatch
from actors.serving.mailbox import Mailboxes
from actors.shard.shard import Done, Shard
from actors.transport.frame_server import FrameServer, Reply
from actors.transport.messages.base import Request
from actors.transport.messages.carried import (
    EventMoved,
    EventParted,
    EventRejected,
    EventResult,
    EventStatus,
    EventUnreadable,
)
from actors.transport.messages.of_doors import Ingest, Ingested, Read, Tell, Told
from actors.transport.wire import OVERLOADED_RETRY_MS
from engine.errors import Beside, Corrupt, Moved, Overloaded, Parked, Parted, SegueError
from engine.events.shedding import is_sheddable
from engine.inputs import AnyInput, Decide, Event

# Half of what a `FrameServer` takes in at most: the other half is for requests that are never shed.
FRAMES_MAX = 2_048
FRAME_BYTES_MAX = 32 << 20
READS_MAX = 512  # waiting reads above which more of them are refused: reads go before all inputs
CALLS_IN_A_GROUP = 64

_status = {each.value: each for each in EventStatus}  # by the name that a turn gives it

Finish = Callable[[], None]
Call = tuple[Request[Any], Reply]


class Frame:
    """A frame of events. It is answered when each event has its outcome. It arrived at `came_s`, by the stopwatch."""

    __slots__ = ("_open", "_results", "came_s", "reply")

    def __init__(self, reply: Reply, size: int) -> None:
        self.reply, self.came_s = reply, stopwatch()
        self._results: list[EventResult] = [EventStatus.SHED] * size
        self._open = size

    def settle(self, index: int, result: EventResult) -> None:
        """Keep the outcome of one event."""
        self._results[index] = result
        self._open -= 1
        self.answer_when_done()

    def answer_when_done(self) -> None:
        """Answer, unless an event has no outcome yet."""
        if self._open == 0:
            self.reply.send(Ingested(self._results))


class Mail(Protocol):
    """An input that waits for its turn. Its answer may leave when the turn is durable."""

    profile: str
    told: AnyInput
    is_event: bool
    came_s: float

    def done(self, done: Done) -> Finish:
        """A function that sends the turn's answer."""
        ...

    def failed(self, error: Exception) -> Finish:
        """A function that sends the error of a turn that could not be taken."""
        ...


class EventMail:
    """One event of a frame."""

    __slots__ = ("came_s", "frame", "index", "profile", "told")
    is_event = True

    def __init__(self, profile: str, told: AnyInput, frame: Frame, index: int) -> None:
        self.profile, self.told, self.frame, self.index = profile, told, frame, index
        self.came_s = frame.came_s

    def done(self, done: Done) -> Finish:
        """Its part of the frame's answer."""
        return partial(self.frame.settle, self.index, _status[done.status])

    def failed(self, error: Exception) -> Finish:
        """A caller's fault, or the new address of a profile, is this event's part of the answer. A fault of ours fails
        the whole frame."""
        if isinstance(error, Parted):
            return partial(self.frame.settle, self.index, EventParted(error.to))
        if isinstance(error, Moved):
            return partial(self.frame.settle, self.index, EventMoved(error.to, once=isinstance(error, Beside)))
        if isinstance(error, Parked):
            return partial(self.frame.settle, self.index, EventStatus.PARKED)
        if isinstance(error, Corrupt):  # the client can do nothing about it, and is not told where our files are
            return partial(self.frame.settle, self.index, EventUnreadable(str(error)))
        if isinstance(error, SegueError):
            return partial(self.frame.settle, self.index, EventRejected(str(error)))
        return partial(self.frame.reply.fail, error)


class ToldMail:
    """An input with an answer of its own, which arrived at `came_s` by the stopwatch. Its caller waits `patience_s`;
    0 means as long as it takes."""

    __slots__ = ("came_s", "patience_s", "profile", "reply", "told")
    is_event = False

    def __init__(self, profile: str, told: AnyInput, reply: Reply, patience_s: float = 0.0) -> None:
        self.profile, self.told, self.reply, self.patience_s = profile, told, reply, patience_s
        self.came_s = stopwatch()

    def done(self, done: Done) -> Finish:
        """The turn's answer."""
        if done.status == "failed":
            return self.failed(SegueError("this could not be handled; it was set aside"))
        return self.reply.prepared(Told(done.value))

    def failed(self, error: Exception) -> Finish:
        """The error itself."""
        return partial(self.reply.fail, error)


def in_time(group: list[Mail]) -> Iterator[Mail]:
    """The inputs of a group whose callers still wait when their turn has come. A turn for anybody else is wasted."""
    for mail in group:
        if isinstance(mail, ToldMail) and 0 < mail.patience_s < stopwatch() - mail.came_s:
            mail.reply.fail(Overloaded(OVERLOADED_RETRY_MS))
        else:
            yield mail


class Intake:
    """One per shard. `waits_elsewhere` counts the inputs of a profile that are neither handled nor in its mailbox."""

    def __init__(self, shard: Shard, server: FrameServer, waits_elsewhere: Callable[[str], int]) -> None:
        self._shard, self._server = shard, server
        self._waits_elsewhere = waits_elsewhere
        self._mail: Mailboxes[Mail] = Mailboxes()
        self._calls: deque[Call] = deque()
        self._reads = 0

    def __bool__(self) -> bool:
        return bool(self._calls) or len(self._mail) > 0

    def __len__(self) -> int:
        return len(self._calls) + len(self._mail)

    def receive(self, request: Request[Any], reply: Reply) -> None:
        """Take a request in; raises Overloaded where it is shed."""
        if isinstance(request, Ingest):
            self._receive_events(request.events, reply)
        elif isinstance(request, Tell):
            self._receive_told(request, reply)
        else:
            is_read = isinstance(request, Read)
            if is_read and self._reads >= READS_MAX:
                raise Overloaded(OVERLOADED_RETRY_MS)
            self._reads += is_read
            self._calls.append((request, reply))

    def calls(self) -> list[Call]:
        """The calls of the next group."""
        found = [self._calls.popleft() for _ in range(min(len(self._calls), CALLS_IN_A_GROUP))]
        self._reads -= sum(isinstance(request, Read) for request, _ in found)
        return found

    def mail(self) -> list[Mail]:
        """The inputs of the next group."""
        return self._mail.take()

    def _receive_told(self, request: Tell, reply: Reply) -> None:
        profile, told = request.profile, request.told
        if is_sheddable(self._shard.catalog, told) and (self._is_full() or self._is_full_for(profile)):
            raise Overloaded(OVERLOADED_RETRY_MS)
        waiting = ToldMail(profile, told, reply, request.patience_s)
        self._mail.put(profile, waiting, is_urgent=isinstance(told, Decide))

    def _receive_events(self, events: list[tuple[str, Event]], reply: Reply) -> None:
        frame, catalog = Frame(reply, len(events)), self._shard.catalog
        is_full = self._is_full()  # asked before any event of this frame waits, so they all fare alike
        full = {profile: is_full or self._is_full_for(profile) for profile, _ in events}
        for index, (profile, event) in enumerate(events):
            if full[profile] and is_sheddable(catalog, event):
                frame.settle(index, EventStatus.SHED)
            else:
                self._mail.put(profile, EventMail(profile, event, frame, index))
        if not events:
            frame.answer_when_done()

    def _is_full(self) -> bool:
        server = self._server
        return self._mail.is_full() or server.in_flight > FRAMES_MAX or server.bytes_in_flight > FRAME_BYTES_MAX

    def _is_full_for(self, profile: str) -> bool:
        return self._mail.is_full_for(profile, self._waits_elsewhere(profile))
