"""Entries into journeys: which ones an event starts for this customer, and why it does not start the others."""

from __future__ import annotations

from typing import Final

from engine import limits
from engine.catalog import inner_events, statuses
from engine.catalog.compiled import Journey
from engine.catalog.triggers import ThingFact
from engine.conditions.predicates import tree_of
from engine.contact import addresses
from engine.explain.deciding_part import Failing, failing
from engine.journeys import life, outcomes, refusals, run_keys, stops, waits
from engine.journeys.stopping import lasting_stops
from engine.journeys.things import interests
from engine.profile import Run
from engine.recent_events import Happened
from engine.turn_state import Turn
from engine.view import View

_OF_TIME: Final = frozenset((inner_events.SCHEDULE, inner_events.DATE))  # nobody told them, also in an event's turn
_ENDED_KEPT = 16  # ended runs that a profile remembers for people who ask; the timeline has all of them


def enter(
    turn: Turn,
    event: Happened,
    *,
    only: Journey | None = None,
    told_ms: int | None = None,
    is_of_time: bool = False,
) -> list[Run]:
    """Start a run of every live journey that `event` triggers; of `only` that one, where it is set. An event older than
    the lateness window starts none, nor does an inner event that such a one (of `told_ms`) has caused. One that
    `is_of_time` was caused by no event."""
    journeys = turn.catalog.entered_by.get(event.name) if only is None else (only,)
    if not journeys:
        return []
    view = turn.view(trigger=event.properties)
    at_ms = event.at_ms if told_ms is None or is_of_time else min(event.at_ms, told_ms)
    is_public = turn.is_public and not is_of_time and event.name not in _OF_TIME
    started = []
    for journey in journeys:
        if journey.trigger.where(event.properties) and _is_meant(turn, journey, event):
            run = _enter(turn, view, journey, event, at_ms, is_public=is_public)
            if run is not None:
                started.append(run)
    return started


def _is_meant(turn: Turn, journey: Journey, event: Happened) -> bool:
    """Whether a trigger is this customer's: a fact about a thing is told to all who may be interested in it."""
    begins = journey.begins
    if not isinstance(begins, ThingFact):
        return True
    return interests.is_interested(turn, begins, event.properties["thing"]["id"], event.at_ms)


def _enter(turn: Turn, view: View, journey: Journey, event: Happened, at_ms: int, *, is_public: bool) -> Run | None:
    key = run_keys.key_of(journey, event)
    if at_ms < turn.now_ms - turn.catalog.lateness_ms:
        reason = refusals.LATE
    elif not journey.when(view):
        reason = refusals.CONDITION
    else:
        reason = _reason_against(turn, journey, key, event)
    if not reason:
        return _start(turn, journey, key, event, is_public=is_public)
    refusals.refuse(turn, journey, event, reason, key=key, behind=lambda: behind(view, journey))
    return None


def behind(view: View, journey: Journey) -> Failing | None:
    """The part of a journey's condition that does not hold; None where it holds."""
    return failing(tree_of(journey.when), view, at=("when",))


def forget_ended(turn: Turn) -> None:
    """Keep the newest ended runs, all that a re-entry rule or an outcome may still ask for, and those that have a send
    open. Nobody asks for ended branches. Every turn walks and writes all runs, so what began one is kept only while an
    event may ask for it."""
    open_sends = {send.run for send in turn.profile.sends}
    ended = [run for run in turn.profile.runs if run.state != "active" and run.id not in open_sends]
    branches = [run for run in ended if run.parent]
    if branches:
        life.forget(turn.profile, branches)
        ended = [run for run in ended if not run.parent]
    late_ms = turn.now_ms - turn.catalog.lateness_ms
    for run in ended:
        if run.trigger and run.ended_ms < late_ms and not outcomes.may_come(turn.catalog, run, turn.now_ms):
            run.trigger = {}
    if len(ended) > _ENDED_KEPT:
        life.forget(turn.profile, [run for run in ended[:-_ENDED_KEPT] if not _is_asked_for(turn, run)])


def _is_asked_for(turn: Turn, run: Run) -> bool:
    journey = turn.catalog.journeys.get(run.journey)
    is_recent = journey is not None and turn.now_ms - run.ended_ms < journey.after_ms
    return is_recent or outcomes.may_come(turn.catalog, run, turn.now_ms)


def _reason_against(turn: Turn, journey: Journey, key: str, event: Happened) -> str:
    """Why a journey whose condition holds is not entered for this key; empty where it is."""
    active = 0
    for run in turn.profile.runs:
        if run.journey != journey.id or run.parent or run_keys.kept(run.key) != key:
            continue
        if run.state == "active":
            active += 1
        # A run that the operator or a new catalog has ended keeps nobody out.
        elif not statuses.is_word(run.ended_by) and turn.now_ms - run.ended_ms < journey.after_ms:
            return refusals.RE_ENTRY
    if active >= journey.concurrent:
        return refusals.CONCURRENT
    if journey.status != "live":
        return statuses.OF_JOURNEY[journey.status]
    return "" if limits.has_room_for_run(turn.profile, event.properties) else refusals.NO_ROOM


def _start(turn: Turn, journey: Journey, key: str, event: Happened, *, is_public: bool) -> Run | None:
    """A new run, unless something that happened later by its own time has already stopped it."""
    profile = turn.profile
    run = Run(
        id=turn.id_of("run", profile.id, journey.id, key, event.at_ms, event.seq),
        journey=journey.id,
        version=turn.catalog.version,
        key=key,
        tier=journey.tier,
        entered_ms=turn.now_ms,
        trigger_ms=event.at_ms,
        trigger_seq=event.seq,
        trigger=event.properties,
        public=is_public,
        told_at=addresses.unverified(turn.profile, turn.catalog, event.at_ms),
    )
    waits.begin_with(turn, run, event)
    stop = stops.stop_on_record(turn, run)
    lasting = lasting_stops.over(profile, turn.catalog, run, turn.now_ms)
    if stop is None and lasting:
        refusals.refuse(turn, journey, event, lasting, key=key, words="a stop holds")
        return None
    if stop is not None:
        reason, stopped_by = stop
        words = f"{stopped_by.name} came after its trigger"
        refusals.refuse(turn, journey, event, reason, key=key, words=words)
        return None
    refusals.forget(profile, journey.id, key)
    life.enter(profile, run)
    turn.note(
        "journey",
        f"{journey.id} entered by {inner_events.in_words(event.name, event.properties)}",
        journey=journey.id,
        run=run.id,
        outcome="entered",
        message_id=event.message_id,
        channel=event.channel,
    )
    return run
