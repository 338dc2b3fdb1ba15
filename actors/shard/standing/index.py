"""Where every active run of a shard stands: in which version of its journey, at which step.

The index follows the state: what a commit writes of a profile and what the index says of it are in one batch. Its keys
are those of the journey, the profile and the run, so all runs of one customer in a journey lie side by side, and a
customer is counted once wherever they stand. It answers what a plan asks without a look at anybody's state. A store
without the index, one of an earlier version, gets it beside the shard's work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from itertools import groupby
from typing import Final

import msgspec

from actors.shard.activation import Activation, Record
from actors.storage import keys
from actors.storage.batch import Batch
from engine import codec
from engine.catalog.editing.plan import Place
from engine.errors import Corrupt, NotReady
from engine.journeys import edits
from engine.profile import Profile

HASH_BYTES: Final = 8
_AT_ONCE: Final = 200  # records that are indexed between two groups of turns: a few ms
_PROFILE: Final = slice(HASH_BYTES, HASH_BYTES + keys.PROFILE_BYTES)


Places = dict[tuple[str, str], Place]  # by journey and run
_place = msgspec.msgpack.Decoder(Place)


class Standing:
    """One per shard. `is_whole` says whether the store has a row for every active run."""

    def __init__(self, batch: Batch, cache: Activation, visits: dict[str, str], *, is_whole: bool) -> None:
        self._batch, self._cache = batch, cache
        self.visits = visits  # who is still to be woken (`actors.shard.standing.visits`)
        is_empty = next(iter(batch.raw("state", b"")), None) is None
        self._after: bytes | None = None if is_whole or is_empty else b""  # up to here everybody has rows; None: all

    @property
    def is_whole(self) -> bool:
        """Whether every active run has its row."""
        return self._after is None

    @property
    def is_busy(self) -> bool:
        """Whether there is more work beside the shard's turns."""
        return self._after is not None or bool(self.visits)

    # -- following the state

    def loaded(self, profile: str, record: Record) -> None:
        """A record comes to memory as the store has it."""
        if places := _places(record):
            self._cache.standing[profile] = places

    def committed(self, profile: str, record: Record) -> None:
        """A record goes to the store."""
        before, now = self._cache.standing.get(profile), _places(record)
        if now == (before or {}):
            return
        self._cache.standing[profile] = now
        for where, place in now.items():
            if before is None or before.get(where) != place:
                self._batch.put("standing", _key(profile, *where), _packed(place))
        for where in (before or {}).keys() - now.keys():
            self._batch.put("standing", _key(profile, *where), None)

    def left(self, profile: str, record: Record | None) -> None:
        """A profile has left for another store."""
        for key, _ in rows_of(profile, record):
            self._batch.put("standing", key, None)

    # -- what is asked

    def counted(self, journey: str, after: bytes, most: int) -> tuple[dict[tuple[bytes, ...], int], bytes]:
        """How many customers stand in a journey, by the places of their runs (packed, in order of the runs), for about
        so many rows; and the profile that was counted last, empty where it was the last of all.

        A customer counts as they are in this moment; the caller goes on behind the last one, so nobody counts twice.
        NotReady while the index is being made.
        """
        if self._after is not None:
            raise NotReady("where everybody stands is still being looked up, since the engine is new to this data")
        found: Counter[tuple[bytes, ...]] = Counter()
        seen, last = 0, b""
        for last, runs in groupby(self._rows(journey, after), lambda row: row[0][_PROFILE]):
            places = tuple(record for _, record in runs)
            found[places] += 1
            seen += len(places)
            if seen >= most:
                return dict(found), last
        return dict(found), b""

    def rows(self, journey: str, after: bytes, most: int) -> list[tuple[str, bytes]]:
        """Some runs in a journey, behind those of one profile: their profiles, and their places, packed."""
        found: list[tuple[str, bytes]] = []
        for last, runs in groupby(self._rows(journey, after), lambda row: row[0][_PROFILE]):
            found += [(last.hex(), record) for _, record in runs]
            if len(found) >= most:
                break
        return found

    def _rows(self, journey: str, after: bytes) -> Iterator[tuple[bytes, bytes]]:
        prefix = hash_of(journey)
        start = prefix + after + (b"\xff" * len(bytes.fromhex(keys.NO_RUN)) + b"\x00" if after else b"")
        for key, record in self._batch.stored_from("standing", start):
            if not key.startswith(prefix):
                return
            yield key, record

    # -- making it

    def work(self) -> None:
        """Index some more records, where that is still to be done; the caller commits."""
        if self._after is None:
            return
        done = 0
        for key in self._batch.keys_from("state", self._after + b"\x00"):
            if done == _AT_ONCE:
                return
            self._after, done = key, done + 1
            profile = keys.profile_of(key)
            try:
                raw = self._batch.get("state", key)
                record = self._cache.get(profile) or (None if raw is None else codec.decode_record(raw, profile))
            except Corrupt:
                continue  # what cannot be read is told elsewhere, and stands nowhere
            for row, place in rows_of(profile, record):
                self._batch.put("standing", row, place)
        self._after = None


def rows_of(profile: str, record: Record | None) -> list[tuple[bytes, bytes]]:
    """The rows of a profile."""
    return [(_key(profile, *where), _packed(place)) for where, place in _places(record).items()]


def read(record: bytes) -> Place:
    """A place from its packed form."""
    return _place.decode(codec.unseal(record, "standing"))


def hash_of(journey: str) -> bytes:
    """How the rows of a journey begin."""
    return blake2b(journey.encode(), digest_size=HASH_BYTES).digest()


def profile_in(row: bytes) -> str:
    """The profile that a row is about, from its key."""
    return row[_PROFILE].hex()


def _key(profile: str, journey: str, run: str) -> bytes:
    return hash_of(journey) + keys.profile_key(profile) + bytes.fromhex(run)


def _packed(place: Place) -> bytes:
    return codec.seal(msgspec.msgpack.encode(place))


def _places(record: Record | None) -> Places:
    """Where the runs of a profile stand. One that is on its way to another profile takes no turns of its own, and
    stands nowhere."""
    if not isinstance(record, Profile) or record.moving_to or not record.runs:
        return {}
    return {
        (run.journey, run.id): Place(run.version, run.edition, tuple(positions))
        for run, positions in edits.standing(record)
    }
