"""A provider that accepts every message and gives it to nobody; for trials, and channels without a provider. Its
messages can be read (`actors.shard.outbox.sandbox_log`)."""

from __future__ import annotations

from collections import Counter

from actors.delivery.channels.adapter import Message
from engine.errors import ProviderError
from engine.vocabulary import Accepted


class SandboxAdapter:
    """Counts by outcome (`simulated`, or the code of the error). `fails_with` is raised for each message while it is
    set."""

    places = 64
    accepted: Accepted = "simulated"

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.fails_with: ProviderError | None = None

    async def send(self, message: Message) -> str:
        if self.fails_with is not None:
            self.counts[self.fails_with.code] += 1
            raise type(self.fails_with)(*self.fails_with.args)
        self.counts[self.accepted] += 1
        return f"sandbox:{message.send_id}"

    def prove(self, message: Message) -> None:
        """A sandbox takes every message."""

    async def close(self) -> None:
        """A sandbox has no connections."""
