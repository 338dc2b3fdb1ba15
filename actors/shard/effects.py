"""Puts the effects of a turn into its shard's batch and indices. Nothing of them is durable before the commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from actors.shard import giving_back, transfer
from actors.shard.budget_leases import BudgetLeases
from actors.shard.journal import replay
from actors.shard.matching import reviews
from actors.shard.outbox.outbox import Waiting
from actors.shard.state import ShardState
from actors.storage import keys
from engine import codec, effects
from engine.inputs import HandOver
from engine.likeness.links import state_of
from engine.profile import Profile, Tombstone, tombstone_of
from engine.readings.identity_figures import MERGES, SPLITS
from engine.splitting import split
from engine.splitting.around import Around
from engine.vocabulary import FINAL_STATES

# The entries of an audit chain by which merges and splits are counted: their kind and outcome.
_OF_IDENTITY: Final = {("merge", "absorbed"): MERGES, ("split", "split"): SPLITS}


def apply(
    state: ShardState, leases: BudgetLeases, profile: Profile, asked: list[effects.Effect]
) -> dict[str, Any] | None:
    """Put a turn's effects into the batch and the indices. Returns the answer to the caller, None where there is
    none."""
    answer, channel = None, ""
    for effect in asked:
        if isinstance(effect, effects.Answer):
            answer = effect.value
        elif isinstance(effect, effects.Spend):
            leases.spend(effect.budget, effect.count, effect.at_ms)
        else:
            _WRITERS[type(effect)](state, profile, effect)
            if isinstance(effect, effects.Note) and effect.entry.kind == "decision":
                channel = effect.entry.channel
    if channel and answer is not None:
        state.counters.decided(answer, channel)
    return answer


def check_leaving(state: ShardState, profile_id: str, asked: list[effects.Effect]) -> None:
    """Before anything is written, read the records that a profile takes along: so Corrupt is raised while the turn can
    still be undone."""
    if any(isinstance(effect, effects.Transfer) for effect in asked):
        for family in ("history", "audit", "seen", "reviews"):
            state.records(family, profile_id)


def _page(state: ShardState, profile: Profile, effect: effects.Page) -> None:
    key = keys.page_key(profile.id, effect.number)
    state.batch.put("history", key, codec.encode_page(effect.events), profile.id)


def _note(state: ShardState, profile: Profile, effect: effects.Note) -> None:
    state.batch.put("audit", keys.audit_key(profile.id, effect.seq), effect.sealed, profile.id)
    entry = effect.entry
    state.counters.entry(entry, state.catalog)
    if entry.kind == "send":
        if entry.outcome in FINAL_STATES:
            state.sends[entry.outcome] += 1
    elif entry.kind == "transition":
        state.handoffs.entry(entry)
    elif (what := _OF_IDENTITY.get((entry.kind, entry.outcome))) is not None:
        state.resolved[what] += 1


def _set_timer(state: ShardState, profile: Profile, effect: effects.SetTimer) -> None:
    state.add_timer(keys.timer_key(effect.due_ms, profile.id, effect.run, effect.generation))


def _drop_timer(state: ShardState, profile: Profile, effect: effects.DropTimer) -> None:
    state.drop_timer(keys.timer_key(effect.due_ms, profile.id, effect.run, effect.generation))


def _wake(state: ShardState, profile: Profile, effect: effects.Wake) -> None:
    if effect.was_ms:
        state.drop_timer(keys.wake_key(effect.was_ms, profile.id))
    if effect.due_ms and state.batch.get("timers", key := keys.wake_key(effect.due_ms, profile.id)) is None:
        state.add_timer(key)


def _enqueue(state: ShardState, profile: Profile, effect: effects.Enqueue) -> None:
    if effect.was_ms is not None:
        state.dequeue(profile.id, effect.send, effect.was_ms)
    state.enqueue(Waiting(profile.id, effect.send, effect.at_ms, effect.dispatcher))


def _dequeue(state: ShardState, profile: Profile, effect: effects.Dequeue) -> None:
    state.dequeue(profile.id, effect.send, effect.was_ms)
    state.counters.settles(effect.variant)


def _tell(state: ShardState, profile: Profile, effect: effects.Tell) -> None:
    message = effect.message
    # A place where nobody was known hands over too: a request that was answered there must get the same answer again.
    if isinstance(message, HandOver) and profile.is_blank and state.cache.get(profile.id) is profile:
        message = transfer.with_answers(state.batch, message)
    state.put_message(profile.id, effect.seq, effect.to, message)


def _transfer(state: ShardState, profile: Profile, effect: effects.Transfer) -> None:
    if not effect.after:  # the first piece: from here on the other place has its sends
        _drop_sends(state, profile)
    piece = transfer.piece(state.batch, profile, effect.after)
    _tell(state, profile, effects.Tell(effect.to, effect.seq, piece))


def _take_in(state: ShardState, profile: Profile, effect: effects.TakeIn) -> None:
    prefix = keys.profile_key(profile.id)
    of_family = {
        "history": effect.history,
        "audit": effect.audit,
        "seen": effect.seen,
        "merges": effect.merges,
    }
    for family, rows in of_family.items():
        for key, value in rows:
            state.batch.put(family, prefix + key, value, profile.id)
    for key, review in effect.reviews:
        _take_review(state, profile, prefix + key, review)


def _take_review(state: ShardState, profile: Profile, key: bytes, review: bytes) -> None:
    """An entry of a profile that is taken in. After a split both may have the same question: it is one again, and an
    answer to it stands."""
    known = state.batch.get("reviews", key)
    if known is None or state.people.is_open(known):
        state.people.reviewed(profile.id, known, review)
        state.batch.put("reviews", key, review, profile.id)


def _keep_merge(state: ShardState, profile: Profile, effect: effects.KeepMerge) -> None:
    around = Around(effect.before, effect.other, effect.after or state_of(profile))
    state.batch.put("merges", keys.merge_key(profile.id, effect.merge_id), around.record, profile.id)


def _forget_merge(state: ShardState, profile: Profile, effect: effects.ForgetMerge) -> None:
    state.batch.put("merges", keys.merge_key(profile.id, effect.merge_id), None)


def _repage(state: ShardState, profile: Profile, effect: effects.Repage) -> None:
    prefix = keys.profile_key(profile.id)
    for key in effect.drop:
        state.batch.put("history", prefix + key, None)
    for key, page in effect.put:
        state.batch.put("history", prefix + key, page, profile.id)


def _give_back(state: ShardState, profile: Profile, effect: effects.GiveBack) -> None:
    for send, was_ms in effect.dequeue:
        state.dequeue(profile.id, send, was_ms)
    for number, told in enumerate(giving_back.messages(state.batch, profile.id, effect)):
        assert number < split.MESSAGES_MAX, "a past of gigabytes"
        state.put_message(profile.id, effect.seq + number, effect.to, told)


def _review(state: ShardState, profile: Profile, effect: effects.Review) -> None:
    key = keys.review_key(profile.id, effect.entry.id)
    before = state.batch.get("reviews", key)
    if before is None and not reviews.has_room(state, effect.entry):
        return
    is_over = effect.entry.state == "closed"
    record = None if is_over else codec.seal(msgspec.msgpack.encode(effect.entry))
    state.people.reviewed(profile.id, before, record)
    state.batch.put("reviews", key, record, "" if is_over else profile.id)


def _leave_tombstone(state: ShardState, profile: Profile, effect: effects.LeaveTombstone) -> None:
    prefix = keys.profile_key(profile.id)
    state.people.forgotten(profile.id)  # its entries of the review queue count at the survivor now
    for family in ("history", "audit", "reviews", "merges"):
        for key in state.batch.keys_under(family, prefix):
            state.batch.put(family, key, None)
    was = state.cache.get(profile.id) or profile
    state.put_tombstone(profile.id, tombstone_of(was, effect.to, state.clock.now_ms(), profile.message_seq))


def _forget(state: ShardState, profile: Profile, effect: effects.Forget) -> None:
    _drop_sends(state, profile)
    state.people.forgotten(profile.id)
    for family, key in state.batch.forget(profile.id):
        if family == "messages":
            state.messages.pop(key, None)
    state.forgotten.append(profile.id)
    tombstone, was = Tombstone(effect.to, state.clock.now_ms(), profile.message_seq), state.cache.get(profile.id)
    if isinstance(was, Tombstone) and was.to == effect.to:  # the place of somebody who lives on
        tombstone = msgspec.structs.replace(was, at_ms=tombstone.at_ms, message_seq=profile.message_seq, heir="")
        replay.begin_anew(state.batch, profile.id, state.journal_seq, tombstone, state.catalog.version)
    state.put_tombstone(profile.id, tombstone)


def _drop_sends(state: ShardState, profile: Profile) -> None:
    for send in profile.sends:
        state.dequeue(profile.id, send.id, send.waits_ms)


_WRITERS: dict[type, Callable[[ShardState, Profile, Any], None]] = {
    effects.Page: _page,
    effects.Note: _note,
    effects.SetTimer: _set_timer,
    effects.DropTimer: _drop_timer,
    effects.Wake: _wake,
    effects.Enqueue: _enqueue,
    effects.Dequeue: _dequeue,
    effects.Tell: _tell,
    effects.Transfer: _transfer,
    effects.TakeIn: _take_in,
    effects.KeepMerge: _keep_merge,
    effects.ForgetMerge: _forget_merge,
    effects.Repage: _repage,
    effects.GiveBack: _give_back,
    effects.Review: _review,
    effects.LeaveTombstone: _leave_tombstone,
    effects.Forget: _forget,
}
