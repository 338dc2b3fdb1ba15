"""A shard: any number of virtual profile actors on one store.

receive → activate → `handle` → one batch → sync → answer. A turn's state, history, audit, timers, outbox, messages,
journal and dedup gather in the shard's state (`actors.shard.state`) and reach the store in one atomic batch; nobody is
answered, and no effect is acted on, before `commit`. A turn that fails is undone (the profile is read again and the
group's earlier turns are repeated) and set aside.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from actors.platform.clock import Clock
from actors.shard import anonymous_receipts, dedup, giving_back, waking
from actors.shard.budget_leases import BudgetLeases
from actors.shard.effects import apply, check_leaving
from actors.shard.matching.rebuilding import Rebuilding
from actors.shard.outbox.sandbox_log import SandboxLog
from actors.shard.ownership import PARKED_RETRY_MS, Ownership
from actors.shard.rounds.reconsidering import Reconsidering
from actors.shard.rounds.retention import Retention
from actors.shard.rounds.setting_back import SettingBack
from actors.shard.state import CACHE_BYTES, ShardState
from actors.storage import keys
from actors.storage.store import Store
from actors.storage.vault import Vault
from engine import codec, effects
from engine.catalog.compiled import Catalog
from engine.errors import Away, Corrupt, Fenced, InvalidInput, Moved, NotReady, Parked, StoreFailed
from engine.events import once
from engine.inputs import (
    AT_PLACES,
    AnyInput,
    Erase,
    Event,
    HandedOver,
    PassedOn,
    Revive,
    Revived,
    Settle,
    Split,
    TimersDue,
)
from engine.merging import erasure, transfer
from engine.profile import Profile, Tombstone
from engine.readings.identity_figures import ANONYMOUS, KNOWN, is_known
from engine.splitting import revive, ways
from engine.turn import handle, handle_tombstone

Observer = Callable[[str, int, list[effects.Effect]], None]

_FAILED = {"failed": True}  # remembered as the answer of an input whose turn failed


@dataclass(frozen=True, slots=True)
class Done:
    """The result of an input: `status` is `accepted`, `repeated` or `failed` (set aside)."""

    status: str
    value: dict[str, Any] | None = None


class Shard(ShardState):
    """One writer for a range of slots. Not thread-safe: its owner tells it one input at a time.

    A shard is its state and the turns that change it. Its parts get the state alone, so none of them can take a turn.
    `own` is set where the shard is for this one profile; `observer` sees the effects of each turn.
    """

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
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        super().__init__(number, store, catalog, clock, vault=vault, cache_bytes=cache_bytes)
        self._observer, self.is_running_out = observer, False  # (`engine.inputs.TimersDue`)
        self._open()
        self.ownership = Ownership(self, own)
        self.sandbox = SandboxLog(self)
        self.retention = Retention(self)
        self.rebuilding = Rebuilding(self)
        self.matching_done, self.matching_frequent = Counter[str](), Counter[str]()  # of this process
        tell = self.tell_or_forward
        self.setting_back, self.reconsidering = SettingBack(self, tell), Reconsidering(self, tell)
        self.leases = BudgetLeases(self)

    def _open(self) -> None:
        """Begin a life of this shard: a new epoch, under the catalog of today."""
        self.read_catalogs()
        self.catalog.archive[self.catalog.version] = self.catalog
        self.batch.finish_erasures()
        self.clock.doubt(self.meta("turned_ms", 0))
        waking.after_catalog_change(self)
        self.put_meta("epoch", self.epoch)
        self.keep_catalog()
        self.commit()

    @property
    def is_busy(self) -> bool:
        """Whether there is work beside inputs that is not done yet."""
        return any(part.is_busy for part in (self.setting_back, self.standing, self.people))

    # -- turns

    def tell(self, profile_id: str, told: AnyInput) -> Done:
        """One turn of one profile. Durable only after `commit`.

        Raises Moved where the profile lives elsewhere or the input is for another one, Parked while it is on its way,
        InvalidInput where the input cannot be used. Any other failure is a fault of ours: the turn is undone, the input
        set aside, the shard goes on.
        """
        record = self.ownership.record_here(profile_id)
        self.batch.check_key(profile_id)
        if isinstance(record, Tombstone):
            return self._tell_tombstone(profile_id, record, told)
        if isinstance(told, Erase) and not erasure.is_meant(record, told):
            if record is not None and erasure.must_hear(record, told):
                was_split = erasure.has_split(record, told)
                self._turn(record, told, None, is_new=False)
                giving_back.forget_the_past(self, record, was_split=was_split)
            return Done("accepted")
        anonymous_receipts.refuse_unnamed(told, record is not None)
        profile = record or Profile(profile_id)
        if transfer.must_wait(profile, told):
            raise Parked(PARKED_RETRY_MS)
        told = giving_back.prepared(self, profile, told)
        dedup_key, now_ms = once.key_of(told), self.clock.now_ms()
        if dedup_key is not None and (earlier := dedup.find(self.batch, profile, dedup_key, told, now_ms)) is not None:
            self.counts["repeated"] += isinstance(told, Event)
            return Done("repeated", once.answer_again(told, earlier.value))
        if profile.shared:
            ways.pass_on(profile, told, self.catalog)
        return self._turn(profile, told, dedup_key, is_new=record is None)

    def _turn(self, profile: Profile, told: AnyInput, dedup_key: bytes | None, *, is_new: bool) -> Done:
        """The turn of an input that is not a repeat, for a profile that lives here."""
        profile_id, was_moving = profile.id, bool(profile.moving_to)
        now_ms = self.clock.of_turn_ms(profile.clock_ms)
        if self.catalog.budgets and (tokens := self.leases.tokens()):
            told = msgspec.structs.replace(told, tokens=tokens)  # into the journal too: a replay must decide alike
        if is_new:
            self.cache.put(profile_id, profile)
            told = anonymous_receipts.with_draws(self.batch, profile_id, told)
        try:
            asked = handle(profile, told, self.catalog, now_ms)
            check_leaving(self, profile_id, asked)
        except (InvalidInput, Corrupt):
            self._undo(profile_id)
            raise
        except Exception as error:  # a fault of ours must not stop the shard: everybody else lives on
            self._undo(profile_id)
            self.dead.put(profile_id, told, f"{type(error).__name__}: {error}", now_ms)
            dedup.remember(self.batch, profile_id, dedup_key, now_ms, _FAILED)
            return Done("failed")
        self._group.setdefault(profile_id, []).append((told, now_ms))
        self.journal(profile_id, told, now_ms)
        value = self._apply(profile, asked)
        dedup.remember(self.batch, profile_id, dedup_key, now_ms, once.to_remember(told, value))
        self.counters.turn(told, now_ms)
        if isinstance(told, Event):
            self.counts["accepted"] += 1
            self.resolved[KNOWN if is_known(profile, self.people.knowing) else ANONYMOUS] += 1
        if is_new:
            if told.drawn:
                anonymous_receipts.forget_draws(self.batch, profile_id)
            self._first_turn(profile, dedup_key)
        if (was_moving and not profile.moving_to) or isinstance(told, Revived):
            self.unparked.append(profile_id)  # it stays after all, or what waited for another one goes there
        if isinstance(told, Split | Revive):
            self.count_anew(profile)
        return Done("accepted", value)

    def _tell_tombstone(self, profile_id: str, tombstone: Tombstone, told: AnyInput) -> Done:
        """An input at a place whose profile was merged or erased. Raises Moved where it is for the profile itself."""
        is_erased = erasure.is_erased(profile_id, tombstone)
        if isinstance(told, Revive) and told.state and not is_erased:
            return self._turn(*giving_back.risen(self, tombstone, told), None, is_new=False)
        anonymous_receipts.refuse_unnamed(told, not is_erased)
        now_ms = self.clock.now_ms()
        stand_in = Profile(profile_id, message_seq=tombstone.message_seq)
        asked = handle_tombstone(stand_in, tombstone, told, self.catalog, now_ms)
        if isinstance(told, AT_PLACES) and not is_erased:
            self.journal(profile_id, told, now_ms)
        value, current = self._apply(stand_in, asked), self.cache.get(profile_id)
        assert isinstance(current, Tombstone)
        current.message_seq = stand_in.message_seq
        return Done("accepted", value)

    def _apply(self, profile: Profile, asked: list[effects.Effect]) -> dict[str, Any] | None:
        """Put a turn's effects into the batch; returns the answer to the caller."""
        self._changed.add(profile.id)
        answer = apply(self, self.leases, profile, asked)
        if self._observer is not None:
            self._observer(profile.id, profile.clock_ms, asked)
        return answer

    def _first_turn(self, profile: Profile, dedup_key: bytes | None) -> None:
        """Keep a new profile. A visitor for whom nothing was reserved leaves none, only a receipt for a day: most
        visitors never come back, and one who does gets a profile with the first event."""
        if self.cache.get(profile.id) is not profile:
            return  # the very turn has left a tombstone in its place
        if not profile.is_blank or profile.message_seq:  # what it has told is told once by its number
            self.profiles += 1
            return
        self._changed.discard(profile.id)
        self._group.pop(profile.id, None)
        self.cache.drop(profile.id)
        anonymous_receipts.leave_receipt(self.batch, profile, self.journal_seq, dedup_key)

    def _undo(self, profile_id: str) -> None:
        """Go back to before the turn: the committed record is read again, and the earlier turns of this group are
        repeated (`docs/decisions/0006-undo-by-repeating.md`). Their effects are in the batch already and stay."""
        self.cache.drop(profile_id)
        record, earlier = self.load(profile_id), self._group.get(profile_id, [])
        if record is None and not earlier:
            return
        profile = record or Profile(profile_id)
        for told, now_ms in earlier:
            if isinstance(profile, Tombstone) and isinstance(told, Revive) and told.state:
                profile = revive.risen(profile, told)
            if isinstance(profile, Profile):
                handle(profile, told, self.catalog, now_ms)
                self.count_anew(profile)
        self.cache.put(profile_id, profile)

    # -- turns that nobody waits for

    def deliver(self, to: str, told: AnyInput, sender: str, seq: int) -> bool:
        """A message from another profile, once; forwarded where the profile has moved. False while it must wait."""
        key = ("seen", keys.profile_key(to) + once.message_key(sender, seq))
        if self.batch.get(*key) is not None:
            return True
        try:
            if not self.tell_or_forward(to, told):
                return False
        except (StoreFailed, Fenced):
            raise
        except Exception as error:  # it would fail again at every try, and the messages behind it would wait for ever
            with contextlib.suppress(Corrupt):
                self._undo(to)
            self.dead.put(to, told, f"{type(error).__name__}: {error}", self.clock.now_ms())
        self.batch.put(*key, codec.seal(self.clock.now_ms().to_bytes(8)))
        return True

    def tell_or_forward(self, to: str, told: AnyInput) -> bool:
        """A turn for an input whose sender waits for no answer; it follows a tombstone by itself. False where the
        profile is away, cannot be read or is not ready for it: the input is to be told again."""
        try:
            self.tell(to, told)
        except StoreFailed:
            raise
        except (Parked, Away, NotReady):
            return False
        except Corrupt as error:
            self.unreadable.set_aside(to, error)
            return False
        except InvalidInput as error:
            self.dead.put(to, told, str(error), self.clock.now_ms())
        except Moved as moved:
            here = self.record(to)
            assert here is not None, "whoever has moved has left an address"
            if isinstance(here, Profile):  # it has split, or shares the identifier by which this has come
                self._turn(here, PassedOn(), None, is_new=False)
                self._apply(here, [effects.Tell(moved.to, here.message_seq, told)])
            elif not isinstance(told, HandedOver | TimersDue):  # those two are for this place alone
                here.message_seq += 1
                self._apply(Profile(to), [effects.Tell(moved.to, here.message_seq, told)])
        return True

    def fire_timers(self, now_ms: int) -> bool:
        """One turn for the earliest timers that are due at `now_ms`; False where there are none."""
        if (due := self.timers.pop_due(now_ms)) is None:
            return False
        due_ms, profile_id = due
        waking.drop_fired(self, due_ms, profile_id)
        self.tell_or_forward(profile_id, TimersDue(at_ms=due_ms, running_out=self.is_running_out))
        for stale in self.timers.forget(due_ms, profile_id):
            if profile_id not in self.unreadable:  # else they are tried again after the next start
                self.batch.put("timers", stale, None)
        return True

    def settle_orphans(self, dispatcher: str) -> int:
        """`dispatcher` has taken over: what another one was handing over is `unknown`. Returns how many sends."""
        orphans = self.outbox.orphans(dispatcher)
        for each in orphans:
            self.tell_or_forward(each.profile, Settle(send_id=each.send, outcome="unknown", detail="dispatcher lost"))
        return len(orphans)
