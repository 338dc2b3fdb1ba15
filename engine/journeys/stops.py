"""Stop conditions: an event that ends runs before anything else of its turn happens
(`docs/design/stops.md`).

A stop ends every run that it covers and whose triggering event is not after it, by (event time, arrival): a purchase
that arrives late, or together with the cart that it settles, stops that cart's run; a cart filled after the purchase
is not touched. An event from a clock that runs ahead counts from when it was heard. Sends that the ended run had
decided and not handed over are withdrawn, and so is the send step that it was parked at.

A global stop of a tier also covers the sends of that tier in journeys of other tiers. A decided send is withdrawn; a
send that its run comes to later is held. The run itself goes on, because its journey is of another tier. A journey's
own stop concerns the runs whose key its event carries.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from engine.catalog import inner_events
from engine.catalog.compiled import Catalog, Step
from engine.catalog.triggers import StopRule
from engine.journeys import life, run_keys
from engine.journeys.stopping import lasting_stops
from engine.profile import Run, Send
from engine.recent_events import Happened
from engine.sends import life as send_life
from engine.sends import sends
from engine.turn_state import Turn


def rules_for(catalog: Catalog, run: Run, event: Happened) -> list[StopRule]:
    """The stop rules for an event's name that a run is under: the global ones of the active catalog, and its journey's
    own where the event is about this run."""
    journey = catalog.of_version(run.version).journeys.get(run.journey)
    rules = [rule for rule in catalog.stops_on.get(event.name, ()) if rule.tier in (None, run.tier)]
    if journey is not None:
        own = [rule for rule in journey.stops if rule.on.event == event.name]
        rules += own if own and run_keys.is_about(journey, run, event) else []
    return rules


def apply(turn: Turn, event: Happened) -> None:
    """End every run that `event` stops, and withdraw what ended runs had decided and not handed over."""
    catalog = turn.catalog
    is_stop = event.name in catalog.stop_names
    for run in _unfinished(turn):
        if not is_stop and run.version == catalog.version:
            continue  # no rule of this catalog is on this event, as on most: nothing more to ask
        if run.triggered <= (event.counts_ms, event.seq):
            for rule in rules_for(catalog, run, event):
                if rule.on.passes(event.properties, run.trigger):
                    _stop(turn, run, f"stop.{rule.id}", event)
                    break
    if event.name in catalog.stops_on:
        _withdraw_of_tiers(turn, event)


def apply_lasting(turn: Turn) -> None:
    """End the runs for which a lasting stop holds by now, and withdraw what it covers."""
    profile, catalog = turn.profile, turn.catalog
    if not lasting_stops.are_any(catalog):
        return
    for run in _unfinished(turn):
        reason = lasting_stops.over(profile, catalog, run, turn.now_ms)
        if reason and run.state == "active":
            end_run(turn, run, reason)
        elif reason:
            withdraw_sends(turn, run, reason)
    withdraw_lasting(turn)


def withdraw_lasting(turn: Turn) -> None:
    """Withdraw the sends of a tier for which a lasting stop holds, whatever their run's tier is."""
    if not turn.catalog.lasting_stops:
        return
    for send in list(turn.profile.sends):
        run = _run_of(turn, send)
        reason = _lasting(turn, run, _tiers(turn.catalog, send)) if run is not None else ""
        if reason:
            sends.let_go(turn, send, reason)


def _lasting(turn: Turn, run: Run, tiers: Collection[str]) -> str:
    return lasting_stops.of_tiers(turn.profile, turn.catalog, run, turn.now_ms, tiers)


def apply_history(turn: Turn) -> None:
    """Stop runs after a merge: the events of both sides count for the runs of both."""
    for run in _unfinished(turn):
        stop = stop_on_record(turn, run)
        if stop is not None:
            _stop(turn, run, *stop)
    for send in list(turn.profile.sends):
        of = _run_of(turn, send)
        reason = _tier_stop(turn, of, _tiers(turn.catalog, send)) if of is not None else ""
        if reason:
            sends.let_go(turn, send, reason)
    apply_lasting(turn)


def of_send(turn: Turn, run: Run, name: str) -> str:
    """The reason of a stop of its own tier that covers an action which a run is about to send; empty without.

    Only a send of another tier than its journey's is looked at: a run of the stopped tier would have ended.
    """
    action = turn.catalog.of_version(run.version).actions.get(name)
    now = turn.catalog.actions.get(name)
    tiers = {each.tier for each in (action, now) if each is not None} - {run.tier}
    return _tier_stop(turn, run, tiers) or _lasting(turn, run, tiers)


def reason_against(turn: Turn, run: Run, action: str, event: Happened) -> str:
    """The reason of a stop by this event that ends a run, or is about the tier of an action that it sends; empty where
    there is none, or the run was triggered after the event."""
    if run.triggered > (event.counts_ms, event.seq) or _is_trigger(event, run):
        return ""
    rules = [rule for rule in rules_for(turn.catalog, run, event) if rule.on.passes(event.properties, run.trigger)]
    known = turn.catalog.of_version(run.version).actions.get(action)
    rules += _rules_of(turn.catalog, {known.tier} if known is not None else set(), event, run.trigger)
    return f"stop.{rules[0].id}" if rules else ""


def _unfinished(turn: Turn) -> list[Run]:
    """Active runs, and ended runs with a send that is not settled."""
    waiting = {send.run for send in turn.profile.sends}
    return [run for run in turn.profile.runs if run.state == "active" or run.id in waiting]


