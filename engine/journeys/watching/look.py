"""Looks at what journeys watch of a customer beside events, and keeps the one timer that wakes the profile for it.

A customer of whom nothing is watched pays one question for it. The timer stands at the earliest instant at which
something may change by the mere passing of time. One that turns out to be too early finds nothing and is set anew: that
costs less than moving it with each event.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from engine.catalog import inner_events
from engine.catalog.compiled import Catalog
from engine.effects import Wake
from engine.journeys.watching import clocks, rules, segments
from engine.journeys.watching.changes import Change, earliest
from engine.occasions import local_times
from engine.parts.of_journeys import Watched
from engine.profile import Profile
from engine.turn_state import Turn
from engine.vocabulary import DAY_MS


class Overdue(NamedTuple):
    """What time alone has brought about: what is heard of it, and the segments that the customer is in, or in no more.
    Of these is heard what still holds after the event."""

    changes: list[Change]
    segments: frozenset[str]

    def among(self, found: list[Change]) -> list[Change]:
        """Before what was found in the event's turn, with what of that is of time."""
        if not self.segments:
            return [*self.changes, *found] if self.changes else found
        return [*self.changes, *(change._replace(is_of_time=self._is_of_time(change)) for change in found)]

    def _is_of_time(self, change: Change) -> bool:
        told = change.event
        return told.name == inner_events.SEGMENT and told.properties["segment"] in self.segments


Reached = Literal["both", "own", "other"]  # which of two profiles messages reached; "both": both alike

_NOTHING: Final = Overdue([], frozenset())


def changes(turn: Turn, *, only: str = "", is_running_out: bool = False) -> list[Change]:
    """What has changed since the last look. `only` names the event that alone has changed anything, empty: anything may
    have. `is_running_out`: the clock only brings to an end what has begun, so no schedule and no date is looked at."""
    profile, of = turn.profile, rules.rules_of(turn.catalog)
    watched = profile.watched
    if watched is None:
        if not of.name and not (profile.runs and _hears_older(turn)):
            return []
        watched = profile.watched = Watched()
    elif only and _is_as_before(turn, watched, of, only):
        return []
    known = None if _is_new(turn, watched) else rules.keys_of(turn.catalog, watched.looked)
    view = turn.view()
    found = segments.look(turn, view, watched, of, known)
    if is_running_out:
        _wake(turn, watched, found.next_ms)
        return found.changes
    timed = clocks.look(turn, view, watched, of, known)
    watched.looked = of.name
    _forget_gone(watched, of)
    _wake(turn, watched, earliest(found.next_ms, timed.next_ms))
    if not (of.name or _hears_older(turn)):
        leave(turn)
        profile.watched = None
    return [*found.changes, *timed.changes]


def at_segments(turn: Turn) -> list[Change]:
    """What has changed of segments, in a turn that looks at nothing else: no schedule and no date begins anything."""
    profile, of = turn.profile, rules.rules_of(turn.catalog)
    watched = profile.watched
    if watched is None or watched.looked != of.name or profile.is_blank or profile.moving_to:
        return []
    found = segments.look(turn, turn.view(), watched, of, of.keys)
    if found.next_ms is not None and not 0 < watched.wake_ms <= found.next_ms:
        _wake(turn, watched, found.next_ms)
    return found.changes


def overdue(turn: Turn, at_ms: int) -> Overdue:
    """What time had brought about before an event whose turn comes first, as in an import, or when the engine was down.
    `at_ms` is when the event happened. Asked before anything is learnt from it: what the event changes is another
    thing. At the very instant at which time changes something an event comes first, unless it is a late one."""
    watched, now_ms = turn.profile.watched, turn.now_ms
    if watched is None or not 0 < watched.wake_ms <= now_ms:
        return _NOTHING
    of = rules.rules_of(turn.catalog)
    if watched.looked != of.name or (watched.wake_ms == now_ms and at_ms >= now_ms - turn.catalog.lateness_ms):
        return _NOTHING
    view = turn.view()
    turned = segments.turned(view, watched, of)
    found = [*segments.backfilled(turn, watched, of).changes, *clocks.look(turn, view, watched, of, of.keys).changes]
    return Overdue([change._replace(is_of_time=True) for change in found], turned)


def name_of(catalog: Catalog) -> str:
    """The name of all that a catalog watches; empty: nothing."""
    return rules.rules_of(catalog).name


