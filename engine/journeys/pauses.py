"""Applies the active catalog to the runs and sends of a profile, whichever catalog they began under.

Some of them are over, some wait, some go on again, and some move on to another version
(`engine.journeys.steps.edits`). This is settled when the profile's next turn begins, because no profile is visited when
a catalog changes. A timer or send that waits for a pause to end is never due. When a catalog resumes something, the
shard wakes the profile. A timer is then due again when it was before the pause, so an overdue one does what its step's
`late` says (`docs/decisions/0019-what-may-go-on-is-for-the-catalog-that-stands.md`).
"""

from __future__ import annotations

from engine.catalog import statuses
from engine.catalog.compiled import Catalog
from engine.journeys import life, stops
from engine.journeys.steps import edits
from engine.journeys.stopping import lasting_stops
from engine.profile import Profile, Run
from engine.sends import sends
from engine.turn_state import Turn
from engine.vocabulary import NEVER_MS


def settle(turn: Turn) -> None:
    """End runs that are over, withdraw sends that must not leave any more, resume those whose pause has ended."""
    is_asked = lasting_stops.are_any(turn.catalog)
    for run in turn.profile.runs:
        if run.state == "active":
            reason = _over(turn.profile, turn.catalog, run, turn.now_ms, is_asked=is_asked)
            if reason:
                stops.end_run(turn, run, reason)
                continue
            if run.version != turn.catalog.version and not run.parent:
                edits.make(turn, run)
                again = run.state == "active" and _over(turn.profile, turn.catalog, run, turn.now_ms, is_asked=is_asked)
                if again:  # the version that it goes on in has stops of its own
                    stops.end_run(turn, run, again)
            if run.state == "active" and run.due_ms == NEVER_MS and not statuses.waits(turn.catalog, run):
                _wake(turn, run)
    stops.withdraw_lasting(turn)
    # A list of its own, because a withdrawn send leaves the profile's.
    for send in [send for send in turn.profile.sends if send.state == "decided"]:
        reason = statuses.send_ended(turn.catalog, send, turn.now_ms)
        if reason:
            sends.withdraw(turn, send, reason)
        elif send.next_ms == NEVER_MS and not statuses.send_waits(turn.catalog, send):
            sends.resume(turn, send)


def is_settled(profile: Profile, catalog: Catalog, now_ms: int) -> bool:
    """Whether `settle` would change nothing."""
    is_asked = lasting_stops.are_any(catalog)
    for run in profile.runs:
        if run.state == "active" and (
            _over(profile, catalog, run, now_ms, is_asked=is_asked)
            or (run.version != catalog.version and not run.parent and edits.is_due(profile, run, catalog))
            or (run.due_ms == NEVER_MS and not statuses.waits(catalog, run))
        ):
            return False
    return not any(
        send.state == "decided"
        and (
            statuses.send_ended(catalog, send, now_ms)
            or (send.next_ms == NEVER_MS and not statuses.send_waits(catalog, send))
        )
        for send in profile.sends
    )


def is_resumed(was: Catalog, catalog: Catalog) -> bool:
    """Whether anything that waits under the catalog `was` goes on, or is over, under the next one."""
    journeys = any(
        statuses.paused(was, name) and statuses.paused(catalog, name) != statuses.paused(was, name)
        for name in was.journeys
    )
    return journeys or any(
        action.status == "paused" and (name not in catalog.actions or catalog.actions[name].status != "paused")
        for name, action in was.actions.items()
    )


def wait(turn: Turn, run: Run, step: str, was_due_ms: int = 0) -> None:
    """Let a run wait for a pause to end. Its timer is then due at `was_due_ms`; 0 means when the pause ends."""
    run.was_due_ms = was_due_ms
    if run.due_ms != NEVER_MS:
        life.pause(turn, run, step)


def _over(profile: Profile, catalog: Catalog, run: Run, now_ms: int, *, is_asked: bool) -> str:
    """The reason for which a run is over, without anything that has happened; empty where it goes on. `is_asked`: there
    may be stops that last."""
    reason = statuses.ended(catalog, run.journey, run.version)
    return reason if reason or not is_asked else lasting_stops.over(profile, catalog, run, now_ms)


def _wake(turn: Turn, run: Run) -> None:
    due_ms = run.was_due_ms or turn.now_ms
    run.was_due_ms = 0
    if not run.awaits:
        run.held_ms = 0  # a pause does not count for how long a message waits for its reason to change
    life.wait(turn, run, due_ms, stops.step_id(turn.catalog, run), "resumed")
