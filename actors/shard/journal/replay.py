"""Makes a customer anew from the journal: the same inputs through the same turns give the same state.

A profile's journal holds every input that counted, with the engine's clock and the catalog's version of its turn. Its
last snapshot, if there is one, replaces all earlier records. So a profile can be made as it is or as it was at a past
moment, and compared with the store. Only `compact` writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from actors.shard.activation import Record
from actors.storage import keys
from actors.storage.batch import Batch
from engine import codec, effects
from engine.catalog.compile import compile_bytes
from engine.catalog.compiled import Catalog
from engine.errors import Corrupt, NotFound
from engine.events import history
from engine.inputs import AT_PLACES, AnyInput, Revive, Split
from engine.profile import Profile, Tombstone, tombstone_of
from engine.splitting import revive
from engine.turn import handle, handle_tombstone

Catalogs = Mapping[str, Catalog]


@dataclass(frozen=True, slots=True)
class Entry:
    """One journal record."""

    number: int
    now_ms: int
    version: str
    told: AnyInput

    @classmethod
    def read(cls, key: bytes, record: bytes) -> Entry:
        """An entry from its key and its record, as `pack` has made it. Raises Corrupt where that cannot be read."""
        try:
            now_ms, version, packed = msgspec.msgpack.decode(codec.unseal(record, "journal"))
            return cls(int.from_bytes(key[keys.PROFILE_BYTES :]), now_ms, version, codec.decode_input(packed))
        except msgspec.MsgspecError as error:
            raise Corrupt(str(error), f"journal/{key.hex()}") from error


def pack(now_ms: int, version: str, told: AnyInput) -> bytes:
    """The journal record of one input."""
    return codec.seal(msgspec.msgpack.encode([now_ms, version, codec.encode_input(told)]))


def pack_snapshot(now_ms: int, version: str, state: bytes) -> bytes:
    """The record of a snapshot: the state after the turn at `now_ms`; empty where nobody was known."""
    return codec.seal(msgspec.msgpack.encode([now_ms, version, state]))


@dataclass(slots=True)
class Replica:
    """A profile as its journal makes it. `history` and `audit` hold the records that its turns have written beside the
    state; their keys come without the profile's id."""

    profile: str
    record: Record | None = None
    number: int = 0  # of the last journal record that is in it
    now_ms: int = 0
    version: str = ""
    history: dict[bytes, bytes] = field(default_factory=dict)
    audit: dict[bytes, bytes] = field(default_factory=dict)

    def tell(self, entry: Entry, catalogs: Catalogs) -> list[effects.Effect]:
        """Repeat one turn; returns its effects. NotFound where its catalog is gone."""
        catalog = catalogs.get(entry.version)
        if catalog is None:
            raise NotFound(f"the catalog {entry.version} is not kept any more", "at")
        was = self.record
        if isinstance(was, Tombstone) and isinstance(entry.told, Revive) and entry.told.state:
            self.record = was = revive.risen(was, entry.told)
        if isinstance(was, Tombstone):
            assert isinstance(entry.told, AT_PLACES), "a tombstone takes nothing else"
            stand_in = Profile(self.profile, message_seq=was.message_seq)
            asked = handle_tombstone(stand_in, was, entry.told, catalog, entry.now_ms)
            was.message_seq = stand_in.message_seq
            self._write(asked, stand_in, entry.now_ms)
        else:
            profile = was or Profile(self.profile)
            if not isinstance(entry.told, Revive):  # its pages come with the turn
                self._recount(profile, catalog)
            self.record = profile  # before the turn: its own effects may put a tombstone there
            asked = handle(profile, entry.told, catalog, entry.now_ms)
            self._write(asked, profile, entry.now_ms)
            if isinstance(entry.told, Split | Revive):
                self._recount(profile, catalog)
            if was is None and self.record is profile and profile.is_blank and not profile.message_seq:
                self.record = None
        self.number, self.now_ms, self.version = entry.number, entry.now_ms, entry.version
        return asked

    def _recount(self, profile: Profile, catalog: Catalog) -> None:
        """Another catalog asks for other counts over old events; they are made of all pages so far."""
        if profile.spilled and profile.tallied != history.counters_of(catalog).name:
            pages = (codec.decode_page(page) for page in self.history.values())
            history.recount(profile, catalog, (event for page in pages for event in page))

    def _write(self, asked: list[effects.Effect], profile: Profile, now_ms: int) -> None:
        for effect in asked:
            if isinstance(effect, effects.Page):
                key = keys.page_key(self.profile, effect.number)[keys.PROFILE_BYTES :]
                self.history[key] = codec.encode_page(effect.events)
            elif isinstance(effect, effects.Note):
                self.audit[keys.audit_key(self.profile, effect.seq)[keys.PROFILE_BYTES :]] = effect.sealed
            elif isinstance(effect, effects.TakeIn):
                self.history |= dict(effect.history)
                self.audit |= dict(effect.audit)
            elif isinstance(effect, effects.Repage):
                self.history = {key: page for key, page in self.history.items() if key not in effect.drop}
                self.history |= dict(effect.put)
            elif isinstance(effect, effects.GiveBack):
                gone = {keys.origin_of(origin) for origin in effect.origins}
                self.history = {key: page for key, page in self.history.items() if key[:4] not in gone}
                self.audit = {key: row for key, row in self.audit.items() if key[:4] not in gone}
            elif isinstance(effect, effects.LeaveTombstone):
                self.record = tombstone_of(self.record or profile, effect.to, now_ms, profile.message_seq)
                self.history, self.audit = {}, {}


