"""A shard: any number of virtual profile actors on one store.

receive → activate → `handle` → one batch → sync → answer. A turn's state, history, audit, timers, outbox, messages,
journal and dedup gather in `_writes` and reach the store in one atomic batch; nobody is answered, and no effect is
acted on, before `commit`. A turn that fails is undone (the profile is read again and the group's earlier turns are
repeated) and set aside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from actors import keys, strangers
from actors.activation import Activation, Record
from actors.clock import Clock
from actors.outbox import Outbox, Waiting
from actors.store import Store
from actors.timer_index import TimerIndex
from engine import codec, effects, once
from engine.catalog.compile import compile_bytes
from engine.catalog.compiled import Catalog
from engine.errors import InvalidInput, Moved, Overloaded
from engine.identity import merge
from engine.inputs import Absorb, AnyInput, Authorise, Claim, Decide, Event, HandedOver, HandOver, Settle, TimersDue
from engine.profile import Profile, Tombstone, history_order
from engine.turn import handle, handle_tombstone
from engine.vocabulary import FINAL_STATES

Observer = Callable[[str, int, list[effects.Effect]], None]

_CACHE_BYTES = 256 << 20
_FAILED = {"failed": True}


class Parked(Overloaded):
    """The profile is being absorbed; ask again when it has become a tombstone."""

    code = "parked"


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an input: `status` is `accepted`, `repeated`, `failed` (set aside) or `forwarded`."""

    status: str
    value: dict[str, Any] | None = None


