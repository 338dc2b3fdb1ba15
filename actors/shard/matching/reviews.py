"""The review queue of a shard: the entries that stand beside its profiles."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from actors.shard.state import ShardState
from actors.storage import keys
from engine import codec
from engine.errors import Corrupt, NotFound
from engine.inputs import Reviewed
from engine.parts.of_identity import ReviewEntry
from engine.profile import Tombstone
from engine.readings import identity_figures, review_words

OF_A_WRITE_KEY_MAX: Final = 200  # open entries of a shard that one write key has caused; more are left out

_decoder = msgspec.msgpack.Decoder(ReviewEntry)


def of_profile(state: ShardState, profile: str) -> list[ReviewEntry]:
    """All entries of one profile, the oldest first."""
    found = [_entry(keys.profile_key(profile) + key, record) for key, record in state.records("reviews", profile)]
    return sorted(found, key=lambda entry: (entry.at_ms, entry.id))


def one(state: ShardState, profile: str, review: str) -> dict[str, Any]:
    """One entry as plain data; NotFound where there is none."""
    found = next((entry for entry in of_profile(state, profile) if entry.id == review), None)
    if found is None:
        raise NotFound("there is no such entry", "review")
    return review_words.plain(found)


def as_stored(state: ShardState, profile: str, told: Reviewed) -> Reviewed:
    """An answer with its entry as it is now: it may have been decided since it was read. Raises NotFound where it has
    gone."""
    found = next((entry for entry in of_profile(state, profile) if entry.id == told.entry.id), None)
    if found is None:
        raise NotFound("there is no such entry", "review")
    return msgspec.structs.replace(told, entry=found)


def has_room(state: ShardState, entry: ReviewEntry) -> bool:
    """Whether an entry may stand in the queue. Write keys stand in web pages, so anybody can cause entries by them; the
    timelines of the profiles tell the same without a bound."""
    if not entry.public or entry.state != "open":
        return True
    return state.people.count(identity_figures.label_of_write_key(entry.source)) < OF_A_WRITE_KEY_MAX


def listed(state: ShardState, kind: str, most: int) -> list[dict[str, Any]]:
    """The newest entries of a kind (empty: of any), open ones first, and those that write keys have caused behind the
    others, as plain data."""
    found = (entry for entry in _all(state) if kind in ("", entry.kind))
    newest = heapq.nlargest(
        most, found, key=lambda entry: (entry.state == "open", not entry.public, entry.at_ms, entry.id)
    )
    return [review_words.plain(entry) for entry in newest]


def whereabouts(state: ShardState, profiles: Sequence[str]) -> dict[str, str]:
    """Where each of these profiles lives, of those whose places are here: itself, or where its tombstone points."""
    found: dict[str, str] = {}
    for profile in profiles:
        record = None if state.batch.get("state", keys.profile_key(profile)) is None else state.record(profile)
        if record is not None:
            found[profile] = record.to if isinstance(record, Tombstone) else profile
    return found


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
