"""Keeps the journal as long as the catalog says, and no longer: a snapshot replaces older records.

It also drops the receipts of visitors without a profile, and the dedup records of tracking tokens that have expired. It
works on a few profiles at a time, while its shard has nothing else to do, and goes round once a day.
"""

from __future__ import annotations

from collections.abc import Iterator

from actors.shard import anonymous_receipts, dedup
from actors.shard.journal import replay
from actors.shard.state import ShardState
from actors.storage import keys
from engine.errors import Corrupt
from engine.vocabulary import DAY_MS

_PROFILES_AT_ONCE = 20
_SLACK_MS = DAY_MS  # a snapshot is worth its write only if it replaces a day's records


class Retention:
    """One per shard."""

    def __init__(self, state: ShardState) -> None:
        self._state = state
        self._next_round_ms = 0
        self._round: Iterator[str] | None = None

    def work(self) -> int:
        """Look at a few profiles; returns how many journal records a snapshot has replaced. The caller commits."""
        state, now_ms = self._state, self._state.clock.now_ms()
        if self._round is None:
            if now_ms < self._next_round_ms:
                return 0
            self._next_round_ms = now_ms + DAY_MS
            anonymous_receipts.forget(state.batch, now_ms)
            self._round = _journalled(state)
        before_ms, replaced = now_ms - state.catalog.journal_ms, 0
        for _ in range(_PROFILES_AT_ONCE):
            profile = next(self._round, None)
            if profile is None:
                self._round = None
                break
            try:
                state.batch.check_key(profile)
                dedup.forget_exposures(state.batch, profile, now_ms)
                first = replay.first(state.batch, profile)
                if first is not None and first.now_ms < before_ms - _SLACK_MS:
                    replaced += replay.compact(state.batch, profile, state.catalogs, before_ms)
            except Corrupt as error:
                state.unreadable.set_aside(profile, error)
        return replaced


def _journalled(state: ShardState) -> Iterator[str]:
    """Everybody with a journal, once each."""
    last = ""
    for key, _ in state.batch.raw("journal", b""):
        profile = keys.profile_of(key)
        if profile != last:
            last = profile
            yield profile
