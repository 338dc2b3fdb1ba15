"""What a turn asked for, put into its shard's batch and indices. Nothing of it is durable before the commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from actors.shard import transfer
from actors.shard.outbox.outbox import Waiting
from actors.storage import keys
from engine import codec, effects
from engine.inputs import IDS_ONLY, HandOver
from engine.profile import Profile, Tombstone, grave
from engine.vocabulary import FINAL_STATES

if TYPE_CHECKING:
    from actors.shard.shard import Shard


def act(shard: Shard, profile: Profile, asked: list[effects.Effect]) -> dict[str, Any] | None:
    """Write a turn's effects; returns the answer to its caller."""
    answer, channel = None, ""
    for effect in asked:
        if isinstance(effect, effects.Answer):
            answer = effect.value
        else:
            _ACTS[type(effect)](shard, profile, effect)
            if type(effect) is effects.Note and effect.entry.kind == "decision":
                channel = effect.entry.channel
    if channel and answer is not None:
        shard.counters.decided(answer, channel)
    return answer


def check_leaving(shard: Shard, profile_id: str, asked: list[effects.Effect]) -> None:
    """What a profile takes along is read before anything is written: Corrupt is known while a turn can be undone."""
    if any(isinstance(effect, effects.Transfer) for effect in asked):
        for family in ("history", "audit", "seen"):
            shard.records(family, profile_id)


def _page(shard: Shard, profile: Profile, effect: effects.Page) -> None:
    key = keys.page_key(profile.id, effect.number)
    shard.batch.put("history", key, codec.encode_page(effect.events), profile.id)


def _note(shard: Shard, profile: Profile, effect: effects.Note) -> None:
    shard.batch.put("audit", keys.audit_key(profile.id, effect.seq), effect.sealed, profile.id)
    shard.counters.entry(effect.entry, shard.catalog)
    if effect.entry.kind == "send" and effect.entry.outcome in FINAL_STATES:
        shard.sends[effect.entry.outcome] += 1


def _set_timer(shard: Shard, profile: Profile, effect: effects.SetTimer) -> None:
    key = keys.timer_key(effect.due_ms, profile.id, effect.run, effect.generation)
    shard.batch.put("timers", key, b"")
    shard.timers.add(key)


def _drop_timer(shard: Shard, profile: Profile, effect: effects.DropTimer) -> None:
    drop_timer(shard, keys.timer_key(effect.due_ms, profile.id, effect.run, effect.generation))


def drop_timer(shard: Shard, key: bytes) -> None:
    """A timer is pending no more; one whose turn failed has gone already, though its run still names it."""
    if shard.batch.get("timers", key) is not None:
        shard.batch.put("timers", key, None)
        shard.timers.discard(key)


def _enqueue(shard: Shard, profile: Profile, effect: effects.Enqueue) -> None:
    if effect.was_ms is not None:
        drop_from_outbox(shard, profile.id, effect.send, effect.was_ms)
    entry = Waiting(profile.id, effect.send, effect.at_ms, effect.dispatcher)
    shard.batch.put("outbox", entry.key, entry.record)
    shard.outbox.put(entry)


def _dequeue(shard: Shard, profile: Profile, effect: effects.Dequeue) -> None:
    drop_from_outbox(shard, profile.id, effect.send, effect.was_ms)
    shard.counters.settles(effect.variant)


def drop_from_outbox(shard: Shard, profile_id: str, send: str, at_ms: int) -> None:
    """A send is settled, or waits elsewhere or at another time."""
    shard.batch.put("outbox", keys.outbox_key(at_ms, profile_id, send), None)
    shard.outbox.drop(profile_id, send, at_ms)


def _spend(shard: Shard, profile: Profile, effect: effects.Spend) -> None:
    shard.leases.spend(effect.budget, effect.count, effect.at_ms)


def _tell(shard: Shard, profile: Profile, effect: effects.Tell) -> None:
    key, message = keys.message_key(profile.id, effect.seq), effect.message
    if isinstance(message, HandOver) and profile.is_blank and shard.cache.get(profile.id) is profile:
        message = transfer.of_a_stranger(shard.batch, message)
    packed = msgspec.msgpack.encode([effect.to, codec.encode_input(message)])
    owner = "" if isinstance(message, IDS_ONLY) else profile.id
    shard.batch.put("messages", key, codec.seal(packed), owner)
    shard.messages[key] = (effect.to, message)


def _transfer(shard: Shard, profile: Profile, effect: effects.Transfer) -> None:
    if not effect.after:
        for send in profile.sends:
            drop_from_outbox(shard, profile.id, send.id, send.waits_ms)
    piece = transfer.piece(shard.batch, profile, effect.after)
    _tell(shard, profile, effects.Tell(effect.to, effect.seq, piece))


def _take_in(shard: Shard, profile: Profile, effect: effects.TakeIn) -> None:
    prefix = keys.profile_key(profile.id)
    for family, rows in (("history", effect.history), ("audit", effect.audit), ("seen", effect.seen)):
        for key, value in rows:
            shard.batch.put(family, prefix + key, value, profile.id)


def _leave_tombstone(shard: Shard, profile: Profile, effect: effects.LeaveTombstone) -> None:
    buried = shard.cache.get(profile.id)
    shard.profiles -= isinstance(buried, Profile) and not buried.is_blank
    prefix = keys.profile_key(profile.id)
    for family in ("history", "audit"):
        for key in shard.batch.keys_under(family, prefix):
            shard.batch.put(family, key, None)
    tombstone = grave(buried or profile, effect.to, shard.clock.now_ms(), profile.message_seq)
    shard.cache.put(profile.id, tombstone, 100)
    shard.unparked.append(profile.id)


def _forget(shard: Shard, profile: Profile, effect: effects.Forget) -> None:
    forgotten = shard.cache.get(profile.id)
    shard.profiles -= isinstance(forgotten, Profile) and not forgotten.is_blank
    for send in profile.sends:
        drop_from_outbox(shard, profile.id, send.id, send.waits_ms)
    for family, key in shard.batch.forget(profile.id):
        if family == "messages":
            shard.messages.pop(key, None)
    shard.forgotten.append(profile.id)
    tombstone = Tombstone(effect.to, shard.clock.now_ms(), profile.message_seq)
    if isinstance(forgotten, Tombstone) and forgotten.to == effect.to:  # the address of somebody who lives on
        tombstone.holders, tombstone.words = forgotten.holders, forgotten.words
    shard.cache.put(profile.id, tombstone, 100)
    shard.unparked.append(profile.id)


_ACTS: dict[type, Callable[[Shard, Profile, Any], None]] = {
    effects.Page: _page,
    effects.Note: _note,
    effects.SetTimer: _set_timer,
    effects.DropTimer: _drop_timer,
    effects.Enqueue: _enqueue,
    effects.Dequeue: _dequeue,
    effects.Spend: _spend,
    effects.Tell: _tell,
    effects.Transfer: _transfer,
    effects.TakeIn: _take_in,
    effects.LeaveTombstone: _leave_tombstone,
    effects.Forget: _forget,
}
