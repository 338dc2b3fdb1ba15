"""Checks the stores of a stopped engine: every record can be read, every audit chain holds, and the target of every
reference exists."""

from __future__ import annotations

import contextlib
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from actors.shard.standing import index
from actors.shard.things.index import PLACE_BYTES, profile_in
from actors.storage import keys
from actors.storage.batch import Batch
from actors.storage.store import RocksStore, inspect
from actors.storage.vault import Vault
from engine import audit, codec
from engine.errors import Corrupt
from engine.merging import erasure
from engine.profile import Profile, Tombstone
from engine.splitting.around import can_be_undone


def verify(paths: Sequence[Path], vault: Vault) -> tuple[list[str], dict[str, int]]:
    """Every fault as `shard: record: message`, and how many records of each kind were checked. UsageError while an
    engine runs there."""
    stores: dict[str, Batch] = {}
    unread: list[str] = []
    try:
        for path in paths:
            with _naming(unread):
                inspect(path, rows_max=0)  # a store that is broken as a whole is not opened: that would change it
                with _naming(unread):
                    inspect(path, rows_max=sys.maxsize)
                stores[path.name] = Batch(RocksStore(path, create=False), vault)
        faults, seen = check(stores)
        return list(dict.fromkeys(unread + faults)), seen
    finally:
        for store in stores.values():
            store.close()


def check(stores: Mapping[str, Batch]) -> tuple[list[str], dict[str, int]]:
    """The same for stores that are open already, by name."""
    faults: list[str] = []
    seen = dict.fromkeys(("profiles", "tombstones", "audit entries", "timers", "sends", "journal records"), 0)
    everybody: set[str] = set()
    for name, store in stores.items():
        with _naming(faults, name):
            everybody.update(keys.profile_of(key) for key, _ in store.raw("state", b""))
    for name, store in stores.items():
        with _naming(faults, name):
            for fault in _of_shard(store, everybody, seen):
                faults.append(f"{name}: {fault}")
    return list(dict.fromkeys(faults)), seen


@contextlib.contextmanager
def _naming(faults: list[str], name: str = "") -> Iterator[None]:
    """Turns Corrupt into a fault: a block that cannot be read ends the check of its store, not of the others."""
    try:
        yield
    except Corrupt as error:
        faults.append(f"{name}: {error}" if name else str(error))


def _of_shard(store: Batch, everybody: set[str], seen: dict[str, int]) -> Iterator[str]:
    timers: dict[str, set[tuple[int, str, int]]] = defaultdict(set)
    for key, _ in store.committed("timers"):
        due_ms, profile, run, generation = keys.timer_parts(key)
        if run != keys.NO_RUN:  # a timer that wakes a profile belongs to no run, so nothing can refer to it
            timers[profile].add((due_ms, run, generation))
    outbox: dict[str, set[tuple[int, str]]] = defaultdict(set)
    waiting, is_readable = 0, True
    for key, _ in store.committed("outbox"):
        at_ms, profile, send = keys.outbox_parts(key)
        outbox[profile].add((at_ms, send))
        waiting += at_ms > 0  # time 0: a dispatcher has it
    interests: dict[str, set[str]] = defaultdict(set)
    for key, _ in store.raw("interests", b""):
        interests[profile_in(key)].add(key[:PLACE_BYTES].hex())
    standing = _standing(store)
    for key, locked in store.raw("state", b""):
        name = keys.profile_of(key)
        try:
            record = codec.decode_record(store.unlock(locked), name)
            stands = standing.pop(name, set()) if standing is not None else None
            if stands is not None and stands != set(index.rows_of(name, record)) and not _is_away(store, name):
                yield f"{name}: the index of standing runs does not say where its runs are"
            if isinstance(record, Tombstone):
                seen["tombstones"] += 1
                if record.to not in everybody and not erasure.is_erased(name, record):
                    yield f"{name}: points to {record.to}, who is not there"
            else:
                seen["profiles"] += 1
                wanted = {each.thing for each in record.interests}
                if interests.pop(name, set()) != wanted and not _is_away(store, name):
                    yield f"{name}: its interests differ from those in the index of things"
                yield from _of_profile(store, record, timers.pop(name, set()), outbox.pop(name, set()), seen)
        except Corrupt as error:  # one fault is enough: its timers and sends are not reported as orphans too
            timers.pop(name, None)
            outbox.pop(name, None)
            interests.pop(name, None)
            (standing or {}).pop(name, None)
            is_readable = False
            yield f"{name}: {error}"
    for profile in (*timers, *outbox, *interests):
        yield f"{profile}: has timers, sends or interests, and no profile"
    for profile in standing or ():
        yield f"{profile}: stands in a journey, and there is no profile"
    stored = store.get("meta", b"outbox")
    if stored is not None and is_readable:  # the sends of a profile that cannot be read are not counted
        counted = msgspec.msgpack.decode(codec.unseal(stored, "meta/outbox"))
        if counted != waiting:
            yield f"meta/outbox: says {counted}, and {waiting} in the outbox wait; the engine mends this as it works"
    yield from _of_journal(store, seen)


