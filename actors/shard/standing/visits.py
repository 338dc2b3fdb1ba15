"""Wakes the customers inside a journey for whom an edit changes more than what their next turn will find by itself.

Most need nothing: their timer fires when it did before, and that turn finds the new version. But who has to stop, whose
wait has become shorter, and who comes to another step would otherwise wait for a timer that may be months away. After a
change of the catalog the index tells who they are. Each gets a timer of no run, due at once, some at a time; how far
this has come is durable with what it did.
"""

from __future__ import annotations

from typing import Final

from actors.shard.standing import index
from actors.shard.state import ShardState
from actors.storage import keys
from engine.catalog.compiled import Catalog
from engine.catalog.editing import outcomes
from engine.catalog.editing.plan import Place
from engine.journeys import edits

_FACT: Final = "visits"  # on disk: journeys, each with the profile that was looked at last
_ROWS_AT_ONCE: Final = 500  # a few ms


def begin(state: ShardState, was: Catalog | None) -> None:
    """Look at everybody inside the journeys that the active catalog has edited or ended since the catalog `was` (None:
    it is not known, and all are looked at). The caller commits."""
    now = state.catalog
    named = set(now.journeys) if was is None else {*was.journeys, *now.journeys}
    wanted = sorted(name for name in named if was is None or _may_wake(was, now, name))
    if wanted:
        state.standing.visits = dict(state.standing.visits) | dict.fromkeys(wanted, "")
        _note(state)


def work(state: ShardState) -> bool:
    """Look at some more; True while there are more. The caller commits."""
    visits, standing = state.standing.visits, state.standing
    if not visits or not standing.is_whole:
        return False
    journey, after = next(iter(visits.items()))
    wakes: dict[bytes, bool] = {}
    last = ""
    for profile, record in (rows := standing.rows(journey, bytes.fromhex(after), _ROWS_AT_ONCE)):
        last = profile
        if record not in wakes:
            wakes[record] = _wakes(state.catalog, journey, index.read(record))
        if wakes[record]:
            wake(state, profile)
    if len(rows) < _ROWS_AT_ONCE:
        del visits[journey]
    else:
        visits[journey] = last
    _note(state)
    return bool(visits)


def wake(state: ShardState, profile: str) -> None:
    """Give a profile a turn soon, by a timer that belongs to none of its runs."""
    key = keys.wake_key(max(1, state.clock.now_ms()), profile)
    if state.batch.get("timers", key) is None:
        state.add_timer(key)


def _may_wake(was: Catalog, now: Catalog, journey: str) -> bool:
    before, after = was.journeys.get(journey), now.journeys.get(journey)
    if before is None or after is None:
        return before is not None
    return (before.edition, before.round) != (after.edition, after.round) or (
        after.status == "stopped" and before.status != "stopped"
    )


def _wakes(catalog: Catalog, journey: str, place: Place) -> bool:
    found = outcomes.of(catalog, journey, place.version, place.positions, place.edition)
    if found.word == "stop":
        return True
    return outcomes.moves(found, place.version) and edits.changes_timers(
        catalog, journey, place.version, place.positions, found
    )


def _note(state: ShardState) -> None:
    state.put_meta(_FACT, state.standing.visits)
