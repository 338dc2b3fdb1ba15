"""The uncommitted writes of a group of turns, on top of the store. Reads see them, and one atomic write commits them.

A record that belongs to a person is written locked, under the key of that person's profile; the first such record gives
a profile its key. Code that reads and writes through a batch sees plain records only.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from actors.storage import keys
from actors.storage.store import Store
from actors.storage.vault import Vault, place_in
from engine import codec
from engine.errors import Corrupt, NotFound

_PLACES_KEPT = 100_000  # places of keys in memory; then all are forgotten, and read again when they are needed
ERASING = b"erasing/"  # in `meta`: a key that is to be destroyed, by its place
KEY_FILE = b"vault/"  # in `meta`: how many slots of a key file were durable when a key of it was last given away
# Families whose records can be locked under a profile's key though their own keys do not begin with the profile.
_LOCKED_ELSEWHERE = ("messages", "staged", "dead")


class Batch:
    """One per shard. Nothing reaches the store before `commit`."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault
        self._writes: dict[tuple[str, bytes], bytes | None] = {}
        self._owners: dict[tuple[str, bytes], str] = {}
        self._places: dict[str, bytes] = {}
        self._erasing: list[bytes] = []
        self._erased: list[bytes] = []
        self._new_places: dict[tuple[str, bytes], bytes] = {}
        self._facts: dict[str, bytes] = {}
        self._extent: tuple[str, int] = ("", 0)
        self._has_new_keys = False
        self.is_synced = True  # whether a power cut can take back nothing that is committed

    def __bool__(self) -> bool:
        return bool(self._writes)

    def put(self, family: str, key: bytes, record: bytes | None, owner: str = "") -> None:
        """Write a plain record, or delete it where it is None. A record with an `owner` is locked under that profile's
        key when it is committed."""
        self._writes[family, key] = record
        if owner:
            self._owners[family, key] = owner
        else:
            self._owners.pop((family, key), None)

    def put_changed(self, facts: Mapping[str, object]) -> None:
        """Write the facts about the shard that differ from what was put here last. Most groups change one or two."""
        for name, fact in facts.items():
            packed = msgspec.msgpack.encode(fact)
            if self._facts.get(name) != packed:
                self._facts[name] = packed
                self.put("meta", name.encode(), codec.seal(packed))

    def get(self, family: str, key: bytes) -> bytes | None:
        """A plain record."""
        if (family, key) in self._writes:
            return self._writes[family, key]
        found = self._store.get(family, key)
        return None if found is None else self.unlock(found)

    def rows(self, family: str, prefix: bytes, *, unreadable_too: bool = True) -> list[tuple[bytes, bytes]]:
        """All plain records under a prefix, in order. A record that cannot be read raises Corrupt, or is left out
        where `unreadable_too` is False."""
        found = {}
        for key, record in self._store.scan(family, prefix):
            try:
                found[key] = self.unlock(record)
            except Corrupt:
                if unreadable_too:
                    raise
        for (where, key), written in self._writes.items():
            if where == family and key.startswith(prefix):
                if written is None:
                    found.pop(key, None)
                else:
                    found[key] = written
        return [(key, found[key]) for key in sorted(found)]

    def rows_after(self, family: str, prefix: bytes, after: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The plain records under a prefix whose keys come after `after`, in order, each unlocked when it is asked for;
        uncommitted ones are included."""
        for key, record, is_stored in self._under(family, prefix, after + b"\x00"):
            yield key, self.unlock(record) if is_stored else record

    def keys_under(self, family: str, prefix: bytes) -> Iterator[bytes]:
        """The keys under a prefix, in order; uncommitted ones are included."""
        return (key for key, _, _ in self._under(family, prefix, prefix))

    def _under(self, family: str, prefix: bytes, start: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
        written = {
            key: record for (where, key), record in self._writes.items() if where == family and key.startswith(prefix)
        }
        added = sorted((key, record, False) for key, record in written.items() if record is not None and key >= start)
        stored = self._store.scan(family, prefix, start)
        return heapq.merge(added, ((key, record, True) for key, record in stored if key not in written))

    def committed(self, family: str, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """The plain records under a prefix that are committed, in order, each unlocked when it is asked for."""
        for key, record in self._store.scan(family, prefix):
            yield key, self._vault.unlock(record)

    def stored_from(self, family: str, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Committed records as they stand in the store, from a key on."""
        return self._store.scan(family, b"", start)

    def keys_from(self, family: str, start: bytes) -> Iterator[bytes]:
        """All keys from `start` on, in order; uncommitted ones are included."""
        written = {key: record for (where, key), record in self._writes.items() if where == family and key >= start}
        added = sorted(key for key, record in written.items() if record is not None)
        stored = (key for key, _ in self._store.scan(family, b"", start) if key not in written)
        return heapq.merge(added, stored)

    def unlock(self, record: bytes) -> bytes:
        """A record of `raw`, plain; Corrupt where it or its key cannot be read.

        An erasure drops a key's records together with the key, so a record whose key is blank is damage.
        """
        try:
            return self._vault.unlock(record)
        except NotFound as error:
            raise Corrupt(error.message, error.field) from None

    def raw(self, family: str, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Committed records as they stand in the store, locked or not. They can be copied as they are to any store."""
        return self._store.scan(family, prefix)

    def let_go(self, profile: str) -> None:
        """Forget which key a profile has: it may have another one when it comes back to this shard."""
        self._places.pop(profile, None)

    def take_back(self, family: str, key: bytes) -> bytes | None:
        """Undo a write of this group; returns its record."""
        self._owners.pop((family, key), None)
        return self._writes.pop((family, key), None)

    def disown(self, family: str, key: bytes) -> None:
        """Have a record of this group written plain after all."""
        self._owners.pop((family, key), None)

    def check_key(self, profile: str) -> None:
        """Corrupt where the key of a profile cannot be read. Nothing that needs the key must be written then."""
        if place := self.key_of(profile):
            try:
                self._vault.check_key(place)
            except NotFound as error:
                raise Corrupt(error.message, error.field) from None

    def check_there(self) -> None:
        """StoreFailed where a file of the store or of the vault has lost its name: writes to it would be lost."""
        self._store.check_there()
        self._vault.check_there()

    def key_of(self, profile: str) -> bytes:
        """The place of a profile's key; empty where it has none."""
        known = self._places.get(profile)
        if known is None:
            known = self._store.get("keyring", keys.profile_key(profile)) or b""
            self._remember(profile, known)
        return known

    def forget(self, owner: str) -> list[tuple[str, bytes]]:
        """Drop all records of a profile, and destroy its key once that is durable. Returns the keys that were
        dropped."""
        prefix = keys.profile_key(owner)
        gone = [where for where, whose in self._owners.items() if whose == owner]
        gone += [where for where in self._writes if where[0] in keys.OF_PROFILE and where[1].startswith(prefix)]
        gone += [(family, key) for family in keys.OF_PROFILE for key, _ in self._store.scan(family, prefix)]
        place = self.key_of(owner)
        if place:
            for family in _LOCKED_ELSEWHERE:
                gone += [(family, key) for key, record in self._store.scan(family) if place_in(record) == place]
            self._new_places.pop(("keyring", prefix), None)
            self._places[owner] = b""
            self.put("keyring", prefix, None)
            self.put("meta", ERASING + place, b"")  # so that the next start finishes it where this process dies first
            self._erasing.append(place)
        for family, key in gone:
            self.put(family, key, None)
        return gone

    def finish_erasures(self) -> None:
        """At a start: destroy the keys whose erasure a crash has interrupted."""
        for key, _ in self._store.scan("meta", ERASING):
            self._vault.erase(key.removeprefix(ERASING))
            self.put("meta", key, None)

    def commit(self) -> None:
        """Write everything in one batch. StoreFailed where the disk takes no more; then nothing of it is written."""
        if not self._writes:
            return
        for place in self._erased:
            self._writes["meta", ERASING + place] = None
        self._erased = []
        written = dict(self._writes)
        for where, owner in self._owners.items():
            record = written[where]
            if record is not None and (place := self._place_for(owner)):
                written[where] = self._vault.lock(place, record)
        if self._new_places:
            self._vault.check_there()
            self._has_new_keys = True
            self._note_extent(written)
        self._store.write(written | self._new_places)
        self._writes, self._owners, self._new_places = {}, {}, {}
        self.is_synced = False

    def sync(self) -> None:
        """Make what was committed survive a power cut, if anything was. May run in a thread of its own."""
        if not self.is_synced:
            self._store.sync()
            if self._has_new_keys:  # no turn is acknowledged if its new key was lost with the key file meanwhile
                self._vault.check_there()
                self._has_new_keys = False
            # After the sync: were the key destroyed first, a power cut could bring back records that nobody can read.
            for place in self._erasing:
                self._vault.erase(place)
            self._erased, self._erasing = self._erased + self._erasing, []
            self.is_synced = True

    def checkpoint(self, path: Path) -> None:
        """Copy what is committed to a new folder."""
        self._store.checkpoint(path)

    def close(self) -> None:
        """Release the store."""
        self._store.close()

    def _note_extent(self, written: dict[tuple[str, bytes], bytes | None]) -> None:
        """Write with new keys how long their file is. A file that is shorter at a later start was cut."""
        extent = self._vault.extent()
        if extent != self._extent and extent[0]:
            self._extent = extent
            written["meta", KEY_FILE + extent[0].encode()] = codec.seal(msgspec.msgpack.encode(extent[1]))

    def _place_for(self, owner: str) -> bytes:
        """The place of a profile's key, which is made for its first record; empty in a vault that has no keys."""
        place = self.key_of(owner)
        if not place and (place := self._vault.new_key()):
            self._new_places["keyring", keys.profile_key(owner)] = place
            self._remember(owner, place)
        return place

    def _remember(self, profile: str, place: bytes) -> None:
        if len(self._places) >= _PLACES_KEPT:
            self._places.clear()
        self._places[profile] = place
