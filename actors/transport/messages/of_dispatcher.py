"""Requests of the dispatcher to a shard: for messages to hand over, with their outcomes, and about the replay clock."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from actors.transport.messages.base import Answer, FromDispatcher, Request
from actors.transport.messages.carried import Message, Outcome


class DispatcherName(Answer):
    """The dispatcher that the shard listens to; empty where there is none yet."""

    name: str


class KnownDispatcher(Request[DispatcherName]):
    """Asks which dispatcher the shard listens to."""


class Enlisted(Answer):
    """The number of sends that an older dispatcher was handing over, and that are given up."""

    given_up: int


class Enlist(Request[Enlisted]):
    """Asks to be the dispatcher that the shard listens to."""

    dispatcher: str


class Pulled(Answer):
    """A list of messages that are authorised and durably `handing_over`, as its bytes."""

    messages: msgspec.Raw


class Pull(FromDispatcher[Pulled]):
    """Asks for at most `most` messages of a channel (empty: of all channels on which nothing can be sent; None: of
    all). A pull of the same name gets the same messages again."""

    name: str
    most: int
    channel: str | None = None


class Reauthorised(Answer):
    """The message of a send as it may go now; None where it may not."""

    message: dict[str, Any] | None


class Reauthorise(FromDispatcher[Reauthorised]):
    """Asks whether a send may still go that the pull of this name was given."""

    name: str
    profile: str
    send: str


class Settled(Answer):
    """The outcomes that could not be taken yet, because their profiles are on their way to another place."""

    untaken: list[Outcome]


class SettleSends(FromDispatcher[Settled]):
    """Brings outcomes of sends, as providers gave them."""

    outcomes: list[Outcome]


# -- the replay clock


class Span(msgspec.Struct, array_like=True):
    """The windows that a shard is to run: from the start of window `first`, through window `last` at most, up to
    `until_ms`."""

    first: int
    last: int
    until_ms: int
    dispatcher: str
    messages: list[Message] = []
    outcomes: list[Outcome] = []
    arrived: list[tuple[str, int]] = []


class Report(Answer, gc=True):
    """The result of a span. `window` is the last one that was run, `next_window` the next that is not empty."""

    window: int
    next_window: int | None
    messages: list[Message] = msgspec.field(default_factory=list)
    hand_overs: list[dict[str, Any]] = msgspec.field(default_factory=list)
    arrived: list[tuple[str, int]] = msgspec.field(default_factory=list)
    untaken: list[Outcome] = msgspec.field(default_factory=list)
    now_ms: int = 0


class RunSpan(FromDispatcher[Report]):
    """Run a span of windows on the replay clock."""

    span: Span


class Rested(Answer):
    """The number of timers that are pending."""

    timers: int


class Rest(FromDispatcher[Rested]):
    """Everything that was due is done: set the replay clock to `now_ms`. `arrived` as in `Delivered`."""

    now_ms: int
    arrived: list[tuple[str, int]]


class Peek(FromDispatcher[Report]):
    """Asks what is pending on the replay clock."""


BarrierStep = Literal["lower", "copy", "lift"]


class BarrierHeld(Answer):
    """Whether the barrier of this backup has been down all the time."""

    was_down: bool


class MoveBarrier(Request[BarrierHeld]):
    """Lower or lift the barrier of a backup, or copy the store to `path` behind it."""

    step: BarrierStep
    backup: str
    path: str = ""
