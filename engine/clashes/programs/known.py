"""What is known of everybody in a journey: when they enter it, for as long as they are in it, and after a time in which
no stop has ended their run."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog import inner_events
from engine.catalog.compiled import Step
from engine.catalog.schema.grammar import OfEvent
from engine.catalog.schema.triggers import DateTrigger, EventTrigger, ScheduleTrigger, SegmentTrigger
from engine.clashes.logic.contradictions import Tree, implies
from engine.clashes.programs.durations import spelled
from engine.clashes.programs.workspace import Ending, Program, trees
from engine.conditions.binding import names_event
from engine.vocabulary import DAY_MS


def always(program: Program) -> Iterator[Tree]:
    """What is true of whoever is in a journey for as long as they are: the trigger has happened, and no stop that lasts
    holds."""
    yield from triggered(program)
    for stop in program.stops:
        for tree in trees(stop.trait):
            yield {"not": {"trait": tree}}


def at_entry(program: Program) -> Iterator[Tree]:
    """What is true at the moment of entering: the trigger has happened not longer ago than an event may be late."""
    yield from trees(program.journey.when)
    yield from triggered(program, within=program.lateness_ms + 1)  # one that is exactly so old begins it
    trigger = program.journey.trigger
    if isinstance(trigger, SegmentTrigger) and not trigger.segment.backfill:
        inside: Tree = {"segment": trigger.segment.id}
        yield inside if trigger.segment.on == "enter" else {"not": inside}
    elif isinstance(trigger, ScheduleTrigger | DateTrigger):
        planned = trigger.schedule if isinstance(trigger, ScheduleTrigger) else trigger.date
        if planned.segment is not None and planned.spread is None:
            yield {"segment": planned.segment}


def triggered(program: Program, **bounds: int) -> Iterator[Tree]:
    """That the event which starts the journey has happened, `within` so many milliseconds if that is said."""
    trigger = program.journey.trigger
    if isinstance(trigger, EventTrigger):
        where = {"where": trigger.where} if trigger.where else {}
        (happened,) = trees(OfEvent.model_validate({"event": {"name": trigger.event, **where}}))
        yield {"event": {**happened["event"], **bounds}}


def unstopped(program: Program, elapsed_ms: int) -> Iterator[Tree]:
    """No event that would have ended the run has happened since it was entered."""
    for stop in program.endings if elapsed_ms else ():
        if not stop.of_key and stop.event != inner_events.SEGMENT and not names_event(stop.tests):
            where = {"where": stop.tests} if stop.tests else {}
            yield {"not": {"event": {"name": stop.event, "within": elapsed_ms, **where}}}


def heard_by_a_stop(program: Program, step: Step) -> Ending | None:
    """The stop that ends a run on every event that a `wait_for` waits for, before it could be heard."""
    waited = step.event
    if waited is None or step.outcomes:
        return None
    return next(
        (stop for stop in program.endings if stop.event == waited.event and implies(waited.tests, stop.tests)), None
    )


def over_by(program: Program) -> tuple[int, str] | None:
    """After how long a stop has surely ended every run, and in words why; None where none does."""
    found = [
        (stop.after, f"the stop {stop.id} ends every run {spelled(stop.after)} after it was entered")
        for stop in program.stops
        if stop.after is not None
    ]
    trigger = program.journey.trigger
    if isinstance(trigger, ScheduleTrigger) and trigger.schedule.once is not None:
        for stop in program.stops:
            if stop.at is not None:  # local times of two zones are up to a day apart
                lasts_ms = int((stop.at - trigger.schedule.once).total_seconds()) * 1_000 + DAY_MS
                found.append((lasts_ms, f"the stop {stop.id} ends every run on {stop.at:%Y-%m-%d}"))
    return min(found, default=None)
