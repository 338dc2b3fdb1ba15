"""Golden histories: the files that an engine once wrote, and the inputs that it was given.

Each history in `tests/golden` holds the files of an engine and stays as it is for ever: every later version must read
it. Beside it stand digests of the present version's files for the same history. Keys, nonces and times are
invented and fixed, so the same history is the same bytes. What has come to a format since its history was written, such
as another column family, has a history of its own (`STORIES`).

    PYTHONPATH=.:tests python -m support.golden digests     where a field with a default has come at the end of a record
    PYTHONPATH=.:tests python -m support.golden make NAME   a history that is not there yet; none is ever made again
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import random
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any
from unittest import mock

import lz4.frame
import msgspec

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.maintenance import backup, manifest
from actors.platform import clock
from actors.replay_clock.in_process import LocalEngine
from actors.shard.journal import replay
from actors.storage import inventory, key_file, store_folders
from actors.storage.batch import Batch
from actors.storage.keys import FAMILIES
from actors.storage.store import RocksStore
from actors.storage.synced_mark import SyncedMark
from actors.storage.vault import FileVault
from actors.transport.messages.carried import Outcome
from engine import audit, codec
from engine.catalog.compile import compile_bytes
from engine.catalog.compiled import Catalog
from engine.errors import Corrupt
from engine.inputs import Fact
from engine.recent_events import Recent
from engine.splitting.around import Around, profile_of
from serve.http.auth import KeyRing
from support import golden_people, golden_story
from support.world import ID_KEY, START_MS, World, compiled

FOLDER = Path(__file__).parents[1] / "golden"
FIRST = "format-2"
STORIES = {FIRST: golden_story, "format-2-people": golden_people}
SHARDS = 2
ENGINE_KEY = bytes(range(32))
WRITE_KEY, SERVER_KEY = "wk_of_a_golden_history", "sk_of_a_golden_history"
SYNCED = 4711
MADE = {  # an engine.json of which nothing depends on the machine
    "format": inventory.FORMAT, "shards": SHARDS, "clock": "replay", "vault_base": 0,
    "stores": {"shard-000": "an identity", "shard-001": "another one"}, "vault": {"keys-00000": 60},
    "files": ["catalog", "keys.json"], "id_key_check": inventory.check_of(ID_KEY),
    "engine_key_check": inventory.check_of(ENGINE_KEY),
}  # fmt: skip
_KEYS_AT_ONCE = 16  # instead of 1024: random bytes do not get smaller

Step = list[Any]  # what is done, and with what
Rows = dict[str, dict[bytes, bytes]]  # plain records by family, and by key behind the number of the shard


class Golden(msgspec.Struct):
    """What an engine wrote, what it was told, and what its records mean: `{family: {key: fields by name}}`."""

    catalog: bytes
    steps: list[Step]
    files: dict[str, bytes]
    meaning: dict[str, dict[str, Any]]


def file_of(name: str) -> Path:
    """Where a history is."""
    return FOLDER / f"{name}.msgpack.lz4"


def digests_of(name: str) -> Path:
    """Where its digests are."""
    return FOLDER / f"{name}.digests.json"


def read(name: str = FIRST) -> Golden:
    """A golden history of the present format."""
    return msgspec.msgpack.decode(lz4.frame.decompress(file_of(name).read_bytes()), type=Golden)


def unpack(files: Mapping[str, bytes], folder: Path) -> None:
    """Put the files of a golden history into a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def digest_of(content: bytes) -> str:
    """Short enough to be read in a difference."""
    return blake2b(content, digest_size=10).hexdigest()


# -- what is told


def retell(steps: Sequence[Step], catalog: Catalog, data: Path) -> None:
    """Tell a history to an engine in a data directory that is there and empty."""
    world = opened(data, catalog)
    for step in steps:
        _TOLD[step[0]](world.engine, *step[1:])
    closed(world)


def opened(data: Path, catalog: Catalog, base: int = 0) -> World:
    """The engine of a data directory, in this process. New keys go to the files from number `base` on."""
    numbers = range(SHARDS)
    stores = [RocksStore(store_folders.shard_path(data, number)) for number in numbers]
    vaults = [FileVault(data / "vault", ENGINE_KEY, base + number) for number in numbers]
    return World(catalog, stores=stores, vaults=vaults)  # type: ignore[arg-type]


def closed(world: World) -> None:
    """Commit and stop it."""
    for windows in world.engine.windows:
        windows.shard.commit()
        windows.shard.close()


def _stage(engine: LocalEngine, events: list[bytes]) -> None:
    LocalEngine.stage(engine, [codec.decode_input(raw) for raw in events])  # type: ignore[misc]


def _advance(engine: LocalEngine, at_ms: int, provider: str) -> None:
    def says(message: dict[str, Any]) -> str:
        if provider == "dies":
            raise Corrupt("the power went away in the middle of a hand-over")
        return provider

    engine._provider = says
    with contextlib.suppress(Corrupt):
        asyncio.run(LocalEngine.advance(engine, at_ms))


