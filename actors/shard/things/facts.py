"""The facts about things that a shard has been told, family `facts`. Every shard keeps every fact, and tells it to
those of its own profiles that are interested.

    0 + name            the fact
    1 + id              when it is due: a fact that is told again changes nothing
    2 + place + name    a fact that is being told or was told, by a place among things that it is about
    3 + name            how far telling it has come; gone when all were told
    4 + name            how many were told, and when the last one was
    5 + id + profile    the profile is still to be told, because it could not take the fact when its turn came

A name is when the fact is due (8 bytes) and its id (12 bytes), so facts are told in the order of time. A fact is kept
for a day after it was told: somebody whose interest comes here only then, with a merge, is told too.
"""

from __future__ import annotations

import heapq
from itertools import islice
from typing import Any, Final

import msgspec

from actors.shard.things.index import InterestIndex
from actors.storage import keys
from actors.storage.batch import Batch
from engine import codec
from engine.errors import Overloaded
from engine.events import once
from engine.inputs import Fact
from engine.parts.of_journeys import Interest
from engine.vocabulary import DAY_MS

WAITING_MAX: Final = 100_000
KEPT_MS: Final = DAY_MS
FACT, KNOWN, ABOUT, PROGRESS, DONE, LATE = (bytes([number]) for number in range(6))
_FAMILY: Final = "facts"
_TIME_BYTES: Final = 8
_ID_BYTES: Final = 12
_NAME_BYTES: Final = _TIME_BYTES + _ID_BYTES
_RETRY_MS: Final = 1_000
_FORGOTTEN_AT_ONCE: Final = 20
_SPANS_MS: Final = (60_000, 3_600_000, DAY_MS, 1 << 52)


class Progress(msgspec.Struct, array_like=True):
    """How far telling a fact has come: the places that it is about (None: it has not begun), the place that is being
    gone through, the last profile there, and how many were told."""

    places: list[str] | None = None
    at: int = 0
    after: str = ""
    told: int = 0


class Done(msgspec.Struct, array_like=True):
    """What has become of a fact: the places that it was about, how many were told, and when all but the late were."""

    places: list[str]
    told: int
    at_ms: int


_facts = msgspec.msgpack.Decoder(Fact)
_progress = msgspec.msgpack.Decoder(Progress)
_done = msgspec.msgpack.Decoder(Done)
encode = msgspec.msgpack.Encoder(order="deterministic").encode


def progress_of(record: bytes) -> Progress:
    """How far a fact has come, from its record."""
    return _progress.decode(codec.unseal(record, _FAMILY))


def done_of(record: bytes) -> Done:
    """What has become of a fact, from its record."""
    return _done.decode(codec.unseal(record, _FAMILY))


def late_parts(key: bytes) -> tuple[bytes, str]:
    """The id of the fact and the profile in the key of one who is still to be told."""
    return key[1 : 1 + _ID_BYTES], keys.profile_of(key[1 + _ID_BYTES :])


