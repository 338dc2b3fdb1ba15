"""What became of messages, as a condition asks: the newest outcomes of the last weeks that a profile remembers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from engine.conditions.readable import Readable
from engine.parts.of_journeys import SendOutcome
from engine.profile import Profile
from engine.vocabulary import ARRIVED, DAY_MS

FIELDS: Final = ("journey", "step", "action", "channel")
ENGAGED: Final = frozenset(("opened", "clicked"))  # by a human: what machines open says nothing

_KEPT_MS: Final = 30 * DAY_MS
_ENGAGED_KEPT_MS: Final = 366 * DAY_MS  # the last reaction on each channel


def last_engaged(rows: Iterable[SendOutcome]) -> dict[str, int]:
    """By channel, when a customer reacted to a message on it last."""
    last: dict[str, int] = {}
    for row in rows:
        if row.outcome in ENGAGED:
            last[row.channel] = max(row.at_ms, last.get(row.channel, 0))
    return last


def remembered_until(row: SendOutcome, last: Mapping[str, int]) -> int:
    """When an outcome is forgotten, where `last` are the last reactions."""
    is_last = row.outcome in ENGAGED and row.at_ms == last[row.channel]
    return row.at_ms + (_ENGAGED_KEPT_MS if is_last else _KEPT_MS)


def is_young(row: SendOutcome, now_ms: int) -> bool:
    """Whether an outcome is remembered whatever it is."""
    return row.at_ms > now_ms - _KEPT_MS


def newest_ms(profile: Profile, body: Mapping[str, Any], now_ms: int) -> int | None:
    """When it happened last; None where it did not, or not within the time that is asked."""
    return max((row.at_ms for row, until_ms in _asked_for(profile, body) if until_ms > now_ms), default=None)


def happened(view: Readable, body: Mapping[str, Any]) -> bool:
    """Whether a message came to such an end."""
    return newest_ms(view.profile, body, view.now_ms) is not None


@dataclass(frozen=True, slots=True)
class OutcomeAsked:
    """The question of a condition's part `outcome`."""

    body: Mapping[str, Any]

    def turns_ms(self, view: Readable) -> int | None:
        """The instant after now at which the answer becomes a no by the mere passing of time, because the outcome is
        older than was asked, or forgotten; None where it is a no already."""
        last_ms = max((until_ms for _, until_ms in _asked_for(view.profile, self.body)), default=0)
        return last_ms if last_ms > view.now_ms else None


def _asked_for(profile: Profile, body: Mapping[str, Any]) -> Iterator[tuple[SendOutcome, int]]:
    """The outcomes that a part asks for, and until when each counts."""
    if not profile.outcomes:
        return
    names = body["name"] if isinstance(body["name"], list) else [body["name"]]
    wanted = {*names, *(ARRIVED if "sent" in names else ())}
    tests = [(field, body[field]) for field in FIELDS if field in body]
    last = last_engaged(profile.outcomes)
    for row in profile.outcomes:
        if row.outcome in wanted and all(getattr(row, field) == value for field, value in tests):
            until_ms = remembered_until(row, last)
            yield row, min(until_ms, row.at_ms + body["within"]) if "within" in body else until_ms
