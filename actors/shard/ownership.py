"""Which profiles of a shard live elsewhere, and all that a profile takes along when it moves to another process.

A pinned profile lives in a process of its own, with a store of its own. Moving changes nothing that the profile, its
journal or its audit chain knows of: its records are copied as they are, and until the copy is durable at its new place
the old one has them all. At any moment one place at most takes turns of it; a place that does not says where to ask.

    leave ──► begin, take … take, arrive (over there, `arrive` in one batch) ──► left

A crash anywhere leaves the mark of `leave`, and the move is made again from its beginning.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

import msgspec

from actors.shard import waking
from actors.shard.activation import Record
from actors.shard.outbox.outbox import Waiting
from actors.shard.state import ShardState
from actors.storage import keys
from actors.transport.dispatcher_name import newest
from engine import codec
from engine.errors import Away, Corrupt, Moved, NotFound, Parked, TryAgain
from engine.profile import Profile, Tombstone

Row = tuple[str, bytes, bytes]

AWAY, _PIN, _CATALOG = b"away/", b"pin/", b"catalog/"
_FIRST = (*keys.OF_PROFILE, "keyring")
_LAST = ("state", "outbox")
_ALL = _FIRST + _LAST
_CHUNK_BYTES = 2 << 20


class Last(msgspec.Struct, array_like=True):
    """What makes a profile live at its new place. The rest is what the shard of a pinned one knows beside it."""

    rows: list[Row]
    timers: list[bytes]
    catalogs: list[tuple[bytes, bytes]]
    profiles: int  # 1 for a living one
    journal_seq: int
    dispatcher: str
    counts: dict[str, int] = {}
    sends: dict[str, int] = {}
    dead: list[bytes] = []


class Ownership:
    """One per shard. `own` is the profile that this shard is for, where it is for one alone."""

    def __init__(self, state: ShardState, own: str = "") -> None:
        self._state = state
        self.own = own
        self._away: dict[str, tuple[str, bool]] = {}
        self._arriving: dict[str, str] = {}
        self._slices: defaultdict[str, bytearray] = defaultdict(bytearray)
        for key, record in state.batch.committed("meta", AWAY):
            self._away[key.removeprefix(AWAY).decode()] = msgspec.msgpack.decode(codec.unseal(record))
        self.pins = {key.removeprefix(_PIN).decode() for key, _ in state.batch.committed("meta", _PIN)}
        if own and own not in self._away and not self._is_known(own) and own not in state.unreadable:
            self._mark(own, own, is_there=True)  # not arrived yet
            state.commit()

    # -- who is where

    def lives(self, profile: str) -> Record | None:
        """What stands in a place that is here. Raises Away where it is not, Parked while it leaves."""
        self.check_reading(profile)
        if profile in self._away:
            raise Parked(100)
        return self._state.record(profile)

    def check_reading(self, profile: str) -> None:
        """Raises Away for what lives elsewhere; what is about to leave can still be read."""
        to, is_there = self._away.get(profile, ("", False))
        if is_there:
            raise Away(to)

    def is_away(self, profile: str) -> bool:
        """Whether no turn of it is taken here."""
        return profile in self._away

    def has_left(self, profile: str) -> bool:
        """Whether it lives elsewhere for sure."""
        return self._away.get(profile, ("", False))[1]

    def leaving(self) -> dict[str, str]:
        """Who is on the way, and to which address."""
        return {profile: to for profile, (to, is_there) in self._away.items() if not is_there}

    def pinned(self) -> list[str]:
        """Who has a process of its own, or is on the way to it."""
        return sorted(profile for profile in self.pins if profile in self._away)

    def has_grave(self) -> bool:
        """Whether the profile that this shard is for was absorbed or erased: then it needs no process any more."""
        return self._is_known(self.own) and not self._away and isinstance(self._state.record(self.own), Tombstone)

    def _is_known(self, profile: str) -> bool:
        """Whether something that can be read stands in a place; what cannot be is set aside, and has arrived."""
        try:
            return bool(profile) and self._state.record(profile) is not None
        except Corrupt:
            return False

    def check_living(self, profile: str) -> None:
        """Raises NotFound for a stranger, Moved where a profile was absorbed."""
        record = self.lives(profile)
        if record is None:
            raise NotFound("nobody is known by this identifier", "identifier")
        if isinstance(record, Tombstone):
            raise Moved(record.to)

    def register(self, profile: str) -> None:
        """From now on this shard answers for a process of this profile's own. Durable after the next commit."""
        self.check_living(profile)
        self.pins.add(profile)
        self._state.put_meta(f"pin/{profile}", 1)

    def unregister(self, profile: str) -> None:
        """The process and its store are gone."""
        self.pins.discard(profile)
        self._state.batch.put("meta", _PIN + profile.encode(), None)

    # -- the place that it leaves

    def leave(self, profile: str, to: str) -> bool:
        """Take no more turns of a profile. False while it is not at rest: it absorbs another one, or what it told
        others has not arrived."""
        state = self._state
        if profile in self._away:
            return self._away[profile] == (to, False)
        record = state.record(profile)
        if isinstance(record, Profile) and (record.moving_to or record.absorbing):
            return False
        if record is None or any(keys.profile_of(key) == profile for key in state.messages):
            return False
        if isinstance(record, Profile) and not state.batch.key_of(profile):
            state.batch.put("state", keys.profile_key(profile), codec.encode_record(record), profile)  # makes its key
        self._mark(profile, to, is_there=False)
        for key in _timers(record):  # the state tells them, and what waits to be sent, to the new place
            state.drop_timer(key)
        for entry in _outbox(record):
            state.dequeue(profile, entry.send, entry.at_ms)
        return True

    def chunks(self, profile: str) -> Iterator[list[Row]]:
        """All committed records beside its state, as they stand in the store."""
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
        """The end of a move."""
        state, record = self._state, self._state.record(profile)
        made = Last(
            list(self._rows(profile, _LAST)),
            _timers(record),
            list(state.batch.committed("meta", _CATALOG)),
            int(isinstance(record, Profile)),
            state.journal_seq,
            state.meta("dispatcher", ""),
        )
        if profile == self.own:
            made.counts, made.sends = state.counts, state.sends
            made.dead = [record for _, record in state.batch.raw("dead", b"")]
        return made

    def take_slice(self, profile: str, move: str, part: bytes) -> None:
        """Some of what `arrive` will be given, where that is more than a message holds."""
        if self._arriving.get(profile) != move:
            raise TryAgain("this move has begun anew")
        self._slices[profile] += part

    def sliced(self, profile: str, move: str) -> bytes:
        """All slices of a move, which are forgotten here. TryAgain where another one has begun."""
        self.take_slice(profile, move, b"")
        return bytes(self._slices.pop(profile, b""))

    def left(self, profile: str) -> None:
        """It has arrived: here only its address stays."""
        state = self._state
        record = state.record(profile)
        for family, key, _ in list(self._rows(profile, _ALL)):
            state.batch.put(family, key, None)
        state.batch.let_go(profile)
        state.cache.drop(profile)
        state.profiles -= isinstance(record, Profile)
        if profile == self.own:  # they have gone along
            state.counts, state.sends = dict.fromkeys(state.counts, 0), dict.fromkeys(state.sends, 0)
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
        for family, key, _ in list(self._rows(profile, _ALL)):
            state.batch.put(family, key, None)
        self._arriving[profile] = move
        self._slices.pop(profile, None)
        return False

    def take(self, profile: str, move: str, rows: list[Row]) -> None:
        """Some of its records."""
        if self._arriving.get(profile) != move:
            raise TryAgain("this move has begun anew")
        for family, key, record in rows:
            self._state.batch.put(family, key, record)

    def arrive(self, profile: str, move: str, last: Last) -> Callable[[], None]:
        """All of it is here. What is returned makes it live, once this is durable."""
        state = self._state
        self.take(profile, move, last.rows)
        for key, record in last.catalogs:
            state.batch.put("meta", key, record)
        for key in last.timers:
            state.add_timer(key)
        state.profiles += last.profiles
        state.journal_seq = max(state.journal_seq, last.journal_seq)
        for mine, came in ((state.counts, last.counts), (state.sends, last.sends)):
            for name, count in came.items():
                mine[name] = mine.get(name, 0) + count
        state.put_meta("dispatcher", newest(state.meta("dispatcher", ""), last.dispatcher))
        state.dead.adopt(last.dead)
        state.batch.put("meta", AWAY + profile.encode(), None)
        del self._arriving[profile]
        return lambda: self._live(profile)

    def _live(self, profile: str) -> None:
        state = self._state
        state.batch.let_go(profile)
        state.cache.drop(profile)
        self._away.pop(profile, None)
        for entry in _outbox(state.record(profile)):
            state.outbox.put(entry)
        state.read_catalogs()
        waking.after_arrival(state, profile)

    def _mark(self, profile: str, to: str, *, is_there: bool) -> None:
        self._away[profile] = to, is_there
        self._state.put_meta(f"away/{profile}", (to, is_there))

    def _rows(self, profile: str, families: tuple[str, ...]) -> Iterator[Row]:
        for family in families:
            if family == "outbox":
                yield from ((family, entry.key, entry.record) for entry in _outbox(self._state.record(profile)))
                continue
            for key, record in self._state.batch.raw(family, keys.profile_key(profile)):
                yield family, key, record


def _outbox(record: Record | None) -> list[Waiting]:
    """A profile's entries in the outbox."""
    if not isinstance(record, Profile):
        return []
    return [Waiting(record.id, send.id, send.waits_ms, send.dispatcher) for send in record.sends]


def _timers(record: Record | None) -> list[bytes]:
    """The keys of a profile's pending timers."""
    if not isinstance(record, Profile):
        return []
    pending = [run for run in record.runs if run.state == "active" and run.due_ms]
    return [keys.timer_key(run.due_ms, record.id, run.id, run.generation) for run in pending]
