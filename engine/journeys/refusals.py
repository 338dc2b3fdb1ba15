"""Why a customer did not enter a journey although its trigger happened: noted in the timeline, remembered for `why`.

A trigger may happen a thousand times a day. So each reason of a journey is noted once in 24 hours of the clock, until
the journey is entered. A reason that depends on the run's key is noted once for each key. At most REFUSALS_MAX reasons
are remembered at once. Where there is no room, and none of them is a day old, nothing is noted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from engine.catalog.compiled import Journey
from engine.explain.deciding_part import Failing
from engine.profile import Profile, Refusal
from engine.recent_events import Happened, encoder
from engine.turn_state import Turn
from engine.vocabulary import DAY_MS

REFUSALS_MAX: Final = 64
_CONDITION_BYTES_MAX: Final = 1_000

LATE: Final = "journey.late"
CONDITION: Final = "journey.when"
RE_ENTRY: Final = "journey.re_entry"
CONCURRENT: Final = "journey.concurrent"
NO_ROOM: Final = "limit.runs"

_WORDS: Final = {
    LATE: "its trigger happened too long ago",
    CONDITION: "its condition does not hold",
    RE_ENTRY: "the last run ended not long ago",
    CONCURRENT: "as many runs as it allows are under way",
    NO_ROOM: "this customer has too many runs",
}
_OF_KEY: Final = frozenset((RE_ENTRY, CONCURRENT, NO_ROOM))  # each key has these for itself


def refuse(
    turn: Turn,
    journey: Journey,
    event: Happened,
    reason: str,
    *,
    key: str = "",
    words: str = "",
    behind: Callable[[], Failing | None] | None = None,
) -> None:
    """Remember that `event` did not start a run, and note it where that is news. `behind` finds the part of the
    condition that failed; `why` shows the part that failed last."""
    key = key if reason in _OF_KEY or words else ""
    known = _taken_out(turn.profile, journey.id, reason, key)
    if known is None and not _has_room(turn):
        return
    part = behind() if behind is not None and reason == CONDITION else None
    condition = part.plain if part is not None else {}
    if known is None or turn.now_ms - known.noted_ms >= DAY_MS:
        known = Refusal(journey.id, reason, key, turn.now_ms, turn.now_ms)
        _note(turn, known, event, words or _WORDS.get(reason, "it is not live"), condition)
    known.at_ms, known.condition = turn.now_ms, _bounded(condition)
    turn.profile.refused.append(known)


def forget(profile: Profile, journey: str, key: str) -> None:
    """Forget what kept the customer out of a journey that is entered now."""
    if profile.refused:
        profile.refused = [row for row in profile.refused if row.journey != journey or row.key not in ("", key)]


def last(profile: Profile, journey: str) -> Refusal | None:
    """Why a journey was not entered when its trigger happened last; None where it was entered, or never triggered."""
    return next((row for row in reversed(profile.refused) if row.journey == journey), None)


def join(profile: Profile, other: Profile) -> None:
    """Take in the refusals of an absorbed profile; of two equal ones the later stays."""
    both = {(row.journey, row.reason, row.key): row for row in sorted([*profile.refused, *other.refused], key=_age)}
    profile.refused = [*both.values()][-REFUSALS_MAX:]


def _age(row: Refusal) -> tuple[int, int, str, str, str]:
    return row.at_ms, row.noted_ms, row.journey, row.reason, row.key


def _taken_out(profile: Profile, journey: str, reason: str, key: str) -> Refusal | None:
    """A known refusal, out of the list: it is appended again, so the list stays in the order of their last times."""
    for place, row in enumerate(profile.refused):
        if row.journey == journey and row.reason == reason and row.key == key:
            return profile.refused.pop(place)
    return None


def _has_room(turn: Turn) -> bool:
    """Whether one more can be remembered; the oldest one makes room if it is a day old."""
    refused = turn.profile.refused
    if len(refused) < REFUSALS_MAX:
        return True
    if turn.now_ms - refused[0].at_ms < DAY_MS:
        return False
    del refused[0]
    return True


def _bounded(condition: dict[str, Any]) -> dict[str, Any]:
    """A condition as the state keeps it: without its parts where it is long, because every turn writes the state anew.
    The timeline has all of it."""
    if len(encoder.encode(condition)) <= _CONDITION_BYTES_MAX:
        return condition
    return {name: value for name, value in condition.items() if name != "parts"}


def _note(turn: Turn, row: Refusal, event: Happened, words: str, condition: dict[str, Any]) -> None:
    turn.note(
        "stop" if row.reason.startswith("stop.") else "journey",
        f"{row.journey} not entered: {words}",
        journey=row.journey,
        outcome="not_entered",
        reason=row.reason,
        message_id=event.message_id,
        channel=event.channel,
        detail={"condition": condition} if condition else {},
    )
