"""The letters of a simulated history: written as they would have been sent, and kept for the report's lines."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Any, Final

from actors.delivery.channels import open_adapters
from actors.delivery.channels.adapter import Message
from actors.delivery.channels.letter import letter
from actors.delivery.channels.rendering import Renderer
from engine.catalog.compiled import Catalog
from engine.errors import Refused
from engine.vocabulary import Settlement

_URL: Final = "https://segue.example"  # nobody answers there: these links lead nowhere


class Letters:
    """A provider for `LocalEngine`. `refused` has (where, why) of each letter that cannot be written."""

    def __init__(self, catalog: Catalog) -> None:
        self._renderer, self._adapters = Renderer(catalog.templates), open_adapters(catalog.channels, {})
        self._written: defaultdict[tuple[str, str, str], deque[Message]] = defaultdict(deque)
        self.refused: list[tuple[str, str]] = []

    def take(self, message: dict[str, Any]) -> Settlement:
        """Write a message; returns its outcome, `sent` or `refused`."""
        channel = message["channel"]
        is_call = "webhook" in message
        action = message["webhook"]["step"] if is_call else message["action"]["id"]
        try:
            made = letter(message, self._renderer, _URL, 30.0)
            self._adapters[channel].prove(made)
        except Refused as fault:
            self.refused.append((f"profile {message['profile']}", f"{action} on {channel} is refused: {fault.message}"))
            return "refused"
        if not is_call:
            self._written[message["profile"], action, channel].append(made)
        return "sent"

    def next(self, profile: str, action: str, channel: str) -> dict[str, str]:
        """The subject and the text of the oldest of these letters that has not been asked for yet."""
        waiting = self._written[profile, action, channel]
        made = waiting.popleft() if waiting else None
        told = {} if made is None else {"subject": made.subject if made.html else "", "text": made.text}
        return {name: words for name, words in told.items() if words}
