"""How many of a shard's records are known people, shared values, open reviews …: kept with every commit, never scanned.

A record counts under labels (`engine.readings.identity_figures`). A commit that changes it adds the difference to what
it counted as before, and the sums are a fact of the shard. A store that lacks the fact (an older, a restored or a
resharded one), or whose catalog says anew which identifiers make somebody known, is counted anew: some records at a
time, beside the shard's work. Until then, a record behind the one that was looked at last does not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from actors.shard.activation import Activation, Record
from actors.storage import keys
from actors.storage.batch import Batch
from engine import codec
from engine.catalog.compiled import Catalog
from engine.errors import Corrupt
from engine.parts.of_identity import ReviewEntry
from engine.readings import identity_figures

_AT_ONCE: Final = 200  # takes a few ms

_review = msgspec.msgpack.Decoder(ReviewEntry)


class People:
    """One per shard. `kept` is what `fact` gave before this start; None where nothing did."""

    def __init__(self, batch: Batch, cache: Activation, catalog: Catalog, kept: dict[str, Any] | None) -> None:
        self._batch, self._cache = batch, cache
        self._counts: Counter[str] = Counter()
        self._upto: bytes | None = None  # the key up to which records are counted; None: all of them are
        self.knowing = identity_figures.knowing(catalog.identity)
        if kept is not None and kept["knowing"] == sorted(self.knowing):
            self._counts.update(kept["counts"])
        else:
            self._count_anew()

    @property
    def is_counted(self) -> bool:
        """Whether every record counts."""
        return self._upto is None

    @property
    def is_busy(self) -> bool:
        """Whether there is more to count."""
        return not self.is_counted

    def fact(self) -> dict[str, Any] | None:
        """The counts for the store; None while they are not whole."""
        if self._upto is not None:
            return None
        counts = {label: count for label, count in sorted(self._counts.items()) if count}
        return {"knowing": sorted(self.knowing), "counts": counts}

    def counts(self) -> dict[str, int] | None:
        """The counts by label; None while they are not whole."""
        return dict(self._counts) if self._upto is None else None

    def judge_by(self, catalog: Catalog) -> None:
        """The catalog has changed: where other identifiers make somebody known now, count anew."""
        knowing = identity_figures.knowing(catalog.identity)
        if knowing != self.knowing:
            self.knowing = knowing
            self._count_anew()

    def count(self, label: str) -> int:
        """How many count under a label, of those that are counted so far."""
        return self._counts[label]

    # -- changes

    def loaded(self, profile: str, record: Record) -> None:
        """A record comes to memory as the store has it."""
        self._cache.counted[profile] = identity_figures.labels_of(record, self.knowing)

    def committed(self, profile: str, record: Record) -> None:
        """A record goes to the store."""
        labels, before = identity_figures.labels_of(record, self.knowing), self._cache.counted.get(profile, ())
        if labels != before:
            self._cache.counted[profile] = labels
            self._change(profile, labels, before)

    def reviewed(self, profile: str, before: bytes | None, after: bytes | None) -> None:
        """An entry of the review queue changes from one record to another one; None: it is not there."""
        self._change(profile, _labels(after), _labels(before))

    @staticmethod
    def is_open(review: bytes) -> bool:
        """Whether an entry of the review queue waits for its answer."""
        return _entry(review).state == "open"

    def forgotten(self, profile: str) -> None:
        """A profile is about to be erased, and its entries in the review queue with it."""
        for _, review in self._batch.rows("reviews", keys.profile_key(profile), unreadable_too=False):
            self.reviewed(profile, review, None)

    def of_profile(self, profile: str, record: Record | None) -> Counter[str]:
        """All that counts under a profile's key: its record, and its entries in the review queue."""
        found = Counter(() if record is None else identity_figures.labels_of(record, self.knowing))
        for _, review in self._batch.rows("reviews", keys.profile_key(profile), unreadable_too=False):
            found.update(_labels(review))
        return found

    def leaves(self, profile: str, counted: Mapping[str, int]) -> None:
        """A profile has left for another store."""
        self._change(profile, (), Counter(counted).elements())

    def arrives(self, profile: str, counted: Mapping[str, int]) -> None:
        """A profile has come from another store."""
        self._change(profile, Counter(counted).elements(), ())

    def _change(self, profile: str, added: Iterable[str], removed: Iterable[str]) -> None:
        if self._upto is None or keys.profile_key(profile) <= self._upto:
            self._counts.update(added)
            self._counts.subtract(removed)

    # -- counting anew

    def _count_anew(self) -> None:
        self._counts.clear()
        is_empty = next(iter(self._batch.raw("state", b"")), None) is None
        self._upto = None if is_empty else b""

    def work(self) -> bool:
        """Count some more records, between two groups; True while there are more."""
        if self._upto is None:
            return False
        looked = 0
        for key in self._batch.keys_from("state", self._upto + b"\x00"):
            if looked == _AT_ONCE:
                return True
            self._upto, looked = key, looked + 1
            profile = keys.profile_of(key)
            try:
                raw = self._batch.get("state", key)
                record = None if raw is None else codec.decode_record(raw)
                self._counts.update(self.of_profile(profile, record))
            except Corrupt:
                continue  # what cannot be read is told elsewhere, and counts as nobody
            if record is not None and profile in self._cache.counted:
                self.loaded(profile, record)
        self._upto = None
        return False


def _labels(review: bytes | None) -> tuple[str, ...]:
    if review is None:
        return ()
    return identity_figures.labels_of_review(_entry(review))


def _entry(review: bytes) -> ReviewEntry:
    return _review.decode(codec.unseal(review, "reviews"))