class Shard:
    """One writer for a range of slots. Not thread-safe: whoever holds it tells it one thing at a time."""

    def __init__(
        self,
        number: int,
        store: Store,
        catalog: Catalog,
        clock: Clock,
        *,
        observer: Observer | None = None,
        cache_bytes: int = _CACHE_BYTES,
    ) -> None:
        self.number = number
        self.catalog = catalog
        self.clock = clock
        self.counts = {"accepted": 0, "repeated": 0, "rejected": 0}
        self.sends = dict.fromkeys(sorted(FINAL_STATES), 0)
        self._store = store
        self._observer = observer
        self._cache = Activation(cache_bytes)
        self._writes: dict[tuple[str, bytes], bytes | None] = {}
        self._dirty: set[str] = set()
        self._group: dict[str, list[tuple[AnyInput, int]]] = {}
        self.unparked: list[str] = []
        self.is_synced = True  # nothing is committed that a power cut could take back
        self._open()

    # -- opening and closing

    def _open(self) -> None:
        store = self._store
        self.timers = TimerIndex([key for key, _ in store.scan("timers")])
        self.outbox = Outbox([Waiting.read(key, value) for key, value in store.scan("outbox")])
        self.messages = {key: _message(value) for key, value in store.scan("messages")}
        self.epoch = self.meta("epoch", 0) + 1
        self._journal_seq: int = self.meta("journal_seq", 0)
        self._dead_seq: int = self.meta("dead_seq", 0)
        self.profiles: int = self.meta("profiles", 0)
        self.counts |= self.meta("counts", {})
        self.sends |= self.meta("sends", {})
        for key, value in store.scan("meta", b"catalog/"):
            version = key.removeprefix(b"catalog/").decode()
            if version != self.catalog.version:
                old = compile_bytes(codec.unseal(value))
                self.catalog.archive[version] = replace(old, id_key=self.catalog.id_key)
        self.put_meta("epoch", self.epoch)
        self._writes["meta", b"catalog/" + self.catalog.version.encode()] = codec.seal(self.catalog.document)
        self.commit()

    def meta(self, name: str, default: Any) -> Any:
        """A committed fact about this shard."""
        raw = self._store.get("meta", name.encode())
        return default if raw is None else msgspec.msgpack.decode(codec.unseal(raw, f"meta/{name}"))

    def put_meta(self, name: str, value: Any) -> None:
        """Add a fact about this shard to the batch."""
        self._writes["meta", name.encode()] = codec.seal(msgspec.msgpack.encode(value))

    def close(self) -> None:
        """Commit what is left and release the store."""
        self.commit()
        self._store.close()

    # -- turns

    def tell(self, profile_id: str, told: AnyInput) -> Done:
        """One turn of one profile. Durable only after `commit`.

        Raises Moved where the profile lives elsewhere, Parked while it is on its way, InvalidInput where the input
        cannot be used. Any other failure is a fault of ours: the turn is undone, the input set aside, the shard goes
        on.
        """
        record = self.record(profile_id)
        if isinstance(record, Tombstone):
            if isinstance(told, Absorb | Claim):
                return self._at_tombstone(profile_id, record, told)
            raise Moved(record.to)
        profile = record or Profile(profile_id)
        is_moving = bool(profile.moving_to)
        if is_moving and not isinstance(told, HandedOver) and not merge.goes_on(profile, told):
            raise Parked(100)
        seen_key = once.key_of(told)
        if seen_key is not None:
            repeated = self._seen(profile, seen_key, told)
            if repeated is not None:
                self.counts["repeated"] += isinstance(told, Event)
                return repeated
        now_ms = self.clock.now_ms()
        if record is None:
            self._cache.put(profile_id, profile)
        try:
            asked = handle(profile, told, self.catalog, now_ms)
        except InvalidInput:
            self._undo(profile_id)
            raise
        except Exception as error:
            self._undo(profile_id)
            self._set_aside(profile_id, told, f"{type(error).__name__}: {error}")
            self._remember_seen(profile_id, seen_key, now_ms, _FAILED)
            return Done("failed")
        self._group.setdefault(profile_id, []).append((told, now_ms))
        self._journal(profile_id, told, now_ms)
        value = self._act(profile, asked)
        self._remember_seen(profile_id, seen_key, now_ms, value if isinstance(told, Decide) else None)
        self.counts["accepted"] += isinstance(told, Event)
        if record is None:
            self._first_turn(profile, seen_key)
        if is_moving and not profile.moving_to:
            self.unparked.append(profile_id)  # it stays after all
        return Done("accepted", value)

    def deliver(self, to: str, told: AnyInput, sender: str, seq: int) -> bool:
        """A message from another profile, once; forwarded where the profile has moved. False while it must wait."""
        key = ("seen", keys.profile_key(to) + once.message_key(sender, seq))
        if self._read(key) is not None:
            return True
        if not self.tell_or_forward(to, told):
            return False
        self._writes[key] = codec.seal(self.clock.now_ms().to_bytes(8))
        return True

    def tell_or_forward(self, to: str, told: AnyInput) -> bool:
        """For inputs that nobody waits for: what meets a tombstone follows it. False while the profile is on its
        way."""
        try:
            self.tell(to, told)
        except Parked:
            return False
        except InvalidInput as error:
            self._set_aside(to, told, str(error))
        except Moved as moved:
            tombstone = self.record(to)
            assert isinstance(tombstone, Tombstone)
            if not isinstance(told, HandedOver | TimersDue):
                tombstone.message_seq += 1
                self._act(Profile(to), [effects.Tell(moved.to, tombstone.message_seq, told)])
                self._dirty.add(to)
        return True

    def fire_timers(self, now_ms: int) -> bool:
        """One turn for the earliest timers that are due at `now_ms`; False where there are none."""
        due = self.timers.pop_due(now_ms)
        if due is None:
            return False
        due_ms, profile_id = due
        self.tell_or_forward(profile_id, TimersDue(at_ms=due_ms))
        for stale in self.timers.forget(due_ms, profile_id):
            self._writes["timers", stale] = None
        return True

    def disown(self, dispatcher: str) -> int:
        """A new dispatcher takes over: what another one was handing over is `unknown` now, and never sent again."""
        orphans = self.outbox.orphans(dispatcher)
        for entry in orphans:
            self.tell_or_forward(entry.profile, Settle(send_id=entry.send, outcome="unknown", detail="dispatcher lost"))
        return len(orphans)

    def authorise(self, entry: Waiting, dispatcher: str) -> dict[str, Any] | None:
        """The message of a send that may go now, None where it may not."""
        try:
            done = self.tell(entry.profile, Authorise(send_id=entry.send, dispatcher=dispatcher))
        except (Parked, Moved):
            return None
        if done.status == "failed":  # it is set aside: asking again in every round would fail for ever
            self._drop_from_outbox(entry.profile, entry.send)
        if done.value is None or not done.value["authorised"]:
            return None
        return {**done.value["message"], "profile": entry.profile}

    def commit(self, *, sync: bool = True) -> None:
        """Write everything since the last commit in one batch; with `sync`, survive a power cut too."""
        for profile_id in self._dirty:
            record = self._cache.get(profile_id)
            assert record is not None, "what was changed is in memory"
            encoded = codec.encode_record(record)
            self._writes["state", keys.profile_key(profile_id)] = encoded
            history = 150 * len(record.history) if isinstance(record, Profile) else 0
            self._cache.resize(profile_id, 10 * len(encoded) + history)
        if self._writes:
            self.put_meta("journal_seq", self._journal_seq)
            self.put_meta("counts", self.counts)
            self.put_meta("sends", self.sends)
            self.put_meta("profiles", self.profiles)
            self._store.write(self._writes)
            self.is_synced = False
        if sync:
            self.sync()
        self._writes = {}
        self._dirty.clear()
        self._group.clear()
        self._cache.passivate(self._dirty)

    def sync(self) -> None:
        """Make what was committed survive a power cut, if anything was. May run in a thread of its own."""
        if not self.is_synced:
            self._store.sync()
            self.is_synced = True

    # -- reading

    def record(self, profile_id: str) -> Record | None:
        """The profile, or what stands in its place; None for a stranger."""
        found = self._cache.get(profile_id)
        if found is None:
            found = self._load(profile_id)
            if found is not None:
                self._cache.put(profile_id, found)
        return found

    def records(self, family: str, profile_id: str) -> list[tuple[bytes, bytes]]:
        """What stands beside a profile's state, what is not committed yet included. Keys without the profile's id."""
        prefix = keys.profile_key(profile_id)
        found = dict(self._store.scan(family, prefix))
        for (where, key), value in self._writes.items():
            if where == family and key.startswith(prefix):
                if value is None:
                    found.pop(key, None)
                else:
                    found[key] = value
        return [(key[keys.PROFILE_BYTES :], found[key]) for key in sorted(found)]

    def all_profiles(self) -> list[str]:
        """The ids of all that has a record here."""
        return [keys.profile_of(key) for key, _ in self._store.scan("state")]

    def scan(self, family: str) -> list[tuple[bytes, bytes]]:
        """All committed records of a family."""
        return list(self._store.scan(family))

    def put(self, family: str, key: bytes, value: bytes | None) -> None:
        """Add a record of another room to the batch."""
        self._writes[family, key] = value

    # -- the inside of a turn

    def _load(self, profile_id: str) -> Record | None:
        raw = self._store.get("state", keys.profile_key(profile_id))
        if raw is None:
            return None
        record = codec.decode_record(raw, f"state/{profile_id}")
        if isinstance(record, Profile):
            rows = self._store.scan("history", keys.profile_key(profile_id))
            record.history = sorted((codec.decode_happened(value) for _, value in rows), key=history_order)
        return record

    def _read(self, key: tuple[str, bytes]) -> bytes | None:
        return self._writes[key] if key in self._writes else self._store.get(*key)

    def _seen(self, profile: Profile, seen_key: bytes, told: AnyInput) -> Done | None:
        raw = self._read(("seen", keys.profile_key(profile.id) + seen_key))
        if raw is None:
            return None
        plain = codec.unseal(raw, "seen")
        now_ms = max(self.clock.now_ms(), profile.clock_ms)
        if not once.is_remembered(told, int.from_bytes(plain[:8]), now_ms):
            return None
        return Done("repeated", msgspec.msgpack.decode(plain[8:]) if len(plain) > 8 else None)

    def _remember_seen(self, profile_id: str, key: bytes | None, now_ms: int, value: dict[str, Any] | None) -> None:
        if key is not None:
            packed = b"" if value is None else msgspec.msgpack.encode(value)
            self._writes["seen", keys.profile_key(profile_id) + key] = codec.seal(now_ms.to_bytes(8) + packed)

    def _first_turn(self, profile: Profile, seen_key: bytes | None) -> None:
        """A new profile counts; a stranger for whom nothing was reserved leaves no profile, only a receipt for a
        day."""
        if self._cache.get(profile.id) is not profile:
            return
        if not profile.is_blank:
            self.profiles += 1
            return
        self._dirty.discard(profile.id)
        self._group.pop(profile.id, None)
        self._cache.drop(profile.id)
        notes = [self._writes.pop(("audit", keys.audit_key(profile.id, seq + 1))) for seq in range(profile.audit_seq)]
        self._journal_seq += 1
        key, value = strangers.record(profile.id, profile.clock_ms, self._journal_seq, seen_key, notes)
        self._writes["strangers", key] = value

    def forget_strangers(self, now_ms: int) -> None:
        """Drop the receipts and request ids of strangers that are older than a day."""
        self._writes.update(dict.fromkeys(strangers.expired(self._store, now_ms)))

    def _undo(self, profile_id: str) -> None:
        """Back to before the turn: the committed state, and the earlier turns of this group once more."""
        self._cache.drop(profile_id)
        record = self._load(profile_id)
        earlier = self._group.get(profile_id, [])
        if record is None and not earlier:
            return
        profile = record or Profile(profile_id)
        if isinstance(profile, Profile):
            for told, now_ms in earlier:
                handle(profile, told, self.catalog, now_ms)
        self._cache.put(profile_id, profile)

    def _set_aside(self, profile_id: str, told: AnyInput, reason: str) -> None:
        self._dead_seq += 1
        self.put_meta("dead_seq", self._dead_seq)
        packed = msgspec.msgpack.encode([profile_id, reason, self.clock.now_ms(), codec.encode_input(told)])
        self._writes["dead", keys.number_key(self._dead_seq)] = codec.seal(packed)

    def _journal(self, profile_id: str, told: AnyInput, now_ms: int) -> None:
        self._journal_seq += 1
        packed = msgspec.msgpack.encode([profile_id, now_ms, self.catalog.version, codec.encode_input(told)])
        self._writes["journal", keys.number_key(self._journal_seq)] = codec.seal(packed)

    def _at_tombstone(self, profile_id: str, tombstone: Tombstone, told: Absorb | Claim) -> Done:
        now_ms = self.clock.now_ms()
        stand_in = Profile(profile_id, message_seq=tombstone.message_seq)
        self._journal(profile_id, told, now_ms)
        value = self._act(stand_in, handle_tombstone(stand_in, tombstone, told, self.catalog, now_ms))
        current = self._cache.get(profile_id)
        assert isinstance(current, Tombstone)
        current.message_seq = stand_in.message_seq
        return Done("accepted", value)

    def _act(self, profile: Profile, asked: list[effects.Effect]) -> dict[str, Any] | None:
        """Put a turn's effects into the batch; returns the answer to its caller."""
        self._dirty.add(profile.id)
        answer = None
        for effect in asked:
            if isinstance(effect, effects.Answer):
                answer = effect.value
            else:
                _ACTS[type(effect)](self, profile, effect)
        if self._observer is not None:
            self._observer(profile.id, profile.clock_ms, asked)
        return answer

    def _remember(self, profile: Profile, effect: effects.Remember) -> None:
        event = effect.event
        key = keys.history_key(profile.id, event.at_ms, event.seq)
        self._writes["history", key] = codec.encode_happened(event)

    def _note(self, profile: Profile, effect: effects.Note) -> None:
        self._writes["audit", keys.audit_key(profile.id, effect.seq)] = effect.sealed
        if effect.entry.kind == "send" and effect.entry.outcome in FINAL_STATES:
            self.sends[effect.entry.outcome] += 1

    def _set_timer(self, profile: Profile, effect: effects.SetTimer) -> None:
        key = keys.timer_key(effect.due_ms, profile.id, effect.run, effect.generation)
        self._writes["timers", key] = b""
        self.timers.add(key)

    def _drop_timer(self, profile: Profile, effect: effects.DropTimer) -> None:
        key = keys.timer_key(effect.due_ms, profile.id, effect.run, effect.generation)
        self._writes["timers", key] = None
        self.timers.discard(key)

    def _enqueue(self, profile: Profile, effect: effects.Enqueue) -> None:
        entry = Waiting(profile.id, effect.send, effect.not_before_ms, effect.handing_over)
        self._writes["outbox", entry.key] = entry.record
        self.outbox.put(entry)

    def _dequeue(self, profile: Profile, effect: effects.Dequeue) -> None:
        self._drop_from_outbox(profile.id, effect.send)

    def _drop_from_outbox(self, profile_id: str, send: str) -> None:
        self._writes["outbox", keys.outbox_key(profile_id, send)] = None
        self.outbox.drop(profile_id, send)

    def _tell(self, profile: Profile, effect: effects.Tell) -> None:
        key = keys.message_key(profile.id, effect.seq)
        packed = msgspec.msgpack.encode([effect.to, codec.encode_input(effect.message)])
        self._writes["messages", key] = codec.seal(packed)
        self.messages[key] = (effect.to, effect.message)

    def message_done(self, key: bytes) -> None:
        """A message has arrived durably."""
        if self.messages.pop(key, None) is not None:
            self._writes["messages", key] = None

    def _surrender(self, profile: Profile, effect: effects.Surrender) -> None:
        for entry in self.outbox.of_profile(profile.id):
            self._drop_from_outbox(profile.id, entry.send)
        hand_over = HandOver(
            origin=profile.id,
            state=codec.encode_record(profile),
            history=tuple(self.records("history", profile.id)),
            audit=tuple(self.records("audit", profile.id)),
            seen=tuple(self.records("seen", profile.id)),
        )
        self._tell(profile, effects.Tell(effect.to, effect.seq, hand_over))

    def _take_in(self, profile: Profile, effect: effects.TakeIn) -> None:
        prefix = keys.profile_key(profile.id)
        for family, rows in (("history", effect.history), ("audit", effect.audit), ("seen", effect.seen)):
            for key, value in rows:
                self._writes[family, prefix + key] = value

    def _bury(self, profile: Profile, effect: effects.Bury) -> None:
        buried = self._cache.get(profile.id)
        self.profiles -= isinstance(buried, Profile) and not buried.is_blank
        prefix = keys.profile_key(profile.id)
        for family in ("history", "audit"):
            for key, _ in self.records(family, profile.id):
                self._writes[family, prefix + key] = None
        tombstone = Tombstone(effect.to, self.clock.now_ms(), profile.message_seq)
        self._cache.put(profile.id, tombstone, 100)
        self.unparked.append(profile.id)


_ACTS: dict[type, Callable[[Shard, Profile, Any], None]] = {
    effects.Remember: Shard._remember,
    effects.Note: Shard._note,
    effects.SetTimer: Shard._set_timer,
    effects.DropTimer: Shard._drop_timer,
    effects.Enqueue: Shard._enqueue,
    effects.Dequeue: Shard._dequeue,
    effects.Tell: Shard._tell,
    effects.Surrender: Shard._surrender,
    effects.TakeIn: Shard._take_in,
    effects.Bury: Shard._bury,
}


def _message(value: bytes) -> tuple[str, AnyInput]:
    to, packed = msgspec.msgpack.decode(codec.unseal(value, "message"))
    return to, codec.decode_input(packed)
