"""Which profiles a shard owns, and how one moves to another process with all that belongs to it.

A pinned profile lives in a process of its own, with a store of its own. A move changes nothing in the profile, its
journal or its audit chain: its records are copied as they are, and until the copy is durable at the new place the old
place has them all. At any moment at most one place takes its turns; any other names the place to ask.

    old place:  leave ─────────────────────────────────────────────► left
    new place:          begin, take … take, arrive (in one batch) ──┘

A crash anywhere leaves the mark that `leave` has made, and the move is made again from its beginning.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

import msgspec

from actors.shard import waking
from actors.shard.activation import Record
from actors.shard.last_of_move import Last, Row, outbox_of, timers_of
from actors.shard.outbox.outbox import Waiting
from actors.shard.standing import index
from actors.shard.state import ShardState
from actors.storage import keys
from actors.transport.dispatcher_name import newest
from engine import codec
from engine.errors import Away, Corrupt, Moved, NotFound, Parked, TryAgain
from engine.profile import Profile, Tombstone

PARKED_RETRY_MS = 100  # the pause before an input for a profile on its way is worth another try
AWAY, _PIN, _CATALOG = b"away/", b"pin/", b"catalog/"
_FIRST = (*keys.OF_PROFILE, "keyring")
_LAST = ("state", "outbox")  # in the batch that makes the profile live at its new place
_ALL = _FIRST + _LAST
_CHUNK_BYTES = 2 << 20


class Ownership:
    """One per shard. `own` is the profile that this shard is for, where it is for one alone."""

    def __init__(self, state: ShardState, own: str = "") -> None:
        self._state = state
        self.own = own
        self._away: dict[str, tuple[str, bool]] = {}  # profile: its address, and whether it has arrived there
        self._arriving: dict[str, str] = {}  # profile: the id of the move that brings it here
        self._slices: defaultdict[str, bytearray] = defaultdict(bytearray)
        for key, record in state.batch.committed("meta", AWAY):
            self._away[key.removeprefix(AWAY).decode()] = msgspec.msgpack.decode(codec.unseal(record))
        self.pins = {key.removeprefix(_PIN).decode() for key, _ in state.batch.committed("meta", _PIN)}
        if own and own not in self._away and not self._is_known(own) and own not in state.unreadable:
            self._mark(own, own, is_there=True)  # not arrived yet
            state.commit()

    # -- who is where

    def record_here(self, profile: str) -> Record | None:
        """The record of a profile, which this shard owns. Raises Away where another does, Parked while it leaves."""
        self.check_reading(profile)
        if profile in self._away:
            raise Parked(PARKED_RETRY_MS)
        return self._state.record(profile)

    def check_reading(self, profile: str) -> None:
        """Raises Away for a profile that lives elsewhere. One that is about to leave can still be read."""
        to, is_there = self._away.get(profile, ("", False))
        if is_there:
            raise Away(to)

    def is_away(self, profile: str) -> bool:
        """Whether this shard takes no turn of it."""
        return profile in self._away

    def has_left(self, profile: str) -> bool:
        """Whether the profile has arrived elsewhere, and is not only on its way."""
        return self._away.get(profile, ("", False))[1]

    def leaving(self) -> dict[str, str]:
        """The profiles on their way, each with the address that it goes to."""
        return {profile: to for profile, (to, is_there) in self._away.items() if not is_there}

    def pinned(self) -> list[str]:
        """The profiles that have a process of their own, or are on the way to it."""
        return sorted(profile for profile in self.pins if profile in self._away)

    def has_tombstone(self) -> bool:
        """Whether the profile that this shard is for was merged or erased: then it needs no process of its own."""
        return self._is_known(self.own) and not self._away and isinstance(self._state.record(self.own), Tombstone)

    def _is_known(self, profile: str) -> bool:
        """Whether this place has a record that can be read."""
        try:
            return bool(profile) and self._state.record(profile) is not None
        except Corrupt:
            return False

    def check_living(self, profile: str) -> None:
        """Raises NotFound where nobody is known, Moved where the profile was merged into another one."""
        record = self.record_here(profile)
        if isinstance(record, Tombstone):
            raise Moved(record.to)
        if record is None or record.is_blank:  # at an address's own place there may be word of who has the address
            raise NotFound("nobody is known by this identifier", "identifier")

    def register(self, profile: str) -> None:
        """This shard answers for a process of this profile's own from here on. Durable after the next commit."""
        self.check_living(profile)
        self.pins.add(profile)
        self._state.put_meta(f"pin/{profile}", 1)

    def unregister(self, profile: str) -> None:
        """The process and its store are gone."""
        self.pins.discard(profile)
        self._state.batch.put("meta", _PIN + profile.encode(), None)

    # -- the place that it leaves

    def leave(self, profile: str, to: str) -> bool:
        """Take no more turns of a profile. False while it is not at rest, because it merges or one of its messages has
        not arrived. The caller tries again."""
        state = self._state
        if profile in self._away:
            return self._away[profile] == (to, False)
        record = state.record(profile)
        if isinstance(record, Profile) and (record.moving_to or record.absorbing or record.parting):
            return False
        if record is None or any(keys.profile_of(key) == profile for key in state.messages):
            return False
        if isinstance(record, Profile) and not state.batch.key_of(profile):
            # the key of a person moves along; one who has none yet gets it with a first record
            state.batch.put("state", keys.profile_key(profile), codec.encode_record(record), profile)
        self._mark(profile, to, is_there=False)
        for key in timers_of(record):  # the new place makes timers and outbox anew, from the state
            state.drop_timer(key)
        for entry in outbox_of(record):
            state.dequeue(profile, entry.send, entry.at_ms)
        return True

    def chunks(self, profile: str) -> Iterator[list[Row]]:
        """All committed records beside its state, as the store has them, some megabytes at a time."""
        rows: list[Row] = []
        size = 0
        for row in self._rows(profile, _FIRST):
            rows.append(row)
            size += len(row[1]) + len(row[2])
            if size > _CHUNK_BYTES:
                yield rows
                rows, size = [], 0
        yield rows

    def last(self, profile: str) -> Last:
        """The last message of a move."""
        state, record = self._state, self._state.record(profile)
        made = Last(
            list(self._rows(profile, _LAST)),
            timers_of(record),
            list(state.batch.committed("meta", _CATALOG)),
            int(isinstance(record, Profile)),
            state.journal_seq,
            state.meta("dispatcher", ""),
        )
        made.people, made.standing = state.people.of_profile(profile, record), index.rows_of(profile, record)
        if profile == self.own:
            (made.counts, made.sends, made.resolved), made.handoffs = state.tallies, state.handoffs.records()
            made.dead = [record for _, record in state.batch.raw("dead", b"")]
        return made

    def take_slice(self, profile: str, move: str, part: bytes) -> None:
        """Keep a slice of the last message of a move, which may be larger than a frame."""
        if self._arriving.get(profile) != move:
            raise TryAgain("this move has begun anew")
        self._slices[profile] += part

    def sliced(self, profile: str, move: str) -> bytes:
        """All slices of a move together; they are not kept. TryAgain where another move has begun."""
        self.take_slice(profile, move, b"")
        return bytes(self._slices.pop(profile, b""))

    def left(self, profile: str) -> None:
        """The profile has arrived at its new place: only its address stays here."""
        state = self._state
        record = state.record(profile)
        state.facts.index.drop(profile)
        state.people.leaves(profile, state.people.of_profile(profile, record))
        for family, key, _ in list(self._rows(profile, _ALL)):
            state.batch.put(family, key, None)
        state.standing.left(profile, record)
        if state.blocks.made_of:
            state.blocks.drop(profile)
        state.batch.let_go(profile)
        state.cache.drop(profile)
        state.profiles -= isinstance(record, Profile)
        if profile == self.own:  # the counts have moved along; kept, they would count twice
            state.counts, state.sends, state.resolved = (dict.fromkeys(each, 0) for each in state.tallies)
            state.handoffs.leave()
        self._mark(profile, self._away[profile][0], is_there=True)
        state.unparked.append(profile)

    # -- the place that it comes to

    def begin(self, profile: str, move: str) -> bool:
        """Make room for a profile; True where it has arrived already. TryAgain where it is about to leave."""
        state = self._state
        if profile not in self._away and state.record(profile) is not None:
            return True
        if not self.has_left(profile):
            raise TryAgain("this profile is on its way to another place")
        for family, key, _ in list(self._rows(profile, _ALL)):  # left by a move that broke off
            state.batch.put(family, key, None)
        self._arriving[profile] = move
        self._slices.pop(profile, None)
        return False

    def take(self, profile: str, move: str, rows: list[Row]) -> None:
        """Keep some of its records. TryAgain where another move has begun."""
        if self._arriving.get(profile) != move:
            raise TryAgain("this move has begun anew")
        for family, key, record in rows:
            self._state.batch.put(family, key, record)

    def arrive(self, profile: str, move: str, last: Last) -> Callable[[], None]:
        """The whole profile is here. The function that is returned makes it live here; it is called once this is
        durable."""
        state = self._state
        self.take(profile, move, last.rows)
        for key, record in last.catalogs:
            state.batch.put("meta", key, record)
        for key, place in last.standing:
            state.batch.put("standing", key, place)
        for key in last.timers:
            state.add_timer(key)
        for family, key, record in last.rows:
            if family == "outbox":  # counted in the commit that writes it
                state.outbox.put(Waiting.read(key, record))
            if family == "state":
                state.facts.index.arrive(profile, state.batch.unlock(record))
        state.profiles += last.profiles
        state.journal_seq = max(state.journal_seq, last.journal_seq)
        state.people.arrives(profile, last.people)
        state.handoffs.arrive(last.handoffs)
        for mine, came in zip(state.tallies, (last.counts, last.sends, last.resolved), strict=True):
            for name, count in came.items():
                mine[name] = mine.get(name, 0) + count
        state.put_meta("dispatcher", newest(state.meta("dispatcher", ""), last.dispatcher))
        state.dead.adopt(last.dead)
        state.batch.put("meta", AWAY + profile.encode(), None)
        del self._arriving[profile]
        return lambda: self._begin_turns(profile)

    def _begin_turns(self, profile: str) -> None:
        state = self._state
        state.batch.let_go(profile)
        state.cache.drop(profile)
        self._away.pop(profile, None)
        state.read_catalogs()
        waking.after_arrival(state, profile)
        if state.blocks.made_of and isinstance(record := state.record(profile), Profile):
            state.blocks.look(profile, record, state.journal_seq)

    def _mark(self, profile: str, to: str, *, is_there: bool) -> None:
        self._away[profile] = to, is_there
        self._state.put_meta(f"away/{profile}", (to, is_there))

    def _rows(self, profile: str, families: tuple[str, ...]) -> Iterator[Row]:
        for family in families:
            if family == "outbox":
                yield from ((family, entry.key, entry.record) for entry in outbox_of(self._state.record(profile)))
                continue
            for key, record in self._state.batch.raw(family, keys.profile_key(profile)):
                yield family, key, record
