"""A provider that accepts everything and keeps nothing but counts; for trials, simulations and channels without one."""

from __future__ import annotations

from collections import Counter

from actors.channels.adapter import Message
from engine.errors import ProviderError


class SandboxAdapter:
    """Counts by outcome (`sent`, or the code of the error). `fails_with` is raised for each message while it is set."""

    places = 64

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.fails_with: ProviderError | None = None

    async def send(self, message: Message) -> str:
        if self.fails_with is not None:
            self.counts[self.fails_with.code] += 1
            raise type(self.fails_with)(*self.fails_with.args)
        self.counts["sent"] += 1
        return f"sandbox:{message.send_id}"

    def prove(self, message: Message) -> None:
        """Everything can be written down."""

    async def close(self) -> None:
        """Nothing is open."""
