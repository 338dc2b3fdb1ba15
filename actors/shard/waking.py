"""Wakes profiles when a catalog that begins to stand resumes what they wait for.

What a pause has put off is due never, so it lies at the end of the shard's timers and of its outbox. To wake a profile
is one timer more, of no run; its turn finds out what goes on (`engine.journeys.pauses`).
"""

from __future__ import annotations

import msgspec

from actors.shard.state import ShardState
from actors.storage import keys
from actors.storage.store import Store
from engine import codec
from engine.journeys import pauses
from engine.profile import Profile
from engine.vocabulary import NEVER_MS

_STANDS = "stands"


def after_change(state: ShardState) -> None:
    """Wake whoever may go on, or is over, if the shard decides by another catalog than it did last. The caller
    commits."""
    stood, stands = state.meta(_STANDS, ""), state.catalog.version
    if stood == stands:
        return
    state.put_meta(_STANDS, stands)
    was = state.catalogs.get(stood)
    if was is None or pauses.is_resumed(was, state.catalog):
        never = NEVER_MS.to_bytes(8)
        waiting = {keys.timer_parts(key)[1] for key in state.batch.keys_from("timers", never)}
        waiting |= {keys.outbox_parts(key)[1] for key in state.batch.keys_from("outbox", never)}
        for profile in sorted(waiting):
            _wake(state, profile)


def after_arrival(state: ShardState, profile: str) -> None:
    """Wake a profile that has come from another place, where it may have been waked in vain."""
    record = state.record(profile)
    if not isinstance(record, Profile) or record.moving_to:
        return
    if not pauses.is_settled(record, state.catalog, max(state.clock.now_ms(), record.clock_ms)):
        _wake(state, profile)


def has_come_up(state: ShardState, due_ms: int, profile: str) -> None:
    """The timer that wakes a profile has come up, if there is one at this time."""
    state.drop_timer(keys.wake_key(due_ms, profile))


def last_document(store: Store) -> bytes | None:
    """What the shard of a store went by last, with what commands had said; None where it never went by anything."""
    stood = store.get("meta", _STANDS.encode())
    if stood is None:
        return None
    version: str = msgspec.msgpack.decode(codec.unseal(stood, "meta/stands"))
    document = store.get("meta", b"catalog/" + version.encode())
    return None if document is None else codec.unseal(document, "meta/catalog")


def _wake(state: ShardState, profile: str) -> None:
    key = keys.wake_key(max(1, state.clock.now_ms()), profile)
    if state.batch.get("timers", key) is None:
        state.add_timer(key)
