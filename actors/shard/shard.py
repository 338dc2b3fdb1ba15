"""A shard: any number of virtual profile actors on one store.

receive → activate → `handle` → one batch → sync → answer. A turn's state, history, audit, timers, outbox, messages,
journal and dedup gather in `batch` and reach the store in one atomic batch; nobody is answered, and no effect is
acted on, before `commit`. A turn that fails is undone (the profile is read again and the group's earlier turns are
repeated) and set aside.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from actors.platform.clock import Clock
from actors.shard import anonymous_receipts, dedup, waking
from actors.shard.activation import Activation, Record, bytes_in_memory
from actors.shard.budget_leases import BudgetLeases
from actors.shard.counters import Counters
from actors.shard.effects import act, check_leaving
from actors.shard.journal import replay
from actors.shard.outbox import handing_out
from actors.shard.outbox.due_index import DueIndex, Read
from actors.shard.outbox.outbox import HANDED_OVER, Outbox, Waiting
from actors.shard.ownership import Ownership
from actors.shard.queries.dead_letters import DeadLetters
from actors.shard.queries.sandbox_log import SandboxLog
from actors.shard.retention import Retention
from actors.shard.setting_back import SettingBack
from actors.shard.unreadable import Unreadable
from actors.storage import keys
from actors.storage.batch import Batch
from actors.storage.store import Store
from actors.storage.vault import PlainVault, Vault
from engine import codec, effects
from engine.catalog.compiled import Catalog
from engine.errors import Away, Corrupt, Fenced, InvalidInput, Moved, NotReady, Parked
from engine.events import history, once
from engine.events.recent import Happened
from engine.identity import erasure, merge
from engine.inputs import AT_PLACES, IDS_ONLY, AnyInput, Erase, Event, HandedOver, Settle, TimersDue
from engine.profile import Profile, Tombstone
from engine.turn import handle, handle_tombstone
from engine.vocabulary import FINAL_STATES

Observer = Callable[[str, int, list[effects.Effect]], None]

_CACHE_BYTES = 256 << 20
_FAILED = {"failed": True}


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
        vault: Vault | None = None,
        own: str = "",
        observer: Observer | None = None,
        cache_bytes: int = _CACHE_BYTES,
    ) -> None:
        self.number = number
        self.catalog = catalog
        self.clock = clock
        self.counts = {"accepted": 0, "repeated": 0, "rejected": 0}
        self.sends = dict.fromkeys(sorted(FINAL_STATES), 0)
        self.counters = Counters()
        self.batch = Batch(store, vault or PlainVault())
        self._observer = observer
        self.cache = Activation(cache_bytes)
        self._dirty: set[str] = set()
        self._group: dict[str, list[tuple[AnyInput, int]]] = {}
        self.unparked: list[str] = []
        self.unreadable = Unreadable(self.batch, number)
        self.forgotten: list[str] = []  # for whoever keeps inputs beside the store
        self._open()
        self.ownership = Ownership(self, own)
        self.retention = Retention(self)
        self.setting_back = SettingBack(self)
        self.leases = BudgetLeases(self)

    # -- opening and closing

    def _open(self) -> None:
        committed = self.batch.committed
        self.timers = DueIndex(*self._pending("timers"))
        handed = [Waiting.read(key, value) for key, value in committed("outbox", HANDED_OVER)]
        self.outbox = Outbox(*self._pending("outbox", less=len(handed)), handed, partial(handing_out.channel_of, self))
        self.messages = {key: _message(value) for key, value in self.unreadable.readable("messages")}
        self.epoch = self.meta("epoch", 0) + 1
        self.journal_seq: int = self.meta("journal_seq", 0)
        self.dead = DeadLetters(self.batch, self.meta("dead_seq", 0))
        self.sandbox = SandboxLog(self)
        self.profiles: int = self.meta("profiles", 0)
        self.counts |= self.meta("counts", {})
        self.sends |= self.meta("sends", {})
        replay.fill_archive(self.catalog.archive, self.batch, self.catalog.id_key, self.catalog.version)
        self.catalog.archive[self.catalog.version] = self.catalog
        self.batch.finish_erasures()
        self.clock.doubt(self.meta("turned_ms", 0))
        waking.after_change(self)
        self.put_meta("epoch", self.epoch)
        self.batch.put("meta", b"catalog/" + self.catalog.version.encode(), codec.seal(self.catalog.document))
        self.commit()

    def _pending(self, family: str, less: int = 0) -> tuple[Read, int]:
        """What an index over a family's keys is made of: how to read them, and how many there are."""
        count = self.meta(family, None)
        if count is None:
            count = sum(1 for _ in self.batch.raw(family, b"")) - less
        return lambda start: self.batch.keys_from(family, start), count

    @property
    def catalogs(self) -> replay.Catalogs:
        """Every catalog that turns of this shard may have run under, by version."""
        return self.catalog.archive | {self.catalog.version: self.catalog}

    def meta(self, name: str, default: Any) -> Any:
        """A fact about this shard."""
        raw = self.batch.get("meta", name.encode())
        return default if raw is None else msgspec.msgpack.decode(codec.unseal(raw, f"meta/{name}"))

    def put_meta(self, name: str, value: Any) -> None:
        """Add a fact about this shard to the batch."""
        self.batch.put("meta", name.encode(), codec.seal(msgspec.msgpack.encode(value)))

    def close(self) -> None:
        """Commit what is left and release the store."""
        self.commit(final=True)
        self.batch.close()

    # -- turns

    def tell(self, profile_id: str, told: AnyInput) -> Done:
        """One turn of one profile. Durable only after `commit`.

        Raises Moved where the profile lives elsewhere, Parked while it is on its way, InvalidInput where the input
        cannot be used. Any other failure is a fault of ours: the turn is undone, the input set aside, the shard goes
        on.
        """
        record = self.ownership.lives(profile_id)
        self.batch.check_key(profile_id)
        if isinstance(record, Tombstone):
            return self._at_tombstone(profile_id, record, told)
        if isinstance(told, Erase) and not erasure.is_meant(record, told):
            return Done("accepted")
        anonymous_receipts.refuse_unnamed(told, record is not None)
        profile = record or Profile(profile_id)
        is_moving = bool(profile.moving_to)
        if merge.must_wait(profile, told):
            raise Parked(100)
        seen_key = once.key_of(told)
        if seen_key is not None:
            first = dedup.before(self.batch, profile, seen_key, told, self.clock.now_ms())
            if first is not None:
                self.counts["repeated"] += isinstance(told, Event)
                return Done("repeated", once.answer_again(told, first.value))
        now_ms = self.clock.of_turn_ms(profile.clock_ms)
        if self.catalog.budgets and (tokens := self.leases.tokens()):
            told = msgspec.structs.replace(told, tokens=tokens)
        if record is None:
            self.cache.put(profile_id, profile)
            told = anonymous_receipts.with_draws(self.batch, profile_id, told)
        try:
            asked = handle(profile, told, self.catalog, now_ms)
            check_leaving(self, profile_id, asked)
        except (InvalidInput, Corrupt):
            self._undo(profile_id)
            raise
        except Exception as error:
            self._undo(profile_id)
            self.dead.put(profile_id, told, f"{type(error).__name__}: {error}", now_ms)
            dedup.remember(self.batch, profile_id, seen_key, now_ms, _FAILED)
            return Done("failed")
        self._group.setdefault(profile_id, []).append((told, now_ms))
        self._journal(profile_id, told, now_ms)
        value = self._act(profile, asked)
        dedup.remember(self.batch, profile_id, seen_key, now_ms, once.to_remember(told, value))
        self.counters.turn(told, now_ms)
        self.counts["accepted"] += isinstance(told, Event)
        if record is None:
            if told.drawn:
                anonymous_receipts.forget_draws(self.batch, profile_id)
            self._first_turn(profile, seen_key)
        if is_moving and not profile.moving_to:
            self.unparked.append(profile_id)  # it stays after all
        return Done("accepted", value)

    def deliver(self, to: str, told: AnyInput, sender: str, seq: int) -> bool:
        """A message from another profile, once; forwarded where the profile has moved. False while it must wait."""
        key = ("seen", keys.profile_key(to) + once.message_key(sender, seq))
        if self.batch.get(*key) is not None:
            return True
        try:
            if not self.tell_or_forward(to, told):
                return False
        except (NotReady, Fenced):
            raise
        except Exception as error:  # what it meets here it would meet again, and others wait behind it
            with contextlib.suppress(Corrupt):
                self._undo(to)
            self.dead.put(to, told, f"{type(error).__name__}: {error}", self.clock.now_ms())
        self.batch.put(*key, codec.seal(self.clock.now_ms().to_bytes(8)))
        return True

    def tell_or_forward(self, to: str, told: AnyInput) -> bool:
        """For inputs that nobody waits for: what meets a tombstone follows it. False for who is away or unreadable."""
        try:
            self.tell(to, told)
        except (Parked, Away):
            return False
        except Corrupt as error:
            self.unreadable.set_aside(to, error)
            return False
        except InvalidInput as error:
            self.dead.put(to, told, str(error), self.clock.now_ms())
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
        waking.has_come_up(self, due_ms, profile_id)
        self.tell_or_forward(profile_id, TimersDue(at_ms=due_ms))
        for stale in self.timers.forget(due_ms, profile_id):
            if profile_id not in self.unreadable:  # else they are tried again after the next start
                self.batch.put("timers", stale, None)
        return True

    def disown(self, dispatcher: str) -> int:
        """A new dispatcher takes over: what another one was handing over is `unknown` now, and never sent again."""
        orphans = self.outbox.orphans(dispatcher)
        for entry in orphans:
            self.tell_or_forward(entry.profile, Settle(send_id=entry.send, outcome="unknown", detail="dispatcher lost"))
        return len(orphans)

    def commit(self, *, sync: bool = True, final: bool = False) -> None:
        """Write everything since the last commit in one batch; with `sync`, survive a power cut too. What only repeats
        alone have changed (a count) waits for another write, or for the `final` one."""
        for profile_id in self._dirty:
            record = self.cache.get(profile_id)
            assert record is not None, "what was changed is in memory"
            encoded = codec.encode_record(record)
            owner = profile_id if isinstance(record, Profile) else ""
            self.batch.put("state", keys.profile_key(profile_id), encoded, owner)
            self.cache.resize(profile_id, bytes_in_memory(record, encoded))
        if self.batch or final:
            facts = {"journal_seq": self.journal_seq, "counts": self.counts, "sends": self.sends}
            facts |= {"profiles": self.profiles, "dead_seq": self.dead.last, "timers": len(self.timers)}
            self.batch.put_changed(facts | {"outbox": self.outbox.waiting, "turned_ms": self.clock.about_now_ms()})
            self.batch.commit()
        if sync:
            self.sync()
        self._dirty.clear()
        self._group.clear()
        self.cache.passivate(self._dirty)

    def passivate_idle(self) -> bool:
        """Drop some of what nothing reached since the last sweep; True at the end of a sweep."""
        return self.cache.sweep(self._dirty)

    @property
    def is_synced(self) -> bool:
        """Nothing is committed that a power cut could take back."""
        return self.batch.is_synced

    def sync(self) -> None:
        """Make what was committed survive a power cut, if anything was. May run in a thread of its own."""
        self.batch.sync()

    # -- reading

    def record(self, profile_id: str) -> Record | None:
        """The profile, or what stands in its place; None for a stranger."""
        return self.cache.get(profile_id) or self._load(profile_id)

    def records(self, family: str, profile_id: str) -> list[tuple[bytes, bytes]]:
        """What stands beside a profile's state, what is not committed yet included. Keys without the profile's id."""
        rows = self.batch.rows(family, keys.profile_key(profile_id))
        return [(key[keys.PROFILE_BYTES :], record) for key, record in rows]

    def older(self, profile_id: str) -> list[Happened]:
        """The events of a profile that are not recent."""
        return [event for _, page in self.records("history", profile_id) for event in codec.decode_page(page)]

    def all_profiles(self) -> list[str]:
        """The ids of all that has a record here."""
        return [keys.profile_of(key) for key, _ in self.batch.raw("state", b"")]

    def scan(self, family: str) -> list[tuple[bytes, bytes]]:
        """All committed records of a family."""
        return list(self.batch.committed(family))

    # -- inside a turn

    def _load(self, profile_id: str) -> Record | None:
        raw = self.unreadable.state_of(profile_id)
        if raw is None:
            return None
        record = codec.decode_record(raw, f"state/{profile_id}")
        self.cache.put(profile_id, record, bytes_in_memory(record, raw))
        wanted = history.tallies_of(self.catalog).name
        if isinstance(record, Profile) and record.spilled and record.tallied != wanted:
            pages = self.batch.committed("history", keys.profile_key(profile_id))
            history.recount(record, self.catalog, (event for _, page in pages for event in codec.decode_page(page)))
        return record

    def _first_turn(self, profile: Profile, seen_key: bytes | None) -> None:
        """A new profile counts; a stranger for whom nothing was reserved leaves no profile, only a receipt for a
        day."""
        if self.cache.get(profile.id) is not profile:
            return
        if not profile.is_blank:
            self.profiles += 1
            return
        self._dirty.discard(profile.id)
        self._group.pop(profile.id, None)
        self.cache.drop(profile.id)
        anonymous_receipts.leave_receipt(self.batch, profile, self.journal_seq, seen_key)

    def _undo(self, profile_id: str) -> None:
        """Back to before the turn: the committed state, and the earlier turns of this group once more."""
        self.cache.drop(profile_id)
        record = self._load(profile_id)
        earlier = self._group.get(profile_id, [])
        if record is None and not earlier:
            return
        profile = record or Profile(profile_id)
        if isinstance(profile, Profile):
            for told, now_ms in earlier:
                handle(profile, told, self.catalog, now_ms)
        self.cache.put(profile_id, profile)

    def _journal(self, profile_id: str, told: AnyInput, now_ms: int) -> None:
        self.journal_seq += 1
        record = replay.pack(now_ms, self.catalog.version, told)
        owner = "" if isinstance(told, IDS_ONLY) and not told.drawn else profile_id
        self.batch.put("journal", keys.journal_key(profile_id, self.journal_seq), record, owner)

    def _at_tombstone(self, profile_id: str, tombstone: Tombstone, told: AnyInput) -> Done:
        is_erased = erasure.is_erased(profile_id, tombstone)
        anonymous_receipts.refuse_unnamed(told, not is_erased)
        now_ms = self.clock.now_ms()
        stand_in = Profile(profile_id, message_seq=tombstone.message_seq)
        asked = handle_tombstone(stand_in, tombstone, told, self.catalog, now_ms)
        if isinstance(told, AT_PLACES) and not is_erased:
            self._journal(profile_id, told, now_ms)
        value, current = self._act(stand_in, asked), self.cache.get(profile_id)
        assert isinstance(current, Tombstone)
        current.message_seq = stand_in.message_seq
        return Done("accepted", value)

    def _act(self, profile: Profile, asked: list[effects.Effect]) -> dict[str, Any] | None:
        """Put a turn's effects into the batch; returns the answer to its caller."""
        self._dirty.add(profile.id)
        answer = act(self, profile, asked)
        if self._observer is not None:
            self._observer(profile.id, profile.clock_ms, asked)
        return answer

    def message_done(self, key: bytes) -> None:
        """A message has arrived durably."""
        if self.messages.pop(key, None) is not None:
            self.batch.put("messages", key, None)


def _message(value: bytes) -> tuple[str, AnyInput]:
    to, packed = msgspec.msgpack.decode(codec.unseal(value, "message"))
    return to, codec.decode_input(packed)
