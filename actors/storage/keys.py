"""The keys of records on disk. They sort in the order in which records are read.

A profile's id is 15 bytes: slot (2), hash (12), epoch (1). Numbers are big-endian, so that they sort by value. A key
that belongs to a profile starts with its id. When two profiles merge, a record keeps the rest of its key; `origin_of`
keeps their pasts apart.
"""

from __future__ import annotations

from functools import lru_cache

PROFILE_BYTES = 15

# Families whose keys begin with a profile's id.
OF_PROFILE = ("history", "audit", "seen", "journal", "snapshots", "sandbox", "merges", "reviews")

NO_RUN = "00" * 12  # as long as the id of a run

FAMILIES = (
    "meta",
    "journal",
    "state",
    "history",
    "audit",
    "seen",
    "strangers",
    "timers",
    "outbox",
    "messages",
    "staged",
    "dead",
    "keyring",
    "snapshots",
    "sandbox",
    "merges",
    "reviews",
    "blocks",
    "interests",
    "facts",
    "standing",
)


def profile_key(profile: str) -> bytes:
    """The key of a profile's state, and the prefix of its other keys."""
    return bytes.fromhex(profile)


def profile_of(key: bytes) -> str:
    """The profile id that a key starts with."""
    return key[:PROFILE_BYTES].hex()


def origin_of(profile: str) -> bytes:
    """Four bytes that tell one profile's records from another's after a merge."""
    return bytes.fromhex(profile[4:12])


def page_key(profile: str, number: int) -> bytes:
    """A page of the history: sorts by the profile whose past it is, then by the time when it left the state."""
    return profile_key(profile) + origin_of(profile) + number.to_bytes(4)


def audit_key(profile: str, seq: int) -> bytes:
    """Sorts by chain, then by position in it."""
    return _chain(profile) + seq.to_bytes(4)


@lru_cache(maxsize=1_024)  # a turn may write a hundred entries of one chain
def _chain(profile: str) -> bytes:
    return profile_key(profile) + origin_of(profile)


def timer_key(due_ms: int, profile: str, run: str, generation: int) -> bytes:
    """Sorts by due time, then profile."""
    return due_ms.to_bytes(8) + profile_key(profile) + bytes.fromhex(run) + generation.to_bytes(4)


def wake_key(due_ms: int, profile: str) -> bytes:
    """The key of a timer of a profile that belongs to none of its journey runs."""
    return timer_key(due_ms, profile, NO_RUN, 0)


def timer_parts(key: bytes) -> tuple[int, str, str, int]:
    """The due time, profile, run and generation of a timer's key."""
    return int.from_bytes(key[:8]), key[8:23].hex(), key[23:-4].hex(), int.from_bytes(key[-4:])


def outbox_key(at_ms: int, profile: str, send: str) -> bytes:
    """Sorts by next attempt, then profile. A send that a dispatcher has been given stands at time 0."""
    return at_ms.to_bytes(8) + profile_key(profile) + bytes.fromhex(send)


def outbox_parts(key: bytes) -> tuple[int, str, str]:
    """The time, profile and send of an outbox key."""
    return int.from_bytes(key[:8]), key[8:23].hex(), key[23:].hex()


def message_key(sender: str, seq: int) -> bytes:
    """Sorts by (sender, sequence), the order of delivery."""
    return profile_key(sender) + seq.to_bytes(4)


def journal_key(profile: str, number: int) -> bytes:
    """Sorts by profile, then by the order in which its shard took its inputs. Snapshots have the same keys."""
    return profile_key(profile) + number.to_bytes(8)


def number_key(number: int) -> bytes:
    """A position in the dead letters."""
    return number.to_bytes(8)


def staged_key(at_ms: int, number: int) -> bytes:
    """Sorts by (time, arrival)."""
    return at_ms.to_bytes(8) + number.to_bytes(8)


def merge_key(profile: str, merge_id: str) -> bytes:
    """The states of two profiles around a merge."""
    return profile_key(profile) + bytes.fromhex(merge_id)


def review_key(profile: str, review_id: str) -> bytes:
    """A profile's entry of the review queue."""
    return profile_key(profile) + bytes.fromhex(review_id)
