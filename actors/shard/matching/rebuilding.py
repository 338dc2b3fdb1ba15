"""Makes the blocking index of a shard, or drops it: after matching was switched on or off, or compares something else.

It works on a few profiles at a time, while its shard has nothing else to do. How far it has come is durable, so a
restart goes on from there.
"""

from __future__ import annotations

from typing import Final

from actors.shard.matching.blocks import Blocks, made_of
from actors.shard.state import ShardState
from actors.storage import keys
from engine import codec
from engine.errors import Corrupt
from engine.profile import Profile

_PROFILES_AT_ONCE: Final = 50
_ROWS_AT_ONCE: Final = 2_000


class Rebuilding:
    """One per shard. The caller commits."""

    def __init__(self, state: ShardState) -> None:
        self._state = state
        self._after: str | None = state.meta("blocks_at", None)  # the last profile that was done; None: all are
        if not state.profiles and not state.blocks.made_of:  # nobody to look at: whoever comes is followed
            self._call_it(made_of(state.catalog))

    @property
    def is_busy(self) -> bool:
        """Whether there is more to do."""
        return self._after is not None or self._state.blocks.made_of != made_of(self._state.catalog)

    def work(self) -> int:
        """Do some of it, where there is any; returns how many profiles were indexed, or rows dropped."""
        state, blocks = self._state, self._state.blocks
        wanted = made_of(state.catalog)
        if blocks.made_of != wanted:
            if not wanted and not blocks.made_of:
                return 0
            self._call_it(wanted)
            self._reach("")
        if self._after is None:
            return 0
        return self._index(blocks, self._after) if wanted else self._drop(blocks)

    def _call_it(self, wanted: str) -> None:
        if self._state.blocks.made_of != wanted:
            self._state.blocks.made_of = wanted
            self._state.put_meta("blocks", wanted)

    def _reach(self, profile: str | None) -> None:
        self._after = profile
        self._state.put_meta("blocks_at", profile)

    def _index(self, blocks: Blocks, after: str) -> int:
        state, count, last = self._state, 0, after
        for key, record in state.batch.stored_from("state", keys.profile_key(after) if after else b""):
            last = keys.profile_of(key)
            if last == after:
                continue
            try:
                known = state.cache.get(last) or codec.decode_record(state.batch.unlock(record), f"state/{last}")
            except Corrupt:  # `unreadable` tells of it when somebody asks for this profile
                continue
            if isinstance(known, Profile) and not known.moving_to:
                blocks.look(last, known, state.journal_seq)
            count += 1
            if count == _PROFILES_AT_ONCE:
                break
        self._reach(last if count == _PROFILES_AT_ONCE else None)
        return count

    def _drop(self, blocks: Blocks) -> int:
        state = self._state
        rows = [key for key, _ in zip(blocks.all_rows(), range(_ROWS_AT_ONCE), strict=False)]
        for key in rows:
            state.batch.put("blocks", key, None)
        if len(rows) < _ROWS_AT_ONCE:
            blocks.counts = dict.fromkeys(blocks.counts, 0)
            self._reach(None)
        return len(rows)
