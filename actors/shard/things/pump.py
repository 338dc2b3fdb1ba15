"""Tells a fact to those who are interested in its thing, some at a time, beside the other work of a shard.

How far it has come is written with the turns that it causes, in one batch. So a crash neither loses nor repeats
anybody. Whoever cannot be told when their turn comes, because their profile is on its way to another place, is
remembered and told later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from actors.shard.state import ShardState
from actors.shard.things.facts import Facts, Progress
from engine.catalog.compiled import Catalog
from engine.inputs import AnyInput, Fact
from engine.journeys.things import interests
from engine.merging import erasure
from engine.profile import Tombstone

_LATE_EVERY_MS: Final = 500
_LATE_AT_ONCE: Final = 100

Tell = Callable[[str, AnyInput], bool]


def interested(facts: Facts, catalog: Catalog, fact: Fact) -> Iterator[str]:
    """The profiles that are told of a fact, each once."""
    found = {profile for place in interests.places_of(catalog, fact) for profile in facts.index.after(place, "")}
    return iter(sorted(found))


class Pump:
    """One per shard, on the wall clock. `tell` gives a profile a turn, as `Shard.tell_or_forward` does; `pinned` are
    the profiles of this shard that live in processes of their own, and `has_left` says whether one is there. The caller
    commits."""

    def __init__(
        self, state: ShardState, tell: Tell, pinned: Callable[[], list[str]], has_left: Callable[[str], bool]
    ) -> None:
        self._state, self._facts = state, state.facts
        self._tell, self._pinned, self._has_left = tell, pinned, has_left
        self._late_ms, self._late_after = 0, b""
        self.elsewhere: dict[bytes, tuple[str, Fact]] = {}  # by the key of its row: to be told at another process

    @property
    def is_busy(self) -> bool:
        """Whether somebody is to be told now."""
        return len(self._facts) > 0

    def work(self, most: int) -> int:
        """Tell some; returns how many were told."""
        told = self._tell_late() if self._facts.late else 0
        while told < most and self._facts:
            told += max(1, self._tell_some(self._facts.first(), most - told))
        return told

    def _tell_some(self, name: bytes, most: int) -> int:
        facts, fact = self._facts, self._facts.fact(name)
        progress = facts.progress(name)
        if progress.places is None:
            progress = facts.begin(name, interests.places_of(self._state.catalog, fact))
            for profile in self._pinned() if progress.places else ():
                facts.put_late(bytes.fromhex(fact.fact), profile)
        if progress.places is None or progress.at >= len(progress.places):
            facts.finish(name, progress, self._state.clock.now_ms())
            return 0
        place = progress.places[progress.at]
        found = list(islice(facts.index.after(place, progress.after), most))
        told = sum(self._tell_one(profile, fact) for profile in found)
        if len(found) < most:
            facts.reach(name, Progress(progress.places, progress.at + 1, "", progress.told + told))
        else:
            facts.reach(name, Progress(progress.places, progress.at, found[-1], progress.told + told))
        return len(found)

    def _tell_one(self, profile: str, fact: Fact) -> bool:
        if self._facts.is_told(profile, fact):
            return False
        if not self._tell(profile, fact):
            self._facts.put_late(bytes.fromhex(fact.fact), profile)
            return False
        self._facts.totals["told"] += 1
        return True

    def _tell_late(self) -> int:
        """Try those again who could not be told, now and then."""
        now_ms = self._state.clock.now_ms()
        if now_ms < self._late_ms:
            return 0
        self._late_ms = now_ms + _LATE_EVERY_MS
        rows = self._facts.late_rows(self._late_after, _LATE_AT_ONCE)
        self._late_after = rows[-1][0] if len(rows) == _LATE_AT_ONCE else b""  # one who stays late holds nobody up
        return sum(self._tell_one_late(*row) for row in rows)

    def _tell_one_late(self, key: bytes, profile: str, fact: Fact | None) -> bool:
        if fact is not None and self._has_left(profile):
            self.elsewhere.setdefault(key, (profile, fact))
            return False
        if fact is not None and not self._is_nobody(profile):
            if not self._tell(profile, fact):
                return False
            self._facts.count_late(fact)
        self._facts.drop_late(key)
        return True

    def _is_nobody(self, profile: str) -> bool:
        record = self._state.record(profile)
        return record is None or (isinstance(record, Tombstone) and erasure.is_erased(profile, record))
