"""Makes stories: who the customer is, what they said yes to, and what happens so that they enter journeys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from engine.catalog.compiled import Action, Catalog, Journey, Step
from engine.clashes.entrances import Entrance, entrances, happenings, moment_of, traits_of
from engine.clashes.needs import asked_of_traits, asks_of_the_past, needed, refused
from engine.clashes.routes import DIRECT, Draws, Route, routes
from engine.clashes.stories import Consents, Does, Happening, Known, Story, may_be_one
from engine.clashes.values import Wanted, data_for
from engine.clashes.wishes import unmet, ways
from engine.conditions.binding import bind
from engine.occasions import local_times
from engine.vocabulary import DAY_MS, HOUR_MS, MINUTE_MS

FIRST_MS: Final = 1_772_409_600_000  # stories of catalogs that name no date begin on this day, a Monday
LONGEST_MS: Final = 400 * DAY_MS
_WAYS_MAX: Final = 3  # into a journey, for each route within it
_CUSTOMERS_MAX: Final = 8
_CLOSE_MS: Final = 2 * HOUR_MS
_MORNING: Final = 9 * 60  # local time: it is quiet nowhere near


class Part(NamedTuple):
    """A customer enters a journey `gap_ms` after the one before, and takes a route in it. What its branches ask of the
    past happens shortly before them, or (`is_early`) long before the entry."""

    entrance: Entrance
    route: Route = DIRECT
    is_early: bool = False
    gap_ms: int = 0


def story(catalog: Catalog, parts: Sequence[Part]) -> Story | None:
    """The story of a customer who enters journeys one after another. None where what is asked of their traits excludes
    one another, or where the story would be too long."""
    journeys = [part.entrance.journey for part in parts]
    traits = _traits(catalog, parts)
    if traits is None:
        return None
    told, moments = list[Happening](), list[int]()
    at_ms = _morning_after(begins_ms(catalog, journeys), catalog.zone) + 10 * MINUTE_MS
    for part in parts:
        made = _happenings(catalog, part, at_ms + part.gap_ms)
        if made is None:
            return None
        told = _as_few_events(told, made[0])
        at_ms = made[1]
        moments += [at_ms, at_ms + part.route.takes_ms]
    noes = {scope for part in parts for scope in refused(part.route)}
    said = [Consents(0, *scope) for scope in consents(catalog, journeys) if scope not in noes]
    begins: tuple[Happening, ...] = (Known(0, traits, addresses(catalog, journeys)), *said)
    return _laid_out(catalog, journeys, begins, told, moments)


def _as_few_events(told: list[Happening], more: list[Happening]) -> list[Happening]:
    """All that happens, with one event where two close ones may be one: a customer who starts a booking does it for
    both journeys. The last one starts a journey, so it stays as it is."""
    found, used = [*told], set[int]()
    for number, each in enumerate(more):
        place = None if number == len(more) - 1 else _same(told, each, used)
        known = each if place is None else told[place]
        if place is not None and isinstance(known, Does) and isinstance(each, Does):
            used.add(place)
            found[place] = replace(known, properties=known.properties | each.properties)
        elif each not in told:
            found.append(each)
    return found


def _same(told: list[Happening], event: Happening, used: set[int]) -> int | None:
    """The place of an event that may be this one; None where there is none, or it is one already."""
    if not isinstance(event, Does):
        return None
    close = ((place, each) for place, each in enumerate(told) if abs(each.at_ms - event.at_ms) <= _CLOSE_MS)
    events = ((place, each) for place, each in close if isinstance(each, Does) and place not in used)
    return next((place for place, each in events if may_be_one(each, event)), None)


def _happenings(catalog: Catalog, part: Part, wanted_ms: int) -> tuple[list[Happening], int] | None:
    """What happens for a part that begins at an instant or later, and when it is entered."""
    moment_ms = moment_of(catalog, part.entrance.journey, wanted_ms)
    made = None if moment_ms is None else happenings(catalog, part.entrance, moment_ms)
    if made is None:
        return None
    on_the_way = needed(catalog, part.entrance, part.route, made[1], is_early=part.is_early)
    return None if on_the_way is None else ([*made[0], *on_the_way], made[1])


def _traits(catalog: Catalog, parts: Sequence[Part]) -> dict[str, Any] | None:
    """Traits for what all of it asks of a customer; without what actions and routes ask, where that excludes the
    rest."""
    wanted = [each for part in parts for each in part.entrance.traits]
    on_the_way = [each for part in parts for each in asked_of_traits(part.route, part.entrance.properties)]
    by_actions = _eligible(catalog, [part.entrance.journey for part in parts])
    tried = (data_for([*wanted, *more]) for more in ([*on_the_way, *by_actions], on_the_way, []))
    return next((found for found in tried if found is not None), None)


def _laid_out(
    catalog: Catalog,
    journeys: Sequence[Journey],
    begins: tuple[Happening, ...],
    told: list[Happening],
    moments: list[int],
) -> Story | None:
    """The story with times of its own. It begins in the morning before the first thing that happens."""
    first_ms = min([*(each.at_ms for each in told), *moments])
    morning_ms = _morning_before(first_ms, catalog.zone)
    later = [_moved(each, -morning_ms) for each in sorted(told, key=lambda each: each.at_ms)]
    once_ms = max(moments) - morning_ms + max(map(lasts_ms, journeys))
    until_ms = min(LONGEST_MS, once_ms + max(map(rounds_ms, journeys)))
    return None if once_ms > LONGEST_MS else Story(morning_ms, (*begins, *later), until_ms)


def into(catalog: Catalog, journey: Journey) -> Iterator[Part]:
    """The ways into a journey, after which only time passes."""
    return (Part(entrance) for entrance in entrances(catalog, journey)[0])


def parts_to(catalog: Catalog, journey: Journey, step: str) -> Iterator[Part]:
    """The ways to a step of a journey, by its id."""
    for route in routes(catalog, journey, step):
        for entrance in entrances(catalog, journey)[0][:_WAYS_MAX]:
            yield Part(entrance, route)
            if asks_of_the_past(route):
                yield Part(entrance, route, is_early=True)


def to_step(catalog: Catalog, journey: Journey, step: str) -> Iterator[Story]:
    """Stories that lead a customer to a step of a journey, by its id; the likeliest first. Whether one really does is
    seen when it is rehearsed. Without any, none was found."""
    return (made for part in parts_to(catalog, journey, step) for made in stories_of(catalog, [part]))


def stories_of(catalog: Catalog, parts: Sequence[Part]) -> Iterator[Story]:
    """The story of these parts; where a split draws on a route, also those of other customers, for whom another arm may
    be drawn."""
    made = story(catalog, parts)
    if made is None:
        return
    yield made
    if any(isinstance(need, Draws) for part in parts for need in part.route.needs):
        yield from (replace(made, customer=f"{made.customer}-{n}") for n in range(2, _CUSTOMERS_MAX + 1))


def begins_ms(catalog: Catalog, journeys: Sequence[Journey]) -> int:
    """The day on which stories of journeys begin: one on which what they send is valid, where there is such a day."""
    actions = [*actions_of(catalog, journeys)]
    least = max([FIRST_MS, *(each.valid_from_ms for each in actions if each.valid_from_ms is not None)])
    most = min((each.valid_until_ms for each in actions if each.valid_until_ms is not None), default=None)
    return least if most is None or least < most else max(0, most - DAY_MS)


def actions_of(catalog: Catalog, journeys: Sequence[Journey]) -> Iterator[Action]:
    """The actions that journeys may send."""
    names = {name for journey in journeys for step in journey.steps for name in step.sending.actions}
    return (catalog.actions[name] for name in sorted(names) if name in catalog.actions)


def addresses(catalog: Catalog, journeys: Sequence[Journey]) -> tuple[str, ...]:
    """The kinds of address that the channels of journeys need."""
    named = {channel for journey in journeys for step in journey.steps for channel in step.sending.channels}
    needed = {catalog.channels[name].address for name in named if name in catalog.channels}
    return tuple(sorted(needed - {""}))


def consents(catalog: Catalog, journeys: Sequence[Journey]) -> list[tuple[str, str]]:
    """The (purpose, channel) for which what journeys send needs a yes."""
    found = set()
    for journey in journeys:
        for step in journey.steps:
            for action in (catalog.actions[name] for name in step.sending.actions if name in catalog.actions):
                purpose = catalog.purposes[action.purpose]
                needed = purpose.channels if action.tier == "service" else {*step.sending.channels} - purpose.free
                found |= {(purpose.id, channel) for channel in step.sending.channels if channel in needed}
    return sorted(found)


def lasts_ms(journey: Journey) -> int:
    """How long a run takes at most that jumps nowhere back, where nothing starts a wait anew, with some days for what
    waits by itself."""
    return sum(map(_waits_ms, journey.steps)) + getattr(journey.begins, "spread_ms", 0) + 3 * DAY_MS


def rounds_ms(journey: Journey) -> int:
    """How much longer a run takes that jumps back as often as it may."""
    jumps = [(place, step) for place, step in enumerate(journey.steps) if step.kind == "goto" and step.target < place]
    taken = [1] * len(journey.steps)
    for place, jump in jumps:  # a run counts its jumps, however many loops it is in
        for within in range(jump.target, place):
            taken[within] += jump.at_most
    return sum((times - 1) * _waits_ms(step) for times, step in zip(taken, journey.steps, strict=True))


def _waits_ms(step: Step) -> int:
    until_ms = 7 * DAY_MS if step.until is not None else 0
    return step.for_ms + step.sending.silent_ms + step.sending.bounced_ms + until_ms


def _eligible(catalog: Catalog, journeys: Sequence[Journey]) -> list[Wanted]:
    """What the actions that journeys send ask of a customer's traits, each in its first way."""
    wanted = []
    for action in actions_of(catalog, journeys):
        for way in ways(bind(action.asked, action.facts), catalog)[:1]:
            wanted += [] if unmet(way) else traits_of(way, {})
    return wanted


def _morning_before(at_ms: int, zone: str) -> int:
    """The last morning that is a good while before an instant."""
    local = local_times.local_of(at_ms - 5 * MINUTE_MS, zone)
    morning = local - local % (DAY_MS // MINUTE_MS) + _MORNING
    return local_times.instant_ms(morning if morning <= local else morning - DAY_MS // MINUTE_MS, zone)


def _morning_after(at_ms: int, zone: str) -> int:
    """The first morning from an instant on."""
    return _morning_before(at_ms + DAY_MS + 4 * MINUTE_MS, zone)


def _moved(happening: Happening, by_ms: int) -> Happening:
    return replace(happening, at_ms=happening.at_ms + by_ms)
