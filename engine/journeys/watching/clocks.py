"""Journeys that begin with a schedule or a date: which of a customer's occasions has come, and when the next will.

The last occasion that was looked at is remembered by journey, as a local time; of a date the last minute of its day,
because it comes once a day, at whatever time. The first look under a new rule finds how things stand: what came before
it starts nothing. Where a date is stated after its time, it starts a run on the same day and none later, whether the
customer is new or not. A schedule begins nothing for a time that had passed, by the customer's clock, before the engine
knew them: the zone of a new customer often comes with a later event.
"""

from __future__ import annotations

from engine.catalog import inner_events
from engine.catalog.compiled import Catalog, Journey
from engine.catalog.triggers import DateOf, Schedule
from engine.journeys.watching.changes import Change, Look, inner, moment_ms
from engine.journeys.watching.rules import Clock, Rules
from engine.occasions import dates, local_times, occasions
from engine.occasions.dates import Day
from engine.occasions.occasions import Occasions
from engine.parts.of_journeys import Watched
from engine.profile import Profile
from engine.recent_events import Happened
from engine.turn_state import Turn
from engine.view import View


def look(turn: Turn, view: View, watched: Watched, of: Rules, known: frozenset[str] | None) -> Look:
    """Find the occasions that have come since the last look, which was by the rules with the keys `known`; None:
    before it there was nobody."""
    changes: list[Change] = []
    soonest_ms: int | None = None
    in_zone: dict[str, str] = {}
    for clock in of.clocks:
        begins, name = clock.begins, clock.journey.id
        if (zone := in_zone.get(begins.zone)) is None:
            zone = in_zone[begins.zone] = local_times.zone_of(turn.profile, turn.catalog, begins.zone)
        times, day = (clock.times, None) if clock.times is not None else occasions_of(turn.profile, begins, zone)
        last = watched.occasions.get(name)
        if last is None or (known is not None and clock.key not in known):
            last = watched.occasions[name] = _first(turn, begins, times, zone, is_new=known is None)
        if times is None:
            continue
        later_ms = moment_ms(turn.catalog, turn.profile, begins.spread_ms, name)
        found = occasions.find(times, last, turn.now_ms, zone, later_ms)
        if found.next_ms is not None and (soonest_ms is None or found.next_ms < soonest_ms):
            soonest_ms = found.next_ms
        if found.due is None:
            continue
        watched.occasions[name] = _met(begins, found.due)
        time_ms = local_times.instant_ms(found.due, zone)
        at_ms = time_ms + later_ms
        if isinstance(begins, Schedule) and time_ms < turn.profile.created_ms:
            continue
        if isinstance(begins, DateOf) and _is_of_an_earlier_day(turn, begins.trait, found.due, at_ms, zone):
            continue
        if not begins.segment or view.is_in_segment(begins.segment):
            changes.append(Change(_told(turn, clock, found.due, day, at_ms), clock.journey))
    return Look(changes, soonest_ms)


def _first(turn: Turn, begins: Schedule | DateOf, times: Occasions | None, zone: str, *, is_new: bool) -> int:
    """The local time up to which nothing is looked at any more. Of a date it is the day that has come already; another
    day may be stated later, also on the same day."""
    now = local_times.local_of(turn.now_ms, zone)
    if isinstance(begins, Schedule):
        return now
    window = local_times.local_of(turn.now_ms - turn.catalog.lateness_ms, zone)
    passed = times.until(now) if times is not None and not is_new else None
    return window if passed is None else max(window, _met(begins, passed))


def _met(begins: Schedule | DateOf, due: int) -> int:
    """What is remembered of an occasion that has come."""
    return due if isinstance(begins, Schedule) else local_times.end_of_day(due)


def occasions_of(profile: Profile, begins: Schedule | DateOf, zone: str) -> tuple[Occasions | None, Day | None]:
    """The times of a schedule, or those around the customer's date, with the day that it names; None without any."""
    if isinstance(begins, Schedule):
        return occasions.of_schedule(begins), None
    day = dates.named_by(profile, begins.trait, zone)
    return (None if day is None else dates.occasions_of(day, begins)), day


def next_ms(profile: Profile, catalog: Catalog, journey: Journey, now_ms: int) -> int | None:
    """When the next time of a journey comes for a customer; None: there is none."""
    begins = journey.begins
    assert isinstance(begins, Schedule | DateOf), "only these have times"
    zone = local_times.zone_of(profile, catalog, begins.zone)
    times, _ = occasions_of(profile, begins, zone)
    if times is None:
        return None
    last = profile.watched.occasions.get(journey.id) if profile.watched is not None else None
    last = local_times.local_of(now_ms, zone) if last is None else last
    later_ms = moment_ms(catalog, profile, begins.spread_ms, journey.id)
    return occasions.find(times, last, now_ms, zone, later_ms).next_ms


def _is_of_an_earlier_day(turn: Turn, trait: str, due: int, at_ms: int, zone: str) -> bool:
    """Whether the time of a date had passed, on a day before, when the date was stated."""
    stated_ms = turn.profile.traits[trait.partition(".")[0]].at_ms
    return stated_ms > at_ms and local_times.day_of(local_times.local_of(stated_ms, zone)) > local_times.day_of(due)


def _told(turn: Turn, clock: Clock, due: int, day: Day | None, at_ms: int) -> Happened:
    at, journey = local_times.written(due), clock.journey.id
    if isinstance(clock.begins, Schedule):
        return inner(turn, inner_events.SCHEDULE, inner_events.of_schedule(journey, at), at_ms)
    told = inner_events.of_date(journey, clock.begins.trait, str(day), at)
    return inner(turn, inner_events.DATE, told, at_ms)


def names_no_day(profile: Profile, catalog: Catalog, around: DateOf) -> bool:
    """Whether the trait of a date is absent, or cannot be read as the day that is needed."""
    return occasions_of(profile, around, local_times.zone_of(profile, catalog, around.zone))[0] is None
