"""How a customer comes into a journey: what must be true of them, and what happens at the moment of entering.

Each trigger has its moment. An event happens when the story wants it; a schedule and a date come round at their own
time, and the story is laid around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from engine.catalog import inner_events
from engine.catalog.compiled import Catalog, Journey
from engine.catalog.triggers import DateOf, Edge, Schedule, ThingFact
from engine.clashes.stories import THING, Does, Happening, Known, Learned
from engine.clashes.values import Wanted, data_for
from engine.clashes.wishes import Way, Wish, unmet, ways
from engine.conditions.binding import bind_event
from engine.conditions.predicates import tree_of
from engine.occasions import local_times
from engine.occasions.occasions import Cron, Once
from engine.vocabulary import DAY_MS, HOUR_MS, MINUTE_MS

EVENTS_MAX: Final = 50  # that a story tells for one part of a condition
_EVENT_FACT: Final = "$event."


@dataclass(frozen=True, slots=True)
class Entrance:
    """One way into a journey. `traits` hold from the beginning of the story on. `way` is what its conditions ask at the
    moment of entering, and `properties` are those of the event that starts it."""

    journey: Journey
    way: Way
    properties: Mapping[str, Any] = field(default_factory=dict)
    before: Way = ()  # of a segment: what is true before it is entered or left

    @property
    def traits(self) -> list[Wanted]:
        """What is asked of the customer's traits while nothing has happened."""
        return traits_of(self.before or self.way, self.properties)


def entrances(catalog: Catalog, journey: Journey) -> tuple[list[Entrance], str]:
    """The ways into a journey, the simplest first; without any, the reason in words."""
    found, reason = list[Entrance](), "its conditions exclude one another, as far as can be seen"
    for before, way in _ways(catalog, journey):
        why = unmet((*before, *way))
        properties = None if why else _properties(journey, way)
        if properties is None:
            reason = why or "no event was found that passes the tests of its trigger"
        elif data_for(traits_of(before or way, properties)) is not None:
            found.append(Entrance(journey, way, properties, before))
    return sorted(found, key=lambda each: len(each.way) + len(each.before)), reason


def _ways(catalog: Catalog, journey: Journey) -> Iterator[tuple[Way, Way]]:
    """(before, at the moment of entering): before is empty where nothing must change."""
    begins = journey.begins
    asked: list[Any] = [tree_of(journey.when)]
    if isinstance(begins, Schedule | DateOf) and begins.segment:
        asked.append({"segment": begins.segment})
    edge = begins if isinstance(begins, Edge) else None
    if edge is not None:
        inside = {"segment": edge.segment}
        asked.append(inside if edge.on == "enter" else {"not": inside})
    together = {"all": [tree for tree in asked if tree is not None]}
    for way in ways(together, catalog):
        if edge is None:
            yield (), way
        else:
            yield from ((before, way) for before in ways({"segment": edge.segment}, catalog, holds=edge.on == "exit"))


def traits_of(way: Way, properties: Mapping[str, Any]) -> list[Wanted]:
    """What wishes ask of traits."""
    found = []
    for wish in way:
        if wish.word == "trait":
            body = bind_event(wish.body, properties)
            if body is not None:
                tests = {word: operand for word, operand in body.items() if word != "name"}
                found.append(Wanted((*body["name"].split("."),), tests or {"exists": True}, wish.holds))
    return found


def _properties(journey: Journey, way: Way) -> dict[str, Any] | None:
    """Properties of an event that starts the journey; None where none were found. They hold every fact that conditions
    name as `$event.…`, because an absent one makes its part of a condition false."""
    if journey.trigger.event in (inner_events.SEGMENT, inner_events.SCHEDULE, inner_events.DATE):
        return {}
    asked = _asked_of_event(journey, way)
    later = [Wanted(path, {"exists": True}) for path in sorted({*_facts_of_steps(journey)})]
    tried = ([each for each in wanted if each.path[0] != "thing"] for wanted in ([*asked, *later], asked))
    return next((found for found in map(data_for, tried) if found is not None), None)


def _asked_of_event(journey: Journey, way: Way) -> list[Wanted]:
    wanted = tests_of(journey.trigger.tests)
    wanted += [Wanted(path, {"exists": True}) for path in sorted({*_facts([wish.body for wish in way if wish.holds])})]
    if journey.key is not None:
        wanted.append(Wanted((*journey.key.split("."),), {"exists": True}))
    return wanted


def tests_of(tests: Mapping[str, Any] | None) -> list[Wanted]:
    """What a `where` asks of an event."""
    return [Wanted((*path.split("."),), test) for path, test in (tests or {}).items()]


def _facts_of_steps(journey: Journey) -> Iterator[tuple[str, ...]]:
    for step in journey.steps:
        yield from _facts(step.event.tests if step.event is not None else None)
        for condition, _ in step.arms:
            yield from _facts(tree_of(condition))


def _facts(body: Any) -> Iterator[tuple[str, ...]]:
    if isinstance(body, str) and body.startswith(_EVENT_FACT):
        yield (*body.removeprefix(_EVENT_FACT).split("."),)
    elif isinstance(body, Mapping | list | tuple):
        for part in body.values() if isinstance(body, Mapping) else body:
            yield from _facts(part)


