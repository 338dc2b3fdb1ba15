"""The blocking index of a shard: which profiles have a blocking key, what is compared of each, and who waits.

It follows the state: what a commit writes of a profile and what the index says of it are in one batch. Where matching
is off there is no index.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import msgspec

from actors.shard.matching import block_keys
from actors.shard.matching.block_keys import LENT, RECORDS, WAITING, Indexed
from actors.storage.batch import Batch
from engine import codec
from engine.catalog.compiled import Catalog
from engine.errors import Corrupt
from engine.likeness import compared
from engine.matching import blocking
from engine.profile import Profile, Tombstone

_SEEN: Final = "compared"  # in a profile's memory: the signature of what the index knows
_Signature = tuple[object, ...]


@dataclass(slots=True)
class Waiting:
    """A profile that waits to be matched. `mark` tells this change from a later one."""

    profile: str
    mark: int
    record: bytes


class Blocks:
    """One per shard. `made_of` names what the index is made of; empty while there is none."""

    def __init__(self, batch: Batch, made_of: str, counts: Mapping[str, int] | None) -> None:
        self._batch = batch
        self._secret = b""
        self._stated: compared.Stated = {}
        self._names: tuple[str, ...] = ()
        self.made_of = made_of
        self.counts = dict(counts) if counts is not None else self._counted()

    def facts(self) -> dict[str, object]:
        """What the store keeps of the index beside its rows; nothing while there is none."""
        return {"blocks_counts": dict(self.counts)} if self.made_of else {}

    def _counted(self) -> dict[str, int]:
        heads = {"indexed": RECORDS, "waiting": WAITING}
        return {name: sum(1 for _ in self._batch.raw("blocks", head)) for name, head in heads.items()}

    def read_with(self, catalog: Catalog) -> None:
        """Compare what this catalog says is compared, from now on."""
        self._secret, self._stated = catalog.id_key, catalog.identity.matching.fields
        self._names = compared.names(self._stated)

    # -- following the state

    def follow(self, profile: str, record: Profile | Tombstone, mark: int) -> None:
        """A record is about to be written: put what follows from it into the same batch."""
        if not isinstance(record, Profile) or record.moving_to:
            self._put(profile, None, mark)
            return
        seen = self._signature(record)
        if record.__dict__.get(_SEEN) != seen:
            record.__dict__[_SEEN] = seen
            self._put(profile, self._indexed(record), mark)

    def look(self, profile: str, record: Profile, mark: int) -> None:
        """Index a profile anew, and have it matched."""
        self._put(profile, self._indexed(record), mark, always=True)

    def drop(self, profile: str) -> None:
        """Forget a profile."""
        self._put(profile, None, 0)

    def _signature(self, record: Profile) -> _Signature:
        links = ((link.profile, link.until_ms) for link in record.likely)
        return (*compared.signature(record, self._names), *links, *record.candidates)

    def _indexed(self, record: Profile) -> Indexed | None:
        found = compared.record_of(record, self._stated)
        hashes = b"".join(sorted(block_keys.hashed(self._secret, found)))
        if not hashes:
            return None
        links = record.likely
        until_ms = min((link.until_ms for link in links), default=0)
        linked = dict.fromkeys([*(link.profile for link in links), *record.candidates])
        return Indexed(hashes, found, [*linked], until_ms)

    def _put(self, profile: str, now: Indexed | None, mark: int, *, always: bool = False) -> None:
        put, was = self._batch.put, self.of(profile)
        before, after = (set(block_keys.split(each.hashes)) if each else set() for each in (was, now))
        for gone in before - after:
            put("blocks", block_keys.row(gone, profile), None)
        for new in after - before:
            put("blocks", block_keys.row(new, profile), b"")
        self.counts["indexed"] += (now is not None) - (was is not None)
        self._put_lent(profile, was.until_ms if was else 0, now.until_ms if now else 0)
        if now is None:
            if was is not None:
                put("blocks", block_keys.row(RECORDS, profile), None)
            self._unmark(profile)
            return
        if was is None or msgspec.structs.astuple(was) != msgspec.structs.astuple(now):
            put("blocks", block_keys.row(RECORDS, profile), block_keys.pack(now), profile)
        if always or was is None or was.compared != now.compared:
            self._mark(profile, mark)

    def _put_lent(self, profile: str, was_ms: int, until_ms: int) -> None:
        if was_ms != until_ms:
            record = codec.seal(until_ms.to_bytes(8)) if until_ms else None
            self._batch.put("blocks", block_keys.row(LENT, profile), record)

    def _mark(self, profile: str, mark: int) -> None:
        key = block_keys.row(WAITING, profile)
        self.counts["waiting"] += self._batch.get("blocks", key) is None
        self._batch.put("blocks", key, codec.seal(mark.to_bytes(8)))

    def _unmark(self, profile: str, mark: int | None = None) -> None:
        key = block_keys.row(WAITING, profile)
        found = self._batch.get("blocks", key)
        if found is not None and mark in (None, _number(found)):
            self.counts["waiting"] -= 1
            self._batch.put("blocks", key, None)

    # -- what matching asks

    def of(self, profile: str) -> Indexed | None:
        """What the index knows of a profile; None where that is nothing, or cannot be read any more."""
        record = self.record(profile)
        return None if record is None else block_keys.unpack(record)

    def record(self, profile: str) -> bytes | None:
        """The same, packed."""
        try:
            return self._batch.get("blocks", block_keys.row(RECORDS, profile))
        except Corrupt:
            return None

    def waiting(self, most: int, now_ms: int) -> list[Waiting]:
        """Some profiles that wait to be matched: new ones, changed ones, and those to whom something was lent that
        expires."""
        found: list[Waiting] = []
        for key, value in self._batch.rows_after("blocks", WAITING, WAITING):
            if len(found) >= most:
                return found
            found.append(self._waiting(block_keys.profile_in(key), _number(value)))
        known = {each.profile for each in found}
        for key, value in self._batch.rows_after("blocks", LENT, LENT):
            if len(found) >= most:
                break
            if _number(value) <= now_ms and (profile := block_keys.profile_in(key)) not in known:
                found.append(self._waiting(profile, 0))
        return found

    def _waiting(self, profile: str, mark: int) -> Waiting:
        return Waiting(profile, mark, self.record(profile) or b"")

    def matched(self, profile: str, mark: int) -> None:
        """A profile was matched as it was at this mark. One that has changed since waits on."""
        self._unmark(profile, mark)

    def having(self, block: bytes, most: int) -> list[bytes]:
        """The profiles with a blocking key, one more than `most` where there are more."""
        rows = self._batch.raw("blocks", block)
        return [key[block_keys.HASH_BYTES :] for (key, _), _ in zip(rows, range(most + 1), strict=False)]

    def all_rows(self) -> Iterator[bytes]:
        """The keys of the whole index."""
        return self._batch.keys_under("blocks", b"")


def made_of(catalog: Catalog) -> str:
    """What an index under this catalog is made of; empty where matching is off."""
    matching = catalog.identity.matching
    if not matching.enabled:
        return ""
    parts: list[Any] = [sorted(blocking.PASSES), sorted(matching.fields.items()), matching.model]
    return blake2b(repr(parts).encode() + catalog.id_key, digest_size=8).hexdigest()


def _number(record: bytes) -> int:
    return int.from_bytes(codec.unseal(record, "blocks"))
