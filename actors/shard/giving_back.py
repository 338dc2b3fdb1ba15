"""The two ends of a split in a shard: what the ledger holds of a merge goes into the turn that undoes it, and the other
profile's records leave as messages (`engine.splitting`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from actors.shard.journal import replay
from actors.shard.matching import reviews
from actors.shard.ownership import PARKED_RETRY_MS
from actors.shard.state import ShardState
from actors.shard.transfer import PIECE_BYTES_MAX
from actors.storage import keys
from actors.storage.batch import Batch
from engine import codec, effects
from engine.errors import InvalidInput
from engine.inputs import AnyInput, HandOver, Rejoin, Revert, Reviewed, Revive, Split
from engine.profile import Profile, Tombstone
from engine.splitting import revert, revive, split, ways
from engine.splitting.around import Around, can_be_undone, profile_of
from engine.vocabulary import NEVER_MS

SPLIT_BYTES_MAX: Final = 64 << 20  # of states and pages in one turn; its journal record has as much

Rows = list[tuple[bytes, bytes]]


def prepared(state: ShardState, profile: Profile, told: AnyInput) -> AnyInput:
    """An input that this profile may be told now; a split comes with its records, an answer with its entry, and a
    profile with a past that this one may have too with the pages of this one's. Raises
    Parted or Parked where the profile has split and the other one is meant, NotReady where it is not at rest, NotFound
    where there is nothing to undo or to answer."""
    if profile.split_off:
        ways.check(profile, told, state.catalog, PARKED_RETRY_MS)
    if isinstance(told, Reviewed):
        return reviews.as_stored(state, profile.id, told)
    if isinstance(told, HandOver):
        return _with_own_pages(state, profile, told)
    if isinstance(told, Split | Rejoin) or (isinstance(told, Revert) and not told.dry):
        split.check_rest(profile)
    if isinstance(told, Revert):
        return _with_merges(state.batch, profile, told)
    if isinstance(told, Split) and not split.is_over(profile, told):
        return with_ledger(state.batch, profile, told)
    return told


def risen(state: ShardState, tombstone: Tombstone, told: Revive) -> tuple[Profile, Revive]:
    """The profile that takes the place of a tombstone, in memory, and the input of its first turn."""
    told = msgspec.structs.replace(told, message_seq=tombstone.message_seq)
    profile = revive.risen(tombstone, told)
    state.cache.put(profile.id, profile)
    state.profiles += not profile.is_blank
    return profile, told


def forget_the_past(state: ShardState, profile: Profile, *, was_split: bool) -> None:
    """Replace the journal of a profile by a snapshot, where somebody whom it was split from is erased: it still holds
    what both were while they were one."""
    if was_split:
        replay.compact(state.batch, profile.id, state.catalogs, NEVER_MS)


def with_ledger(batch: Batch, profile: Profile, told: Split) -> Split:
    """A split with the records of its merge and of all later ones, and with the pages that were written since. Raises
    NotFound or InvalidInput where there is nothing to undo, or too much happened since."""
    past = split.find(profile, told.merge_id)
    size = 0
    records: list[tuple[str, bytes]] = []
    since: dict[bytes, int] = {}  # the first page to be looked at, by the survivor that wrote it
    for each in profile.ledger[profile.ledger.index(past) :]:
        if not can_be_undone(each):
            continue
        record = batch.get("merges", keys.merge_key(profile.id, each.id))
        assert record is not None, "the ledger holds every merge that can be undone"
        records.append((each.id, record))
        before = profile_of(Around.read(record).before)
        origin = keys.origin_of(before.id)
        since[origin] = min(since.get(origin, before.pages), before.pages)
        size = _bounded(size + codec.plain_bytes(record))
    pages: Rows = []
    for origin, number in since.items():
        prefix = keys.profile_key(profile.id) + origin
        for key, page in batch.rows_after("history", prefix, prefix + number.to_bytes(4)):
            pages.append((key[keys.PROFILE_BYTES :], page))
            size = _bounded(size + len(page))
    return msgspec.structs.replace(told, records=tuple(records), pages=tuple(pages))


def _with_merges(batch: Batch, profile: Profile, told: Revert) -> Revert:
    """A revert with the records of the merges that are split for it."""
    splits = revert.to_split(profile, told)
    if not splits:
        return told
    return msgspec.structs.replace(told, records=with_ledger(batch, profile, Split(merge_id=splits[0].id)).records)


def _with_own_pages(state: ShardState, profile: Profile, told: HandOver) -> HandOver:
    """The last piece of a past that a split may have given to this profile in part. Where this profile's own past is
    too large for one turn, what both have counts twice until a catalog has it counted anew."""
    was_split = profile.unlike or any(past.undone_ms for past in profile.ledger)
    if not (was_split and told.state and profile.spilled) or told.after:
        return told
    pages = state.records("history", profile.id)
    if sum(len(page) for _, page in pages) > SPLIT_BYTES_MAX:
        return told
    return msgspec.structs.replace(told, pages=tuple(pages))


def messages(batch: Batch, profile: str, effect: effects.GiveBack) -> Iterator[Revive]:
    """The records of the other profile, as messages that bring them to its place; they leave the batch. The state comes
    last."""
    found: dict[str, Rows] = {}
    size = 0
    for family, key, record in list(_records(batch, profile, effect)):
        if size and size + len(key) + len(record) > PIECE_BYTES_MAX:
            yield _message(profile, effect, found)
            found, size = {}, 0
        size += len(key) + len(record)
        found.setdefault(family, []).append((key[keys.PROFILE_BYTES :], record))
        if family != "seen":  # both remember what was seen while they were one
            batch.put(family, key, None)
    if size and size + len(effect.state) > PIECE_BYTES_MAX:
        yield _message(profile, effect, found)
        found = {}
    yield _message(profile, effect, found, effect.state)


def _message(profile: str, effect: effects.GiveBack, found: dict[str, Rows], state: bytes = b"") -> Revive:
    history, audit, seen, merges = (tuple(found.get(family, ())) for family in ("history", "audit", "seen", "merges"))
    return Revive(
        origin=profile,
        merge_id=effect.merge_id,
        state=state,
        history=history,
        audit=audit,
        seen=seen,
        merges=merges,
    )


def _records(batch: Batch, profile: str, effect: effects.GiveBack) -> Iterator[tuple[str, bytes, bytes]]:
    prefix = keys.profile_key(profile)
    for origin in effect.origins:
        for family in ("history", "audit"):
            for key, record in batch.rows(family, prefix + keys.origin_of(origin)):
                yield family, key, record
    for merge_id in effect.merges:
        key = keys.merge_key(profile, merge_id)
        kept = batch.get("merges", key)
        assert kept is not None, "the ledger holds every merge that can be undone"
        yield "merges", key, kept
    for key, record in batch.rows("seen", prefix):
        if int.from_bytes(codec.unseal(record, "seen")[:8]) >= effect.since_ms:
            yield "seen", key, record


def _bounded(size: int) -> int:
    if size > SPLIT_BYTES_MAX:
        raise InvalidInput("too much has happened since this merge to undo it in one turn", "mergeId")
    return size
