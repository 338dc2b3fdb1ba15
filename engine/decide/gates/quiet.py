"""The gate of quiet hours: no message leaves while it is quiet where the customer may be.

It is asked when a message is decided, so that what is decided is never old, and again just before it leaves. The run of
a message that has to wait parks until the quiet is over. Any event has it look again, and a move a message that waits
at its hand-over, so who moves meanwhile waits as long as it is quiet where they are now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.catalog.quiet.compiled import Place, QuietRule
from engine.catalog.quiet.windows import free_from_ms, is_quiet
from engine.contact import whereabouts
from engine.contact.whereabouts import Whereabouts
from engine.decide.gates.candidates import Candidates, Departure
from engine.turn_state import Turn
from engine.vocabulary import DAY_MS

QUIET_HOURS: Final = "quiet_hours"
_PLACES_TOLD: Final = 5


@dataclass(frozen=True, slots=True)
class Quiet:
    """Quiet hours that a message has come into: the rules by which it is quiet now, and until when it waits. `drops`:
    one of them lets nothing wait."""

    rules: list[QuietRule]
    until_ms: int
    drops: bool
    where: Whereabouts


def out_of_quiet_hours(candidates: Candidates, alive: int) -> int:
    """Drop a journey's send while it is quiet, and say from when on it may go."""
    turn = candidates.turn
    rules = [rule for rule, mask in candidates.plan.quiet_hours if mask & alive]
    found = _quiet_of(turn, rules)
    if found is None:
        return alive
    candidates.parks, candidates.drops = not found.drops, found.drops
    candidates.until_ms = _until_ms(found, candidates.deadline_ms)
    candidates.beside = {
        "rules": [rule.id for rule in found.rules],
        "zones": [place.zone for place in found.where.places[:_PLACES_TOLD]],
        "zoneFrom": found.where.told_by,
    }
    return alive ^ candidates.drop(QUIET_HOURS, alive)


def is_dropped(leaving: Departure) -> str | None:
    """A decided send that may not wait for the end of quiet hours does not leave."""
    found = _at_departure(leaving)
    return QUIET_HOURS if found is not None and found.drops else None


def waits(leaving: Departure) -> tuple[str, int] | None:
    """A decided send waits for the end of quiet hours."""
    found = _at_departure(leaving)
    return (QUIET_HOURS, _until_ms(found, leaving.send.deadline_ms)) if found is not None else None


def is_waited_for(leaving: Departure, where: Whereabouts) -> bool:
    """Whether a decided send waits for the end of the quiet that there is where its customer was."""
    if leaving.action is None:
        return False
    found = _quiet_at(where, [rule for rule, _ in leaving.plan.quiet_hours], leaving.turn.now_ms)
    return found is not None and _until_ms(found, leaving.send.deadline_ms) == leaving.send.next_ms


def _quiet_of(turn: Turn, rules: list[QuietRule]) -> Quiet | None:
    """The quiet hours of these rules that it is now where the customer may be; None where there are none."""
    return _quiet_at(whereabouts.of(turn.profile, turn.catalog), rules, turn.now_ms) if rules else None


def _quiet_at(where: Whereabouts, rules: list[QuietRule], now_ms: int) -> Quiet | None:
    asked = [(rule, place) for rule in rules for place in where.places if _binds(rule, place)]
    found = [rule for rule in rules if any(rule is one and is_quiet(rule.hours, place, now_ms) for one, place in asked)]
    if not found:
        return None
    # A rule that drops says nothing of a later time: what waits for another one's end is asked again then.
    holding = [(rule.hours, place) for rule, place in asked if not rule.drops]
    until_ms = free_from_ms(holding, now_ms) or now_ms + DAY_MS
    return Quiet(found, until_ms, any(rule.drops for rule in found), where)


def _binds(rule: QuietRule, place: Place) -> bool:
    """Whether a rule may bind us somewhere: where no country is known, each may."""
    return not rule.countries or not place.countries or not rule.countries.isdisjoint(place.countries)


def _until_ms(found: Quiet, deadline_ms: int) -> int:
    """A message that is worthless before ends then."""
    return min(found.until_ms, deadline_ms) if deadline_ms else found.until_ms


def _at_departure(leaving: Departure) -> Quiet | None:
    return _quiet_of(leaving.turn, [rule for rule, _ in leaving.plan.quiet_hours])
