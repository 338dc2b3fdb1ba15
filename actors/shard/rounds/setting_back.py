"""After the clock was set back: finds the profiles that had turns in a wrong future, and gives each of them one turn.

That turn puts their times right (`engine.events.setting_back`). Without it a profile that nothing reaches would keep
timers and sends in the wrong future. A few records are looked at beside the shard's other work, until each was looked
at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from actors.shard.activation import Record
from actors.shard.state import ShardState
from actors.storage import keys
from engine import codec
from engine.events import setting_back
from engine.inputs import AnyInput, LookAtClock
from engine.profile import Profile

_LOOKED_AT_ONCE: Final = 100


class SettingBack:
    """One per shard. `tell` gives a profile a turn, as `Shard.tell_or_forward` does. The caller commits."""

    def __init__(self, state: ShardState, tell: Callable[[str, AnyInput], bool]) -> None:
        self._state, self._tell = state, tell
        self._times_handled = 0
        self._round: Iterator[str] | None = None

    def work(self) -> int:
        """Look at some profiles, where there is reason to; returns how many were set back."""
        clock = self._state.clock
        if self._times_handled != clock.times_set_back and clock.is_settled:
            self._times_handled = clock.times_set_back
            self._round = (keys.profile_of(key) for key, _ in self._state.batch.committed("state"))
        if self._round is None:
            return 0
        count = 0
        for _ in range(_LOOKED_AT_ONCE):
            profile = next(self._round, None)
            if profile is None:
                self._round = None
                break
            count += self._look(profile)
        return count

    @property
    def is_busy(self) -> bool:
        """Whether there are more records to look at."""
        return self._round is not None

    def _record(self, profile: str) -> Record | None:
        """The record of a profile, without activating it where it is not in memory: most records need no turn."""
        found = self._state.cache.get(profile)
        if found is None and (raw := self._state.batch.get("state", keys.profile_key(profile))) is not None:
            return codec.decode_record(raw, f"state/{profile}")
        return found

    def _look(self, profile: str) -> bool:
        record = self._record(profile)
        if not isinstance(record, Profile) or not setting_back.is_ahead(record, self._state.clock.now_ms()):
            return False
        return self._tell(profile, LookAtClock())
