"""A data directory knows what it must hold: whatever happens to whichever file of it, the file is named in one line,
and nobody is silently new.

One process and no Ray: the steps are those of `segue up`, on a directory in which an engine was stopped once, and then
killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.world import CART, compiled

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.maintenance import verify
from actors.maintenance.start_check import inspect_shard
from actors.maintenance.verify_files import verify_files, verify_keys
from actors.platform.clock import WallClock
from actors.shard.shard import Shard
from actors.storage import inventory
from actors.storage.keys import FAMILIES
from actors.storage.store import RocksStore
from actors.storage.vault import FileVault
from actors.transport.placement import pinned, shard_of
from engine import codec
from engine.errors import Corrupt, SegueError
from engine.inputs import Event
from engine.profile import Profile
from engine.seeds import profile_id
from serve.http.auth import KeyRing
from serve.process import settings as process_settings
from serve.process.data_directory import DataDirectory, engine_key_of, faults_of_small_files

SHARDS = 2
CATALOG = compiled(CART)
USERS = {profile_id(CATALOG.id_key, "user_id", user): user for user in map(str, range(24))}
PEOPLE = list(USERS)
HERMIT = PEOPLE[2]  # pinned: lives in a process of its own
DIARIES = ("LOG", "OPTIONS-")  # what RocksDB writes and nobody reads


@dataclass
class Begun:
    """What a start told, and the shards that it opened."""

    told: list[str] = field(default_factory=list)
    shards: dict[str, Shard] = field(default_factory=dict)

    def read(self, profile: str) -> Profile | None:
        """Somebody, wherever they live."""
        shard = self.shards["pin" if profile == HERMIT and "pin" in self.shards else str(shard_of(profile, SHARDS))]
        found = shard.record(profile)
        assert found is None or isinstance(found, Profile)
        return found


@contextlib.contextmanager
def begun(data: Path, *, has_pin: bool = True) -> Iterator[Begun]:
    """As `segue up` begins; raises what would end it."""
    asked = process_settings.read(data=data, shards=SHARDS, environment={})
    directory = DataDirectory(asked)
    made = Begun()
    try:
        KeyRing.load_or_create(data / "keys.json", "wk_test", "sk_test")
        directory.rely_on("keys.json")
        directory.settle()
        active_catalog = ActiveCatalog(directory.catalog_path, directory.id_key)
        if not directory.catalog_path.exists():
            made.told += directory.missing_catalog()
        active_catalog.take(CATALOG.document)
        directory.rely_on("catalog")
        for number in range(SHARDS):
            vault = FileVault(directory.vault_path, directory.engine_key)
            files = range(number, directory.vault_base + SHARDS, SHARDS)
            made.told += inspect_shard(directory.shard_path(number), vault, files)
            vault.close()
        for number in range(SHARDS):
            vault = FileVault(directory.vault_path, directory.engine_key, directory.vault_base + number, create=False)
            store = RocksStore(directory.shard_path(number), create=False)
            made.shards[str(number)] = Shard(number, store, CATALOG, WallClock(), vault=vault)
        if has_pin:
            store = RocksStore(data / f"pin-{HERMIT}", create=False)
            vault = FileVault(directory.vault_path, directory.engine_key)
            made.shards["pin"] = Shard(-1, store, CATALOG, WallClock(), vault=vault, own=HERMIT)
        yield made
    finally:
        for shard in made.shards.values():
            shard.close()
        directory.release()


def tell(engine: Begun, profile: str, message: str) -> None:
    """Something happens to somebody, durably."""
    now_ms = WallClock().now_ms()
    event = Event(
        kind="track",
        name="Product Viewed",
        message_id=message,
        user_id=USERS[profile],
        at_ms=now_ms,
        received_at_ms=now_ms,
        source="test",
        channel="web",
    )
    shard = engine.shards[str(shard_of(profile, SHARDS))]
    shard.tell(profile, event)
    shard.commit()


def pin(engine: Begun, data: Path) -> None:
    """The hermit leaves for a process of their own."""
    home = engine.shards[str(shard_of(HERMIT, SHARDS))]
    vault = FileVault(data / "vault", engine_key_of(data, None))
    away = Shard(-1, RocksStore(data / f"pin-{HERMIT}"), CATALOG, WallClock(), vault=vault, own=HERMIT)
    home.ownership.register(HERMIT)
    assert home.ownership.leave(HERMIT, pinned(HERMIT))
    home.commit()
    away.ownership.begin(HERMIT, "move")
    for rows in home.ownership.chunks(HERMIT):
        away.ownership.take(HERMIT, "move", rows)
    live = away.ownership.arrive(HERMIT, "move", home.ownership.last(HERMIT))
    away.commit()
    live()
    home.ownership.left(HERMIT)
    home.commit()
    away.close()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory. Its stores have tables, logs and manifests; it is as a kill left it."""
    data = tmp_path_factory.mktemp("original") / "data"
    with begun(data, has_pin=False) as engine:
        for number, profile in enumerate(PEOPLE):
            tell(engine, profile, f"first-{number}")
        pin(engine, data)
    with begun(data) as engine:
        for number, profile in enumerate(PEOPLE):
            if profile != HERMIT:
                tell(engine, profile, f"second-{number}")
        return Path(shutil.copytree(data, data.with_name("killed")))  # what a kill at this moment leaves