def _ask(engine: LocalEngine, profile: str, told: bytes) -> dict[str, Any] | None:
    return LocalEngine.ask_profile(engine, profile, codec.decode_input(told))


def _take(engine: LocalEngine, told: bytes) -> None:
    fact = codec.decode_input(told)
    assert isinstance(fact, Fact)
    LocalEngine.take(engine, fact)


def _set_aside(engine: LocalEngine, profile: str, told: bytes, reason: str) -> None:
    engine.shard(profile).dead.put(profile, codec.decode_input(told), reason, START_MS)


def _keep(engine: LocalEngine, profile: str, send: str, said: bytes) -> None:
    engine.shard(profile).sandbox.keep(Outcome(profile, send, "simulated", "", said))


def _compact(engine: LocalEngine, profile: str, before_ms: int) -> None:
    shard = engine.shard(profile)
    replay.compact(shard.batch, profile, shard.catalogs, before_ms)
    shard.commit()


_TOLD: dict[str, Callable[..., Any]] = {
    "stage": _stage, "advance": _advance, "ask": _ask, "take": _take, "set aside": _set_aside, "sandbox": _keep,
    "compact": _compact,
}  # fmt: skip


# -- what it means


def rows_of(data: Path, opening: Callable[[int], FileVault]) -> Rows:
    """All records of the stores of a data directory, unlocked."""
    found: Rows = {family: {} for family in FAMILIES}
    for number in range(SHARDS):
        opened_vault, store = opening(number), RocksStore(store_folders.shard_path(data, number), create=False)
        batch = Batch(store, opened_vault)
        for family in FAMILIES:
            for key, record in batch.rows(family, b""):
                if (family, key) != ("meta", b"epoch"):  # how often it was opened
                    found[family][bytes([number]) + key] = record
        batch.close()
        opened_vault.close()
    return found


def meaning_of(family: str, key: bytes, record: bytes) -> Any:
    """A record as plain data, its fields by name."""
    if family == "state":
        return _of_profile(codec.decode_record(record))
    if family == "history":
        return _plain(codec.decode_page(record))
    if family == "audit":
        head, entry = audit.open_entry(record)
        return {"head": head, "entry": _plain(entry)}
    if family == "keyring" or record[:1] != bytes([codec.VERSION]):
        return record
    if family == "merges":
        around = Around.read(record)
        return [_of_profile(profile_of(state)) for state in (around.before, around.other, around.after)]
    packed = codec.unseal(record)
    if family == "seen":
        return [int.from_bytes(packed[:8]), msgspec.msgpack.decode(packed[8:]) if packed[8:] else None]
    if family == "meta" and key[1:].startswith(b"catalog/"):
        return packed
    if family in ("blocks", "interests", "facts"):  # most are numbers of a fixed length, or nothing
        return packed
    fields = msgspec.msgpack.decode(packed)
    at = {"journal": 2, "messages": 1, "staged": 1, "dead": 3}.get(family)
    if at is not None:
        fields[at] = _plain(codec.decode_input(fields[at]))
    return fields


def _of_profile(known: Any) -> Any:
    recent = getattr(known, "history", None)
    return _plain(known) | ({} if recent is None else {"history": _plain(list(recent))})


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        kind = {"kind": type(value).__struct_config__.tag} if type(value).__struct_config__.tag else {}
        return kind | {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, Recent | list | tuple):
        return [_plain(each) for each in value]
    return sorted(value) if isinstance(value, set | frozenset) else value


