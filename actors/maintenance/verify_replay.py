"""Rebuilds every profile of a stopped engine from its journal, and compares bytes (Invariant 9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from actors.shard.journal import replay
from actors.storage import keys
from actors.storage.batch import Batch
from actors.storage.store import RocksStore
from actors.storage.vault import Vault
from engine import codec
from engine.catalog.compiled import Catalog
from engine.errors import Corrupt, SegueError
from engine.events import history
from engine.merging import erasure
from engine.profile import Profile, Tombstone
from engine.recent_events import Recent


def verify_replay(paths: Sequence[Path], vault: Vault, id_key: bytes) -> tuple[list[str], int]:
    """Every difference as `shard: profile: message`, and the number of profiles that were rebuilt."""
    faults: list[str] = []
    rebuilt = 0
    for path in paths:
        batch = Batch(RocksStore(path, create=False), vault)
        try:
            catalogs: dict[str, Catalog] = {}
            replay.fill_archive(catalogs, batch, id_key)
            for key, record in batch.raw("state", b""):
                rebuilt += 1
                profile = keys.profile_of(key)
                try:
                    stored = codec.decode_record(batch.unlock(record), profile)
                    differing = list(differences(batch, profile, stored, catalogs))
                except Corrupt as error:
                    differing = [str(error)]
                faults += [f"{path.name}: {profile}: {what}" for what in differing]
        finally:
            batch.close()
    return faults, rebuilt


def differences(batch: Batch, profile: str, stored: Profile | Tombstone, catalogs: replay.Catalogs) -> Iterator[str]:
    """The differences between the records of a profile and those that its journal gives."""
    if isinstance(stored, Tombstone) and erasure.is_erased(profile, stored):
        return
    try:
        again = replay.replica(batch, profile, catalogs)
    except (SegueError, AssertionError) as error:
        yield f"its journal cannot be replayed: {error}"
        return
    if not again.number:
        yield "it has no journal"
    elif isinstance(stored, Tombstone) or not isinstance(again.record, Profile):
        if getattr(again.record, "to", None) != getattr(stored, "to", None):
            yield "its journal ends with another tombstone, or with none"
    elif not _is_same(*(_counted_alike(again, record, catalogs) for record in (again.record, stored))):
        yield "its state is not what its journal says"
    yield from _rows(batch, profile, "history", again.history)
    yield from _rows(batch, profile, "audit", again.audit)


def _counted_alike(again: replay.Replica, profile: Profile, catalogs: replay.Catalogs) -> Profile:
    """The profile with its older events counted for the catalogs of today. The journal does not say which catalogs were
    known at the profile's last turn, so neither side may keep what it counted then."""
    if profile.spilled:
        pages = (codec.decode_page(page) for page in again.history.values())
        history.recount(profile, catalogs[again.version], (event for page in pages for event in page))
    return profile


def _is_same(again: Profile, stored: Profile) -> bool:
    """Whether two profiles are the same bytes when both are written by this version. Stored events, places,
    traits and identifiers may have the form of an earlier version, without fields that were added since."""
    if codec.canonical(again) == codec.canonical(stored):
        return True
    for profile in (again, stored):
        profile.history = Recent(profile.history.events)
    for place, known in zip(again.places, stored.places, strict=False):
        place.address = place.address if known.address else ""
    for name, trait in stored.traits.items():
        if name in again.traits and not trait.source:
            again.traits[name].source = ""
    for link, before in zip(again.identifiers, stored.identifiers, strict=False):
        if not before.source:
            link.source, link.public, link.by = before.source, before.public, before.by
    again.born = again.born if stored.born else ""
    return codec.canonical(again) == codec.canonical(stored)


def _rows(batch: Batch, profile: str, family: str, wanted: dict[bytes, bytes]) -> Iterator[str]:
    kept = {key[keys.PROFILE_BYTES :]: record for key, record in batch.committed(family, keys.profile_key(profile))}
    for key, record in wanted.items():
        found = kept.get(key)
        if found != record and (found is None or family != "history" or _page_again(found) != record):
            yield f"its {family} record {key.hex()} is not what its journal says"
            return


def _page_again(record: bytes) -> bytes:
    """A page as this version writes it. Audit entries cannot be written again: their chain is made of their bytes."""
    return codec.encode_page(codec.decode_page(record))
