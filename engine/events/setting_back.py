"""Sets back the times of a customer whose last turn was taken by a clock that ran ahead, once the clock is right again.

Two clocks of one engine may be a minute apart. Within that minute a turn's clock is simply never behind the customer's
last turn. A last turn further ahead was taken by a wrong clock. All that it wrote really happened before now, so every
time that lies ahead becomes now, and the order stays. Then a place under a cap counts for its whole window from now on,
a timer is no further away than its step says, a decided send goes now, and the next statement of a consent or a trait
is later than the last.
"""

from __future__ import annotations

from typing import Final

import msgspec

from engine.effects import Enqueue
from engine.journeys import life
from engine.journeys.steps import moments, parking
from engine.journeys.watching import look
from engine.profile import Place, Profile, Promise, Run, Send
from engine.recent_events import Part, history_order
from engine.turn_state import Turn
from engine.values.stated_time import FUTURE_MS_MAX
from engine.vocabulary import MINUTE_MS, NEVER_MS

AHEAD_MS: Final = MINUTE_MS


def is_ahead(profile: Profile, now_ms: int) -> bool:
    """Whether the last turn lies so far ahead that the clock was wrong then."""
    return profile.clock_ms > now_ms + AHEAD_MS


def clock_of(profile: Profile, now_ms: int) -> int:
    """The clock of a turn that begins when the engine's clock says `now_ms`."""
    return now_ms if is_ahead(profile, now_ms) and not profile.moving_to else max(now_ms, profile.clock_ms)


def set_back(turn: Turn) -> None:
    """Bring every time of this customer that lies ahead to now, and say so. A profile that is merging into another one
    is left as it is, and is set back when it arrives."""
    if not turn.profile.moving_to:
        ahead_ms = turn.profile.clock_ms - turn.now_ms
        bring_back(turn)
        turn.note("clock", f"set back by {ahead_ms // 1000} s", outcome="set_back", detail={"by_ms": ahead_ms})


def bring_back(turn: Turn) -> None:
    """Bring every time that lies ahead to now."""
    profile, now_ms = turn.profile, turn.now_ms
    ahead_ms = profile.clock_ms - now_ms
    profile.clock_ms, profile.created_ms = now_ms, min(profile.created_ms, now_ms)
    _what_was_stated(turn)
    look.bring_back(profile, now_ms)
    for place in profile.places:
        _shorten(place, place.at_ms, now_ms)
    for promise in profile.promises:
        _shorten(promise, promise.shown_ms, now_ms)
    for part in (
        *profile.ledger,
        *profile.lent,
        *profile.refused,
        *profile.fatigue.values(),
        *profile.drawn.values(),
    ):
        _bring(part, now_ms, now_ms)
    for send in profile.sends:
        _send(turn, send, ahead_ms)
    for run in profile.runs:
        _run(turn, run)


def _what_was_stated(turn: Turn) -> None:
    profile, now_ms = turn.profile, turn.now_ms
    latest_ms = now_ms + FUTURE_MS_MAX
    for link in profile.identifiers:
        for word in (link, link.publicly, link.verified_by):
            if word is not None:
                _bring(word, latest_ms, now_ms)
    traits = [*profile.traits.values(), *profile.of_device.values()]
    others = (word for trait in traits for word in trait.others)
    for part in (*profile.consent, *profile.awaiting, *traits, *others):
        _bring(part, now_ms, now_ms)
    profile.locale_ms, profile.timezone_ms = min(profile.locale_ms, now_ms), min(profile.timezone_ms, now_ms)
    for times in profile.tallies.values():
        times[:] = sorted(now_ms if at_ms > latest_ms else at_ms for at_ms in times)
    for details in profile.details.values():
        for detail in details:
            _bring(detail, latest_ms, now_ms)
        details.sort(key=lambda detail: detail.at_ms)
    events = profile.history.events
    if any(event.at_ms > latest_ms for event in events):
        brought = [msgspec.structs.replace(e, at_ms=now_ms, heard_ms=0) if e.at_ms > latest_ms else e for e in events]
        profile.history = sorted(brought, key=history_order)


def _bring(part: Part, latest_ms: int, now_ms: int, but: tuple[str, ...] = ()) -> None:
    """Every time of a part that is later than `latest_ms` becomes now."""
    for name in part.__struct_fields__:
        if name.endswith("_ms") and name not in but and getattr(part, name) > latest_ms:
            setattr(part, name, now_ms)


def _shorten(part: Place | Promise, begun_ms: int, now_ms: int) -> None:
    """Let a place or a promise that lies ahead last from now on as long as it would have lasted."""
    part.expires_ms -= max(0, begun_ms - now_ms) if part.expires_ms else 0
    _bring(part, now_ms, now_ms, but=("expires_ms",))


def _send(turn: Turn, send: Send, ahead_ms: int) -> None:
    was_ms = send.waits_ms
    _bring(send, turn.now_ms, turn.now_ms, but=("next_ms",))
    if turn.now_ms < send.next_ms < NEVER_MS:  # a retry too early does no harm, but one a day late does
        send.next_ms = max(turn.now_ms, send.next_ms - ahead_ms)
    if send.waits_ms != was_ms:
        turn.effects.append(Enqueue(send.id, send.waits_ms, send.dispatcher, was_ms))


def _run(turn: Turn, run: Run) -> None:
    if run.trigger_ms > turn.now_ms + FUTURE_MS_MAX:
        run.trigger_ms = turn.now_ms
    _bring(run, turn.now_ms, turn.now_ms, but=("due_ms", "was_due_ms", "trigger_ms"))
    journey = parking.program(turn, run)
    if run.state != "active" or not run.due_ms or journey is None or run.position >= len(journey.steps):
        return
    step = journey.steps[run.position]  # a held send has no `for_ms`: it is due now, and its reason is asked anew
    latest_ms = moments.of(turn, run, step.until, turn.now_ms)[0] if step.until else turn.now_ms + step.for_ms
    if run.due_ms == NEVER_MS:  # a pause has put it off
        run.was_due_ms = min(run.was_due_ms, latest_ms)
    elif run.due_ms > latest_ms:
        life.wait(turn, run, latest_ms, step.id, "reset")
