"""Decisions for visitors who have no profile, and get none. For a day three things are kept: a receipt, the request's
key for deduplication, and the visitor's draws (which variant was drawn), so that a second decision agrees.

The column family `strangers` has two kinds of records. A receipt's key is time, profile and a number of the shard. It
holds the key of the request, empty where it had none, and the sealed audit entries. The draws of a profile come after
all receipts, with the time of the last receipt that they belong to; they go when that receipt goes.
"""

from __future__ import annotations

import msgspec

from actors.storage import keys
from actors.storage.batch import Batch
from engine import codec
from engine.errors import NotFound
from engine.events import once
from engine.inputs import AnyInput, ConsentChange, Decide, HandOver
from engine.profile import Drawn, Profile
from engine.recent_events import encoder

_TIME_BYTES = 8
_DRAWS = b"\xff" * _TIME_BYTES  # in the place of the time: after every receipt

_draws = msgspec.msgpack.Decoder(tuple[int, dict[str, Drawn]])


def refuse_unnamed(told: AnyInput, is_known: bool) -> None:
    """NotFound where a profile was named by its own id and nobody is known by it."""
    if not is_known and isinstance(told, Decide | ConsentChange) and told.profile_id:
        raise NotFound("there is no such profile", "identifiers.profile_id")


def with_draws(batch: Batch, profile_id: str, told: AnyInput) -> AnyInput:
    """An input for a visitor who is not known, with the draws that were made for them before."""
    kept = batch.get("strangers", _DRAWS + keys.profile_key(profile_id))
    if kept is None or isinstance(told, HandOver):
        return told
    return msgspec.structs.replace(told, drawn=_draws.decode(codec.unseal(kept, "strangers"))[1])


def forget_draws(batch: Batch, profile_id: str) -> None:
    """The draws stand in a profile from now on, or have gone to another one."""
    batch.put("strangers", _DRAWS + keys.profile_key(profile_id), None)


def leave_receipt(batch: Batch, profile: Profile, number: int, dedup_key: bytes | None) -> None:
    """Turn the first turn of a profile that is not kept, journal record `number`, into a receipt. The receipt is not
    locked under a key: it names nobody, so nobody could ask for its erasure."""
    batch.take_back("journal", keys.journal_key(profile.id, number))
    notes = [batch.take_back("audit", keys.audit_key(profile.id, seq + 1)) for seq in range(profile.audit_seq)]
    if dedup_key is not None:
        batch.disown("seen", keys.profile_key(profile.id) + dedup_key)
    key = profile.clock_ms.to_bytes(_TIME_BYTES) + keys.profile_key(profile.id) + number.to_bytes(6)
    batch.put("strangers", key, codec.seal(msgspec.msgpack.encode([dedup_key or b"", notes])))
    if profile.drawn:
        kept = codec.seal(encoder.encode((profile.clock_ms, profile.drawn)))
        batch.put("strangers", _DRAWS + keys.profile_key(profile.id), kept)


def forget(batch: Batch, now_ms: int) -> None:
    """Drop the receipts that are older than a day, and the dedup records and draws that belong to them. The caller
    commits."""
    for key, value in batch.committed("strangers"):
        at_ms, home = int.from_bytes(key[:_TIME_BYTES]), key[_TIME_BYTES : _TIME_BYTES + keys.PROFILE_BYTES]
        if at_ms > now_ms - once.REQUEST_KEPT_MS:
            break  # keys sort by time, so all that follow are younger
        dedup_key, _ = msgspec.msgpack.decode(codec.unseal(value, "strangers"))
        batch.put("strangers", key, None)
        if dedup_key:
            batch.put("seen", home + dedup_key, None)
        kept = batch.get("strangers", _DRAWS + home)
        if kept is not None and _draws.decode(codec.unseal(kept, "strangers"))[0] <= at_ms:
            batch.put("strangers", _DRAWS + home, None)