@pytest.fixture(scope="module")
def states(original: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Everybody, as they are."""
    data = Path(shutil.copytree(original, tmp_path_factory.mktemp("states") / "data"))
    with begun(data) as engine:
        assert engine.told == []
        return {profile: state_of(engine.read(profile)) for profile in PEOPLE}


def state_of(found: Profile | None) -> bytes:
    assert found is not None
    return codec.canonical(found)


def files_of(data: Path) -> list[Path]:
    """Every file that holds data."""
    found = (path.relative_to(data) for path in sorted(data.rglob("*")) if path.is_file() and path.stat().st_size)
    return [name for name in found if not name.name.startswith(DIARIES) and not name.name.endswith("LOCK")]


def flip(share: float) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        whole = path.read_bytes()
        at = int(share * (len(whole) - 1))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])

    return harm


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 6 // 10)


HARM: dict[str, Callable[[Path], None]] = {
    "missing": Path.unlink,
    "empty": lambda path: os.truncate(path, 0),
    "cut": cut,
    "a byte at the head": flip(0.02),
    "a byte in the middle": flip(0.5),
    "a byte at the end": flip(0.99),
}


def said_of(data: Path, states: dict[str, bytes]) -> list[str]:
    """What a start says of a directory that was harmed. Whoever can be read is who they were, and nobody is new."""
    try:
        with begun(data) as engine:
            for profile, state in states.items():
                try:
                    assert state_of(engine.read(profile)) == state
                except Corrupt:
                    assert any(profile in line for line in engine.told)
            assert len(set(states) & set(engine.shards["0"].unreadable.reasons)) <= 1
            return engine.told
    except SegueError as error:
        return [str(error)]


def verified(data: Path) -> list[str]:
    """What `segue verify` says."""
    try:
        facts = inventory.read(data)
        faults = [*verify_files(data, facts), *faults_of_small_files(data, facts, None, None)]
        vault = FileVault(data / "vault", engine_key_of(data, None))
    except SegueError as error:
        return [str(error)]
    faults += verify_keys(data, vault)
    try:
        return faults + verify.verify([*sorted(data.glob("shard-*")), *sorted(data.glob("pin-*"))], vault)[0]
    except SegueError as error:
        return [*faults, str(error)]
    finally:
        vault.close()


def is_harmless(original: Path, name: Path, harm: Callable[[Path], None], scratch: Path) -> bool:
    """Whether every record of a store is there as it was: a byte of a Bloom filter holds nothing of anybody's."""
    if name.suffix != ".sst":
        return False
    rows = []
    for hurt in (False, True):
        folder = Path(shutil.copytree(original / name.parent, scratch / f"hurt-{hurt}"))
        if hurt:
            harm(folder / name.name)
        try:
            store = RocksStore(folder)
            rows.append([list(store.scan(family)) for family in FAMILIES])
            store.close()
        except SegueError:
            return False
        finally:
            shutil.rmtree(folder)
    return rows[0] == rows[1]


def names(line: str, path: Path) -> bool:
    """Whether a line names a file; of a log that has gone nobody knows the number."""
    known = path if path.exists() or path.suffix != ".log" else path.with_name("*.log")
    return str(known) in line and "\n" not in line


@pytest.mark.slow
@pytest.mark.parametrize("kind", HARM)
def test_whatever_happens_to_a_file_is_named_with_the_file(
    original: Path, states: dict[str, bytes], tmp_path: Path, kind: str
):
    unnamed = []
    for name in files_of(original):
        for look in (lambda data: said_of(data, states), verified):
            data = Path(shutil.copytree(original, tmp_path / "data"))
            HARM[kind](data / name)
            said = look(data)
            if not any(names(line, data / name) for line in said) and not is_harmless(
                original, name, HARM[kind], tmp_path
            ):
                unnamed.append((str(name), said))
            shutil.rmtree(data)
    assert unnamed == [], "\n".join(map(str, unnamed))
