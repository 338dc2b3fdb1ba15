"""Marks messages that have left before the engine heard of what should have kept them back.

An event is late when it is told after its own time. Where a stop by it would have ended a run, and a message of that
run left between the two, nothing can be called back. The message is marked, with how long the event took to get here:
that measures the sources of events, and no rule. A message that is being handed over meanwhile may still come back; it
is marked when it has left.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.frequency import caps
from engine.journeys import stops
from engine.parts.of_journeys import LateStop
from engine.profile import Run
from engine.recent_events import Happened
from engine.sends import outcomes
from engine.turn_state import Turn


def mark(turn: Turn, event: Happened, caused: Sequence[Happened]) -> None:
    """Mark the messages that left after a late event, though it stops them, or what it has `caused` does: somebody
    entered or left a segment, a trait has the value of a stop."""
    for row in outcomes.left_since(turn.profile, event.counts_ms):
        stop = _stop(turn, row.run, row.action, event, caused)
        if stop is not None:
            outcomes.unavoidable(turn, row, stop)
    for send in turn.profile.sends:
        if send.state == "handing_over" and send.late_stop is None:
            place = caps.find(turn.profile, send.id)
            if place is not None and place.left_ms > event.counts_ms:
                send.late_stop = _stop(turn, send.run, send.action, event, caused)


def _stop(turn: Turn, run_id: str, action: str, event: Happened, caused: Sequence[Happened]) -> LateStop | None:
    run: Run | None = next((run for run in turn.profile.runs if run.id == run_id), None)
    if run is None:
        return None
    has_just_stopped = run.state == "stopped" and run.ended_ms == turn.now_ms
    by_events = (stops.reason_against(turn, run, action, each) for each in (event, *caused))
    reason = next(filter(None, by_events), "") or (run.ended_by if has_just_stopped else "")
    return LateStop(reason, event.counts_ms, turn.now_ms, event.message_id) if reason.startswith("stop.") else None