def _standing(store: Batch) -> dict[str, set[tuple[bytes, bytes]]] | None:
    """The rows of the index of standing runs, by profile; None while it is being made."""
    whole = store.get("meta", b"standing")
    if whole is None or not msgspec.msgpack.decode(codec.unseal(whole, "meta/standing")):
        return None
    found: dict[str, set[tuple[bytes, bytes]]] = defaultdict(set)
    for key, place in store.committed("standing"):
        found[index.profile_in(key)].add((key, place))
    return found


def _is_away(store: Batch, profile: str) -> bool:
    return store.get("meta", b"away/" + profile.encode()) is not None


def _of_profile(
    store: Batch,
    profile: Profile,
    timers: set[tuple[int, str, int]],
    outbox: set[tuple[int, str]],
    seen: dict[str, int],
) -> Iterator[str]:
    if not profile.moving_to and not _is_away(store, profile.id):
        pending = {(run.due_ms, run.id, run.generation) for run in profile.runs if run.due_ms and run.state == "active"}
        if pending != timers:
            yield f"{profile.id}: {len(pending ^ timers)} timers differ between its runs and the timer index"
        sends = {(send.waits_ms, send.id) for send in profile.sends}
        if sends != outbox:
            yield f"{profile.id}: {len(sends ^ outbox)} sends differ between the profile and the outbox"
        seen["timers"] += len(timers)
        seen["sends"] += len(outbox)
    for past in profile.ledger:
        if can_be_undone(past) and store.get("merges", keys.merge_key(profile.id, past.id)) is None:
            yield f"{profile.id}: merge {past.id} can be undone, and its states are not kept"
    chains: dict[bytes, list[bytes]] = defaultdict(list)
    for key, value in store.committed("audit", keys.profile_key(profile.id)):
        chains[key[keys.PROFILE_BYTES : keys.PROFILE_BYTES + 4]].append(value)
        seen["audit entries"] += 1
    for origin, records in chains.items():
        broken = audit.first_break(records)
        if broken is not None:
            yield f"{profile.id}: its audit chain {origin.hex()} breaks at entry {broken + 1}"
    own = chains.get(keys.origin_of(profile.id), [])
    head = audit.open_entry(own[-1])[0] if own else b""
    if len(own) != profile.audit_seq or head != profile.audit_head:
        yield f"{profile.id}: its audit chain does not end where the profile says"
    for _, value in store.committed("history", keys.profile_key(profile.id)):
        codec.decode_page(value)


def _of_journal(store: Batch, seen: dict[str, int]) -> Iterator[str]:
    for key, locked in store.raw("journal", b""):
        try:
            value = store.unlock(locked)
            codec.decode_input(msgspec.msgpack.decode(codec.unseal(value, "journal"))[2])
        except (Corrupt, msgspec.MsgspecError) as error:
            yield f"{keys.profile_of(key)}: journal record {key[keys.PROFILE_BYTES :].hex()} cannot be read: {error}"
        seen["journal records"] += 1
