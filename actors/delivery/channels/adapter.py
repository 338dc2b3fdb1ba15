"""The promise of every adapter to the dispatcher: it takes a message, and says what surely or possibly became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.vocabulary import Accepted


@dataclass(frozen=True, slots=True)
class Message:
    """One send, rendered and addressed. An adapter uses the fields that its provider needs.

    `at_ms` is the engine's time of the hand-over, UTC. `unsubscribe_url` is empty where nobody can unsubscribe.
    `deadline_s` bounds the dialogue with the provider, from its beginning to the provider's answer.
    """

    send_id: str
    channel: str
    address: str
    subject: str
    html: str
    text: str
    at_ms: int
    idempotency_key: str
    deadline_s: float
    unsubscribe_url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    call: Mapping[str, Any] = field(default_factory=dict)  # of another system: `method`, and names of variables


class Adapter(Protocol):
    """One provider of one channel. It takes `places` messages at a time; the dispatcher holds the rest. `accepted` is
    the outcome of a message that it has taken: `sent`, or `simulated` where nobody gets it."""

    places: int
    accepted: Accepted

    async def send(self, message: Message) -> str:
        """Hand `message` over; the provider's reference for it.

        Raises `Refused` (final), `Unavailable` (surely not sent, may be tried again) or `Unknown` (may have been sent).
        Where the caller is cancelled meanwhile, the message may have been sent, as with `Unknown`.
        """
        ...

    def prove(self, message: Message) -> None:
        """Build the provider's form of a message, and send nothing. Raises `Refused` where that cannot be built."""
        ...

    async def close(self) -> None:
        """Give up connections; a later `send` opens them again."""
        ...
