"""Matching in one process: rounds over the shards of a `World`, when a test asks for them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from actors.candidates.engine_round import over_all
from actors.candidates.rounds import Report
from actors.shard.matching.serving import Matching
from actors.transport.messages.base import Request
from actors.transport.messages.of_matching import Having, Matched, NextToMatch, RecordsOf
from engine.inputs import Erase, Event, Reviewed, Suspect
from engine.parts.of_identity import ReviewEntry
from support.world import Customer, World, action, compiled, document

ADA = {
    "firstName": "Ada",
    "lastName": "Lovelace",
    "birthday": "1985-12-10",
    "address": {"street": "12 Herschell Circuit", "city": "London", "postalCode": "20095"},
}
BYRON = {"firstName": "Augusta", "lastName": "Byron", "birthday": "1951-03-04"}
TWIN = {**ADA, "lastName": "Lovelase"}  # surely Ada
CLOSE = {"firstName": "Ada", "lastName": "Lovelase", "birthday": "1985-12-10"}  # probably
FAINT = {  # perhaps
    "firstName": "Ada",
    "lastName": "Lovelace",
    "address": {"city": "London"},
}


def catalog(**matching: Any) -> dict[str, Any]:
    """A small catalog with matching; `matching` replaces its settings."""
    settings = {"enabled": True, "merge_at": 0.99995, "personalise": {"at": 0.99, "traits": ["favourite"]}}
    wants_more = {"all": [{"trait": {"name": "likely.favourite", "is": "tea"}}]}
    return document(
        actions=[
            action("tea", channels=["web"], placements=["home_hero"], value=2.0, eligible=wants_more),
            action("hello", channels=["web"], placements=["home_hero"]),
        ],
        identity={"matching": settings | matching},
    )


class LocalDoor:
    """The shards of a world, by their numbers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shards = [Matching(windows.shard, on_demand=True) for windows in world.engine.windows]

    async def places(self) -> Sequence[str]:
        return [str(number) for number in range(len(self._shards))]

    async def ask(self, place: str, request: Request[Any]) -> Any:
        shard = self._shards[int(place)]
        answers = {
            NextToMatch: shard.next,
            Having: shard.having,
            RecordsOf: shard.records,
            Matched: shard.matched,
        }
        answer = answers[type(request)](request)
        self._world.engine.windows[int(place)].shard.commit()
        return answer

    async def tell(self, profile: str, told: Suspect) -> None:
        self._world.engine.ask_profile(profile, told)


def match(world: World) -> Report:
    """Every profile that waits is matched, and what follows from it arrives."""

    done = asyncio.run(over_all(LocalDoor(world), world.catalog))
    world.advance(minutes=2)  # a question, its answer and a merge are six messages in turn
    return done


def person(world: World, name: str, traits: Mapping[str, Any]) -> Customer:
    """Somebody known by a user id, with these traits."""
    found = world.customer(name)
    found.identifies(**traits)
    return found


class Guest(Customer):
    """Somebody known by a card alone: what has no user id contradicts none."""

    def event(self, name: str, **fields: Any) -> Event:
        more = fields.pop("identifiers", ())
        return super().event(name, identifiers=(("loyalty_id", self.card), *more), **fields)

    def __init__(self, world: World, card: str) -> None:
        super().__init__(world, "", "")
        self.card = card

    def _names(self) -> tuple[tuple[str, str], ...]:
        return (("loyalty_id", self.card),)


def guest(world: World, card: str, traits: Mapping[str, Any]) -> Guest:
    """Somebody known by a card, with these traits."""
    found = Guest(world, card)
    found.identifies(**traits)
    return found


def reviews(world: World, who: Customer) -> list[ReviewEntry]:
    """A profile's entries of the review queue."""
    from actors.shard.matching.reviews import of_profile

    return of_profile(world.engine.shard(who.id), who.id)


def answer(world: World, who: Customer, entry: ReviewEntry, *, accepted: bool) -> None:
    """Somebody decides an entry."""
    world.engine.ask_profile(who.id, Reviewed(entry=entry, accepted=accepted, by="support"))
    world.advance(minutes=2)  # a question, its answer and a merge are six messages in turn


def erase(world: World, who: Customer) -> None:
    """Somebody is forgotten, here and wherever something about them lies."""
    world.engine.ask_profile(who.id, Erase())
    world.advance(minutes=2)  # a question, its answer and a merge are six messages in turn


def adopt(world: World, plain: dict[str, Any]) -> None:
    """The engine goes on under another catalog."""
    world.catalog = world.engine.catalog = compiled(plain)
    for windows in world.engine.windows:
        windows.shard.decide_by(world.catalog)
        windows.shard.commit()