def must_look(profile: Profile, catalog: Catalog) -> bool:
    """Whether the rules that a customer was last looked at by are not those of the catalog."""
    looked = profile.watched.looked if profile.watched is not None else ""
    return looked != name_of(catalog) and not (profile.is_blank or profile.moving_to)


def join(profile: Profile, other: Profile, catalog: Catalog, reached: Reached) -> None:
    """Take in what was watched of an absorbed profile: whom of the two was inside is inside, since the earlier. A time
    that either has met is met, and so is the moment of a backfill. Where messages reached only one of the two, what
    that one has met counts: nobody got what a visitor without an address met."""
    theirs, mine = other.watched, profile.watched
    if theirs is None:
        return
    if mine is None:
        profile.watched = Watched(theirs.looked, theirs.inside, theirs.occasions)
        return
    filled = {rule.journey.id: rule.begins.segment for rule in rules.rules_of(catalog).backfills}
    kept: dict[str, int] = {}
    for journey in sorted({*mine.occasions, *theirs.occasions}):
        own, others = mine.occasions.get(journey), theirs.occasions.get(journey)
        is_own = own is not None or filled.get(journey) in mine.inside
        is_others = others is not None or filled.get(journey) in theirs.inside
        if is_own and is_others and reached == "both":
            last = max(own, others) if own is not None and others is not None else None
        else:
            last = others if is_others and (not is_own or reached == "other") else own
        if last is not None:
            kept[journey] = last
    mine.occasions = kept
    for segment, since_ms in theirs.inside.items():
        mine.inside[segment] = min(since_ms, mine.inside.get(segment, since_ms))


def bring_back(profile: Profile, now_ms: int) -> None:
    """The clock was set back: what was seen in a wrong future was seen now, and the times of schedules and dates that
    were met there come again."""
    watched = profile.watched
    if watched is not None:
        watched.inside = {segment: min(since_ms, now_ms) for segment, since_ms in watched.inside.items()}
        tomorrow = local_times.local_of(now_ms + DAY_MS, "UTC")
        watched.occasions = {
            journey: last
            for journey, last in watched.occasions.items()
            if last < tomorrow or last > local_times.LAST  # the moment of a backfill, which is an instant
        }


def leave(turn: Turn) -> None:
    """The profile goes to another place, or is erased: nothing wakes it here any more."""
    watched = turn.profile.watched
    if watched is not None and watched.wake_ms:
        turn.effects.append(Wake(0, watched.wake_ms))
        watched.wake_ms = 0


def again(turn: Turn) -> None:
    """Have the profile woken at once: it has come here, or what is known of it has still to be counted."""
    watched = turn.profile.watched
    if watched is not None:
        turn.effects.append(Wake(turn.now_ms, watched.wake_ms))
        watched.wake_ms = turn.now_ms


def _is_as_before(turn: Turn, watched: Watched, of: rules.Rules, only: str) -> bool:
    """Whether an event surely changes nothing: no condition asks for its name, and no time has come."""
    return (
        watched.looked == of.name
        and of.is_of_events
        and only not in of.event_names
        and (not watched.wake_ms or turn.now_ms < watched.wake_ms)
        and not _hears_older(turn)
    )


def _is_new(turn: Turn, watched: Watched) -> bool:
    """Whether the profile has begun with this very turn, so that all that holds of it now has just come to be."""
    return not watched.looked and turn.profile.created_ms == turn.now_ms and not turn.profile.born_ms


def _hears_older(turn: Turn) -> bool:
    """Whether a run of an older catalog listens to a segment, though the active one watches nothing."""
    version = turn.catalog.version
    return any(
        run.version != version
        and run.state == "active"
        and run.journey in rules.heard_by(turn.catalog.of_version(run.version))
        for run in turn.profile.runs
    )


def _forget_gone(watched: Watched, of: rules.Rules) -> None:
    kept = {rule.journey.id for listed in (of.clocks, of.backfills) for rule in listed}
    for gone in watched.occasions.keys() - kept:
        del watched.occasions[gone]


def _wake(turn: Turn, watched: Watched, next_ms: int | None) -> None:
    """Have the profile woken at `next_ms`, unless it is woken before that anyway."""
    was_ms = watched.wake_ms
    if turn.now_ms < was_ms and (next_ms is None or was_ms <= next_ms):
        return
    watched.wake_ms = next_ms or 0
    if was_ms or next_ms:
        turn.effects.append(Wake(watched.wake_ms, was_ms))
