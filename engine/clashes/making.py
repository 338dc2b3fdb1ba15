"""Makes stories: who the customer is, what they said yes to, and what happens so that they enter journeys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from msgspec.structs import replace

from engine.catalog.compiled import Action, Catalog, Journey
from engine.clashes.entrances import Entrance, entrances, happenings, moment_of, traits_of
from engine.clashes.needs import asked_of_traits, asks_of_the_past, needed, refused
from engine.clashes.routes import DIRECT, Draws, Route, routes
from engine.clashes.stories import Consents, Happening, Known, Story
from engine.clashes.values import Wanted, data_for
from engine.clashes.wishes import unmet, ways
from engine.conditions.binding import bind
from engine.occasions import local_times
from engine.vocabulary import DAY_MS, MINUTE_MS

FIRST_MS: Final = 1_772_409_600_000  # stories of catalogs that name no date begin on this day, a Monday
LONGEST_MS: Final = 400 * DAY_MS
_WAYS_MAX: Final = 3  # into a journey, for each route within it
_CUSTOMERS_MAX: Final = 8
_MORNING: Final = 9 * 60  # local time: it is quiet nowhere near


def story(
    catalog: Catalog, entered: Sequence[tuple[Entrance, int]], route: Route = DIRECT, *, is_early: bool = False
) -> Story | None:
    """The story of a customer who enters journeys one after another, each so long (ms) after the one before, and takes
    a route in the last one. What its branches ask of the past happens shortly before them, or (`is_early`) long before
    all of it. None where what is asked of their traits excludes one another, or where the story would be too long."""
    journeys = [entrance.journey for entrance, _ in entered]
    traits = _traits(catalog, entered, route)
    if traits is None:
        return None
    told, moments = list[Happening](), list[int]()
    at_ms = _morning_after(begins_ms(catalog, journeys), catalog.zone) + 10 * MINUTE_MS
    for entrance, gap_ms in entered:
        moment_ms = moment_of(catalog, entrance.journey, at_ms + gap_ms)
        made = None if moment_ms is None else happenings(catalog, entrance, moment_ms)
        if made is None:
            return None
        told += made[0]
        at_ms = made[1]
        moments.append(at_ms)
    on_the_way = needed(catalog, entered[-1][0], route, moments[-1], is_early=is_early)
    if on_the_way is None:
        return None
    said = [Consents(0, *scope) for scope in consents(catalog, journeys) if scope not in refused(route)]
    begins: tuple[Happening, ...] = (Known(0, traits, addresses(catalog, journeys)), *said)
    return _laid_out(catalog, journeys, begins, [*told, *on_the_way], [*moments, moments[-1] + route.takes_ms])


def _traits(catalog: Catalog, entered: Sequence[tuple[Entrance, int]], route: Route) -> dict[str, Any] | None:
    """Traits for what all of it asks of a customer; without what actions and the route ask, where that excludes the
    rest."""
    wanted = [each for entrance, _ in entered for each in entrance.traits]
    on_the_way = asked_of_traits(route, entered[-1][0].properties)
    by_actions = _eligible(catalog, [entrance.journey for entrance, _ in entered])
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
    until_ms = max(moments) - morning_ms + max(map(lasts_ms, journeys))
    return None if until_ms > LONGEST_MS else Story(morning_ms, (*begins, *later), until_ms)


def to_step(catalog: Catalog, journey: Journey, step: str) -> Iterator[Story]:
    """Stories that lead a customer to a step of a journey, by its id; the likeliest first. Whether one really does is
    seen when it is rehearsed. Without any, none was found."""
    for route in routes(catalog, journey, step):
        for entrance in entrances(catalog, journey)[0][:_WAYS_MAX]:
            for is_early in (False, True) if asks_of_the_past(route) else (False,):
                made = story(catalog, [(entrance, 0)], route, is_early=is_early)
                if made is not None:
                    yield from of_customers(made, route)


def of_customers(made: Story, route: Route) -> Iterator[Story]:
    """A story, and where a split draws on its route, the same of other customers, for whom another arm may be drawn."""
    yield made
    if any(isinstance(need, Draws) for need in route.needs):
        yield from (replace(made, customer=f"{made.customer}-{n}") for n in range(2, _CUSTOMERS_MAX + 1))


def alone(catalog: Catalog, entrances: Sequence[Entrance]) -> Iterator[Story]:
    """Stories that lead into one journey, a story for each way, after which only time passes."""
    for entrance in entrances:
        made = story(catalog, [(entrance, 0)])
        if made is not None:
            yield made


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
    """How long a run takes at most, where nothing starts a wait anew, with some days for what waits by itself."""
    waits = (
        step.for_ms + step.sending.silent_ms + step.sending.bounced_ms + (7 * DAY_MS if step.until is not None else 0)
        for step in journey.steps
    )
    spread_ms = getattr(journey.begins, "spread_ms", 0)
    return sum(waits) + spread_ms + 3 * DAY_MS


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
