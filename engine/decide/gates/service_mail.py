"""The gate for service messages to an e-mail address or a telephone. None goes to an unverified address that was stated
after its event happened, and only so many go to one address in a day."""

from __future__ import annotations

from engine.contact import addresses
from engine.decide.gates.candidates import Candidates, Departure
from engine.identity import holding
from engine.parts.of_identity import Link
from engine.profile import Run, Send
from engine.turn_state import Turn
from engine.vocabulary import MINUTE_MS, SERVICE_CAP

_GOOD_MS = MINUTE_MS  # a place counts from when it was given, so a send that leaves much later asks for it anew


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


def _objection(turn: Turn, channel: str, tier: str, run: Run | None, *, but_for: str = "") -> str | None:
    """The reason against a send, None where it may go. `but_for` is a send that is about to leave: it is not counted
    against itself."""
    link = _goes_to(turn, channel) if tier == "service" else None
    if link is None:
        return None
    if run is not None and addresses.is_too_early(turn.catalog, link, run):
        return f"fit.unverified_{link.namespace}"
    return f"cap.{SERVICE_CAP}" if holding.is_full(turn, link, but_for, is_decided=not but_for) else None


def counted_elsewhere(turn: Turn, send: Send) -> Link | None:
    """The unverified address that a send goes to, where another profile counts for it and has not given it a place."""
    if send.tier != "service" or not turn.catalog.service_per_address:
        return None
    if send.room == "given" and turn.now_ms - send.next_ms <= _GOOD_MS:
        return None
    link = _goes_to(turn, send.channel)
    is_elsewhere = link is not None and not link.verified and holding.is_counted_elsewhere(turn, link)
    return link if is_elsewhere else None


def _goes_to(turn: Turn, channel: str) -> Link | None:
    """The address that a channel reaches this person at, where it is one that can be verified."""
    rule = turn.catalog.channels.get(channel)
    if rule is None or rule.address not in addresses.NAMESPACES:
        return None
    return addresses.current(turn.profile, rule.address)
