"""Messages that come when they are worthless: a wait before them is longer than what they offer lasts.

What bounds a message: the deadline of its journey or of its step, the dates of its action, and the time for which an
offer is promised.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from engine.catalog.compiled import Step
from engine.catalog.schema.files import Action
from engine.catalog.schema.triggers import ScheduleTrigger
from engine.clashes.programs.durations import spelled
from engine.clashes.programs.reach import Reach
from engine.clashes.programs.ways import earliest_from
from engine.clashes.programs.workspace import Program, Workspace
from engine.clashes.single.doubts import Doubt
from engine.vocabulary import DAY_MS


def worthless_sends(program: Program, reach: Reach, space: Workspace) -> Iterator[Doubt]:
    """Sends that come too late, whatever the customer does."""
    for at, step in program.sends():
        earliest_ms = reach.earliest_ms.get(at)
        if earliest_ms is None:
            continue
        loc = (*program.places[at], "send")
        message = _after_deadline(program, earliest_ms) or _after_dates(program, step, earliest_ms, space)
        if message:
            yield Doubt("too_late", program.file, loc, message, program.id, step.id)
        else:
            for word, message in _next_channel_too_late(program, step, earliest_ms):
                yield Doubt("too_late", program.file, (*loc, *word), message, program.id, step.id)


def late_reminders(program: Program, reach: Reach, space: Workspace) -> Iterator[Doubt]:
    """Sends about something on which the same run has promised an offer that is over by then, and that make no offer of
    their own."""
    told = set[int]()
    for at, step in program.sends():
        offers = [action for action in _actions(step, space) if action.offer is not None]
        if not offers or at not in reach.earliest_ms:
            continue
        gaps = earliest_from(program, at)
        for later, following in program.sends():
            gap_ms = gaps.get(later)
            offer = next((each for each in offers if _reminds(following, each, space)), None)
            if offer is None or offer.offer is None or later in told or gap_ms is None or gap_ms < offer.offer.lasts:
                continue
            told.add(later)
            message = (
                f"comes when the offer is over that {offer.id} made: {spelled(gap_ms)} later at least, and the offer "
                f"lasts {spelled(offer.offer.lasts)}"
            )
            loc = (*program.places[later], "send")
            yield Doubt("late_reminder", program.file, loc, message, program.id, following.id, reason=offer.id)


def _actions(step: Step, space: Workspace) -> list[Action]:
    return [space.actions[name] for name in step.sending.actions if name in space.actions]


def _reminds(step: Step, offer: Action, space: Workspace) -> bool:
    """Whether all that a step may send is about what an action makes an offer on, and makes none."""
    found = _actions(step, space)
    return bool(found) and all(each.offer is None and _is_about(each, offer) for each in found)


def _is_about(action: Action, offer: Action) -> bool:
    if offer.product is not None:
        return action.product == offer.product
    return action.category == offer.category


def _after_deadline(program: Program, earliest_ms: int) -> str:
    deadline_ms = program.journey.guards.deadline
    if deadline_ms is None or earliest_ms < deadline_ms:
        return ""
    waits = f"the waits before it take {spelled(earliest_ms)} at least"
    return f"is never sent: {waits}, and the journey's deadline is {spelled(deadline_ms)}"


def _after_dates(program: Program, step: Step, earliest_ms: int, space: Workspace) -> str:
    """Of all that it may send, every action is over by then for whoever began while it was valid."""
    found = [_over(program, action, earliest_ms) for action in _actions(step, space)]
    return found[0] if found and all(found) else ""


def _over(program: Program, action: Action, earliest_ms: int) -> str:
    valid, trigger = action.valid, program.journey.trigger
    if valid.until is None:
        return ""
    waits = f"the waits before it take {spelled(earliest_ms)} at least"
    if isinstance(trigger, ScheduleTrigger) and trigger.schedule.once is not None:
        comes = trigger.schedule.once + timedelta(milliseconds=earliest_ms)
        # Local times of two zones are up to a day apart.
        if comes.date() > valid.until + timedelta(days=1):
            at_earliest = f"it comes on {comes.date()} at the earliest"
            return f"is never sent: {at_earliest}, and {action.id} is valid until {valid.until}"
        return ""
    if valid.from_ is None:
        return ""
    lasts_ms = ((valid.until - valid.from_).days + 1) * DAY_MS
    if earliest_ms < lasts_ms:
        return ""
    message = f"comes too late for whoever begins while {action.id} is valid"
    return f"{message}: {waits}, and it is valid for {spelled(lasts_ms)}"


def _next_channel_too_late(program: Program, step: Step, earliest_ms: int) -> Iterator[tuple[tuple[str, ...], str]]:
    """A fallback whose next channel comes after the deadline."""
    sending, guard_ms = step.sending, program.journey.guards.deadline
    left_ms = min(filter(None, (sending.deadline_ms, guard_ms and guard_ms - earliest_ms)), default=0)
    for word, awaited_ms in (("silent", sending.silent_ms), ("down", sending.down_ms)):
        if left_ms and awaited_ms and awaited_ms >= left_ms:
            message = f"never tries the next channel on {word}: {spelled(awaited_ms)}"
            yield ("fallback",), f"{message}, and by then the message has been worthless since {spelled(left_ms)}"
