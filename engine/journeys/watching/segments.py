"""Which watched segments a customer belongs to, since when; and who goes in when a journey goes live.

The first look at a segment under a new rule finds how things stand, and is no news. With `backfill` those who are
inside then enter the journey, each at a moment of their own, if they have stayed inside until it.
"""

from __future__ import annotations

from engine.catalog import inner_events
from engine.journeys.watching import rules
from engine.journeys.watching.changes import Change, Look, earliest, inner, moment_ms
from engine.journeys.watching.rules import Rules, WatchedSegment
from engine.parts.of_journeys import Watched
from engine.turn_state import Turn
from engine.view import View


def look(turn: Turn, view: View, watched: Watched, of: Rules, known: frozenset[str] | None) -> Look:
    """Compare with the last look, which was by the rules with the keys `known`; None: before it there was nobody."""
    changes: list[Change] = []
    next_ms: int | None = None
    listened = _with_older(turn, of)
    for segment in listened:
        is_inside, was_inside = segment.condition(view), segment.id in watched.inside
        next_ms = earliest(next_ms, *(part.turns_ms(view) for part in segment.turning))
        if is_inside == was_inside:
            continue
        if is_inside:
            watched.inside[segment.id] = turn.now_ms
        else:
            del watched.inside[segment.id]
        _forget_backfills(watched, of, segment.id)
        if known is None or segment.key in known or segment.key not in of.keys:
            on: inner_events.Edge = "enter" if is_inside else "exit"
            changes.append(Change(inner(turn, inner_events.SEGMENT, inner_events.of_segment(segment.id, on))))
    for gone in watched.inside.keys() - {segment.id for segment in listened}:
        del watched.inside[gone]
    for backfill in of.backfills:
        name = backfill.journey.id
        if known is not None and backfill.key not in known and backfill.begins.segment in watched.inside:
            watched.occasions[name] = turn.now_ms + moment_ms(
                turn.catalog, turn.profile, backfill.begins.spread_ms, name
            )
    due = backfilled(turn, watched, of)
    return Look([*changes, *due.changes], earliest(next_ms, due.next_ms))


def backfilled(turn: Turn, watched: Watched, of: Rules) -> Look:
    """Take in those whose moment has come, and say when the next one comes."""
    changes: list[Change] = []
    next_ms: int | None = None
    for backfill in of.backfills:
        due_ms = watched.occasions.get(backfill.journey.id)
        if due_ms is not None and due_ms <= turn.now_ms:
            del watched.occasions[backfill.journey.id]
            told = inner_events.of_segment(backfill.begins.segment, "enter", backfill=True)
            changes.append(Change(inner(turn, inner_events.SEGMENT, told), backfill.journey))
        elif due_ms is not None:
            next_ms = earliest(next_ms, due_ms)
    return Look(changes, next_ms)


def turned(view: View, watched: Watched, of: Rules) -> frozenset[str]:
    """The segments of which it is no more so what was found at the last look."""
    return frozenset(each.id for each in of.segments if each.condition(view) != (each.id in watched.inside))


def _with_older(turn: Turn, of: Rules) -> list[WatchedSegment]:
    """The segments that the catalog watches, and those that only runs of older catalogs listen to."""
    listened, catalog = {segment.id: segment for segment in of.segments}, turn.catalog
    for run in turn.profile.runs:
        if run.state == "active" and run.version != catalog.version:
            heard = rules.heard_by(catalog.of_version(run.version)).get(run.journey, ())
            for name in sorted(heard):
                if name not in listened and (older := rules.watched_segment(catalog, name)) is not None:
                    listened[name] = older
    return [*listened.values()]


def _forget_backfills(watched: Watched, of: Rules, segment: str) -> None:
    """Who enters or leaves by themselves needs no backfill any more."""
    for backfill in of.backfills:
        if backfill.begins.segment == segment:
            watched.occasions.pop(backfill.journey.id, None)
