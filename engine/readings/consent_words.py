"""Consent as clients read it: the word on record, what waits to be confirmed, and the answer to a new word."""

from __future__ import annotations

from typing import Any

from engine.consent.recording import Heard
from engine.contact.consents import has_effect
from engine.profile import ConsentRecord, Profile
from engine.readings.instants import iso


def consents(known: Profile) -> list[dict[str, Any]]:
    """Each (purpose, channel) with the word on record, its receipt, and whether it has effect."""
    return [_word(record) | {"effective": has_effect(known, record)} for record in known.consent]


def awaiting(known: Profile) -> list[dict[str, Any]]:
    """Each yes whose source may not grant it: it has no effect until the person confirms it."""
    return [_word(record) for record in known.awaiting]


def receipt(profile_id: str, heard: Heard) -> dict[str, Any]:
    """The answer to who states consent."""
    new = heard.record
    return {
        "profileId": profile_id,
        "receiptId": new.receipt,
        "granted": new.granted,
        "effective": heard.is_effective,
        "reason": heard.reason,
        "against": [_word(no) for no in heard.against],
    }


def _word(record: ConsentRecord) -> dict[str, Any]:
    shown = {
        "purpose": record.purpose,
        "channel": record.channel,
        "granted": record.granted,
        "at": iso(record.at_ms),
        "source": record.source,
        "receiptId": record.receipt,
        "text": record.text,
    }
    return shown | ({"key": record.key} if record.key else {}) | ({"binds": "address"} if record.address else {})
