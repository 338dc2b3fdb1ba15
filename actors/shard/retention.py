"""Keeps the journal as long as the catalog says, and no longer: a snapshot takes the place of what is older. What is
remembered of tracking tokens goes when these are worth nothing any more.

Works a few profiles at a time, whenever its shard has nothing else to do, and goes round once a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from actors.shard import anonymous_receipts, dedup
from actors.shard.journal import replay
from actors.storage import keys
from engine.errors import Corrupt
from engine.vocabulary import DAY_MS

if TYPE_CHECKING:
    from actors.shard.shard import Shard

_PROFILES_AT_ONCE = 20
_SLACK_MS = DAY_MS  # a snapshot is worth its write only for a day's records


class Retention:
    """One per shard."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._next_round_ms = 0
        self._round: Iterator[str] | None = None

    def work(self) -> int:
        """Look at a few profiles; returns how many journal records a snapshot has replaced. The caller commits."""
        shard, now_ms = self._shard, self._shard.clock.now_ms()
        if self._round is None:
            if now_ms < self._next_round_ms:
                return 0
            self._next_round_ms = now_ms + DAY_MS
            anonymous_receipts.forget(shard.batch, now_ms)
            self._round = _journalled(shard)
        before_ms, replaced = now_ms - shard.catalog.journal_ms, 0
        for _ in range(_PROFILES_AT_ONCE):
            profile = next(self._round, None)
            if profile is None:
                self._round = None
                break
            try:
                shard.batch.check_key(profile)
                dedup.forget_exposures(shard.batch, profile, now_ms)
                first = replay.first(shard.batch, profile)
                if first is not None and first.now_ms < before_ms - _SLACK_MS:
                    replaced += replay.compact(shard.batch, profile, shard.catalogs, before_ms)
            except Corrupt as error:
                shard.unreadable.set_aside(profile, error)
        return replaced


def _journalled(shard: Shard) -> Iterator[str]:
    """Everybody with a journal, once each."""
    last = ""
    for key, _ in shard.batch.raw("journal", b""):
        profile = keys.profile_of(key)
        if profile != last:
            last = profile
            yield profile
