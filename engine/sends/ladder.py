"""The channels of a `send` step: in which order they are asked, and for which reasons the next one is.

A channel on which a run has sent from its step already is not asked again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.catalog.sending.compiled import Sending
from engine.conditions.outcomes import last_engaged
from engine.decide.gates import asking
from engine.profile import Run
from engine.turn_state import Turn

Pairs = list[tuple[str, str]]  # (action, channel)

_WORDS: Final = {"address": "no_address", "consent": "no_consent"}
# Their nos are about the journey, its action or the customer, and no other channel changes anything.
_OF_NO_CHANNEL: Final = frozenset(("", "known", "stop", "journey", "deadline", "touches", "status", "holdout"))


def rungs(turn: Turn, run: Run, sending: Sending) -> Iterator[Pairs]:
    """What may be sent, (action, channel), as it is asked: the best of all pairs that come together is sent, and where
    none of them may go, the next ones are asked."""
    channels = ordered(turn, sending, [channel for channel in sending.channels if channel not in run.tried])
    pairs = [[(action, channel) for action in _on(turn, run, sending, channel)] for channel in channels]
    if sending.rule == "score" and pairs:
        pairs = [[pair for of_channel in pairs for pair in of_channel]]
    yield from pairs


def ordered(turn: Turn, sending: Sending, channels: list[str]) -> list[str]:
    """Channels in the order in which they are asked; those of which the rule knows nothing stay as they stand."""
    if sending.rule == "cheapest":
        known = turn.catalog.channels
        return sorted(channels, key=lambda name: known[name].cost if name in known else 0.0)
    if sending.rule == "last_engaged":
        last = last_engaged(turn.profile.outcomes)
        return sorted(channels, key=lambda name: -last.get(name, 0))
    return channels


def has_next(run: Run, sending: Sending) -> bool:
    """Whether a run has not sent on every channel of its step."""
    return any(channel not in run.tried for channel in sending.channels)


def falls(sending: Sending, reasons: list[str]) -> bool:
    """Whether the next channel is asked where nothing may go on this one, for these reasons."""
    return not any(map(asking.empties_slot, reasons)) and any(word_of(each) in sending.falls_on for each in reasons)


def may_change(reason: str) -> bool:
    """Whether a gate's no may become a yes."""
    return asking.gate_of(reason) not in ("deadline", "touches")


def word_of(reason: str) -> str:
    """The word of a fallback that a gate's no means; empty where another channel would not help."""
    gate = asking.gate_of(reason)
    return "" if gate in _OF_NO_CHANNEL else _WORDS.get(gate, "held")


def _on(turn: Turn, run: Run, sending: Sending, channel: str) -> list[str]:
    """The actions that use a channel; all where none does, so that a gate says it."""
    known = turn.catalog.of_version(run.version).actions
    using = [name for name in sending.actions if name in known and channel in known[name].channels]
    return using or list(sending.actions)
