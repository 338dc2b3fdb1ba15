"""What shards, the dispatcher and the conductor of a replay clock send one another."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.inputs import AnyInput


class Message(msgspec.Struct, array_like=True, frozen=True):
    """A durable message between profiles on its way."""

    sender: str
    seq: int
    to: str
    told: AnyInput


class Outcome(msgspec.Struct, array_like=True, frozen=True):
    """What a provider said of a send."""

    profile: str
    send: str
    outcome: str
    detail: str = ""
    said: bytes = b""  # by a sandbox: the message, a packed `SandboxMessage`


class SandboxMessage(msgspec.Struct, array_like=True, frozen=True):
    """One message, as its provider would have had it. Long bodies are cut."""

    send: str
    channel: str
    address: str
    subject: str
    text: str
    html: str


class Span(msgspec.Struct, array_like=True):
    """What a shard is told to run: from the start of window `first` on, through window `last` at most, up to
    `until_ms`."""

    first: int
    last: int
    until_ms: int
    dispatcher: str
    messages: list[Message] = []
    outcomes: list[Outcome] = []
    arrived: list[tuple[str, int]] = []


class Report(msgspec.Struct, array_like=True):
    """What came of a span. `window` is the last one that was run; `next_window` the next that is not empty."""

    window: int
    next_window: int | None
    messages: list[Message] = []
    hand_overs: list[dict[str, Any]] = []
    arrived: list[tuple[str, int]] = []
    untaken: list[Outcome] = []
    now_ms: int = 0
