"""Caps that never act, and caps that hold back what a journey sends by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor
from typing import Final

from engine.catalog.schema.files import Action
from engine.catalog.schema.policies import Cap
from engine.clashes.programs.durations import spelled
from engine.clashes.programs.reach import Reach
from engine.clashes.programs.walks import Sent, Walk
from engine.clashes.programs.workspace import Program, Workspace
from engine.clashes.single.doubts import Doubt
from engine.vocabulary import DAY_MS, HOUR_MS

_POLICIES: Final = "policies.yaml"
_PERIODS: Final = ("day", "week", "month")
_DAYS: Final = {"day": 1, "week": 7, "month": 31}
_SHORTEST_DAYS: Final = {"day": 1, "week": 7, "month": 28}
Kind = tuple[Action, str]  # an action on a channel


def idle_caps(space: Workspace, reached: Sequence[tuple[Program, Reach]]) -> Iterator[Doubt]:
    """Caps with a limit that nothing can come to."""
    kinds = [(action, channel) for action in space.actions.values() for channel in action.channels]
    for i, cap in enumerate(space.policies.caps):
        counted = [kind for kind in kinds if _counts(cap, *kind)]
        loc = ("caps", i)
        if not counted:
            if not _names_unknown(cap, space):
                yield Doubt(
                    "idle_cap", _POLICIES, (*loc, "match"), "counts nothing: no action on any channel is like that"
                )
            continue
        stricter = next((other for other in space.policies.caps if other is not cap and _is_behind(cap, other)), None)
        if stricter is not None:
            message = f"is never met: the cap {stricter.id} counts all of that too, and lets through fewer"
            yield Doubt("idle_cap", _POLICIES, (*loc, "limit"), f"{message} ({_words(stricter)})")
            continue
        most = _most(cap, counted, space, reached)
        if most is not None and 0 < most < cap.limit:
            message = f"is never met: journeys send one customer at most {most} of that in {_per(cap)}"
            yield Doubt("idle_cap", _POLICIES, (*loc, "limit"), message)


def own_caps(program: Program, walks: Sequence[Walk], space: Workspace) -> Iterator[Doubt]:
    """Messages that a cap always holds back, once the run itself has sent those before."""
    touches, told = program.journey.guards.touches, set[int]()
    tightest = sorted(space.policies.caps, key=lambda cap: cap.limit)  # one is told of a message
    for walk in walks:
        for cap in tightest:
            counted = [sent for sent in walk[:touches] if counts_always(cap, sent, space)]
            for place in range(cap.limit, len(counted)):
                last, first = counted[place], counted[place - cap.limit]
                waits = program.steps[last.at].on_held == "wait"
                if waits or not _in_window(cap, last.at_ms - first.at_ms) or last.at in told:
                    continue
                told.add(last.at)
                so_many = "its one message" if cap.limit == 1 else f"its {cap.limit} messages"
                message = f"is held by the cap {cap.id} ({_words(cap)}) wherever the run has sent {so_many} before it"
                loc = (*program.places[last.at], "send")
                step = program.steps[last.at].id
                yield Doubt("own_cap", program.file, loc, message, program.id, step, reason=f"cap.{cap.id}")
                break


def _counts(cap: Cap, action: Action, channel: str) -> bool:
    """Whether a cap counts an action on a channel."""
    match = cap.match
    facts = {"channel": channel, "tier": action.tier, "action": action.id, "purpose": action.purpose}
    facts |= {"category": action.category or "", "group": action.group or ""}
    return all(getattr(match, field) is None or fact in getattr(match, field) for field, fact in facts.items())


def counts_always(cap: Cap, sent: Sent, space: Workspace) -> bool:
    """Whether a cap counts a message, whichever of its actions and channels it goes by."""
    actions = [space.actions[name] for name in sent.actions if name in space.actions]
    ways = [(action, channel) for action in actions for channel in sent.channels]
    return bool(ways) and all(_counts(cap, *way) for way in ways)


def _in_window(cap: Cap, gap_ms: float) -> bool:
    """Whether a message still counts so long after it was sent. A calendar's day may end at any moment."""
    return gap_ms < cap.per if isinstance(cap.per, int) else gap_ms == 0


