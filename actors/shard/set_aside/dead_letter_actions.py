"""Sets inputs aside as dead letters, and tells them again (Invariant 11)."""

from __future__ import annotations

from actors.shard.shard import Shard
from actors.storage import keys
from engine import seeds
from engine.errors import Corrupt, InvalidInput
from engine.events import once
from engine.inputs import Rejected
from engine.profile import Profile


def set_aside(shard: Shard, profile: str, told: Rejected, reason: str) -> None:
    """Keep a rejected item of a batch, locked under the key of its profile. A profile that does not live here has no
    key here: its items are locked under a key of the shard's own."""
    try:
        shard.batch.check_key(profile)
        lives_here = not shard.ownership.is_away(profile) and isinstance(shard.record(profile), Profile)
    except Corrupt:  # nothing can be locked under a broken key
        lives_here = False
    owner = profile if lives_here else seeds.profile_id(shard.catalog.id_key, "rejected", "")
    shard.dead.put(profile, told, reason, shard.clock.now_ms(), owner=owner)


def give_up(shard: Shard, sender: str, seq: int, reason: str) -> None:
    """Keep a message that can never arrive as a dead letter, under the key of its sender: the receiver is elsewhere."""
    key = keys.message_key(sender, seq)
    to, told = shard.messages[key]
    shard.message_done(key)
    shard.dead.put(to, told, reason, shard.clock.now_ms(), owner=sender, message=(sender, seq))


def retry(shard: Shard, number: int) -> str:
    """Tell a dead letter again: `accepted`, `failed` (set aside anew), or `waiting` where its profile is moving.

    Raises NotFound where there is no such letter, InvalidInput for a rejected item: no profile can be told that.
    """
    if isinstance(shard.dead.get(number).told, Rejected):
        raise InvalidInput("is no event, so no profile can be told it", "id")
    letter, newest = shard.dead.take(number), shard.dead.last
    if letter.sender:  # sent once more under its old number: if it had arrived before, it counts once
        shard.put_message(letter.sender, letter.seq, letter.profile, letter.told)
        return "accepted"
    dedup_key = once.key_of(letter.told)
    if dedup_key is not None:  # its failure was remembered, so it would count as repeated
        shard.batch.put("seen", keys.profile_key(letter.profile) + dedup_key, None)
    waits = not shard.tell_or_forward(letter.profile, letter.told)
    failed = shard.dead.last > newest
    if waits or failed:
        reason = shard.dead.take(shard.dead.last).reason if failed else letter.reason
        shard.dead.put(letter.profile, letter.told, reason, shard.clock.now_ms(), attempts=letter.attempts + 1)
    return "failed" if failed else "waiting" if waits else "accepted"
