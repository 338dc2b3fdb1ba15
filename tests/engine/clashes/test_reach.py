"""Where the engine goes, the rules say that it can: no run of a random journey comes to a step that they call
unreachable, or sooner than they say."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from support.random_journeys import programs, shop, streams
from support.world import START_MS

from actors.catalog_proof.rehearsals import rehearse
from engine.catalog.compile import examined
from engine.clashes.programs.reach import explore
from engine.clashes.programs.workspace import read
from engine.clashes.stories import Does, Happening, Known, Story
from engine.inputs import Event
from engine.vocabulary import DAY_MS


def story(events: list[Event]) -> Story:
    """The events of one of the people as a story."""
    made = [happening(event) for event in events if event.user_id == "ada"]
    return Story(START_MS, tuple(made), 40 * DAY_MS)


def happening(event: Event) -> Happening:
    at_ms = event.received_at_ms - START_MS
    return Does(at_ms, event.name, event.properties) if event.kind == "track" else Known(at_ms, event.traits or {})


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs, streams)
def test_no_run_is_where_none_can_be(steps: list[Any], events: list[Event]):
    found = examined(shop(steps))
    assert found.problems == []
    space = read(found.plain, found.models)
    program = next(each for each in space.programs if each.id == "way")
    reach = explore(program, space.solver)
    numbers = {step.id: at for at, step in enumerate(program.steps)}
    entered: dict[str, int] = {}
    for entry in rehearse(found.catalog(), story(events), ["way", "other"]).entries:
        if entry.journey == "way" and entry.outcome == "entered":
            entered[entry.run] = entry.at_ms
        at = numbers.get(entry.step)
        if (
            entry.journey == "way"
            and at is not None
            and entry.kind in ("send", "timer")
            and entry.outcome != "withdrawn"
        ):
            began_ms = min(entered.values())
            assert at in reach.earliest_ms
            assert entry.at_ms - began_ms >= reach.earliest_ms[at]
