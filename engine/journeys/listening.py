"""A turn hears what has happened: events, inner events, and what they change of all that journeys watch.

Every change of one turn is heard in one order: first all of them stop, then they reset and answer waits, then they
start runs, and only then does anything walk. So a purchase that takes somebody out of a segment ends what that
segment's exit ends, before a message of the same turn can be decided. What the walk itself changes is heard after it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from engine.catalog import inner_events
from engine.inputs import (
    AnyInput,
    Authorise,
    ConsentChange,
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
from engine.journeys.watching.look import Overdue
from engine.recent_events import Happened
from engine.turn_state import Turn

# An event and a fact are heard where they stand in the order of their turns. The others change nothing that journeys
# watch but what became of messages, or somebody waits for them; the past of who was split has still to be counted.
_WITHOUT_A_LOOK: Final = (Event, Fact, Decide, Exposure, Authorise, Settle, Erase, Split, Revive)
# What a held message waits for does not come by these alone: at an event and a word of consent it has been looked at.
_HELD_AS_BEFORE: Final = (Event, ConsentChange, Decide, Authorise, Settle, Erase, Split, Revive, TimersDue, Fact)
_ROUNDS_MAX: Final = 8  # of one turn; a circle of journeys that put somebody in and out goes on with the next turn


def hear(turn: Turn, *told: Happened) -> None:
    """Hear what happened, and what it has changed of segments, schedules and dates."""
    told_ms = min([turn.now_ms, *(event.at_ms for event in told)])
    of_time = look.overdue(turn, told_ms)
    _hear(turn, [*map(Change, told), *of_time.among(look.changes(turn))], told_ms)


def hear_event(
    turn: Turn, event: Happened, of_time: Overdue, before_walking: Callable[[], None] | None, *, is_all: bool
) -> None:
    """Hear an event of the customer's; nobody listens to one under a name of the engine's own. `of_time` was there
    before it. `is_all`: it has changed nothing but the history. `before_walking` is called when the first runs have
    been started."""
    found = of_time.among(look.changes(turn, only=event.name if is_all else ""))
    is_late = event.counts_ms < turn.now_ms
    if found or is_late or turn.inner or before_walking is not None or inner_events.is_reserved(event.name):
        told = [] if inner_events.is_reserved(event.name) else [Change(event)]
        _hear(turn, [*told, *found], min(turn.now_ms, event.at_ms), before_walking)
        return
    stops.apply_lasting(turn)  # as below, for the event alone: nearly all turns go this way
    stops.apply(turn, event)
    moving = interpreter.react(turn, event) + triggers.enter(turn, event)
    if moving or turn.inner:
        interpreter.walk(turn, moving)
        _hear(turn, look.changes(turn), turn.now_ms)


def hear_time(turn: Turn, told: TimersDue) -> None:
    """Hear what time alone has changed, before a timer of the same instant fires, or what the timer has changed."""
    looks = partial(look.changes, is_running_out=told.running_out)
    _hear(turn, looks(turn), turn.now_ms, looks=looks)


def hear_rest(turn: Turn, told: AnyInput) -> None:
    """Hear, at the end of a turn, what it has changed and brought about, and has not heard yet."""
    profile = turn.profile
    if not (isinstance(told, _WITHOUT_A_LOOK) or profile.moving_to or profile.is_blank):
        hear_time(turn, told) if isinstance(told, TimersDue) else hear(turn)
    if turn.inner:  # of what became of a message; that may put somebody into a segment
        _hear(turn, look.at_segments(turn), turn.now_ms, looks=look.at_segments)
        turn.inner.clear()
    if not profile.moving_to and (turn.makes_room or not isinstance(told, _HELD_AS_BEFORE)):
        held = interpreter.held_runs(turn)
        interpreter.walk(turn, held)
        if held:  # what their next steps have changed
            hear_time(turn, told) if isinstance(told, TimersDue) else hear(turn)


def _hear(
    turn: Turn,
    heard: list[Change],
    told_ms: int,
    before_walking: Callable[[], None] | None = None,
    *,
    looks: Callable[[Turn], list[Change]] = look.changes,
) -> None:
    for _ in range(_ROUNDS_MAX):
        heard = [*heard, *map(Change, turn.inner)]
        turn.inner.clear()
        stops.apply_lasting(turn)  # what is known of the customer may have changed
        for change in heard:
            stops.apply(turn, change.event)
        caused = [change.event for change in heard if change.event.counts_ms == turn.now_ms]
        for change in heard:
            if change.event.counts_ms < turn.now_ms:
                unavoidable.mark(turn, change.event, caused)
        moving = [run for change in heard for run in interpreter.react(turn, change.event)]
        for change in heard:
            moving += triggers.enter(
                turn, change.event, only=change.journey, told_ms=told_ms, is_of_time=change.is_of_time
            )
        if before_walking is not None:
            before_walking()
            before_walking = None
        if not moving and not turn.inner:
            return
        interpreter.walk(turn, moving)
        stops.apply_lasting(turn)  # and a run may have changed it
        heard = looks(turn)
        if not heard and not turn.inner:
            return
