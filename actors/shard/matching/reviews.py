"""The review queue of a shard: the entries of its profiles, and which of them have answered themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from actors.shard.state import ShardState
from actors.storage import keys
from engine import codec
from engine.errors import Corrupt
from engine.parts.of_identity import ReviewEntry
from engine.profile import Profile

_decoder = msgspec.msgpack.Decoder(ReviewEntry)


def of_profile(state: ShardState, profile: str) -> list[ReviewEntry]:
    """All entries of one profile, the oldest first."""
    found = [_entry(keys.profile_key(profile) + key, record) for key, record in state.records("reviews", profile)]
    return sorted(found, key=lambda entry: (entry.at_ms, entry.id))


def one(state: ShardState, profile: str, review: str) -> ReviewEntry | None:
    """One entry; None where there is none."""
    return next((entry for entry in of_profile(state, profile) if entry.id == review), None)


def listed(state: ShardState, kind: str, status: str, most: int) -> list[dict[str, Any]]:
    """The newest entries of a kind (empty: of any) in a state (`all`: in any), as plain data."""
    found = [
        entry
        for entry in _all(state)
        if kind in ("", entry.kind) and status in ("all", _state_now(state, entry)) and not _is_gone(state, entry)
    ]
    found.sort(key=lambda entry: (-entry.at_ms, entry.id))
    return [msgspec.to_builtins(entry) | {"state": _state_now(state, entry)} for entry in found[:most]]


def _all(state: ShardState) -> Iterator[ReviewEntry]:
    for key, record in state.batch.raw("reviews", b""):
        try:
            yield _entry(key, state.batch.unlock(record))
        except Corrupt:  # `unreadable` tells of it when somebody asks for this profile
            continue


def _entry(key: bytes, record: bytes) -> ReviewEntry:
    """An entry under its key: after a merge the profile is another one than when it was written."""
    try:
        found = _decoder.decode(codec.unseal(record, "reviews"))
    except msgspec.MsgspecError as error:
        raise Corrupt(str(error), "reviews") from error
    return msgspec.structs.replace(found, profile=keys.profile_of(key))


def _state_now(state: ShardState, entry: ReviewEntry) -> str:
    """Its state; `closed` where both profiles have become one by another way."""
    if entry.state != "open" or entry.kind not in ("candidate", "merge"):
        return entry.state
    record = state.record(entry.profile)
    is_one = isinstance(record, Profile) and (entry.other == record.id or entry.other in record.held)
    return "closed" if is_one else "open"


def _is_gone(state: ShardState, entry: ReviewEntry) -> bool:
    return not isinstance(state.record(entry.profile), Profile)
