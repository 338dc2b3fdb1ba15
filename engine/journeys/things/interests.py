"""Who is interested in a thing: whoever had an event about it that a journey names, not long ago.

An interest is kept by a hash of the thing and of the way to become interested, because one journey tells those who
looked at a product, and another those who had it in their cart. The hash is keyed, and says nothing without the
workspace's secret. The shard keeps an index from these hashes to profiles (`actors.shard.things`), which follows what
stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Final

from engine import seeds
from engine.catalog.compiled import Catalog
from engine.catalog.triggers import ThingFact
from engine.inputs import Fact
from engine.journeys import run_keys
from engine.journeys.things import wanted
from engine.parts.of_journeys import Interest
from engine.profile import Profile
from engine.recent_events import Happened
from engine.turn_state import Turn
from engine.values.paths import values_at
from engine.values.spelling import composed

INTERESTS_MAX: Final = 200  # of a profile; the newest stay
THINGS_OF_AN_EVENT_MAX: Final = 50  # the first ones of a list
_PLACE_BYTES: Final = 8


def place_of(catalog: Catalog, way: str, thing: str) -> str:
    """The place among things of those who became interested in one of them in a way (`wanted.name_of`): 16 hex
    digits. An accent may be written as part of its letter or behind it."""
    return _place(catalog.id_key, way, composed(thing))


@lru_cache(maxsize=65_536)
def _place(key: bytes, way: str, thing: str) -> str:
    return seeds.keyed(key, "thing", way, thing, size=_PLACE_BYTES)


def places_of(catalog: Catalog, fact: Fact) -> list[str]:
    """The places of those who are told of a fact; none where no journey asks for it."""
    ways = wanted.wanted(catalog).by_fact.get((fact.kind, fact.event), ())
    return [place_of(catalog, way, fact.id) for way in ways]


def learn(turn: Turn, event: Happened) -> None:
    """Keep the interests that an event makes."""
    asked = wanted.wanted(turn.catalog)
    ways = asked.by_event.get(event.name)
    if not ways or event.at_ms < turn.now_ms - asked.within_ms:
        return
    for place in _places(turn.catalog, ways, event):
        _keep(turn.profile, place, event.at_ms)
    del turn.profile.interests[:-INTERESTS_MAX]


def learn_from_history(turn: Turn) -> None:
    """Keep the interests that the recent events make: a journey that has just gone live asks for them."""
    by_event = wanted.wanted(turn.catalog).by_event
    if by_event:
        for event in turn.profile.history.events:
            if event.name in by_event:
                learn(turn, event)


def must_learn(profile: Profile, catalog: Catalog, now_ms: int) -> bool:
    """Whether the recent events make an interest that the profile does not have."""
    asked = wanted.wanted(catalog)
    if not asked.name or profile.moving_to:
        return False
    known = {each.thing for each in profile.interests}
    return any(
        place not in known
        for event in profile.history.events
        if event.at_ms >= now_ms - asked.within_ms
        for place in _places(catalog, asked.by_event.get(event.name, ()), event)
    )


def forget_old(turn: Turn) -> None:
    """Drop the interests that count for no journey any more."""
    oldest_ms = turn.now_ms - wanted.wanted(turn.catalog).within_ms
    interests = turn.profile.interests
    if interests[0].at_ms < oldest_ms:
        interests[:] = [each for each in interests if each.at_ms >= oldest_ms]


def join(profile: Profile, other: Profile) -> None:
    """Take in the interests of an absorbed profile; of two in one thing the later counts."""
    for each in other.interests:
        _keep(profile, each.thing, each.at_ms)
    del profile.interests[:-INTERESTS_MAX]


def is_interested(turn: Turn, asked: ThingFact, thing: str, at_ms: int) -> bool:
    """Whether a customer is one of those whom a journey tells of a fact about this thing."""
    place, since_ms = place_of(turn.catalog, wanted.name_of(asked), thing), at_ms - asked.within_ms
    return any(each.thing == place and each.at_ms >= since_ms for each in turn.profile.interests)


def order(each: Interest) -> tuple[int, str]:
    """The order in which interests are kept, the newest last."""
    return each.at_ms, each.thing


def _places(catalog: Catalog, ways: Iterable[wanted.Looking], event: Happened) -> Iterator[str]:
    for way in ways:
        if way.where(event.properties):
            for value in islice(values_at(event.properties, way.path), THINGS_OF_AN_EVENT_MAX):
                if thing := run_keys.spelled(value):
                    yield place_of(catalog, way.name, thing)


def _keep(profile: Profile, place: str, at_ms: int) -> None:
    interests = profile.interests
    known = next((each for each in reversed(interests) if each.thing == place), None)
    if known is not None:
        if at_ms <= known.at_ms:
            return
        interests.remove(known)
    interests.append(Interest(place, at_ms))
    if len(interests) > 1 and order(interests[-2]) > order(interests[-1]):  # told late: the newest stay last
        interests.sort(key=order)
