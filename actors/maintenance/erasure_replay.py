"""Repeats the erasures that came after a restored store was copied. The store holds records of people whose keys are
destroyed by now, so nobody can read them.

The records are dropped. A tombstone takes their place that points to the same profile id one epoch later, as an erasure
leaves it (`engine.merging.erasure`). So a person who comes with the same identifier is somebody new.
"""

from __future__ import annotations

import msgspec

from actors.maintenance.manifest import meta
from actors.platform.clock import WallClock
from actors.shard.standing import index
from actors.shard.things.index import PLACE_BYTES
from actors.storage import keys
from actors.storage.batch import Batch
from actors.storage.store import RocksStore
from actors.storage.vault import Vault, place_in
from engine import codec, seeds
from engine.errors import NotFound
from engine.profile import Tombstone

_TIME_BYTES = 8


def forget_erased(store: RocksStore, vault: Vault) -> int:
    """Drop the records of everybody whose key is destroyed; returns the number of these profiles."""
    erased = {keys.profile_of(key): place for key, place in store.scan("keyring") if _is_erased(vault, place)}
    if not erased:
        return 0
    batch, profiles = Batch(store, vault), 0
    for profile, place in erased.items():
        batch.forget(profile)
        state = store.get("state", keys.profile_key(profile))
        if state is not None and place_in(state) == place:
            profiles += 1
            tombstone = Tombstone(seeds.next_epoch(profile), WallClock().now_ms())
            batch.put("state", keys.profile_key(profile), codec.encode_record(tombstone))
    for key, _ in store.scan("interests"):
        if keys.profile_of(key[PLACE_BYTES:]) in erased:
            batch.put("interests", key, None)
    for key, _ in store.scan("standing"):
        if index.profile_in(key) in erased:
            batch.put("standing", key, None)
    for family in ("timers", "outbox"):
        for key, _ in store.scan(family):
            if keys.profile_of(key[_TIME_BYTES:]) in erased:
                batch.put(family, key, None)
        batch.put("meta", family.encode(), None)  # counted at the next start
    batch.put("meta", b"people", None)
    left = meta(store, "profiles", 0) - profiles
    batch.put("meta", b"profiles", codec.seal(msgspec.msgpack.encode(left)))
    batch.commit()
    batch.sync()
    return profiles


def _is_erased(vault: Vault, place: bytes) -> bool:
    try:
        vault.lock(place, b"")
    except NotFound:
        return True
    return False
