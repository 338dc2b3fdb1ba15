"""The contents of requests and answers: messages between profiles, outcomes of sends, and results of events."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from engine.inputs import AnyInput
from engine.vocabulary import Settlement


class Message(msgspec.Struct, array_like=True, frozen=True):
    """A durable message between profiles, on its way to the receiver."""

    sender: str
    seq: int
    to: str
    told: AnyInput


class Outcome(msgspec.Struct, array_like=True, frozen=True):
    """The outcome of a send, as its provider gave it."""

    profile: str
    send: str
    outcome: Settlement
    detail: str = ""
    said: bytes = b""  # by a sandbox: the message, a packed `SandboxMessage`


class SandboxMessage(msgspec.Struct, array_like=True, frozen=True):
    """A message that a sandbox was given, as a provider would have had it. Long bodies are cut."""

    send: str
    channel: str
    address: str
    subject: str
    text: str
    html: str


class EventStatus(StrEnum):
    """The result of an event of a frame, where it needs no details."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    FAILED = "failed"  # set aside
    SHED = "shed"  # the shard is full: to be told again, with its whole batch
    PARKED = "parked"  # its profile is on its way to another place: to be told again


class EventRejected(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="rejected"):
    """The event is at fault."""

    reason: str


class EventUnreadable(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="unreadable"):
    """The event's profile cannot be read; the event is no fault of the client's."""

    reason: str


class EventMoved(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="moved"):
    """The event's profile lives at another address: to be told there. `once`: what comes next by the same identifier
    may be somebody else's."""

    to: str
    once: bool = False


class EventParted(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="parted"):
    """The profile that was asked has split, and the event is the other one's: to be told at the event's own place."""

    to: str


EventOutcome = EventStatus | EventRejected | EventUnreadable
EventResult = EventOutcome | EventMoved | EventParted
