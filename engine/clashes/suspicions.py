"""What a doubt about one journey has to show, and the stories that may show it.

A rule on single journeys proves what it says from the catalog alone. So most of its doubts are told also where no story
was found: a story helps to see what is meant. Whether journeys start one another in a circle is for a rehearsal to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import msgspec

from engine.catalog.compiled import Catalog, Journey
from engine.catalog.problems import Problem
from engine.clashes import making
from engine.clashes.findings import Shows, Suspicion
from engine.clashes.single import caps, loops, undecided, ungranted, unstopped
from engine.clashes.single.doubts import Doubt
from engine.clashes.stories import Consents, Does, Story, Told
from engine.vocabulary import MINUTE_MS

_NOTES: Final = (undecided.KIND, unstopped.UNNAMED)  # no fault: what could not be decided
_AROUND: Final = 3  # so often a circle has to come round


def suspicion(catalog: Catalog, doubt: Doubt) -> Suspicion:
    """The suspicion that a doubt is."""
    journey = catalog.journeys.get(doubt.journey)
    problem = Problem(doubt.file, doubt.loc, doubt.message, is_warning=True)
    alone = Suspicion(problem, frozenset(), (), lambda story, told: False, stands_alone=True)
    if doubt.kind in _NOTES:
        return replace(alone, kind="note")
    if journey is None:
        return alone
    return replace(
        alone,
        journeys=frozenset((journey.id, *doubt.others)),
        stories=_stories(catalog, journey, doubt),
        shows=_shows(journey.id, doubt),
        stands_alone=doubt.kind != loops.CIRCLE,
    )


def _stories(catalog: Catalog, journey: Journey, doubt: Doubt) -> Iterator[Story]:
    if not doubt.step:
        parts = making.into(catalog, journey)
        yield from (made for part in parts for made in making.stories_of(catalog, [part]))
    for made in making.to_step(catalog, journey, doubt.step) if doubt.step else ():
        if doubt.kind == ungranted.KIND:
            yield _unasked(made)
        elif doubt.kind == unstopped.KIND:
            yield _with_purchase(made, doubt.event)
        else:
            yield made


def _shows(journey: str, doubt: Doubt) -> Shows:
    step = doubt.step

    def comes_there(story: Story, told: Told) -> bool:
        return told.has_come_to(journey, step) if step else told.has_entered(journey)

    def is_held_by(kind: str) -> Shows:
        return lambda story, told: any(
            each.step == step and each.reason.startswith(kind) for each in told.held(journey)
        )

    def left_ms(told: Told) -> list[int]:
        return [each.at_ms for each in told.left(journey) if each.step == step]

    match doubt.kind:
        case caps.FULL:
            return is_held_by("cap.")
        case ungranted.KIND:
            return is_held_by("consent.")
        case unstopped.KIND:
            return lambda story, told: any(at_ms > story.happened_ms(doubt.event) for at_ms in left_ms(told))
        case loops.AGAIN:
            return lambda story, told: len(left_ms(told)) >= loops.TIMES
        case loops.CIRCLE:
            return lambda story, told: told.runs(journey) >= _AROUND
        case _:
            return comes_there


def _unasked(story: Story) -> Story:
    """The story of somebody who was never asked for consent."""
    rest = (each for each in story.happenings if not isinstance(each, Consents))
    return msgspec.structs.replace(story, happenings=(*rest,))


def _with_purchase(story: Story, event: str) -> Story:
    """The story with a purchase soon after the run has begun."""
    last_ms = max(each.at_ms for each in story.happenings)
    bought = Does(last_ms + 5 * MINUTE_MS, event)
    return msgspec.structs.replace(story, happenings=(*story.happenings, bought))
