"""The end of a run that no stop ends."""

from __future__ import annotations

from engine.journeys import life, stops
from engine.profile import Run
from engine.turn_state import Turn


def finish(turn: Turn, run: Run, event: str, reason: str) -> None:
    """End a run that no stop ends, and note why."""
    state = life.end(turn, run, event, stops.step_id(turn.catalog, run), reason)
    turn.note("journey", f"{run.journey} {state}", journey=run.journey, run=run.id, outcome=state, reason=reason)
