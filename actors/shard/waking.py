"""Wakes profiles whose journeys a new catalog resumes, and has those looked at that it edits or ends.

A paused journey must not run, so its timers and sends are put off: they are never due (`NEVER_MS`), and come last among
the shard's timers and in its outbox. When a catalog becomes active that ends a pause, nothing would fire by itself. So
every profile with a timer or send put off gets one extra timer, due at once and of no run. The turn that it causes
finds out what goes on (`engine.journeys.pauses`).
"""

from __future__ import annotations

import msgspec

from actors.platform.clock import ReplayClock
from actors.shard.standing import visits
from actors.shard.state import ShardState
from actors.storage import keys
from actors.storage.store import Store
from engine import codec
from engine.catalog.compiled import Catalog
from engine.journeys import pauses
from engine.journeys.watching import look
from engine.profile import Profile
from engine.vocabulary import NEVER_MS

_ACTIVE_VERSION = "stands"  # the fact's name on disk; it holds the version of the catalog that decided turns last


def after_catalog_change(state: ShardState) -> None:
    """If another catalog than the last one decides turns: wake the profiles whose runs may go on or have to end. The
    caller commits."""
    former, active = state.meta(_ACTIVE_VERSION, ""), state.catalog.version
    if former != active:
        state.put_meta(_ACTIVE_VERSION, active)
        was = state.catalogs.get(former)
        _wake_resumed(state, was)
        visits.begin(state, was)
    if isinstance(state.clock, ReplayClock):  # what happens there must not depend on how fast a shard works
        while visits.work(state):
            pass


def _wake_resumed(state: ShardState, was: Catalog | None) -> None:
    # which journeys an unknown catalog had paused cannot be told, so all are woken; a needless turn changes nothing
    if was is None or pauses.is_resumed(was, state.catalog):
        never = NEVER_MS.to_bytes(8)
        waiting = {keys.timer_parts(key)[1] for key in state.batch.keys_from("timers", never)}
        waiting |= {keys.outbox_parts(key)[1] for key in state.batch.keys_from("outbox", never)}
        for profile in sorted(waiting):
            visits.wake(state, profile)


def after_arrival(state: ShardState, profile: str) -> None:
    """Wake a profile that has moved here: the catalog may have changed while it was on its way, and nobody woke it."""
    record = state.record(profile)
    if not isinstance(record, Profile) or record.moving_to:
        return
    now_ms = max(state.clock.now_ms(), record.clock_ms)
    if look.must_look(record, state.catalog) or not pauses.is_settled(record, state.catalog, now_ms):
        visits.wake(state, profile)


def drop_fired(state: ShardState, due_ms: int, profile: str) -> None:
    """Drop the timer that wakes a profile at this time, if there is one: it belongs to no run that would drop it."""
    state.drop_timer(keys.wake_key(due_ms, profile))


def last_document(store: Store) -> bytes | None:
    """The document of the catalog that the shard of a store decided by last, changes by commands included; None where
    it never decided."""
    packed = store.get("meta", _ACTIVE_VERSION.encode())
    if packed is None:
        return None
    version: str = msgspec.msgpack.decode(codec.unseal(packed, f"meta/{_ACTIVE_VERSION}"))
    document = store.get("meta", b"catalog/" + version.encode())
    return None if document is None else codec.unseal(document, "meta/catalog")
