"""After the catalog's watched rules have changed: gives each profile that was last looked at by others one turn.

A new or edited rule finds how things stand with everybody once, so that a segment's next edge is an edge and a schedule
has a timer. A few records are looked at beside the shard's other work. How far it has come stands in the store, written
with the turns themselves, so a crash repeats nothing and leaves nobody out. Who had a turn of their own meanwhile needs
no other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from actors.shard.activation import Record
from actors.shard.state import ShardState
from actors.storage import keys
from engine import codec
from engine.catalog.compiled import Catalog
from engine.errors import Corrupt
from engine.inputs import AnyInput, Reconsider
from engine.journeys.things import interests, wanted
from engine.journeys.watching import look
from engine.profile import Profile

_TURNS_AT_ONCE: Final = 20
_LOOKED_AT_ONCE: Final = 200
_PROGRESS: Final = "reconsidered"  # the fact's name on disk: the rules, and the profile up to which all have heard
_ALL: Final = "all"


class Reconsidering:
    """One per shard. `tell` gives a profile a turn, as `Shard.tell_or_forward` does. The caller commits."""

    def __init__(self, state: ShardState, tell: Callable[[str, AnyInput], bool]) -> None:
        self._state, self._tell = state, tell
        self._rules: str
        self._upto: str
        self._rules, self._upto = state.meta(_PROGRESS, ["", _ALL])

    @property
    def is_busy(self) -> bool:
        """Whether there are profiles that may have to look anew."""
        return self._upto != _ALL or self._rules != _rules(self._state.catalog)

    def work(self) -> int:
        """Look at some profiles, where there is reason to; returns how many had a turn."""
        if not self.is_busy:
            return 0
        if self._rules != _rules(self._state.catalog):
            self._rules, self._upto = _rules(self._state.catalog), ""
        turns, upto = 0, _ALL
        for number, profile in enumerate(self._following()):
            if number == _LOOKED_AT_ONCE or turns == _TURNS_AT_ONCE:
                break
            turns += self._look(profile)
            upto = profile
        else:
            upto = _ALL
        self._upto = upto
        self._state.put_meta(_PROGRESS, [self._rules, self._upto])
        return turns

    def _following(self) -> list[str]:
        """Some profiles behind the last, in order."""
        start = keys.profile_key(self._upto) + b"\x00" if self._upto else b""
        rows = self._state.batch.stored_from("state", start)
        return [keys.profile_of(key) for _, (key, _) in zip(range(_LOOKED_AT_ONCE + 1), rows, strict=False)]

    def _look(self, profile: str) -> bool:
        try:
            record = self._record(profile)
        except Corrupt as error:
            self._state.unreadable.set_aside(profile, error)
            return False
        catalog = self._state.catalog
        if not isinstance(record, Profile):
            return False
        if not (look.must_look(record, catalog) or interests.must_learn(record, catalog, self._state.clock.now_ms())):
            return False
        return self._tell(profile, Reconsider())

    def _record(self, profile: str) -> Record | None:
        """The record of a profile, without activating it where it is not in memory: many need no turn."""
        found = self._state.cache.get(profile)
        if found is None and (raw := self._state.batch.get("state", keys.profile_key(profile))) is not None:
            return codec.decode_record(raw, f"state/{profile}")
        return found


def _rules(catalog: Catalog) -> str:
    """The name of all that a profile may have to be looked at for; empty: nothing."""
    return look.name_of(catalog) + wanted.wanted(catalog).name
