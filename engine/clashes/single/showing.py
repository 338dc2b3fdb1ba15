"""How doubts about single journeys are shown: the stories that lead to them, and what the engine must record there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace as replaced
from typing import Final

from msgspec.structs import replace

from engine.audit import Entry
from engine.catalog.compiled import Catalog, Journey, Step
from engine.catalog.document import Document
from engine.catalog.models import Models
from engine.catalog.problems import Problem
from engine.clashes import making
from engine.clashes.entrances import Entrance, tests_of
from engine.clashes.findings import Control, Kind, Shows, Suspicion
from engine.clashes.making import Part
from engine.clashes.routes import Happens, Route
from engine.clashes.single.doubts import Doubt
from engine.clashes.single.loops import TIMES, WINDOW_MS
from engine.clashes.single.rules import Proof
from engine.clashes.stories import Consents, Does, Story, Told
from engine.clashes.values import data_for
from engine.vocabulary import HOUR_MS, MINUTE_MS

_NOTES: Final = frozenset(("no_purchase", "told_consent", "undecided", "unsent"))
# What the rules are sure of is told without a story too. Of the rest the rehearsal has the last word.
_SURE: Final = frozenset(
    (
        "unreachable",
        "unheard",
        "not_entered",
        "too_late",
        "late_reminder",
        "idle_cap",
        "no_consent",
        *(_NOTES - {"unsent"}),
    )
)
_TOO_LATE: Final = ("journey.deadline", "validity.")
_NIGHT_HOURS: Final = (12, 15, 18)  # after the morning in which stories begin
_ROUNDS: Final = 3  # after the first round of a circle two more have to be seen


def suspicion(catalog: Catalog, doubt: Doubt) -> Suspicion:
    """What a rehearsal is asked about a doubt."""
    journey = catalog.journeys.get(doubt.journey)
    kind: Kind = "note" if doubt.kind in _NOTES else "warning"
    stories = iter(()) if journey is None else _stories(catalog, journey, doubt)
    return Suspicion(
        problem=Problem(doubt.file, doubt.loc, doubt.message),
        journeys=doubt.others or frozenset((doubt.journey,)),
        stories=stories,
        shows=_shows(doubt),
        kind=kind,
        stands_alone=doubt.kind in _SURE,
        control=_without_purchase(doubt) if doubt.kind == "unstopped" else None,
    )


def certainties(document: Document, models: Models) -> Iterator[Problem]:
    """The doubts that need no rehearsal, as warnings: they are told wherever a catalog is proved."""
    for doubt in Proof.of(document, models).certainties():
        yield Problem(doubt.file, doubt.loc, doubt.message, is_warning=True)


def _stories(catalog: Catalog, journey: Journey, doubt: Doubt) -> Iterator[Story]:
    match doubt.kind:
        case "not_entered":
            yield from _refused(catalog, journey)
        case "unheard" | "unstopped":
            assert doubt.event is not None, "something happens on the way"
            if doubt.kind == "unstopped" and catalog.quiet_hours.rules and journey.begins is None:
                yield from _at_night(catalog, journey, doubt)
            for part in making.parts_to(catalog, journey, doubt.step):
                for after_ms in _times(part, is_before=doubt.kind == "unstopped"):
                    yield from making.stories_of(
                        catalog, [_with(part, after_ms, Step("", "wait_for", event=doubt.event))]
                    )
        case "no_consent" | "told_consent":
            for story in making.to_step(catalog, journey, doubt.step):
                yield _without_yes(story, doubt.reason)
        case "own_cap":
            yield from making.to_step(catalog, journey, doubt.step)
            for part in making.parts_to(catalog, journey, doubt.step):
                bounces = Step("", "wait_for", outcomes=frozenset(("bounced",)))
                yield from making.stories_of(catalog, [_with(part, part.route.takes_ms + MINUTE_MS, bounces)])
        case "circle":
            for name in sorted(doubt.others):
                for part in making.into(catalog, catalog.journeys[name]):
                    yield from (_longer(catalog, story, doubt) for story in making.stories_of(catalog, [part]))
        case _:
            yield from making.to_step(catalog, journey, doubt.step)


def _shows(doubt: Doubt) -> Shows:
    name, step = doubt.journey, doubt.step
    match doubt.kind:
        case "unsent":
            return lambda story, told: _is_unsent(told, doubt)
        case "not_entered":
            return lambda story, told: bool(told.refused(name))
        case "unheard":
            return lambda story, told: any(told.stopped(name))
        case "too_late":
            return lambda story, told: any(_is_at(each, step, _TOO_LATE) for each in told.held(name))
        case "own_cap" | "no_consent" | "told_consent":
            return lambda story, told: any(_is_at(each, step, (doubt.reason,)) for each in told.held(name))
        case "late_reminder":
            return lambda story, told: _is_reminded(told, doubt)
        case "unstopped":
            return lambda story, told: _follows(story, told, doubt)
        case "again":
            return lambda story, told: _is_again(told, name, step)
        case "circle":
            return lambda story, told: _goes_round(told, doubt)
        case _:
            return lambda story, told: told.has_entered(name) and _has_ended(told, name)


def comes_to(told: Told, journey: str, step: str) -> bool:
    """Whether a run was at a send. One that a stop has ended before names the send that it would have come to."""
    return any(
        (entry.kind, entry.journey, entry.step) == ("send", journey, step) and entry.outcome != "withdrawn"
        for entry in told.entries
    )


def _is_at(entry: Entry, step: str, reasons: tuple[str, ...]) -> bool:
    return entry.step == step and entry.reason.startswith(reasons)


def _is_unsent(told: Told, doubt: Doubt) -> bool:
    goes = any(each.step == doubt.step for each in told.left(doubt.journey))
    return not goes and any(_is_at(each, doubt.step, (doubt.reason,)) for each in told.held(doubt.journey))


def _has_ended(told: Told, journey: str) -> bool:
    return any(told.stopped(journey)) or any(
        entry.kind == "journey" and entry.journey == journey and entry.outcome in ("completed", "exited")
        for entry in told.entries
    )


def _follows(story: Story, told: Told, doubt: Doubt) -> bool:
    """Whether a promotion of the journey that leaves was decided after the event had happened in its run. One that was
    decided before is on its way already."""
    assert doubt.event is not None, "something happens on the way"
    entered_ms, bought_ms = told.entered_ms(doubt.journey), story.happened_ms(doubt.event.event)
    left = {each.detail.get("send") for each in told.left(doubt.journey) if each.step == doubt.step}
    decided = [each.at_ms for each in told.entries if each.outcome == "decided" and each.detail.get("send") in left]
    return entered_ms is not None and entered_ms < bought_ms and any(bought_ms < at_ms for at_ms in decided)


def _without_purchase(doubt: Doubt) -> Control:
    """Whether the promotion leaves without the purchase too. One that does not is meant for who has bought, and the
    stop would end it for all of them."""
    bought = doubt.event.event if doubt.event is not None else ""

    def without(story: Story) -> Story:
        kept = (each for each in story.happenings if not (isinstance(each, Does) and each.event == bought))
        return replace(story, happenings=tuple(kept))

    return Control(without, lambda told: any(each.step == doubt.step for each in told.left(doubt.journey)))


def _is_reminded(told: Told, doubt: Doubt) -> bool:
    """Whether the offer leaves, and after it the message that is about it."""
    left = [*told.left(doubt.journey)]
    offered = [each.at_ms for each in left if each.action == doubt.reason]
    return any(at_ms < each.at_ms for at_ms in offered for each in left if each.step == doubt.step)


def _is_again(told: Told, journey: str, step: str) -> bool:
    times = [each.at_ms for each in told.left(journey) if each.step == step]
    return any(sum(at_ms <= each < at_ms + WINDOW_MS for each in times) >= TIMES for at_ms in times)


def _goes_round(told: Told, doubt: Doubt) -> bool:
    return any(told.runs(name) >= _ROUNDS for name in doubt.others)


def _times(part: Part, *, is_before: bool) -> list[int]:
    """When something happens on a route: soon after the entry, and just before its step, or once it is there. A full
    hour, or half of the way, is when something else often happens too."""
    takes_ms = part.route.takes_ms
    if not is_before:
        return [takes_ms + MINUTE_MS]
    halfway_ms, late_ms = takes_ms // 2 + MINUTE_MS, takes_ms - MINUTE_MS
    return sorted({MINUTE_MS, min(halfway_ms, max(MINUTE_MS, late_ms)), max(MINUTE_MS, late_ms), HOUR_MS + MINUTE_MS})


def _at_night(catalog: Catalog, journey: Journey, doubt: Doubt) -> Iterator[Story]:
    """Something happens soon after the entry, at hours at which it may be quiet."""
    assert doubt.event is not None, "something happens on the way"
    part = next(making.parts_to(catalog, journey, doubt.step), None)
    if part is not None and not part.route.takes_ms:
        for story in making.stories_of(catalog, [_with(part, MINUTE_MS, Step("", "wait_for", event=doubt.event))]):
            yield from (replace(story, begins_ms=story.begins_ms + hours * HOUR_MS) for hours in _NIGHT_HOURS)


def _with(part: Part, after_ms: int, awaited: Step) -> Part:
    """A part in which what a step awaits happens so long after the entry."""
    return part._replace(
        route=Route((*part.route.needs, Happens(after_ms, awaited)), max(part.route.takes_ms, after_ms))
    )


def _without_yes(story: Story, reason: str) -> Story:
    _, purpose, channel = reason.split(".", 2)
    kept = (
        each
        for each in story.happenings
        if not (isinstance(each, Consents) and (each.purpose, each.channel) == (purpose, channel))
    )
    return replace(story, happenings=tuple(kept))


def _longer(catalog: Catalog, story: Story, doubt: Doubt) -> Story:
    """The story, and after it the time of some rounds."""
    waits_ms = sum(sum(step.for_ms for step in catalog.journeys[name].steps) + HOUR_MS for name in doubt.others)
    last_ms = max(each.at_ms for each in story.happenings)
    return replace(story, until_ms=min(last_ms + _ROUNDS * waits_ms, making.LONGEST_MS))


def _refused(catalog: Catalog, journey: Journey) -> Iterator[Story]:
    """Its trigger alone, by a customer of whom nothing else is known."""
    properties = data_for(tests_of(journey.trigger.tests))
    if journey.begins is None and properties is not None:
        anybody = replaced(journey, key=None)
        yield from making.stories_of(catalog, [Part(Entrance(anybody, (), properties))])