def merged(one: Entrance, other: Entrance) -> tuple[Entrance, Entrance] | None:
    """Both ways in, by one event that starts both journeys; None where no event was found that does."""
    if one.journey.begins is not None or other.journey.begins is not None:
        return None
    if one.journey.trigger.event != other.journey.trigger.event:
        return None
    properties = data_for([*_asked_of_event(one.journey, one.way), *_asked_of_event(other.journey, other.way)])
    if properties is None:
        return None
    return replace(one, properties=properties), replace(other, properties=properties)


def moment_of(catalog: Catalog, journey: Journey, wanted_ms: int) -> int | None:
    """The first moment from an instant on at which the journey's trigger can come; None: never again."""
    begins = journey.begins
    if isinstance(begins, Schedule):
        zone = catalog.zone if begins.zone in ("customer", "workspace") else begins.zone
        times = Cron(begins.cron) if begins.once is None else Once.of(begins.once)
        local = times.after(local_times.local_of(wanted_ms, zone) - 1)
        if local is None and begins.once is not None:
            local = local_times.minutes(begins.once)
        return None if local is None else local_times.instant_ms(local, zone)
    if isinstance(begins, DateOf):
        zone = catalog.zone if begins.zone in ("customer", "workspace") else begins.zone
        local = local_times.local_of(wanted_ms, zone)
        today = local - local % (DAY_MS // MINUTE_MS) + begins.at_minute
        return local_times.instant_ms(today if today >= local else today + DAY_MS // MINUTE_MS, zone)
    return wanted_ms


def happenings(catalog: Catalog, entrance: Entrance, moment_ms: int) -> tuple[list[Happening], int] | None:
    """What happens so that a customer enters at a moment, at absolute times, and the moment itself, which is later
    where something has to grow old first. None where a story would be too long."""
    begins, made = entrance.journey.begins, list[Happening]()
    if isinstance(begins, Edge):
        before = events_of(entrance.before, entrance.properties, moment_ms)
        waits_ms = max((wish.body.get("within", 0) for wish in entrance.before if wish.word == "event"), default=0)
        enter_ms = moment_ms + (waits_ms if before else 0) + 10 * MINUTE_MS
        during = events_of(entrance.way, entrance.properties, enter_ms)
        if before is None or during is None:
            return None
        traits = _changed(entrance)
        changed = [Known(enter_ms, traits)] if traits else []
        return [*before, *during, *changed], enter_ms
    past = events_of(entrance.way, entrance.properties, moment_ms)
    if past is None:
        return None
    made += past
    match begins:
        case None:
            made.append(Does(moment_ms, entrance.journey.trigger.event, dict(entrance.properties)))
        case ThingFact():
            interest = data_for([*tests_of(begins.interest.tests), Wanted((*begins.id_path.split("."),), THING)])
            if interest is None:
                return None
            made.append(Does(moment_ms - HOUR_MS, begins.interest.event, interest))
            made.append(Learned(moment_ms, begins.kind, begins.event, dict(entrance.properties)))
        case DateOf():
            told = dated(catalog, begins.trait, moment_ms, -begins.offset_days)
            made.append(msgspec.structs.replace(told, at_ms=moment_ms - HOUR_MS))
        case _:
            pass
    return made, moment_ms


def dated(catalog: Catalog, trait: str, at_ms: int, days: int) -> Known:
    """It is told that a trait is the date so many days later."""
    day = local_times.day_of(local_times.local_of(at_ms, catalog.zone) + days * DAY_MS // MINUTE_MS)
    return Known(at_ms, _nested(trait, day.isoformat()))


def _changed(entrance: Entrance) -> dict[str, Any]:
    """Traits that are as a segment asks at the moment of entering; those that it asks nothing of any more are gone."""
    before = data_for(traits_of(entrance.before, entrance.properties)) or {}
    after = data_for(traits_of(entrance.way, entrance.properties)) or {}
    return dict.fromkeys(before) | after


def events_of(way: Way, properties: Mapping[str, Any], moment_ms: int) -> list[Happening] | None:
    """The events that wishes ask for, told shortly before a moment; None where a story would be too long."""
    made = list[Happening]()
    for wish in way:
        times = _times(wish) if wish.word == "event" else 0
        if not times:
            continue
        body = bind_event(wish.body, properties)
        found = None if body is None else data_for(tests_of(body.get("where")))
        if found is None or times > EVENTS_MAX:
            return None
        apart_ms = max(1, min(MINUTE_MS, body.get("within", DAY_MS) // (times + 2)))
        made += [Does(moment_ms - (n + 1) * apart_ms, body["name"], found) for n in range(times)]
    return made


def _times(wish: Wish) -> int:
    """How often an event must happen so that a wish about it comes true."""
    bounds = wish.body.get("count") or {"at_least": 1}
    least, most = bounds.get("at_least", 0), bounds.get("at_most")
    if wish.holds:
        return int(least)
    return int(most) + 1 if most is not None and least == 0 else 0


def _nested(path: str, value: Any) -> dict[str, Any]:
    made: Any = value
    for name in reversed(path.split(".")):
        made = {name: made}
    return dict(made)
