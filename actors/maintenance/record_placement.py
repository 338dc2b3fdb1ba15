"""Places each record when the number of shards changes: the shard that it belongs to, and its key there.

Records are copied as they are: a locked one says itself which key opens it. Only records that a shard numbers by itself
get a new number, which is unique over all shards and keeps the order within the old shard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from actors.maintenance.manifest import meta
from actors.shard.figures.hand_offs import PREFIX, Rows, key_of, packed, unpacked
from actors.storage import keys
from actors.storage.batch import KEY_FILE
from actors.storage.store import MARKED, Store
from actors.storage.vault import Vault
from actors.transport.dispatcher_name import epoch_of
from actors.transport.placement import shard_of
from engine import codec
from engine.errors import NotFound, SegueError
from engine.handoffs.totals import Row

# The key has the profile behind 8 bytes of a time or a hash.
_AFTER_EIGHT = ("timers", "outbox", "strangers", "blocks", "interests", "standing")
_INSIDE = ("staged", "dead")  # the record has the profile, and the key ends in a number of the shard
_NUMBER_BYTES = 8
_SENDER = 4  # the position of a dead letter's sender, counted from behind its profile
_CATALOG = b"catalog/"
_GRANTED, _LEASES = b"granted/", (b"lease/", b"purse")  # `purse`: under which name a shard leases budgets
_ERASING = b"erasing/"  # keys that are to be destroyed at the next start, by any shard
# A fact of the new shards is the sum of the old facts, the highest of them, or made anew.
_SUMMED = ("counts", "sends", "resolved", "facts")
_HIGHEST = ("epoch", "journal_seq", "clock", "turned_ms")
_INDEX = "blocks"  # what the blocking index is made of
_STANDING, _VISITS = "standing", "visits"
_OF_INDEX = ("blocks_counts", "blocks_at")
_BEGUN_ANEW = ("reconsidered",)  # a pass over all profiles, which hurts nobody who has had it
_COUNTED_ANEW = ("profiles", "dead_seq", "dispatcher", "reshard", "timers", "outbox", "people", *_OF_INDEX)
_OF_THE_STORE = (KEY_FILE, MARKED)  # each store writes its own; engine.json knows the old key files

# Facts about things are on every shard (`actors.maintenance.facts_everywhere`).
MOVED = tuple(family for family in keys.FAMILIES if family not in ("meta", "facts"))


class Mover:
    """Says where the records of `former` shards belong among `shards` new ones."""

    def __init__(self, former: int, shards: int, vault: Vault) -> None:
        self._former, self._shards, self._vault = former, shards, vault

    def place(self, source: int, family: str, key: bytes, record: bytes) -> tuple[int, bytes]:
        """The shard that a record of `source` belongs to now, and its key there."""
        if family in _INSIDE:
            number = int.from_bytes(key[-_NUMBER_BYTES:])
            renumbered = (number * self._former + source).to_bytes(_NUMBER_BYTES)
            return self._owner(source, record), key[:-_NUMBER_BYTES] + renumbered
        start = _NUMBER_BYTES if family in _AFTER_EIGHT else 0
        return shard_of(keys.profile_of(key[start:]), self._shards), key

    def _owner(self, source: int, record: bytes) -> int:
        try:
            profile, *rest = msgspec.msgpack.decode(codec.unseal(self._vault.unlock(record)))
            if len(rest) > _SENDER and rest[_SENDER]:  # a message that did not arrive belongs to its sender
                profile = rest[_SENDER]
        except NotFound:  # erased: nobody can read whose it was, and nobody needs it
            return source * self._shards // self._former
        return shard_of(profile, self._shards)

    def facts(self, sources: Sequence[Store], targets: Sequence[Store]) -> list[dict[bytes, bytes]]:
        """The facts of the new shards about themselves, as records of `meta`. Raises SegueError for a fact that this
        module does not know: it must not be lost silently."""
        shared: dict[str, Any] = {}
        for name in _names(sources):
            values = [value for store in sources if (value := meta(store, name, None)) is not None]
            if name in _HIGHEST:
                shared[name] = max(values)
            elif name == "dispatcher":
                shared[name] = max(values, key=epoch_of)
            elif name == _STANDING:  # is it whole?
                shared[name] = len(values) == len(sources) and all(values)
            elif name == _VISITS:  # they begin anew
                shared[name] = dict.fromkeys(sorted({journey for value in values for journey in value}), "")
            elif name == _INDEX:  # shards that are at different points make theirs anew
                agree = len(values) == len(sources) and len(set(values)) == 1 and not _are_rebuilding(sources)
                shared[name] = values[0] if agree else "several"
            elif name not in (*_SUMMED, *_COUNTED_ANEW, *_BEGUN_ANEW):
                if any(value != values[0] for value in values):
                    raise SegueError(f"what {name} should be with another number of shards is not known")
                shared[name] = values[0]
        numbers = [meta(store, "dead_seq", 0) for store in sources]
        shared["dead_seq"] = max(number * self._former + source for source, number in enumerate(numbers))
        sums = {name: _sum(sources, name) for name in _SUMMED}
        catalogs, erasing, granted = (
            {key: value for store in sources for key, value in store.scan("meta", prefix)}
            for prefix in (_CATALOG, _ERASING, _GRANTED)
        )
        found = []
        for number, store in enumerate(targets):
            own = shared | {"profiles": self._profiles(store)} | (sums if number == 0 else {})
            packed = {name.encode(): codec.seal(msgspec.msgpack.encode(value)) for name, value in own.items()}
            found.append(catalogs | (erasing | granted | _handoffs(sources) if number == 0 else {}) | packed)
        return found

    def _profiles(self, store: Store) -> int:
        count = 0
        for _, record in store.scan("state"):
            try:
                count += codec.is_profile(self._vault.unlock(record))
            except NotFound:
                continue
        return count


def digest_of(stores: Sequence[Store], family: str) -> tuple[int, int]:
    """The number of records of a family, and a digest of all of them that does not depend on their places."""
    count = total = 0
    numbered = family in _INSIDE
    for store in stores:
        for key, record in store.scan(family):
            known = key[:-_NUMBER_BYTES] if numbered else key
            hashed = blake2b(len(known).to_bytes(2) + known + record, digest_size=16).digest()
            total = (total + int.from_bytes(hashed)) % (1 << 128)
            count += 1
    return count, total


def _names(sources: Sequence[Store]) -> list[str]:
    # Tokens that an old shard had leased and not spent are given up: the new shards take leases of their own.
    known = (_CATALOG, _ERASING, _GRANTED, PREFIX, *_LEASES, *_OF_THE_STORE)
    return sorted({key.decode() for store in sources for key, _ in store.scan("meta") if not key.startswith(known)})


def _handoffs(sources: Sequence[Store]) -> dict[bytes, bytes]:
    """The sums over hand-offs of all old shards, as facts of one of them."""
    sums: Rows = {}
    for store in sources:
        for key, record in store.scan("meta", PREFIX):
            way, row = unpacked(key, record)
            sums.setdefault(way, Row()).join(row)
    return {key_of(way): packed(row) for way, row in sums.items()}


def _are_rebuilding(sources: Sequence[Store]) -> bool:
    return any(meta(store, "blocks_at", None) is not None for store in sources)


def _sum(sources: Sequence[Store], name: str) -> dict[str, int]:
    total = Counter[str]()
    for store in sources:
        total.update(meta(store, name, {}))
    return dict(total)
