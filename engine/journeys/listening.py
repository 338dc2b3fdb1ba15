"""A turn hears what has happened: events, inner events, and what they change of all that journeys watch.

Every change of one turn is heard in one order: first all of them stop, then they reset and answer waits, then they
start runs, and only then does anything walk. So a purchase that takes somebody out of a segment ends what that
segment's exit ends, before a message of the same turn can be decided. What the walk itself changes is heard after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engine.inputs import (
    AnyInput,
    Authorise,
    Decide,
    Erase,
    Event,
    Exposure,
    Fact,
    Revive,
    Settle,
    Split,
    TimersDue,
)
from engine.journeys import interpreter, stops, triggers
from engine.journeys.stopping import unavoidable
from engine.journeys.watching import look
from engine.journeys.watching.changes import Change
from engine.recent_events import Happened
from engine.turn_state import Turn

# An event and a fact are heard where they stand in the order of their turns. The others change nothing that journeys
# watch, or somebody waits for them; the past of who was split has still to be counted.
_WITHOUT_A_LOOK: Final = (Event, Fact, Decide, Exposure, Authorise, Settle, Erase, Split, Revive)
_ROUNDS_MAX: Final = 8  # of one turn; a circle of journeys that put somebody in and out goes on with the next turn


def hear(turn: Turn, *told: Happened, before_walking: Callable[[], None] | None = None) -> None:
    """Hear what happened, and what it has changed of segments, schedules and dates. `before_walking` is called when the
    first runs have been started."""
    told_ms = min([turn.now_ms, *(event.at_ms for event in told)])
    _hear(turn, [*map(Change, told), *look.changes(turn)], told_ms, before_walking)


def hear_time(turn: Turn, told: TimersDue) -> None:
    """Hear what time alone has changed, before a timer of the same instant fires, or what the timer has changed."""
    heard = look.changes(turn, is_running_out=told.running_out)
    _hear(turn, heard, turn.now_ms, is_running_out=told.running_out)


def hear_rest(turn: Turn, told: AnyInput) -> None:
    """Hear, at the end of a turn, what it has changed and brought about, and has not heard yet."""
    profile = turn.profile
    if not (isinstance(told, _WITHOUT_A_LOOK) or profile.moving_to or profile.is_blank):
        hear_time(turn, told) if isinstance(told, TimersDue) else hear(turn)
    if turn.inner:
        _hear(turn, [], turn.now_ms)
        turn.inner.clear()


def _hear(
    turn: Turn,
    heard: list[Change],
    told_ms: int,
    before_walking: Callable[[], None] | None = None,
    *,
    is_running_out: bool = False,
) -> None:
    for _ in range(_ROUNDS_MAX):
        heard = [*heard, *map(Change, turn.inner)]
        turn.inner.clear()
        stops.apply_lasting(turn)  # what is known of the customer may have changed
        for change in heard:
            stops.apply(turn, change.event)
            if change.event.counts_ms < turn.now_ms:
                unavoidable.mark(turn, change.event)
        moving = [run for change in heard for run in interpreter.react(turn, change.event)]
        for change in heard:
            moving += triggers.enter(turn, change.event, only=change.journey, told_ms=told_ms)
        if before_walking is not None:
            before_walking()
            before_walking = None
        if not moving and not turn.inner:
            return
        interpreter.walk(turn, moving)
        stops.apply_lasting(turn)  # and a run may have changed it
        heard = look.changes(turn, is_running_out=is_running_out)
        if not heard and not turn.inner:
            return