class Facts:
    """One per shard. The caller commits. `totals` counts over the store's whole life how often somebody was told."""

    def __init__(self, batch: Batch, totals: dict[str, int]) -> None:
        self._batch = batch
        self.totals = {"told": 0} | totals
        self.index = InterestIndex(batch, self._came)
        self._queue = [key[1:] for key, _ in batch.raw(_FAMILY, PROGRESS)]  # sorted, so it is a heap
        self.late = sum(1 for _ in batch.raw(_FAMILY, LATE))
        self._kept = next(batch.raw(_FAMILY, ABOUT), None) is not None  # whether any fact has been told lately

    def __len__(self) -> int:
        """How many wait, or are being told."""
        return len(self._queue)

    def next_ms(self) -> int | None:
        """When the next fact is due; None where none waits."""
        return int.from_bytes(self._queue[0][:_TIME_BYTES]) if self._queue else None

    def first(self) -> bytes:
        """The name of that fact."""
        return self._queue[0]

    # -- what it is told

    def take(self, fact: Fact, due_ms: int) -> bool:
        """Keep a fact until it is due; False where it is known already. Raises Overloaded where too many wait."""
        if self._batch.get(_FAMILY, KNOWN + bytes.fromhex(fact.fact)) is not None:
            return False
        if len(self._queue) >= WAITING_MAX:
            raise Overloaded(_RETRY_MS)
        name = max(0, due_ms).to_bytes(_TIME_BYTES) + bytes.fromhex(fact.fact)
        self._put(FACT + name, encode(fact))
        self._put(KNOWN + name[_TIME_BYTES:], name[:_TIME_BYTES])
        self.reach(name, Progress())
        heapq.heappush(self._queue, name)
        return True

    # -- telling it

    def fact(self, name: bytes) -> Fact:
        """A fact by its name."""
        found = self._batch.get(_FAMILY, FACT + name)
        assert found is not None, "a fact is kept until all were told"
        return _facts.decode(codec.unseal(found, _FAMILY))

    def progress(self, name: bytes) -> Progress:
        """How far telling a fact has come."""
        found = self._batch.get(_FAMILY, PROGRESS + name)
        assert found is not None, "it waits"
        return progress_of(found)

    def reach(self, name: bytes, progress: Progress) -> None:
        """Telling a fact has come so far."""
        self._put(PROGRESS + name, encode(progress))

    def begin(self, name: bytes, places: list[str]) -> Progress:
        """Begin to tell a fact: from now on, whoever comes with an interest in one of these places is told too."""
        for place in places:
            self._batch.put(_FAMILY, ABOUT + bytes.fromhex(place) + name, b"")
            self._kept = True
        return Progress(places, told=self.progress(name).told)

    def finish(self, name: bytes, progress: Progress, now_ms: int) -> None:
        """All were told. The fact that is finished is always the first."""
        assert heapq.heappop(self._queue) == name, "facts are told one after the other"
        self._batch.put(_FAMILY, PROGRESS + name, None)
        self._put(DONE + name, encode(Done(progress.places or [], progress.told, now_ms)))

    def is_told(self, profile: str, fact: Fact) -> bool:
        """Whether a profile has been told a fact."""
        key = once.key_of(fact)
        assert key is not None, "every fact has an id"
        return self._batch.get("seen", keys.profile_key(profile) + key) is not None

    # -- who could not be told yet

    def put_late(self, fact_id: bytes, profile: str) -> None:
        """A profile is still to be told a fact."""
        key = LATE + fact_id + keys.profile_key(profile)
        if self._batch.get(_FAMILY, key) is None:
            self._batch.put(_FAMILY, key, b"")
            self.late += 1

    def late_rows(self, after: bytes, most: int) -> list[tuple[bytes, str, Fact | None]]:
        """Some of those who are still to be told, behind a key: a key, the profile, and the fact; None where that is
        forgotten."""
        found = []
        for key in islice(self._batch.keys_from(_FAMILY, (after or LATE) + b"\x00"), most):
            fact_id, profile = late_parts(key)
            due = self._batch.get(_FAMILY, KNOWN + fact_id)
            fact = None if due is None else self.fact(codec.unseal(due, _FAMILY) + fact_id)
            found.append((key, profile, fact))
        return found

    def drop_late(self, key: bytes) -> None:
        """A profile was told, or nobody is there."""
        if self._batch.get(_FAMILY, key) is not None:
            self._batch.put(_FAMILY, key, None)
            self.late -= 1

    def count_late(self, fact: Fact) -> None:
        """One of the late was told."""
        self.totals["told"] += 1
        due = self._batch.get(_FAMILY, KNOWN + bytes.fromhex(fact.fact))
        name = b"" if due is None else codec.unseal(due, _FAMILY) + bytes.fromhex(fact.fact)
        done = self._done(name)
        if done is not None:
            self._put(DONE + name, encode(Done(done.places, done.told + 1, done.at_ms)))
        elif name:
            progress = self.progress(name)
            progress.told += 1
            self.reach(name, progress)

    def _came(self, profile: str, interest: Interest) -> None:
        """An interest is new here. Facts that are older than it are not about it; of the others the profile may have
        been told elsewhere."""
        if not self._kept:
            return
        for key in list(self._batch.keys_under(_FAMILY, ABOUT + bytes.fromhex(interest.thing))):
            name = key[-_NAME_BYTES:]
            if interest.at_ms <= int.from_bytes(name[:_TIME_BYTES]) and not self.is_told(profile, self.fact(name)):
                self.put_late(name[_TIME_BYTES:], profile)

    # -- afterwards

    def forget(self, now_ms: int) -> None:
        """Drop some facts that were told long enough ago."""
        for key in list(islice(self._batch.keys_under(_FAMILY, FACT), _FORGOTTEN_AT_ONCE)):
            name = key[1:]
            done = self._done(name)
            if done is None or done.at_ms > now_ms - KEPT_MS:
                return
            about = [ABOUT + bytes.fromhex(place) + name for place in done.places]
            for gone in (FACT + name, KNOWN + name[_TIME_BYTES:], DONE + name, *about):
                self._batch.put(_FAMILY, gone, None)

    def newest(self, most: int, now_ms: int) -> list[dict[str, Any]]:
        """The newest facts with what has become of them, the newest first."""
        names: list[bytes] = []
        for span_ms in _SPANS_MS:
            start = FACT + max(0, now_ms - span_ms).to_bytes(_TIME_BYTES)
            names = [key[1:] for key in self._batch.keys_from(_FAMILY, start) if key.startswith(FACT)]
            if len(names) >= most:
                break
        return [self._shown(name) for name in reversed(names[-most:])]

    def _shown(self, name: bytes) -> dict[str, Any]:
        fact, done = self.fact(name), self._done(name)
        return {
            "fact": fact.fact,
            "kind": fact.kind,
            "id": fact.id,
            "event": fact.event,
            "at": fact.at_ms,
            "told": self.progress(name).told if done is None else done.told,
            "waits": done is None,
        }

    def _done(self, name: bytes) -> Done | None:
        found = self._batch.get(_FAMILY, DONE + name)
        return None if found is None else done_of(found)

    def _put(self, key: bytes, plain: bytes) -> None:
        self._batch.put(_FAMILY, key, codec.seal(plain))
