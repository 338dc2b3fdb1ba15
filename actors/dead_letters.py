"""What could not be handled: set aside with its reason, to be looked at, told again, or thrown away (Invariant 11).

There are inputs whose turn failed, messages between profiles that cannot arrive, and items of batches that are no
event. A letter is locked under the key of the
profile that it is for, so it goes with an erasure. An item that names nobody who is known here has a key of the shard's
own, and is gone after a month.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from actors import keys
from actors.acts import act
from actors.batch import Batch
from engine import codec, once, seeds
from engine.effects import Tell
from engine.errors import InvalidInput, NotFound
from engine.inputs import AnyInput, Rejected
from engine.profile import Profile
from engine.vocabulary import DAY_MS

if TYPE_CHECKING:
    from actors.shard import Shard

LISTED_MAX = 1_000
LISTED_BYTES_MAX = 8 << 20
SHOWN_BYTES_MAX = 64 << 10  # of one input in a list; of a larger one its size stands there
REJECTED_MAX = 10_000  # of one shard: a client that sends nothing else must not fill the disk
REJECTED_KEPT_MS = 30 * DAY_MS
_TRIMMED_EVERY = 500


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An input that was set aside at `at_ms`, for the `attempts`-th time."""

    number: int
    profile: str
    reason: str
    at_ms: int
    told: AnyInput
    attempts: int = 1
    sender: str = ""  # of a message that did not arrive, with its sequence
    seq: int = 0
    size: int = 0  # of the input, in bytes


class DeadLetters:
    """Those of one shard, numbered in the order in which they came."""

    def __init__(self, batch: Batch, last: int) -> None:
        self._batch = batch
        self.last = last  # the number of the newest one ever

    def put(
        self,
        profile: str,
        told: AnyInput,
        reason: str,
        at_ms: int,
        *,
        attempts: int = 1,
        owner: str = "",
        message: tuple[str, int] = ("", 0),
    ) -> None:
        """Set an input aside, locked under the key of `owner` where that is not the profile itself. `message` is its
        sender and sequence where it has not arrived."""
        self.last += 1
        packed = msgspec.msgpack.encode([profile, reason, at_ms, codec.encode_input(told), attempts, *message])
        self._batch.put("dead", keys.number_key(self.last), codec.seal(packed), owner or profile)
        if isinstance(told, Rejected) and self.last % _TRIMMED_EVERY == 0:
            self._trim(at_ms)

    def all(self) -> list[DeadLetter]:
        """The newest ones, newest first, at most `LISTED_MAX` and what an answer has room for."""
        found: list[DeadLetter] = []
        room = LISTED_BYTES_MAX
        for key, record in reversed(self._batch.rows("dead", b"")):
            letter = _read(key, record)
            room -= min(letter.size, SHOWN_BYTES_MAX)
            if len(found) == LISTED_MAX or room < 0:
                break
            found.append(letter)
        return found

    def get(self, number: int) -> DeadLetter:
        """One of them; NotFound where there is none."""
        key = keys.number_key(number)
        record = self._batch.get("dead", key)
        if record is None:
            raise NotFound(f"there is no dead letter {number}", "id")
        return _read(key, record)

    def take(self, number: int) -> DeadLetter:
        """Remove one; NotFound where there is none."""
        letter = self.get(number)
        self._batch.put("dead", keys.number_key(number), None)
        return letter

    def _trim(self, now_ms: int) -> None:
        """Let rejected items go that are too old or too many; what failed by our fault stays."""
        rejected = [
            letter
            for key, record in reversed(self._batch.rows("dead", b""))
            if isinstance((letter := _read(key, record)).told, Rejected)
        ]
        for place, letter in enumerate(rejected):
            if place >= REJECTED_MAX or letter.at_ms < now_ms - REJECTED_KEPT_MS:
                self._batch.put("dead", keys.number_key(letter.number), None)


def set_aside(shard: Shard, profile: str, told: Rejected, reason: str) -> None:
    """Keep a rejected item. Only somebody who lives here has a key here; for all others stands one of the shard's."""
    lives_here = not shard.residence.is_away(profile) and isinstance(shard.record(profile), Profile)
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
        act(shard, Profile(letter.sender), [Tell(letter.profile, letter.seq, letter.told)])
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


def _read(key: bytes, record: bytes) -> DeadLetter:
    profile, reason, at_ms, told, *more = msgspec.msgpack.decode(codec.unseal(record, "dead"))
    letter = DeadLetter(int.from_bytes(key), profile, reason, at_ms, codec.decode_input(told), *more)
    return replace(letter, size=len(told))
