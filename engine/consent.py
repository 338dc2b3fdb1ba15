"""Consent by purpose and channel, and the token without which no send can be built (Invariant 5, mission B9).

A record stands for one (purpose, channel); `*` stands for all of either. Scoped and general facts never imply one
another: a denial that covers a (purpose, channel) holds, whatever else was granted. Among records of one scope the
latest by event time counts, and a denial wins a tie.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.catalog.compiled import Catalog
from engine.inputs import ConsentChange
from engine.profile import ConsentRecord, Profile
from engine.turn_state import Turn

NOT_NEEDED = "not needed"
BY_DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class ConsentToken:
    """The right to use one channel for one purpose, as read in this turn. Made by `token` alone."""

    profile: str
    purpose: str
    channel: str
    basis: str
    read_ms: int


def basis(profile: Profile, catalog: Catalog, purpose: str, channel: str) -> str | None:
    """On what consent rests: a receipt's id, `default` or `not needed`; None where there is no consent."""
    grant = None
    for record in profile.consent:
        if record.purpose in (purpose, "*") and record.channel in (channel, "*"):
            if not record.granted:
                return None
            grant = record.receipt
    if grant is not None:
        return grant
    rule = catalog.purposes.get(purpose)
    if rule is None:
        return None
    if channel not in rule.channels:
        return NOT_NEEDED
    return BY_DEFAULT if rule.default else None


def is_granted(profile: Profile, catalog: Catalog, purpose: str, channel: str) -> bool:
    """Whether this purpose may use this channel now."""
    return basis(profile, catalog, purpose, channel) is not None


def token(turn: Turn, purpose: str, channel: str) -> ConsentToken | None:
    """The capability to send, None where there is no consent."""
    found = basis(turn.profile, turn.catalog, purpose, channel)
    return None if found is None else ConsentToken(turn.profile.id, purpose, channel, found, turn.now_ms)


def record(turn: Turn, change: ConsentChange) -> ConsentRecord:
    """Write a change down with its receipt; returns the record that now stands (an older change loses to a newer
    one)."""
    profile = turn.profile
    receipt = turn.id_of("consent", profile.id, change.purpose, change.channel, change.at_ms, int(change.granted))
    new = ConsentRecord(
        change.purpose, change.channel, change.granted, change.at_ms, change.source, receipt, change.text
    )
    standing = _standing(profile, change.purpose, change.channel)
    counts = standing is None or (new.at_ms, not new.granted) >= (standing.at_ms, not standing.granted)
    if counts:
        if standing is not None:
            profile.consent.remove(standing)
        profile.consent.append(new)
        profile.consent.sort(key=lambda known: (known.purpose, known.channel))
    turn.note(
        "consent",
        f"{change.purpose} on {change.channel} {'granted' if change.granted else 'withdrawn'}",
        channel=change.channel,
        source=change.source,
        outcome="granted" if change.granted else "withdrawn",
        reason="" if counts else "superseded",
        detail={"receipt": receipt, "purpose": change.purpose, "at": change.at_ms, "text": change.text},
    )
    return new if counts or standing is None else standing


def merge(profile: Profile, arriving: list[ConsentRecord]) -> None:
    """After an absorb the strictest word counts: a denial on either side stands until it is lifted anew."""
    for new in arriving:
        standing = _standing(profile, new.purpose, new.channel)
        if standing is None:
            profile.consent.append(new)
        elif (not new.granted, new.at_ms) > (not standing.granted, standing.at_ms):
            profile.consent.remove(standing)
            profile.consent.append(new)
    profile.consent.sort(key=lambda known: (known.purpose, known.channel))


def _standing(profile: Profile, purpose: str, channel: str) -> ConsentRecord | None:
    for known in profile.consent:
        if known.purpose == purpose and known.channel == channel:
            return known
    return None
