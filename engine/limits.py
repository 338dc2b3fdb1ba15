"""Limits on how far a client can make one profile grow.

A profile is written after each of its turns, so every later event pays for its size. Data over a limit is refused by
name, in the customer's timeline, and nothing else of the same input is lost: a purchase with too many traits still
stops the runs that it stops. Consent and stops are never refused, because the catalog bounds what they leave in the
state.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from engine.profile import Profile, TraitValue
from engine.recent_events import encoder
from engine.turn_state import Turn

TRAITS_MAX: Final = 500
TRAIT_BYTES_MAX: Final = 32 << 10  # of one, its name included
TRAITS_BYTES_MAX: Final = 256 << 10  # of all
IDENTIFIERS_MAX: Final = 200
POINTERS_MAX = 1_000  # places of other identifiers that point to a profile
RUNS_MAX: Final = 500  # active ones, and ended ones that are kept
TRIGGERS_BYTES_MAX: Final = 256 << 10  # of the properties of all triggers together
RECENT_BYTES_MAX: Final = 256 << 10  # of recent events; older ones leave for pages
DETAILS_BYTES_MAX: Final = 16 << 10  # of older events, for each atom that runs ask with facts of their own
DRAWN_MAX = 1_000  # above it, draws that are about nothing in the catalog are forgotten
PLACES_MAX = 1_000  # above it, those that no cap counts are forgotten

_LISTED: Final = 200
_NAME_CHARS: Final = 100

Kind = Literal["event", "merge"]


class TraitRoom:
    """The room that a profile still has for traits, within one turn; and the refused traits, by reason."""

    def __init__(self, traits: Mapping[str, TraitValue]) -> None:
        self._traits = traits
        self._bytes: int | None = None  # of all; counted at the first trait, because encoding them takes time
        self.refused: defaultdict[str, list[str]] = defaultdict(list)

    def takes(self, name: str, value: object) -> bool:
        """Whether a trait may have this value. A known one may always become smaller."""
        reason = self._objection(name, value)
        if reason is not None:
            self.refused[reason].append(name)
        return reason is None

    def _objection(self, name: str, value: object) -> str | None:
        if self._bytes is None:
            self._bytes = sum(_bytes_of(known, trait.value) for known, trait in self._traits.items())
        known = self._traits.get(name)
        size, was = _bytes_of(name, value), 0 if known is None else _bytes_of(name, known.value)
        if size > TRAIT_BYTES_MAX and size > was:
            return "limit.trait_bytes"
        if known is None and len(self._traits) >= TRAITS_MAX:
            return "limit.traits"
        if self._bytes + size - was > TRAITS_BYTES_MAX and size > was:
            return "limit.traits_bytes"
        self._bytes += size - was
        return None

    def tell(self, turn: Turn, kind: Kind, message_id: str = "") -> None:
        """Note the refused traits in the timeline."""
        for reason, names in self.refused.items():
            refuse(turn, reason, names, "traits", kind, message_id)


def refuse(
    turn: Turn, reason: str, names: Iterable[str], what: str, kind: Kind = "event", message_id: str = ""
) -> None:
    """Note in the timeline that these traits, identifiers … are not kept."""
    listed = [name[:_NAME_CHARS] for name in names]
    if listed:
        shown = ", ".join(listed[:5]) + (" …" if len(listed) > 5 else "")
        detail = {what: listed[:_LISTED]}
        turn.note(
            kind,
            f"{len(listed)} {what} refused: {shown}",
            outcome="refused",
            reason=reason,
            message_id=message_id,
            detail=detail,
        )


def has_room_for_run(profile: Profile, trigger: dict[str, object], count: int = 1) -> bool:
    """Whether a journey may start so many runs with this trigger. Where there is too little room, the triggers of ended
    runs are dropped."""
    if len(profile.runs) + count > RUNS_MAX:
        return False
    wanted = [trigger] * count
    if not profile.runs or _bytes_of("", [*wanted, *(run.trigger for run in profile.runs)]) <= TRIGGERS_BYTES_MAX:
        return True
    open_sends = {send.run for send in profile.sends}
    for run in profile.runs:
        if run.state != "active" and run.id not in open_sends:
            run.trigger = {}
    return _bytes_of("", [*wanted, *(run.trigger for run in profile.runs)]) <= TRIGGERS_BYTES_MAX


def _bytes_of(name: str, value: object) -> int:
    return len(name) + len(encoder.encode(value))
