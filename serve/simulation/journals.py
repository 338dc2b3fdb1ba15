"""The history in the journals of an engine's data directory: all that people were told from outside, at its own time.

What profiles have told each other, timers and providers' answers are left out: under another catalog they come about
anew. Where a journal begins with a snapshot, its person begins with that. The stores are only read, so an engine may
serve them meanwhile; what it writes then is not part of the history.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from actors.shard.journal import replay
from actors.storage import keys
from actors.storage.store import Rows, inspect
from actors.storage.vault import Vault
from engine import codec
from engine.catalog.compile import compile_bytes
from engine.catalog.compiled import Catalog
from engine.errors import Corrupt, NotFound
from engine.identity.home import home_of
from engine.inputs import Confirm, ConsentChange, Decide, Event, Exposure, Fact
from engine.profile import Profile
from serve.simulation.sources import Begin, Lot, Told
from serve.simulation.spool import Block, Spool, pack, told_in

LOT_INPUTS: Final = 5_000
_TOLD: Final = (Event, ConsentChange, Confirm, Decide, Exposure, Fact)  # by the world outside
_LAST: Final = b"\xff" * keys.PROFILE_BYTES  # behind every profile
_TRIES: Final = 5  # an engine that writes meanwhile may take away a file between two looks

Found = TypeVar("Found")


class Journals:
    """The journals of some stores. Its lots are not in the order of time: whoever runs them sorts them. They lie in
    `folder`, as long as somebody may read them."""

    is_ordered = False

    def __init__(self, stores: Sequence[Path], vault: Vault, id_key: bytes, folder: Path) -> None:
        self._stores, self._vault, self._id_key, self._folder = stores, vault, id_key, folder

    def prepare(self, catalog: Catalog) -> None:
        """Give a catalog the older ones that runs of these stores are in."""
        for store in self._stores:
            _look_into(store, lambda rows: self._fill_archive(catalog, rows))

    def lots(self) -> Iterator[Block]:
        """Where the inputs are, in lots, on disk."""
        for store in self._stores:
            yield from _look_into(store, self._lots_of)

    def read(self, catalog: Catalog, raw: Block) -> Lot:
        """The inputs of a lot, each for the place that a door would find under this catalog."""
        told = [each._replace(place=_place_of(catalog, each)) for each in told_in(raw)]
        return Lot(told, lines=len(told))

    def _fill_archive(self, catalog: Catalog, rows: Rows) -> None:
        for key, record in rows("meta"):
            version = key.removeprefix(b"catalog/").decode(errors="replace")
            if key.startswith(b"catalog/") and version != catalog.version and version not in catalog.archive:
                older = compile_bytes(codec.unseal(self._vault.unlock(record)))
                catalog.archive[version] = replace(older, id_key=self._id_key, archive=catalog.archive)

    def _lots_of(self, rows: Rows) -> list[Block]:
        spool, blocks = Spool(self._folder, "journals"), list[Block]()
        inputs = itertools.chain(self._begins(rows), self._told(rows))
        while lot := list(itertools.islice(inputs, LOT_INPUTS)):
            blocks.append(spool.put(len(blocks), pack(lot)))
        return blocks

    def _begins(self, rows: Rows) -> Iterator[Told]:
        """The newest snapshot of each journal, with the pages of its time."""
        pages = itertools.groupby(rows("history"), lambda row: row[0][: keys.PROFILE_BYTES])
        owner, of_owner = next(pages, (_LAST, iter(())))
        for home, snapshots in itertools.groupby(rows("snapshots"), lambda row: row[0][: keys.PROFILE_BYTES]):
            *_, (_, record) = snapshots
            while owner < home:
                owner, of_owner = next(pages, (_LAST, iter(())))
            if (plain := self._plain(record)) is not None:
                now_ms, _, state = msgspec.msgpack.decode(codec.unseal(plain, "snapshots"))
                if state:
                    of_home = [(key, self._vault.unlock(page)) for key, page in of_owner] if owner == home else []
                    yield Told(now_ms, home.hex(), Begin(state, _until(state, of_home)))

    def _told(self, rows: Rows) -> Iterator[Told]:
        for key, record in rows("journal"):
            if (plain := self._plain(record)) is not None:
                entry = replay.Entry.read(key, plain)
                if isinstance(entry.told, _TOLD):
                    yield Told(entry.now_ms, keys.profile_of(key), msgspec.structs.replace(entry.told, tokens={}))

    def _plain(self, record: bytes) -> bytes | None:
        """A record; None of somebody who was erased meanwhile."""
        try:
            return self._vault.unlock(record)
        except NotFound:
            return None


def _until(state: bytes, pages: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The pages of the time of a state."""
    record = codec.decode_record(state)
    return replay.pages_of_time(record, pages) if isinstance(record, Profile) and record.spilled else []


def _place_of(catalog: Catalog, told: Told) -> str:
    """Where a door would tell an input. What names a profile itself stays there."""
    named = told.told
    is_named = isinstance(named, Event) or (isinstance(named, ConsentChange | Decide) and not named.profile_id)
    return (home_of(catalog, named) if is_named else None) or told.place  # type: ignore[arg-type]


def _look_into(store: Path, look: Callable[[Rows], Found]) -> Found:
    """What a look into a store finds. An engine that serves it may take away a file meanwhile: then look again."""
    found: list[Found] = []
    for _ in range(_TRIES - 1):
        try:
            inspect(store, 0, lambda rows: found.append(look(rows)))
            return found[0]
        except Corrupt:
            found.clear()
    inspect(store, 0, lambda rows: found.append(look(rows)))
    return found[0]
