"""Loops: the same message again and again, and journeys that start each other, or themselves, by what they write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from engine.catalog.schema.triggers import DateTrigger, SegmentTrigger
from engine.clashes.programs.durations import spelled
from engine.clashes.programs.reach import Reach
from engine.clashes.programs.walks import Sent, Walk
from engine.clashes.programs.workspace import Program, Workspace
from engine.clashes.single.caps import counts_always
from engine.clashes.single.doubts import Doubt
from engine.vocabulary import DAY_MS

WINDOW_MS: Final = 7 * DAY_MS
TIMES: Final = 3  # a message that comes so often within the window comes again and again
_TAGS: Final = "tags"


def repeated_sends(program: Program, walks: Sequence[Walk], space: Workspace) -> Iterator[Doubt]:
    """Sends in a loop that reach a customer again and again, and that no cap counts."""
    told = set[int]()
    for walk in walks:
        for sent in walk:
            if sent.at in told or _is_counted(sent, space):
                continue
            times = [each.at_ms for each in walk[: program.journey.guards.touches] if each.at == sent.at]
            most = _most_in_window(times)
            if most >= TIMES and _is_one_message(sent):
                told.add(sent.at)
                message = (
                    f"goes out {most} times in {spelled(WINDOW_MS)} to who stays in the loop, and no cap counts it"
                )
                loc = (*program.places[sent.at], "send")
                yield Doubt("again", program.file, loc, message, program.id, program.steps[sent.at].id)


def _is_counted(sent: Sent, space: Workspace) -> bool:
    """Whether it may come as often as it likes: a cap sees to it, or it is of service."""
    tiers = {space.actions[name].tier for name in sent.actions if name in space.actions}
    return tiers <= {"service"} or any(counts_always(cap, sent, space) for cap in space.policies.caps)


def _is_one_message(sent: Sent) -> bool:
    """Whether it is the same message each time: one action on one channel."""
    return len(sent.actions) == 1 and len(sent.channels) == 1


def _most_in_window(times: Sequence[float]) -> int:
    return max((sum(1 for each in times if at <= each < at + WINDOW_MS) for at in times), default=0)


def circles(space: Workspace, reached: Sequence[tuple[Program, Reach]]) -> Iterator[Doubt]:
    """Journeys that may start one another in a circle, each circle once. Whether they do is for a rehearsal to say."""
    programs = {program.id: program for program, _ in reached}
    starts = {
        name: {other for other in programs if _starts(program, programs[other], space)}
        for name, program in programs.items()
    }
    told = set[frozenset[str]]()
    for name, program in programs.items():
        circle = frozenset(each for each in _reached_from(name, starts) if name in _reached_from(each, starts))
        if circle and circle not in told:
            told.add(circle)
            yield Doubt("circle", program.file, ("trigger",), _words(name, circle), name, others=circle)


def _words(name: str, circle: frozenset[str]) -> str:
    others = sorted(circle - {name})
    if not others:
        return "starts itself again by what it writes, round after round"
    return f"starts again and again by what {', '.join(others)} and it write: each starts the other"


def _reached_from(name: str, starts: Mapping[str, set[str]]) -> set[str]:
    seen, todo = set[str](), [name]
    while todo:
        for other in starts[todo.pop()]:
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


def _starts(writing: Program, started: Program, space: Workspace) -> bool:
    """Whether what one journey writes is asked about where another begins."""
    trigger = started.journey.trigger
    if isinstance(trigger, SegmentTrigger):
        asked = space.solver.traits_of({"segment": trigger.segment.id})
    elif isinstance(trigger, DateTrigger):
        asked = {trigger.date.trait}
    else:
        return False
    return bool({name.split(".")[0] for name in asked} & _written(writing))


def _written(program: Program) -> set[str]:
    updates = [step.update for step in program.steps if step.update is not None]
    names = {name.split(".")[0] for update in updates for name in update.traits}
    return names | ({_TAGS} if any(update.add or update.remove for update in updates) else set())