def is_within(wanted: Any, found: Any) -> bool:
    """Whether everything that was known is there as it was. A field that has come since may be there too."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(name in found and is_within(value, found[name]) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(is_within, wanted, found))
    return bool(wanted == found)


# -- what is written


@contextlib.contextmanager
def fixed() -> Iterator[None]:
    """Randomness from one seed, one moment for what is dated by the wall clock, and few keys at once."""
    drawn = random.Random(2)
    with (
        mock.patch.object(os, "urandom", drawn.randbytes),
        mock.patch.object(secrets, "token_hex", lambda count: drawn.randbytes(count).hex()),
        mock.patch.object(key_file, "BLOCK_SLOTS", _KEYS_AT_ONCE),
        mock.patch.object(clock.WallClock, "now_ms", lambda self: START_MS),
    ):
        yield


def small_files(folder: Path, document: bytes) -> dict[str, bytes]:
    """One of each small file of a data directory, written by the code that writes them."""
    folder.mkdir(parents=True, exist_ok=True)
    ActiveCatalog(folder / "catalog", ID_KEY).put(document)
    KeyRing.load_or_create(folder / "keys.json", WRITE_KEY, SERVER_KEY)
    inventory.write(folder, MADE)
    (folder / "store").mkdir(exist_ok=True)
    SyncedMark(folder / "store").make(SYNCED)
    with fixed():
        locking = FileVault(folder / "vault", ENGINE_KEY, 7)
        place = locking.new_key()
        (folder / "locked").write_bytes(locking.lock(place, codec.seal(b"a record of one person")))
        locking.close()
        of_one = manifest.Manifest("2026-03-02T00:00:00Z", "0.1.0", MADE, [], {"shard-000/SYNCED": _file(folder)})
        manifest.write(of_one, folder)
    names = ("catalog", "engine.json", "keys.json", "locked", "manifest.json", "store/SYNCED", "vault/keys-00007")
    return {name: (folder / name).read_bytes() for name in names}


def _file(folder: Path) -> manifest.FileCopy:
    return manifest.FileCopy(12, manifest.digest_of(folder / "store/SYNCED"))


def written(golden: Golden, folder: Path) -> tuple[dict[str, str], Rows]:
    """What the present version writes of a history: a digest for each format, and the plain records."""
    catalog = dataclasses.replace(compile_bytes(golden.catalog), id_key=ID_KEY)
    data = folder / "data"
    data.mkdir(parents=True)
    with fixed():
        retell(golden.steps, catalog, data)
    rows = rows_of(data, lambda number: FileVault(data / "vault", ENGINE_KEY))
    digests = {f"records of {family}": _digest_of_rows(kept) for family, kept in rows.items() if kept}
    if any(name.startswith("small/") for name in golden.files):
        small = small_files(folder / "small", golden.catalog)
        digests |= {f"file {name}": digest_of(content) for name, content in small.items()}
    return digests, rows


def _digest_of_rows(rows: Mapping[bytes, bytes]) -> str:
    return digest_of(msgspec.msgpack.encode(sorted(rows.items())))


def _backed_up(data: Path, folder: Path, document: bytes) -> dict[str, bytes]:
    """A backup and its keys. RocksDB's own log names the machine, so it is left out."""
    inventory.write(data, MADE | {"stores": {}, "vault": {}, "files": []})
    (data / "engine.key").write_text(ENGINE_KEY.hex())
    (data / "id.key").write_text(ID_KEY.hex())
    ActiveCatalog(data / "catalog", ID_KEY).put(document)
    order = backup.order(data, folder / "backup", folder / "keys")
    with mock.patch.object(clock.WallClock, "now_ms", lambda self: START_MS):
        backup.of_stopped(order, SHARDS)
    for log in (folder / "backup").rglob("LOG*"):
        log.unlink()
    whole = manifest.read(folder / "backup")
    whole.files = manifest.files_below(folder / "backup")
    del whole.files[manifest.NAME]
    manifest.write(whole, folder / "backup")
    kept = [path for name in ("backup", "keys") for path in sorted((folder / name).rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}


def _make(name: str, folder: Path) -> Golden:
    """A history of what leaves records, its files, and a backup of them; with the first one small files."""
    story = STORIES[name]
    catalog, data = compiled(story.CATALOG), folder / "first"
    data.mkdir(parents=True)
    with fixed():
        steps = _recorded(data, catalog, story.tell)
    small = small_files(folder / "small", catalog.document) if name == FIRST else {}
    rows = rows_of(data, lambda number: FileVault(data / "vault", ENGINE_KEY))
    meaning = {
        name: {key.hex(): meaning_of(name, key, row) for key, row in kept.items()} for name, kept in rows.items()
    }
    files = {f"small/{name}": content for name, content in small.items()}
    return Golden(catalog.document, steps, files | _backed_up(data, folder, catalog.document), meaning)


def _recorded(data: Path, catalog: Catalog, tell: Callable[[World, Callable[..., Any]], None]) -> list[Step]:
    """Tell a story, and keep what reaches the engine."""
    world, steps = opened(data, catalog), list[Step]()

    def do(*step: Any) -> Any:
        steps.append(list(step))
        return _TOLD[step[0]](world.engine, *step[1:])

    async def advance(at_ms: int, *, drain: bool = False) -> dict[str, int]:
        steps.append(["advance", at_ms, world.provider_says])
        return await LocalEngine.advance(world.engine, at_ms)

    instead: dict[str, Any] = {
        "stage": lambda events: do("stage", [codec.encode_input(event) for event in events]),
        "take": lambda fact: do("take", codec.encode_input(fact)),
        "ask_profile": lambda profile, told: do("ask", profile, codec.encode_input(told)),
        "advance": advance,
    }
    vars(world.engine).update(instead)
    tell(world, do)
    for name in instead:
        del vars(world.engine)[name]
    closed(world)
    return steps


def main() -> None:
    """Make a golden history that is not there yet, or the digests of all anew."""
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[1:2] == ["make"]:
            (name,) = sys.argv[2:]
            assert not file_of(name).exists(), "a history stays as it was written"
            golden = _make(name, Path(folder) / "make")
            file_of(name).write_bytes(lz4.frame.compress(msgspec.msgpack.encode(golden, order="deterministic"), 12))
        for name in STORIES:
            digests, _ = written(read(name), Path(folder) / name)
            digests_of(name).write_text(json.dumps(digests, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
