"""The outcome that a journey is measured by: which runs an event brings to it.

It decides nothing: a run goes on or ends by its steps and stops alone. An event counts for the runs that it follows
within the journey's `within`, by event time, whether they are under way still or not.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.compiled import Catalog
from engine.inputs import Event
from engine.profile import Profile, Run


def reached_by(catalog: Catalog, profile: Profile, event: Event) -> Iterator[Run]:
    """The runs of a profile that an event brings to their outcome; the event has had its turn, so it is the newest."""
    for journey in catalog.measured_by.get(event.name, ()):
        outcome = journey.outcome
        if outcome is None:
            continue
        for run in profile.runs:
            if run.journey != journey.id or run.parent:
                continue
            since_ms = event.at_ms - run.trigger_ms
            if since_ms > outcome.within_ms or (event.at_ms, profile.seq) <= (run.trigger_ms, run.trigger_seq):
                continue
            if outcome.on.passes(event.properties, run.trigger):
                yield run


def may_come(catalog: Catalog, run: Run, now_ms: int) -> bool:
    """Whether an event may still bring an ended run to its outcome, so that the run must be remembered."""
    journey = catalog.journeys.get(run.journey)
    return journey is not None and journey.outcome is not None and now_ms <= run.trigger_ms + journey.outcome.within_ms
