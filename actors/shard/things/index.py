"""The index from things to the profiles that are interested in them, family `interests`: a key is the thing's place
among things (8 bytes, `engine.journeys.things.interests`) and the profile's id.

It follows the state: what a commit writes of a profile and what the index says of it are in one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from actors.storage import keys
from actors.storage.batch import Batch
from engine import codec
from engine.parts.of_journeys import Interest
from engine.profile import Profile, Tombstone

PLACE_BYTES: Final = 8
_INDEXED: Final = "interested"  # in a profile's memory: the places that the index has of it

Came = Callable[[str, Interest], None]  # a profile and an interest of it that the index did not have


def key_of(place: str, profile: str) -> bytes:
    """The key of a profile that is interested in the thing at a place."""
    return bytes.fromhex(place) + keys.profile_key(profile)


def profile_in(key: bytes) -> str:
    """The profile of a key."""
    return keys.profile_of(key[PLACE_BYTES:])


class InterestIndex:
    """One per shard. `came` is told each interest that is new here."""

    def __init__(self, batch: Batch, came: Came) -> None:
        self._batch = batch
        self._came = came

    def loaded(self, record: Profile | Tombstone) -> None:
        """A record was read from the store, and the index says of it what it says itself."""
        if isinstance(record, Profile) and record.interests:
            record.__dict__[_INDEXED] = _places(record)

    def follow(self, profile: str, record: Profile | Tombstone) -> None:
        """A record is about to be written: put what follows from it into the same batch."""
        if isinstance(record, Tombstone):
            self._put(profile, self._stored(profile), ())
        elif record.interests or _INDEXED in record.__dict__:
            was, now = record.__dict__.get(_INDEXED, []), _places(record)
            if was != now:
                record.__dict__[_INDEXED] = now
                self._put(profile, was, record.interests)

    def arrive(self, profile: str, record: bytes) -> None:
        """A profile has moved to this store, with a record of its state that is not locked."""
        found = codec.decode_record(record, f"state/{profile}")
        if isinstance(found, Profile):
            self._put(profile, [], found.interests)

    def drop(self, profile: str) -> None:
        """A profile has left this store."""
        self._put(profile, self._stored(profile), ())

    def after(self, place: str, profile: str) -> Iterator[str]:
        """The profiles that are interested in the thing at a place, in the order of their ids, from behind one on; from
        the first on where that is empty."""
        prefix = bytes.fromhex(place)
        for key, _ in self._batch.rows_after("interests", prefix, key_of(place, profile) if profile else prefix):
            yield profile_in(key)

    def _stored(self, profile: str) -> list[str]:
        raw = self._batch.get("state", keys.profile_key(profile))
        found = None if raw is None else codec.decode_record(raw, f"state/{profile}")
        return _places(found) if isinstance(found, Profile) else []

    def _put(self, profile: str, was: list[str], interests: list[Interest] | tuple[()]) -> None:
        before, now = set(was), {each.thing for each in interests}
        for place in before - now:
            self._batch.put("interests", key_of(place, profile), None)
        for each in interests:
            if each.thing not in before:
                self._batch.put("interests", key_of(each.thing, profile), b"")
                self._came(profile, each)


def _places(record: Profile) -> list[str]:
    return [each.thing for each in record.interests]