def fill_archive(archive: dict[str, Catalog], batch: Batch, id_key: bytes, current: str = "") -> None:
    """Compile every catalog that a shard has run under, but the current one; each knows all that are in the archive."""
    for key, record in batch.committed("meta", b"catalog/"):
        version = key.removeprefix(b"catalog/").decode()
        if version != current and version not in archive:
            archive[version] = replace(compile_bytes(codec.unseal(record)), id_key=id_key, archive=archive)


def replica(batch: Batch, profile: str, catalogs: Catalogs, until_ms: int | None = None) -> Replica:
    """A profile as its journal tells it, up to and including `until_ms`.

    NotFound where that lies before what the journal keeps.
    """
    begun = _snapshot(batch, profile)
    if until_ms is not None and begun.number and until_ms < begun.now_ms:
        raise NotFound("lies before what the journal still holds of this person", "at")
    for entry in entries(batch, profile):
        if entry.number <= begun.number:
            continue
        if until_ms is not None and entry.now_ms > until_ms:
            break
        begun.tell(entry, catalogs)
    return begun


def turns(batch: Batch, profile: str, catalogs: Catalogs) -> Iterator[tuple[Entry, list[effects.Effect]]]:
    """Repeats each turn that the journal still holds: its entry and its effects. Raises NotFound where its catalog is
    gone."""
    begun = _snapshot(batch, profile)
    for entry in entries(batch, profile):
        if entry.number > begun.number:
            yield entry, begun.tell(entry, catalogs)


def entries(batch: Batch, profile: str) -> Iterator[Entry]:
    """The journal of one profile, in order."""
    for key, record in batch.rows("journal", keys.profile_key(profile)):
        yield Entry.read(key, record)


def first(batch: Batch, profile: str) -> Entry | None:
    """The oldest committed journal record of a profile."""
    row = next(batch.committed("journal", keys.profile_key(profile)), None)
    return None if row is None else Entry.read(*row)


def compact(batch: Batch, profile: str, catalogs: Catalogs, before_ms: int) -> int:
    """Replace the journal of one profile before a moment by a snapshot; returns how many records it replaces.

    In the batch; the caller commits.
    """
    begun = _snapshot(batch, profile)
    former = begun.number
    replaced = []
    for entry in entries(batch, profile):
        if entry.now_ms >= before_ms:
            break
        begun.tell(entry, catalogs)
        replaced.append(entry.number)
    if not replaced:
        return 0
    for number in replaced:
        batch.put("journal", keys.journal_key(profile, number), None)
    if former:
        batch.put("snapshots", keys.journal_key(profile, former), None)
    state = b"" if begun.record is None else codec.encode_record(begun.record)
    snapshot = pack_snapshot(begun.now_ms, begun.version, state)
    batch.put("snapshots", keys.journal_key(profile, begun.number), snapshot, profile)
    return len(replaced)


def begin_anew(batch: Batch, profile: str, number: int, tombstone: Tombstone, version: str) -> None:
    """Let the journal of a place begin with its tombstone, because all before it is erased; `number` is of the turn
    that leaves it. In the batch; the caller commits."""
    snapshot = pack_snapshot(tombstone.at_ms, version, codec.encode_record(tombstone))
    batch.put("snapshots", keys.journal_key(profile, number), snapshot, profile)


def _snapshot(batch: Batch, profile: str) -> Replica:
    """The start of a replay: the last snapshot with the pages of that time, or a replica without a record."""
    rows = batch.rows("snapshots", keys.profile_key(profile))
    if not rows:
        return Replica(profile)
    key, record = rows[-1]
    now_ms, version, state = msgspec.msgpack.decode(codec.unseal(record, "snapshots"))
    number = int.from_bytes(key[keys.PROFILE_BYTES :])
    found = codec.decode_record(state, f"snapshots/{profile}") if state else None
    begun = Replica(profile, found, number, now_ms, version)
    if isinstance(found, Profile) and found.spilled:
        begun.history = _pages_until(batch, found)
    return begun


def _pages_until(batch: Batch, profile: Profile) -> dict[bytes, bytes]:
    rows = batch.rows("history", keys.profile_key(profile.id))
    return {key[keys.PROFILE_BYTES :]: page for key, page in pages_of_time(profile, rows)}


def pages_of_time(profile: Profile, rows: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Of the rows of a profile's history those of the time of a snapshot: its own pages up to their number then, and
    those of the profiles that were merged into it by then."""
    merged = {keys.origin_of(past.origin) for past in profile.ledger}
    own = keys.origin_of(profile.id)
    found = []
    for key, page in rows:
        rest = key[keys.PROFILE_BYTES :]
        if rest[:4] in merged or (rest[:4] == own and int.from_bytes(rest[4:]) <= profile.pages):
            found.append((key, page))
    return found
