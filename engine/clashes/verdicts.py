"""Who wins where two journeys meet, as far as one rehearsed story tells.

What a journey loses also when it is alone, such as a message that quiet hours drop, is no loss to the other one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.audit import Entry
from engine.clashes.findings import Verdict
from engine.clashes.meetings import Pair, Solo, length_ms
from engine.clashes.stories import Told

_ORDER: Final = ("held", "free", "room", "stopped")  # the first that a story shows is told
_BETWEEN: Final = ("cap.", "suppress.", "offer.", "budget.", "outranked.")  # reasons in which another message may stand


def verdict(pair: Pair, told: Told) -> Verdict | None:
    """What a story shows; None where the two do not meet in it."""
    one, other = pair.one.journey.id, pair.other.journey.id
    if not (told.has_entered(one) and told.has_entered(other)):
        return None
    for loser, winner in ((pair.one, other), (pair.other, one)):
        for lost in _losses(loser, told):
            if not lost.reason.startswith("cap.") or _is_taken_by(pair, told, winner, lost):
                return Verdict("held", winner, loser.journey.id, lost.reason, lost.action)
    if _are_close(told, one, other, pair.window_ms):
        return Verdict("room" if pair.caps else "free", one, other)
    for loser, winner in ((pair.one, other), (pair.other, one)):
        for stop in told.stopped(loser.journey.id):
            if not any(loser.told.stopped(loser.journey.id)):
                return Verdict("stopped", winner, loser.journey.id, stop.reason)
    return None


def weight(pair: Pair, found: Verdict, told: Told) -> tuple[bool, int, int]:
    """Which of several stories is told: the least. One in which a journey is entered once comes before one in which it
    is entered again and again. That there was room in one says least."""
    return found.kind == "room", max(map(told.runs, pair.journeys)), _ORDER.index(found.kind)


def says_enough(pair: Pair, found: Verdict, told: Told) -> bool:
    """Whether no other story could be told rather than this one, or hardly."""
    return weight(pair, found, told) <= (False, 1, _ORDER.index("held" if pair.caps else "free"))


def held_in(told: Told) -> frozenset[tuple[str, str, str]]:
    """What is held back in a story, each with its reason."""
    return frozenset((entry.journey, entry.step, entry.reason) for entry in told.held())


def _losses(solo: Solo, told: Told) -> Iterator[Entry]:
    alone = {(entry.step, entry.action, entry.reason) for entry in solo.told.held(solo.journey.id)}
    for entry in told.held(solo.journey.id):
        is_new = (entry.step, entry.action, entry.reason) not in alone
        if is_new and entry.reason.startswith(_BETWEEN):
            yield entry


def _is_taken_by(pair: Pair, told: Told, winner: str, lost: Entry) -> bool:
    """Whether the winner has taken a place under the cap that has no room: a message of it decided in the window."""
    cap = next((cap for cap in pair.caps if f"cap.{cap.id}" == lost.reason), None)
    return cap is not None and any(
        lost.at_ms - taken.at_ms < length_ms(cap) for taken in told.decided(winner, before=lost)
    )


def _are_close(told: Told, one: str, other: str, window_ms: int) -> bool:
    return any(abs(first.at_ms - second.at_ms) < window_ms for first in told.left(one) for second in told.left(other))
