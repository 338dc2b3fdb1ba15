"""What a route through a journey takes of a customer: events at their times, traits from the beginning, a no."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from engine.catalog.compiled import Catalog, Journey
from engine.catalog.programs.instructions import Step
from engine.clashes.entrances import Entrance, dated, events_of, tests_of, traits_of
from engine.clashes.routes import Dated, Happens, Holds, Route
from engine.clashes.stories import Does, Happening, Known, Reacts
from engine.clashes.values import Wanted, data_for
from engine.clashes.wishes import Wish, unmet, ways
from engine.conditions.binding import bind_event
from engine.vocabulary import DAY_MS, MINUTE_MS

_LONG_BEFORE_MS: Final = 4 * DAY_MS
_AHEAD_DAYS: Final = 2  # between the coming to a wait until a date and its end
REACTIONS: Final = ("opened", "clicked", "delivered", "bounced", "complained")  # what a provider tells of a message


def needed(
    catalog: Catalog, entrance: Entrance, route: Route, entered_ms: int, *, is_early: bool
) -> list[Happening] | None:
    """What happens on a route, at absolute times, for a run that begins at `entered_ms`; with `is_early` what its
    branches ask of the past, long before. None where a story cannot bring it about."""
    made = list[Happening]()
    for need in route.needs:
        at_ms = entered_ms + need.after_ms
        found: list[Happening] | None = []
        if isinstance(need, Happens):
            found = _awaited(catalog, entrance, need.step, at_ms)
        elif isinstance(need, Holds):
            past_ms = entered_ms - _long_before_ms(need) if is_early else at_ms - MINUTE_MS
            found = events_of(need.way, entrance.properties, past_ms)
        elif isinstance(need, Dated):
            found = [dated(catalog, need.trait, at_ms - MINUTE_MS, _AHEAD_DAYS - need.offset_days)]
        if found is None:
            return None
        made += found
    return made


def asks_of_the_past(route: Route) -> bool:
    """Whether a branch on the route asks for an event."""
    return any(_events_in(need) for need in route.needs if isinstance(need, Holds))


def _long_before_ms(need: Holds) -> int:
    """How long before a run an event may happen so that its branch still finds it."""
    windows = (int(wish.body["within"]) for wish in _events_in(need) if "within" in wish.body)
    return min([_LONG_BEFORE_MS, *(window_ms // 2 for window_ms in windows)])


def _events_in(need: Holds) -> list[Wish]:
    return [wish for wish in need.way if wish.word == "event" and wish.holds]


def asked_of_traits(route: Route, properties: Mapping[str, Any]) -> list[Wanted]:
    """What the branches on a route ask of traits."""
    return [each for need in route.needs if isinstance(need, Holds) for each in traits_of(need.way, properties)]


def refused(route: Route) -> set[tuple[str, str]]:
    """The (purpose, channel) that the customer must not have said yes to."""
    return {scope for need in route.needs if isinstance(need, Holds) for scope in _noes(need)}


def _noes(need: Holds) -> Iterator[tuple[str, str]]:
    for wish in need.way:
        if wish.word == "consent" and wish.holds != wish.body.get("granted", True):
            yield wish.body["purpose"], wish.body["channel"]


def _awaited(catalog: Catalog, entrance: Entrance, step: Step, at_ms: int) -> list[Happening] | None:
    """What ends a `wait_for` before its time-out."""
    if step.outcomes:
        found = next((each for each in REACTIONS if each in step.outcomes), "")
        return [Reacts(at_ms, found)] if found else []
    if step.segment:
        return _inside(catalog, entrance, step, at_ms)
    assert step.event is not None, "a wait_for awaits an event, a segment or an outcome"
    tests = bind_event(step.event.tests, entrance.properties) if step.event.tests else {}
    properties = (
        None if tests is None else data_for([*tests_of(tests), *_same_key(entrance.journey, entrance.properties)])
    )
    return None if properties is None else [Does(at_ms, step.event.event, properties)]


def _inside(catalog: Catalog, entrance: Entrance, step: Step, at_ms: int) -> list[Happening] | None:
    for way in ways({"segment": step.segment}, catalog, holds=step.is_inside):
        events = None if unmet(way) else events_of(way, entrance.properties, at_ms)
        traits = data_for(traits_of(way, entrance.properties))
        if events is not None and traits is not None:
            return [*events, *([Known(at_ms, traits)] if traits else [])]
    return None


def _same_key(journey: Journey, properties: Mapping[str, Any]) -> list[Wanted]:
    """An event that a run awaits carries the key of the run."""
    if journey.key is None:
        return []
    path = (*journey.key.split("."),)
    value: Any = properties
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return [] if value is None else [Wanted(path, value)]