def _stop(turn: Turn, run: Run, reason: str, event: Happened) -> None:
    if run.state == "active":
        end_run(turn, run, reason, by=event)
    else:
        withdraw_sends(turn, run, reason)


def withdraw_sends(turn: Turn, run: Run, reason: str) -> None:
    """Withdraw what a run has decided and not handed over; what is being handed over, where it comes back."""
    for send in [send for send in turn.profile.sends if send.run == run.id]:
        sends.let_go(turn, send, reason)


def _run_of(turn: Turn, send: Send) -> Run | None:
    return next((run for run in turn.profile.runs if run.id == send.run), None)


def _withdraw_of_tiers(turn: Turn, event: Happened) -> None:
    """A stop of a tier withdraws the sends of that tier that were triggered before it, also of runs that go on."""
    for send in list(turn.profile.sends):
        rules = _rules_of(turn.catalog, _tiers(turn.catalog, send), event, send.trigger)
        run = _run_of(turn, send) if rules else None
        if rules and (run is None or run.triggered <= (event.counts_ms, event.seq)):
            sends.let_go(turn, send, f"stop.{rules[0].id}")


def _tier_stop(turn: Turn, run: Run, tiers: Collection[str]) -> str:
    """The reason of a stop of one of `tiers` that happened since a run was triggered; empty without."""
    if not any(rule.tier in tiers for rule in turn.catalog.stops):  # spares most sends a walk through the history
        return ""
    found = _on_record(turn, run, lambda event: _rules_of(turn.catalog, tiers, event, run.trigger))
    return found[0] if found is not None else ""


def _rules_of(catalog: Catalog, tiers: Collection[str], event: Happened, trigger: Mapping[str, Any]) -> list[StopRule]:
    rules = catalog.stops_on.get(event.name, ())
    return [rule for rule in rules if rule.tier in tiers and rule.on.passes(event.properties, trigger)]


def _tiers(catalog: Catalog, send: Send) -> tuple[str, ...]:
    """The tier that a send was decided as, and the one that its action has now."""
    action = catalog.actions.get(send.action)
    return (send.tier,) if action is None else (send.tier, action.tier)


def stop_on_record(turn: Turn, run: Run) -> tuple[str, Happened] | None:
    """The reason and the event of a stop that the history already holds for a run; None without.

    The event that triggered a run does not stop it: a journey that thanks for a purchase starts with one.
    """
    catalog = turn.catalog
    return _on_record(
        turn,
        run,
        lambda event: [r for r in rules_for(catalog, run, event) if r.on.passes(event.properties, run.trigger)],
    )


def _on_record(turn: Turn, run: Run, rules_on: Callable[[Happened], list[StopRule]]) -> tuple[str, Happened] | None:
    for event in turn.profile.history.newest():
        if (event.at_ms, event.seq) < run.triggered:
            return None  # they come newest first by their own time, so all others are older still
        if (event.counts_ms, event.seq) < run.triggered:
            continue  # its clock ran ahead: it was heard before the trigger
        rules = rules_on(event)
        if rules and not _is_trigger(event, run):
            return f"stop.{rules[0].id}", event
    return None


def _is_trigger(event: Happened, run: Run) -> bool:
    """Whether an event is the one that triggered a run. After a merge two events may share their time and number, so
    their properties are compared too."""
    return (event.at_ms, event.seq, event.properties) == (run.trigger_ms, run.trigger_seq, run.trigger)


def end_run(turn: Turn, run: Run, reason: str, by: Happened | None = None) -> None:
    """Close a run for `reason`, and with a branch the run that it is of: its timers are dropped, its undelivered sends
    are withdrawn, all of it is noted."""
    run = life.root_of(turn.profile, run)
    family = [run, *life.branches_of(turn.profile, run)]
    parked = [(each, step) for each in family if (step := parked_send(turn.catalog, each)) is not None]
    state = life.end(turn, run, "stop", step_id(turn.catalog, run), reason)
    fields = {"journey": run.journey, "run": run.id}
    turn.note(
        "stop",
        f"{run.journey} stopped by {inner_events.in_words(by.name, by.properties) if by else reason}",
        reason=reason,
        outcome=state,
        message_id=by.message_id if by else "",
        channel=by.channel if by else "",
        **fields,
    )
    for each in family:
        withdraw_sends(turn, each, reason)
    for each, step in parked:
        turn.note(
            "send",
            f"{step.action} withdrawn before it was due",
            journey=each.journey,
            run=each.id,
            channel=step.channel,
            step=step.id,
            action=step.action,
            outcome=send_life.never_begun("withdraw"),
            reason=reason,
        )


def parked_send(catalog: Catalog, run: Run) -> Step | None:
    """The send that a run's pending timer leads to without a further condition."""
    journey = catalog.of_version(run.version).journeys.get(run.journey)
    if journey is None or not run.due_ms or run.position >= len(journey.steps):
        return None
    step = journey.steps[run.position]
    if step.kind == "send":
        return None if run.awaits else step
    if step.kind not in ("wait", "wait_for"):
        return None
    position = run.position + 1 if step.kind == "wait" else step.on_timeout
    while position < len(journey.steps) and journey.steps[position].kind == "jump":
        position = journey.steps[position].target
    following = journey.steps[position] if position < len(journey.steps) else None
    return following if following is not None and following.kind == "send" else None


def step_id(catalog: Catalog, run: Run) -> str:
    """The id of the step that a run is at, empty at the end."""
    journey = catalog.of_version(run.version).journeys.get(run.journey)
    return journey.steps[run.position].id if journey and run.position < len(journey.steps) else ""
