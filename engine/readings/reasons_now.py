"""Why an action would be chosen now or not, and where a customer stands with each journey."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from engine.catalog.compiled import Action, Catalog, Journey
from engine.decide import decision
from engine.errors import NotFound
from engine.events.setting_back import clock_of
from engine.journeys import whereabouts
from engine.profile import Profile
from engine.readings import as_next_turn_finds
from engine.readings.instants import iso
from engine.turn_state import Turn
from engine.values.nearest import meant

Part = TypeVar("Part", Action, Journey)


def why(
    known: Profile, catalog: Catalog, now_ms: int, action_id: str | None = None, journey_id: str | None = None
) -> dict[str, Any]:
    """Why an action would or would not be chosen now, and where the customer stands with a journey: with those that are
    named, else with all of both. Raises NotFound for one that the catalog does not have."""
    answer: dict[str, Any] = {"profileId": known.id, "catalogVersion": catalog.version}
    known = as_next_turn_finds.settled(known, catalog, now_ms)
    if action_id is not None:
        answer |= _why(known, catalog, now_ms, _named(catalog.actions, action_id, "action"))
    elif journey_id is None:
        answer["actions"] = [_why(known, catalog, now_ms, action) for action in catalog.actions.values()]
    if journey_id is not None:
        answer["journeys"] = [_whereabouts(known, catalog, _named(catalog.journeys, journey_id, "journey"), now_ms)]
    elif action_id is None:
        answer["journeys"] = [_whereabouts(known, catalog, journey, now_ms) for journey in catalog.journeys.values()]
    return answer


def _named(parts: Mapping[str, Part], name: str, what: str) -> Part:
    if name not in parts:
        raise NotFound(f"there is no {what} {name}; {meant(name, parts)}", what)
    return parts[name]


def _whereabouts(known: Profile, catalog: Catalog, journey: Journey, now_ms: int) -> dict[str, Any]:
    row = whereabouts.of(known, catalog, journey, clock_of(known, now_ms))
    at_ms = row.pop("at_ms", None)
    return row if at_ms is None else row | {"at": iso(at_ms)}


def _why(known: Profile, catalog: Catalog, now_ms: int, action: Action) -> dict[str, Any]:
    turn = Turn(as_next_turn_finds.to_try(known), catalog, clock_of(known, now_ms))
    return {"actionId": action.id, "tier": action.tier, "gates": decision.why(turn, action)}
