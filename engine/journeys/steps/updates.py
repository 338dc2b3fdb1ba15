"""An `update` step writes traits and tags, at the clock of its turn. What it writes is a fact like any other: segments
and conditions read it at once, and a newer statement of the customer's replaces it."""

from __future__ import annotations

from typing import Any, Final

from engine import limits
from engine.catalog.compiled import Step
from engine.conditions.binding import bind_event, names_event
from engine.journeys.steps import forks
from engine.profile import Run, TraitValue
from engine.turn_state import Turn

TAGS: Final = "tags"
_TAGS_MAX: Final = 200


def write(turn: Turn, run: Run, step: Step) -> None:
    """Write what a step says. A fact of the trigger that is absent writes nothing."""
    assert step.update is not None, "an update says what it writes"
    room, names = limits.TraitRoom(turn.profile.traits), list[str]()
    for name, value in step.update.traits.items():
        if value is None:
            if turn.profile.traits.pop(name, None) is not None:
                names.append(name)
            continue
        bound = bind_event(value, run.trigger)
        if bound is not None and _set(turn, run, room, name, bound, public=run.public and names_event(value)):
            names.append(name)
    if (step.update.add or step.update.remove) and _tag(turn, run, room, step):
        names.append(TAGS)
    turn.makes_room = turn.makes_room or bool(names)
    room.tell(turn, "event")
    forks.note(turn, run, step.id, f"writes {', '.join(names) or 'nothing new'}", "updated", traits=names)


def _set(turn: Turn, run: Run, room: limits.TraitRoom, name: str, value: Any, *, public: bool = False) -> bool:
    if not room.takes(name, value):
        return False
    turn.profile.traits[name] = TraitValue(value, turn.now_ms, public, f"journey {run.journey}")
    return True


def _tag(turn: Turn, run: Run, room: limits.TraitRoom, step: Step) -> bool:
    """Whether the tags have changed. The oldest go where there are too many."""
    assert step.update is not None
    known = turn.profile.traits.get(TAGS)
    had = known.value if known is not None else []
    tags: list[Any] = [*had] if isinstance(had, list | tuple) else [had]
    gone = frozenset(step.update.remove)
    kept = [tag for tag in tags if tag not in gone]
    kept += [tag for tag in step.update.add if tag not in kept]
    return kept != tags and _set(turn, run, room, TAGS, kept[-_TAGS_MAX:])
