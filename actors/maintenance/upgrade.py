"""Rewrites a store of format 1 as format 2, in place: records of people are locked, and the plain bytes leave the disk.

Format 1 kept every record plain, each event of a history in a record of its own, and one journal in the shard's order.
The journal is not rewritten: each profile begins with a snapshot, so no instant before the upgrade can be read. Each
profile is rewritten in one batch, so after a crash every profile is in one format or the other, and a second run goes
on where the first one ended. The schema version of a record tells whether it was rewritten.
"""

from __future__ import annotations

from collections.abc import Iterable

import lz4.block
import msgspec

from actors.shard.journal import replay
from actors.shard.outbox.outbox import Waiting
from actors.storage import keys
from actors.storage.batch import Batch
from actors.storage.store import Store
from actors.storage.vault import Vault
from engine import codec
from engine.catalog.compiled import Catalog
from engine.effects import Page
from engine.errors import Corrupt
from engine.events import history
from engine.inputs import IDS_ONLY, AnyInput, HandOver
from engine.profile import Profile, Tombstone
from engine.recent_events import Happened, history_order
from engine.turn_state import Turn

FORMAT = 2
_HEAD = b"\x01\x00"

_profile = msgspec.msgpack.Decoder(Profile)
_tombstone = msgspec.msgpack.Decoder(Tombstone)
_happened = msgspec.msgpack.Decoder(Happened)

Rows = Iterable[tuple[bytes, bytes]]


def upgrade(store: Store, vault: Vault, catalog: Catalog) -> int:
    """Rewrite one shard's store, which nobody else has open; returns how many profiles it held. Corrupt where a record
    of the old format cannot be read."""
    batch = Batch(store, vault)
    number = msgspec.msgpack.decode(_any(store.get("meta", b"journal_seq") or codec.seal(b"\x00")))
    count = 0
    for key, record in store.scan("state"):
        if record[:2] == _HEAD:
            _state(batch, store, catalog, keys.profile_of(key), _plain(record), number)
            batch.commit()
        count += 1
    _others(batch, store, catalog)
    for key, _ in store.scan("journal"):
        if len(key) < keys.PROFILE_BYTES:
            batch.put("journal", key, None)
    batch.commit()
    store.sync()
    store.compact()  # until then the plain bytes are still in old files
    return count


def _state(batch: Batch, store: Store, catalog: Catalog, name: str, plain: bytes, number: int) -> None:
    """Rewrite a profile with all records beside it, or a tombstone. A snapshot takes the place of its journal."""
    prefix = keys.profile_key(name)
    if plain[:1] == b"P":
        rows = list(store.scan("history", prefix))
        profile, pages = _packed(_profile.decode(plain[1:]), [_plain(row) for _, row in rows], catalog)
        for key, _ in rows:
            batch.put("history", key, None)
        for key, page in pages:
            batch.put("history", prefix + key, page, name)
        state, now_ms, owner = codec.encode_record(profile), profile.clock_ms, name
    else:
        tombstone = _tombstone.decode(plain[1:])
        state, now_ms, owner = codec.encode_record(tombstone), tombstone.at_ms, ""
    batch.put("state", prefix, state, owner)
    snapshot = replay.pack_snapshot(now_ms, catalog.version, state)
    batch.put("snapshots", keys.journal_key(name, number), snapshot, owner)
    for key, record in store.scan("audit", prefix):
        batch.put("audit", key, codec.seal(_plain(record)), name)
    for key, record in store.scan("seen", prefix):
        if record[:2] == _HEAD:
            seen = _plain(record)
            batch.put("seen", key, codec.seal(seen), name if len(seen) > 8 else "")


def _packed(profile: Profile, events: list[bytes], catalog: Catalog) -> tuple[Profile, list[tuple[bytes, bytes]]]:
    """A profile with its recent events, and the pages of the others."""
    profile.history = sorted((_happened.decode(event) for event in events), key=history_order)
    turn = Turn(profile, catalog, profile.clock_ms)
    while True:
        before = len(turn.effects)
        history.spill(turn)
        if len(turn.effects) == before:
            break
    pages = [effect for effect in turn.effects if isinstance(effect, Page)]
    own = [(keys.page_key(profile.id, page.number)[keys.PROFILE_BYTES :], page.events) for page in pages]
    return profile, [(key, codec.encode_page(found)) for key, found in own]


def _others(batch: Batch, store: Store, catalog: Catalog) -> None:
    for key, record in _old(store.scan("meta")):  # nothing of a person: only the schema version rises
        batch.put("meta", key, codec.seal(_plain(record)))
    for key, record in _old(store.scan("outbox")):
        at_ms, dispatcher = msgspec.msgpack.decode(_plain(record))
        send = key[keys.PROFILE_BYTES :].hex()
        entry = Waiting(keys.profile_of(key), send, 0 if dispatcher else at_ms, dispatcher)
        batch.put("outbox", key, None)
        batch.put("outbox", entry.key, entry.record)
    for key, record in _old(store.scan("seen")):  # of visitors without a profile
        batch.put("seen", key, codec.seal(_plain(record)))
    for key, record in _old(store.scan("strangers")):
        seen_key, notes = msgspec.msgpack.decode(_plain(record))
        packed = msgspec.msgpack.encode([seen_key, [codec.seal(_plain(note)) for note in notes]])
        batch.put("strangers", key, codec.seal(packed))
    for key, record in _old(store.scan("messages")):
        to, packed = msgspec.msgpack.decode(_plain(record))
        told = _input(packed, catalog)
        owner = "" if isinstance(told, IDS_ONLY) else keys.profile_of(key)
        batch.put("messages", key, codec.seal(msgspec.msgpack.encode([to, codec.encode_input(told)])), owner)
    for family in ("staged", "dead"):
        for key, record in _old(store.scan(family)):
            plain = _plain(record)
            batch.put(family, key, codec.seal(plain), msgspec.msgpack.decode(plain)[0])


def _input(packed: bytes, catalog: Catalog) -> AnyInput:
    """An input. One that hands a profile over carries records, which are rewritten too."""
    told = codec.decode_input(packed)
    if not isinstance(told, HandOver) or not told.state:
        return told
    old = _profile.decode(_plain(told.state)[1:])
    profile, pages = _packed(old, [_plain(row) for _, row in told.history], catalog)
    return HandOver(
        origin=told.origin,
        state=codec.encode_record(profile),
        history=tuple(pages),
        audit=tuple((key, codec.seal(_plain(row))) for key, row in told.audit),
        seen=tuple((key, codec.seal(_plain(row))) for key, row in told.seen),
    )


def _old(rows: Rows) -> Rows:
    return ((key, record) for key, record in rows if record[:2] == _HEAD)


def _any(record: bytes) -> bytes:
    return _plain(record) if record[:2] == _HEAD else codec.unseal(record)


def _plain(record: bytes) -> bytes:
    if record[:2] != _HEAD:
        raise Corrupt("is in no format that can be upgraded", "a record")
    try:
        plain: bytes = lz4.block.decompress(record[2:])
    except lz4.block.LZ4BlockError as error:
        raise Corrupt(str(error), "a record of format 1") from error
    return plain