def _names_unknown(cap: Cap, space: Workspace) -> bool:
    """Whether it names a category or a group that no action has, which is told of every rule."""
    known = {field: {getattr(action, field) for action in space.actions.values()} for field in ("category", "group")}
    return any(name not in there for field, there in known.items() for name in getattr(cap.match, field) or ())


def _is_behind(cap: Cap, other: Cap) -> bool:
    """Whether another cap keeps a cap from ever being met: it counts all that this one counts, and lets so few through
    that this one stays below its limit."""
    if not _covers(other, cap):
        return False
    return _windows_of(other, cap) * other.limit < cap.limit


def _windows_of(other: Cap, cap: Cap) -> int:
    """How many windows of another cap one of this cap lies in at the most."""
    if isinstance(other.per, int):
        return ceil(_longest_ms(cap) / other.per)
    if cap.per in (other.per, "day"):
        return 1
    return ceil(_longest_ms(cap) / (_SHORTEST_DAYS[other.per] * DAY_MS - HOUR_MS)) + 1


def _longest_ms(cap: Cap) -> int:
    """The clock that is set back makes a calendar's window an hour longer."""
    return cap.per if isinstance(cap.per, int) else _DAYS[cap.per] * DAY_MS + HOUR_MS


def _covers(wide: Cap, narrow: Cap) -> bool:
    for field in type(wide.match).model_fields:
        wanted, given = getattr(wide.match, field), getattr(narrow.match, field)
        if wanted is not None and (given is None or not set(given) <= set(wanted)):
            return False
    return True


def _most(cap: Cap, counted: Sequence[Kind], space: Workspace, reached: Sequence[tuple[Program, Reach]]) -> int | None:
    """How many messages a cap can count at the most for one customer in its window; None where nothing bounds them: a
    page asks as often as it likes, a journey may be entered again at once, or once for each key."""
    if any(action.placements or space.providers.get(channel) == "none" for action, channel in counted):
        return None
    most, names = 0, {(action.id, channel) for action, channel in counted}
    for program, reach in reached:
        journey = program.journey
        of_run = _of_run(program, reach, names)
        if not of_run:
            continue
        if journey.key is not None or not journey.re_entry.after:
            return None
        most += journey.re_entry.concurrent * _runs(program, _longest_ms(cap), space) * of_run
    return most


def _runs(program: Program, window_ms: int, space: Workspace) -> int:
    """How many runs that follow one another send within a window at the most. One begins so long after the end of the
    one before; a message that waits by itself, or a branch that nobody waits for, may come later than its run."""
    after_ms = program.journey.re_entry.after
    is_late = any(step.kind == "parallel" or step.on_held == "wait" for step in program.steps)
    if is_late or space.policies.quiet_hours.rules:
        return floor(window_ms / after_ms) + 2
    return ceil(window_ms / after_ms)


def _of_run(program: Program, reach: Reach, names: set[tuple[str, str]]) -> int:
    """How many of these messages a run sends at the most: each of its sends on each of its channels, once more for each
    jump that it may take."""
    rounds = 1 + sum(step.at_most for step in program.steps if step.kind == "goto")
    sends = [step.sending for at, step in program.sends() if at in reach.earliest_ms]
    ways = sum(
        any((action, channel) in names for action in sending.actions)
        for sending in sends
        for channel in sending.channels
    )
    touches = program.journey.guards.touches
    return ways * rounds if touches is None else min(touches, ways * rounds)


def _words(cap: Cap) -> str:
    return f"{cap.limit} in {_per(cap)}"


def _per(cap: Cap) -> str:
    return spelled(cap.per) if isinstance(cap.per, int) else f"a {cap.per}"
