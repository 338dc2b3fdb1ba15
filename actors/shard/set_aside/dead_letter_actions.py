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
    """Keep a rejected item. Only somebody who lives here has a key here; for all others stands one of the shard's."""
    try:
        shard.batch.check_key(profile)
        lives_here = not shard.ownership.is_away(profile) and isinstance(shard.record(profile), Profile)
    except Corrupt:  # nothing can be locked under that key; the letter says why
        lives_here = False
    owner = profile if lives_here else seeds.profile_id(shard.catalog.id_key, "rejected", "")
    shard.dead.put(profile, told, reason, shard.clock.now_ms(), owner=owner)


def give_up(shard: Shard, sender: str, seq: int, reason: str) -> None:
    """A message of a profile here will never arrive: it is kept as a letter of its sender's."""
    key = keys.message_key(sender, seq)
    to, told = shard.messages[key]
    shard.message_done(key)
    shard.dead.put(to, told, reason, shard.clock.now_ms(), owner=sender, message=(sender, seq))


def retry(shard: Shard, number: int) -> str:
    """Tell a dead letter again; `accepted`, `failed` (set aside anew), or `waiting` where its profile is on its way.
    NotFound where there is none."""
    if isinstance(shard.dead.get(number).told, Rejected):
        raise InvalidInput("is no event, so no profile can be told it", "id")
    letter, newest = shard.dead.take(number), shard.dead.last
    if letter.sender:  # on its way once more, under its old number: should it have arrived, it counts once
        shard.put_message(letter.sender, letter.seq, letter.profile, letter.told)
        return "accepted"
    seen_key = once.key_of(letter.told)
    if seen_key is not None:  # it was remembered as seen when it failed
        shard.batch.put("seen", keys.profile_key(letter.profile) + seen_key, None)
    waits = not shard.tell_or_forward(letter.profile, letter.told)
    failed = shard.dead.last > newest
    if waits or failed:
        reason = shard.dead.take(shard.dead.last).reason if failed else letter.reason
        shard.dead.put(letter.profile, letter.told, reason, shard.clock.now_ms(), attempts=letter.attempts + 1)
    return "failed" if failed else "waiting" if waits else "accepted"
