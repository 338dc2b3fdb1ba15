"""Writes statements about consent down, each with its receipt (Invariant 5).

A no is lifted by a later yes of the same or a wider scope, and by nothing else; at equal times the no wins. A yes that
lifts a no takes its place, so every no that is on record stands. `engine.contact.consents` says what records mean.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.consent import authority
from engine.contact.consents import against, covers
from engine.inputs import ConsentChange
from engine.profile import ConsentRecord, Profile, Word
from engine.turn_state import Turn
from engine.values import stated_time

WITHOUT_EFFECT = "without_effect"
AWAITING = "awaiting_confirmation"


@dataclass(frozen=True, slots=True)
class Heard:
    """A recorded statement: its record, the reason for which it has no effect, and the records against it."""

    record: ConsentRecord
    reason: str  # empty, `superseded`, `a_no_stands` or `awaiting_confirmation`
    against: list[ConsentRecord]

    @property
    def is_effective(self) -> bool:
        """Whether it changes what may be sent."""
        return not self.reason


def record(turn: Turn, change: ConsentChange) -> Heard:
    """Write a statement down with its receipt, and note its effect."""
    heard = _hear(turn, change)
    new, stated = heard.record, "granted" if change.granted else "withdrawn"
    turn.note(
        "consent",
        f"{change.purpose} on {change.channel} {stated}{'' if heard.is_effective else ', without effect'}",
        channel=change.channel,
        source=change.source,
        outcome=stated if heard.is_effective else WITHOUT_EFFECT,
        reason=heard.reason,
        detail={
            "receipt": new.receipt,
            "purpose": new.purpose,
            "stated": stated,
            "at": new.at_ms,
            "text": new.text,
            **({"key": change.key} if change.key else {}),
            **({"against": [no.receipt for no in heard.against]} if heard.against else {}),
        },
    )
    return heard


def merge(profile: Profile, other: Profile) -> None:
    """Take in the records of an absorbed profile. Of one scope the stricter counts: a no on either side stands until it
    is lifted anew."""
    for new in other.consent:
        known = _same(profile.consent, new)
        if known is None:
            profile.consent.append(new)
        elif (not new.granted, new.at_ms) > (not known.granted, known.at_ms):
            _replace(profile.consent, known, new)
    for new in other.awaiting:
        known = _same(profile.awaiting, new)
        if known is None or new.at_ms > known.at_ms:
            _replace(profile.awaiting, known, new)
    profile.consent.sort(key=_order)
    profile.awaiting.sort(key=_order)


def distrust(profile: Profile) -> None:
    """Make every yes of a profile await confirmation, because a write key's word merges it into another person's."""
    granted = [record for record in profile.consent if record.granted]
    profile.consent = [record for record in profile.consent if not record.granted]
    for new in granted:
        _replace(profile.awaiting, _same(profile.awaiting, new), new)


def _hear(turn: Turn, change: ConsentChange) -> Heard:
    profile = turn.profile
    at_ms = stated_time.of_consent(change.at_ms, turn.now_ms, granted=change.granted, imported=change.imported)
    scope = (change.purpose, change.channel)
    parts = ("consent", profile.id, *scope, at_ms, int(change.granted), *((change.address,) if change.address else ()))
    new = ConsentRecord(
        *scope, change.granted, at_ms, change.source, turn.id_of(*parts), change.text, change.address, change.key
    )
    if change.granted and not authority.may_grant(turn.catalog, change.source, change.purpose, public=change.public):
        _replace(profile.awaiting, _same(profile.awaiting, new), new)
        profile.awaiting.sort(key=_order)
        return Heard(new, AWAITING, against(profile, *scope))
    newer = _newer(profile, new)
    if newer is not None:
        return Heard(new, "superseded", [] if newer.granted else [newer])
    _write(profile, new, lifts_addresses=not change.public)
    noes = against(profile, *scope) if new.granted else []
    is_covered = bool(noes) and covers(noes[0], *scope)
    return Heard(new, "a_no_stands" if is_covered else "", noes)


def _newer(profile: Profile, new: ConsentRecord) -> ConsentRecord | None:
    """The record that makes a statement come too late: a newer one of its own scope, or for a no a yes that would have
    lifted it."""
    known = _same(profile.consent, new)
    if known is not None and (new.at_ms, not new.granted) < (known.at_ms, not known.granted):
        return known
    if new.granted:
        return None
    # A no that binds an address is not lifted by a yes that was said of the person, or of another address.
    lifting = (yes for yes in profile.consent if yes.granted and _lifts(yes, new) and new.address in ("", yes.address))
    return next(lifting, None)


def _write(profile: Profile, new: ConsentRecord, *, lifts_addresses: bool) -> None:
    """Put a record in the place of that of its own scope; a yes also in the place of every no that it lifts."""

    def goes(known: ConsentRecord) -> bool:
        if _scope(known) == _scope(new):
            return True
        return new.granted and not known.granted and (lifts_addresses or not known.address) and _lifts(new, known)

    gone = [known for known in profile.consent if goes(known)]
    new.lifted = _lifted_at_addresses(new, gone)
    profile.consent = sorted([*(known for known in profile.consent if not goes(known)), new], key=_order)
    profile.awaiting = [known for known in profile.awaiting if _scope(known) != _scope(new)]


def is_lifted(profile: Profile, purpose: str, channel: str, at_ms: int, address: str) -> bool:
    """Whether this person has lifted this very no of an address. Its place keeps it, for others who have the address,
    and says it again whenever it is asked."""
    return any(
        (no.purpose, no.channel, no.at_ms, no.address[:-2]) == (purpose, channel, at_ms, address[:-2])
        for record in profile.consent
        for no in record.lifted
    )


def _lifted_at_addresses(new: ConsentRecord, gone: list[ConsentRecord]) -> list[Word]:
    """Each no of an address that a record lifts, and those that the records before it had lifted: the newest of a
    scope."""
    found = {_scope(no): no for record in gone for no in sorted(record.lifted, key=lambda no: no.at_ms) if no.address}
    if new.granted:
        found |= {_scope(no): plain(no) for no in gone if not no.granted and no.address}
    return list(found.values())


def plain(no: ConsentRecord) -> Word:
    """A record less what it has lifted itself."""
    return Word(*(getattr(no, name) for name in Word.__struct_fields__))


def _lifts(yes: ConsentRecord, no: ConsentRecord) -> bool:
    return yes.at_ms > no.at_ms and covers(yes, no.purpose, no.channel)


def _scope(record: Word) -> tuple[str, str, str]:
    return record.purpose, record.channel, record.address


_order = _scope


def _same(records: list[ConsentRecord], new: ConsentRecord) -> ConsentRecord | None:
    return next((known for known in records if _scope(known) == _scope(new)), None)


def _replace(records: list[ConsentRecord], known: ConsentRecord | None, new: ConsentRecord) -> None:
    if known is not None:
        records.remove(known)
    records.append(new)
