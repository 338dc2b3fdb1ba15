"""Requests of the doors to a shard, and to the dispatcher."""

from __future__ import annotations

from typing import Any, Literal

from actors.transport.messages.base import Acknowledged, Answer, Request
from actors.transport.messages.carried import EventResult
from engine.inputs import AnyInput, Event, Rejected


class Ingested(Answer):
    """The result of each event, in the order of the request."""

    results: list[EventResult]


class Ingest(Request[Ingested]):
    """Events, each with the id of its profile. Answered when all of them are durable."""

    events: list[tuple[str, Event]]


class Told(Answer):
    """The answer of an input's turn."""

    value: Any


class Tell(Request[Told]):
    """One input that has an answer of its own. Its caller waits `patience_s`; 0 means as long as it takes."""

    profile: str
    told: AnyInput
    patience_s: float = 0.0


class Found(Answer):
    """A reading as plain data."""

    value: Any


OfShard = Literal[
    "status",
    "pins",
    "catalog",
    "dump",
    "dead",
    "sandbox",
    "transitions",
    "reviews",
    "whereabouts",
    "things",
    "standing",
]
OfProfile = Literal["profile", "consent", "timeline", "why", "said", "sandboxed", "export", "review"]
OfPlace = Literal[
    "at", "handed_over", "forgotten", "holder"
]  # of a profile's place itself, also where a tombstone stands there
Reading = OfShard | OfProfile | OfPlace


class Read(Request[Found]):
    """A reading (`actors.shard.queries`) of one profile, or of the whole shard where `profile` is empty."""

    what: Reading
    profile: str = ""
    argument: Any = None


class Stage(Request[Acknowledged]):
    """Inputs to be kept until the replay clock reaches their times: (profile, input, time in ms)."""

    inputs: list[tuple[str, AnyInput, int]]


class SetAside(Request[Acknowledged]):
    """Items that are no events, to be kept as dead letters: (profile, item, reason)."""

    items: list[tuple[str, Rejected, str]]


class ReadLetter(Request[Found]):
    """One dead letter as plain data."""

    number: int


class Retried(Answer):
    """The result of telling a dead letter again: `accepted`, `failed` or `waiting`."""

    status: str


class RetryLetter(Request[Retried]):
    """Tell a dead letter again."""

    number: int


class DiscardLetter(Request[Acknowledged]):
    """Throw a dead letter away for good."""

    number: int


class Resettled(Answer):
    """Whether a profile lives elsewhere than before."""

    has_changed: bool


class Pin(Request[Resettled]):
    """Give a profile a process of its own; asked of the shard that owns its slot."""

    profile: str


class Unpin(Request[Resettled]):
    """Take a profile back from the process of its own; asked of the shard that owns its slot."""

    profile: str


# -- of the dispatcher


class Advanced(Answer):
    """The time of the replay clock, and the number of pending timers."""

    now_ms: int
    pending_timers: int


class Advance(Request[Advanced]):
    """Move the replay clock to `watermark_ms`; with `drain` further, until nothing is pending."""

    watermark_ms: int
    drain: bool


class BackupMade(Answer):
    """The contents of a backup, as the door answers them."""

    made: dict[str, Any]


class BackUp(Request[BackupMade]):
    """Copy the whole engine into `directory`, and its keys into `keys` (None: beside it)."""

    directory: str
    keys: str | None = None
