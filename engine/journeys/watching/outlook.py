"""What a trigger that is no event of the customer's waits for, for people who ask why a journey was not entered."""

from __future__ import annotations

from typing import Any, Final

from engine.catalog.compiled import Catalog, Journey
from engine.catalog.triggers import DateOf, Edge, Schedule
from engine.conditions.predicates import tree_of
from engine.explain.deciding_part import Failing, failing, holding
from engine.explain.what_was_seen import saw
from engine.journeys.watching import clocks
from engine.profile import Profile
from engine.view import View

NO_TRIGGER: Final = "journey.no_trigger"
OUTSIDE: Final = "journey.segment"
INSIDE_BEFORE: Final = "journey.inside_before"
NOT_YET: Final = "journey.not_yet"
NO_DATE: Final = "journey.no_date"


def of(known: Profile, catalog: Catalog, journey: Journey, now_ms: int) -> dict[str, Any]:
    """`{"reason", "condition"?, "at_ms"?}`: the part of a segment's condition for which the customer is not inside (or
    still is), or when the next time of a schedule or a date comes."""
    view = View(known, catalog, now_ms)
    match journey.begins:
        case Edge() as edge:
            return _of_edge(view, journey, edge)
        case Schedule() | DateOf() as begins:
            return _of_clock(view, journey, begins)
        case _:
            return {"reason": NO_TRIGGER}


def _of_edge(view: View, journey: Journey, edge: Edge) -> dict[str, Any]:
    is_inside, watched = view.is_in_segment(edge.segment), view.profile.watched
    if edge.on == "enter" and is_inside:
        if watched is not None and (due_ms := watched.occasions.get(journey.id)) is not None:
            return {"reason": NOT_YET, "at_ms": due_ms}
        since_ms = watched.inside.get(edge.segment) if watched is not None else None
        return {"reason": INSIDE_BEFORE} | ({} if since_ms is None else {"at_ms": since_ms})
    if edge.on == "exit" and not is_inside:
        return {"reason": NO_TRIGGER}
    return _because(view, edge.segment, is_inside=is_inside)


def _of_clock(view: View, journey: Journey, begins: Schedule | DateOf) -> dict[str, Any]:
    if begins.segment and not view.is_in_segment(begins.segment):
        return _because(view, begins.segment, is_inside=False)
    next_ms = clocks.next_ms(view.profile, view.catalog, journey, view.now_ms)
    if next_ms is not None:
        return {"reason": NOT_YET, "at_ms": next_ms}
    if isinstance(begins, DateOf) and clocks.names_no_day(view.profile, view.catalog, begins):
        part = Failing("trigger.date.trait", "a day", saw(view, "trait", {"name": begins.trait}))
        return {"reason": NO_DATE, "condition": part.plain}
    return {"reason": NO_TRIGGER}


def _because(view: View, segment: str, *, is_inside: bool) -> dict[str, Any]:
    """The part of a segment's condition that decides."""
    condition = view.catalog.segments.get(segment)
    tree = tree_of(condition) if condition is not None else None
    part = (holding if is_inside else failing)(tree, view, at=("segments", segment))
    return {"reason": OUTSIDE} | ({} if part is None else {"condition": part.plain})
