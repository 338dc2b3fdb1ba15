"""Deduplication (Invariant 3): which inputs have had their turn, when, and with what answer.

A record's key is the profile and the key that makes two inputs the same (`engine.events.once`). Its column family is
called `seen`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from actors.storage import keys
from actors.storage.batch import Batch
from engine import codec
from engine.events import once
from engine.events.setting_back import clock_of
from engine.inputs import AnyInput
from engine.profile import Profile


@dataclass(frozen=True, slots=True)
class Earlier:
    """An input has had its turn before, with this answer."""

    value: dict[str, Any] | None


def find(batch: Batch, profile: Profile, key: bytes, told: AnyInput, now_ms: int) -> Earlier | None:
    """The answer that the same input had the first time; None where there was none, or too long ago."""
    raw = batch.get("seen", keys.profile_key(profile.id) + key)
    if raw is None:
        return None
    plain = codec.unseal(raw, "seen")
    if not once.is_remembered(told, int.from_bytes(plain[:8]), clock_of(profile, now_ms)):
        return None
    return Earlier(msgspec.msgpack.decode(plain[8:]) if len(plain) > 8 else None)


def remember(batch: Batch, profile: str, key: bytes | None, now_ms: int, value: dict[str, Any] | None) -> None:
    """Remember that an input has had its turn. Nothing is kept where it has no key, or could not count if it came
    again."""
    if key is not None and once.is_worth_remembering(key, now_ms):
        packed = b"" if value is None else msgspec.msgpack.encode(value)
        # a bare time says nothing of a person, so it needs no key; an answer does
        record, owner = codec.seal(now_ms.to_bytes(8) + packed), profile if packed else ""
        batch.put("seen", keys.profile_key(profile) + key, record, owner)


def forget_exposures(batch: Batch, profile: str, now_ms: int) -> None:
    """Drop the exposures whose tracking tokens have expired: they cannot be repeated. The caller commits."""
    home = keys.profile_key(profile)
    end = home + once.exposures_until(now_ms)
    for key, _ in batch.raw("seen", home + once.EXPOSURES):
        if key >= end:
            break
        batch.put("seen", key, None)
