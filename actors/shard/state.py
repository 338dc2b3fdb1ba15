"""The state of a shard: its store, the records in memory, the indices over what waits, and its counts.

All parts of a shard work on this, and nothing here takes a turn (`actors.shard.shard` does). The changes of turns
gather in `batch` and in memory, and reach the store in one atomic write at `commit`. Until then nobody is answered and
no effect is acted on, so a crash in between has changed nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from actors.platform.clock import Clock
from actors.shard.activation import Activation, Record, bytes_in_memory
from actors.shard.figures.counters import Counters
from actors.shard.figures.hand_offs import HandOffTotals
from actors.shard.figures.people import People
from actors.shard.journal import replay
from actors.shard.matching.blocks import Blocks
from actors.shard.outbox import message_records
from actors.shard.outbox.due_index import DueIndex, Read
from actors.shard.outbox.outbox import HANDED_OVER, Outbox, Waiting
from actors.shard.set_aside.dead_letters import DeadLetters
from actors.shard.set_aside.unreadable import Unreadable
from actors.shard.standing.index import Standing
from actors.shard.things.facts import Facts
from actors.storage import keys
from actors.storage.batch import Batch
from actors.storage.store import Store
from actors.storage.vault import PlainVault, Vault
from engine import codec
from engine.catalog.compiled import Catalog
from engine.events import history
from engine.inputs import IDS_ONLY, AnyInput
from engine.profile import Profile, Tombstone
from engine.readings import identity_figures
from engine.recent_events import Happened
from engine.vocabulary import FINAL_STATES

CACHE_BYTES: Final = 256 << 20
_TOMBSTONE_BYTES: Final = 100  # in memory


class ShardState:
    """The state of one shard. Not thread-safe.

    `catalog` decides the next turn. `messages` are those to other profiles that have not arrived: by key, the receiver
    and the input. `counts` counts events by their status, `sends` sends by their outcome, and `resolved` what came of
    identity (`engine.readings.identity_figures`), for the whole life of the store.
    """

    def __init__(
        self, number: int, store: Store, catalog: Catalog, clock: Clock, *, vault: Vault | None, cache_bytes: int
    ) -> None:
        self.number = number
        self.catalog = catalog
        self.clock = clock
        self.batch = Batch(store, vault or PlainVault())
        self.cache = Activation(cache_bytes)
        self.counters = Counters()
        self.unreadable = Unreadable(self.batch, number)
        # For who keeps inputs outside the store, and clears both: some may be told, others go with an erased person.
        self.unparked: list[str] = []
        self.forgotten: list[str] = []
        self._changed: set[str] = set()  # profiles whose records differ from the store
        self._group: dict[str, list[tuple[AnyInput, int]]] = {}  # the turns since the last commit, by profile
        self._read_indices()
        self._read_facts()

    def _read_indices(self) -> None:
        """Find the timers, sends and messages that wait. Of timers and sends only the near future comes to memory."""
        self.timers = DueIndex(*self._pending("timers"))
        handed = [Waiting.read(key, value) for key, value in self.batch.committed("outbox", HANDED_OVER)]
        self.outbox = Outbox(*self._pending("outbox", less=len(handed)), handed, self._channel_of)
        self.blocks = Blocks(self.batch, self.meta("blocks", ""), self.meta("blocks_counts", None))
        self.blocks.read_with(self.catalog)
        self.facts = Facts(self.batch, self.meta("facts", {}))
        self.messages = {key: message_records.unpacked(value) for key, value in self.unreadable.readable("messages")}

    def _pending(self, family: str, less: int = 0) -> tuple[Read, int]:
        """The arguments of an index over a family's keys: how to read them, and how many there are. They are counted
        where the store does not know: a restored or resharded one."""
        count = self.meta(family, None)
        if count is None:
            count = sum(1 for _ in self.batch.raw(family, b"")) - less
        return lambda start: self.batch.keys_from(family, start), count

    def _read_facts(self) -> None:
        self.epoch = self.meta("epoch", 0) + 1
        self.journal_seq: int = self.meta("journal_seq", 0)
        self.dead = DeadLetters(self.batch, self.meta("dead_seq", 0))
        self.profiles: int = self.meta("profiles", 0)
        self.counts = {"accepted": 0, "repeated": 0, "rejected": 0} | self.meta("counts", {})
        self.sends = dict.fromkeys(sorted(FINAL_STATES), 0) | self.meta("sends", {})
        self.handoffs = HandOffTotals(self.batch)
        self.resolved = dict.fromkeys(identity_figures.SO_FAR, 0) | self.meta("resolved", {})
        self.standing = Standing(self.batch, self.cache, self.meta("visits", {}), is_whole=self.meta("standing", False))
        self.people = People(self.batch, self.cache, self.catalog, self.meta("people", None))

    # -- facts about the shard

    def meta(self, name: str, default: Any) -> Any:
        """A fact about this shard."""
        raw = self.batch.get("meta", name.encode())
        return default if raw is None else msgspec.msgpack.decode(codec.unseal(raw, f"meta/{name}"))

    @property
    def tallies(self) -> tuple[dict[str, int], ...]:
        """The counts over the whole life of the store."""
        return self.counts, self.sends, self.resolved

    def put_meta(self, name: str, value: Any) -> None:
        """Add a fact about this shard to the batch."""
        self.batch.put("meta", name.encode(), codec.seal(msgspec.msgpack.encode(value)))

    @property
    def catalogs(self) -> replay.Catalogs:
        """Every catalog that turns of this shard may have run under, by version."""
        return self.catalog.archive | {self.catalog.version: self.catalog}

    def decide_by(self, catalog: Catalog) -> None:
        """Take another catalog for the next turn on. Between two commits only; the caller commits."""
        self.catalog = catalog
        self.blocks.read_with(catalog)
        self.keep_catalog()
        self.outbox.sort_anew()
        self.people.judge_by(catalog)
        self.cache.clear()  # counts over older events are made anew for this catalog as profiles come back

    def keep_catalog(self) -> None:
        """Store the catalog that decides turns: their journal records name it by its version alone. With it those that
        its edits are made by and that were never active here: a turn that is repeated has to make them as well."""
        for version, catalog in self.catalogs.items():
            key = b"catalog/" + version.encode()
            if version == self.catalog.version or self.batch.get("meta", key) is None:
                self.batch.put("meta", key, codec.seal(catalog.document))

    def read_catalogs(self) -> None:
        """Compile the catalogs that turns of this store ran under, so that runs that entered under one find it."""
        replay.fill_archive(self.catalog.archive, self.batch, self.catalog.id_key, self.catalog.version)

    # -- profiles

    def record(self, profile_id: str) -> Record | None:
        """The profile, or the tombstone in its place; None where nobody is known."""
        return self.cache.get(profile_id) or self.load(profile_id)

    def load(self, profile_id: str) -> Record | None:
        """The same from the store, whatever is in memory."""
        raw = self.unreadable.state_of(profile_id)
        if raw is None:
            return None
        record = codec.decode_record(raw, f"state/{profile_id}")
        self.cache.put(profile_id, record, bytes_in_memory(record, raw))
        self.people.loaded(profile_id, record)
        self.facts.index.loaded(record)
        self.standing.loaded(profile_id, record)
        if isinstance(record, Profile):
            pages = self.batch.committed("history", keys.profile_key(profile_id))
            self._count_anew(record, (event for _, page in pages for event in codec.decode_page(page)))
        return record

    def count_anew(self, profile: Profile) -> None:
        """Count the older events of a profile whose pages have changed hands, uncommitted ones included."""
        self._count_anew(profile, (event for event in self.older(profile.id)))

    def _count_anew(self, profile: Profile, older: Iterable[Happened]) -> None:
        if profile.spilled and profile.tallied != history.counters_of(self.catalog).name:
            history.recount(profile, self.catalog, older)
            if not profile.spilled:
                profile.tallied = ""

    def records(self, family: str, profile_id: str) -> list[tuple[bytes, bytes]]:
        """The records beside a profile's state, uncommitted ones included. Their keys come without the profile's id."""
        rows = self.batch.rows(family, keys.profile_key(profile_id))
        return [(key[keys.PROFILE_BYTES :], record) for key, record in rows]

    def older(self, profile_id: str) -> list[Happened]:
        """The events of a profile that are not recent."""
        return [event for _, page in self.records("history", profile_id) for event in codec.decode_page(page)]

    def all_profiles(self) -> list[str]:
        """The ids of all profiles and tombstones here."""
        return [keys.profile_of(key) for key, _ in self.batch.raw("state", b"")]

    def scan(self, family: str) -> list[tuple[bytes, bytes]]:
        """All committed records of a family."""
        return list(self.batch.committed(family))

    def changed(self, profile_id: str) -> None:
        """The record of a profile in memory differs from the store; the next commit writes it."""
        self._changed.add(profile_id)

    def put_tombstone(self, profile_id: str, tombstone: Tombstone) -> None:
        """A tombstone takes the place of a profile, which does not count from here on. Inputs that waited for the
        profile may be told: they follow the tombstone, or are refused."""
        was = self.cache.get(profile_id)
        self.profiles -= isinstance(was, Profile) and not was.is_blank
        self.cache.put(profile_id, tombstone, _TOMBSTONE_BYTES)
        self.unparked.append(profile_id)

    def journal(self, profile_id: str, told: AnyInput, now_ms: int) -> None:
        """Add an input that has had its turn to the journal of its profile."""
        self.journal_seq += 1
        record = replay.pack(now_ms, self.catalog.version, told)
        # what holds nothing of a person is not locked, so a visitor without a profile gets no key for it
        owner = "" if isinstance(told, IDS_ONLY) and not told.drawn else profile_id
        self.batch.put("journal", keys.journal_key(profile_id, self.journal_seq), record, owner)

    # -- what waits: each stands in the store, and in an index in memory

    def add_timer(self, key: bytes) -> None:
        """A timer is set."""
        self.batch.put("timers", key, b"")
        self.timers.add(key)

    def drop_timer(self, key: bytes) -> None:
        """A timer is pending no more. A timer whose turn failed has gone already, though its run still names it."""
        if key in self.timers or self.batch.get("timers", key) is not None:
            self.batch.put("timers", key, None)
            self.timers.discard(key)

    def enqueue(self, entry: Waiting) -> None:
        """A send waits in the outbox."""
        self.batch.put("outbox", entry.key, entry.record)
        self.outbox.put(entry)

    def dequeue(self, profile_id: str, send: str, at_ms: int) -> None:
        """A send is settled, or waits elsewhere or at another time."""
        self.batch.put("outbox", keys.outbox_key(at_ms, profile_id, send), None)
        self.outbox.drop(profile_id, send, at_ms)

    def _channel_of(self, profile_id: str, send_id: str) -> str:
        """The channel of a send that waits; empty where the active catalog has no way to send it."""
        record = self.record(profile_id)
        sends = record.sends if isinstance(record, Profile) else ()
        channel = self.catalog.channels.get(next((send.channel for send in sends if send.id == send_id), ""))
        return channel.id if channel is not None and channel.provider != "none" else ""

    def put_message(self, sender: str, seq: int, to: str, message: AnyInput) -> None:
        """A profile here tells another profile something, under the sender's own sequence."""
        key = keys.message_key(sender, seq)
        owner = "" if isinstance(message, IDS_ONLY) else sender
        self.batch.put("messages", key, message_records.packed(to, message), owner)
        self.messages[key] = (to, message)

    def message_done(self, key: bytes) -> None:
        """A message has arrived durably."""
        if self.messages.pop(key, None) is not None:
            self.batch.put("messages", key, None)

    def follow_interests(self) -> None:
        """Bring the index of interests up to the turns that are not committed yet."""
        for profile_id in self._changed:
            if (record := self.cache.get(profile_id)) is not None:
                self.facts.index.follow(profile_id, record)

    # -- the end of a group

    def commit(self, *, sync: bool = True, final: bool = False) -> None:
        """Write everything since the last commit in one batch; with `sync`, survive a power cut too.

        Counters changed only by repeated inputs are written with the next batch, or with the `final` one: so a repeat
        costs no write.
        """
        self.follow_interests()
        for profile_id in self._changed:
            record = self.cache.get(profile_id)
            assert record is not None, "what was changed is in memory"
            encoded = codec.encode_record(record)
            owner = profile_id if isinstance(record, Profile) else ""
            self.batch.put("state", keys.profile_key(profile_id), encoded, owner)
            self.cache.resize(profile_id, bytes_in_memory(record, encoded))
            self.people.committed(profile_id, record)
            self.standing.committed(profile_id, record)
            if self.blocks.made_of:
                self.blocks.follow(profile_id, record, self.journal_seq)
        if self.batch or final:
            facts = {"journal_seq": self.journal_seq, "counts": self.counts, "sends": self.sends}
            facts |= {"profiles": self.profiles, "dead_seq": self.dead.last, "timers": len(self.timers)}
            facts |= {"resolved": self.resolved, "people": self.people.fact(), "facts": self.facts.totals}
            facts |= {"standing": self.standing.is_whole} | self.blocks.facts()
            self.batch.put_changed(facts | {"outbox": self.outbox.waiting, "turned_ms": self.clock.about_now_ms()})
            self.batch.commit()
        if sync:
            self.batch.sync()
        self._changed.clear()
        self._group.clear()
        self.cache.passivate(self._changed)

    def passivate_idle(self) -> bool:
        """Drop some records that were not used since the last sweep; True at the end of a sweep."""
        return self.cache.sweep(self._changed)

    def close(self) -> None:
        """Commit what is left and release the store."""
        self.commit(final=True)
        self.batch.close()
