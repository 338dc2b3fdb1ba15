"""The gates for messages to an e-mail address or a telephone. Nothing goes there before the address's own place has
answered. No service message goes to an unverified address that was stated after its event happened, and only so many go
to one address in a day."""

from __future__ import annotations

from engine.contact import addresses
from engine.decide.gates.candidates import Candidates, Departure
from engine.identity import lending
from engine.profile import Run
from engine.turn_state import Turn
from engine.vocabulary import SERVICE_CAP


def spared(candidates: Candidates, alive: int) -> int:
    """Drop a journey's send that its address may not get; sends that still wait count too."""
    channel, action = candidates.plan.channel, candidates.plan.actions[0]
    reason = _objection(candidates.turn, channel, action.tier, candidates.run)
    return alive ^ candidates.drop(reason, alive) if reason else alive


def is_spared(leaving: Departure) -> str | None:
    """A decided send must be one that its address may get; only sends that have left count."""
    turn, send = leaving.turn, leaving.send
    run = next((run for run in turn.profile.runs if run.id == send.run), None)
    return _objection(turn, send.channel, send.tier, run, but_for=send.id)


def is_answered(leaving: Departure) -> str | None:
    """A send waits for the answer of its address's place no longer than its channel tries."""
    send, channel = leaving.send, leaving.turn.catalog.channels.get(leaving.send.channel)
    if send.room not in ("claimed", "asked") or channel is None:
        return None
    return f"fit.unanswered_{channel.address}" if leaving.turn.now_ms > send.decided_ms + channel.retry_for_ms else None


def _objection(turn: Turn, channel: str, tier: str, run: Run | None, *, but_for: str = "") -> str | None:
    """The reason against a send, None where it may go. `but_for` is a send that is about to leave: it is not counted
    against itself."""
    link = addresses.of_channel(turn.profile, turn.catalog, channel) if tier == "service" else None
    if link is None:
        return None
    if run is not None and addresses.is_too_early(turn.catalog, link, run):
        return f"fit.unverified_{link.namespace}"
    return f"cap.{SERVICE_CAP}" if lending.is_full(turn, link, but_for, is_decided=not but_for) else None
