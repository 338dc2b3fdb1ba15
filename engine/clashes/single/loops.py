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

Traits = Mapping[str, set[str] | None]  # by name, the texts in question; None: whatever it is


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
    asked = {name: _asked(program, space) for name, program in programs.items()}
    asking = [(name, traits) for name, traits in asked.items() if traits]
    starts = {
        name: {other for other, traits in asking if _meet(written, traits)}
        for name, program in programs.items()
        if (written := _written(program))
    }
    told = set[frozenset[str]]()
    reached_from = {name: _reached_from(name, starts) for name in starts}
    for name, all_reached in reached_from.items():
        circle = frozenset(each for each in all_reached if name in reached_from.get(each, ()))
        if circle and circle not in told:
            told.add(circle)
            yield Doubt("circle", programs[name].file, ("trigger",), _words(name, circle), name, others=circle)


def _words(name: str, circle: frozenset[str]) -> str:
    others = sorted(circle - {name})
    if not others:
        return "starts itself again by what it writes, round after round"
    return f"starts again and again by what {', '.join(others)} and it write: each starts the other"


def _reached_from(name: str, starts: Mapping[str, set[str]]) -> set[str]:
    seen, todo = set[str](), [name]
    while todo:
        for other in starts.get(todo.pop(), ()):
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


def _asked(started: Program, space: Workspace) -> Traits:
    """The traits that are asked about where a journey begins."""
    trigger = started.journey.trigger
    if isinstance(trigger, SegmentTrigger):
        return space.solver.traits_of({"segment": trigger.segment.id})
    return {trigger.date.trait: None} if isinstance(trigger, DateTrigger) else {}


def _written(program: Program) -> Traits:
    """The traits that a journey writes; of tags the words."""
    updates = [step.update for step in program.steps if step.update is not None]
    words = {word for update in updates for word in (*update.add, *update.remove)}
    traits = dict.fromkeys(name for update in updates for name in update.traits)
    return {**({_TAGS: words} if words else {}), **traits}


def _meet(written: Traits, asked: Traits) -> bool:
    """Whether what is written may change what is asked about."""
    for path, texts in asked.items():
        name = path.split(".")[0]
        words = written.get(name, set())
        if words is None or (words and (texts is None or path != name or words & texts)):
            return True
    return False
