"""A backup is one instant of all shards, and what comes back from it is whole or nothing (Invariants 1 and 3).

Real shards on real stores behind real sockets; messages between profiles are carried while the copies are made.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.world import CART, compiled

from actors.delivery.shard_link import ShardLink
from actors.maintenance import backup, restore
from actors.maintenance.verify import verify
from actors.platform.clock import WallClock
from actors.serving.barrier import Barrier
from actors.serving.shard_server import ShardServer
from actors.shard.shard import Shard
from actors.storage import inventory, key_copies
from actors.storage.key_file import HEAD_BYTES, SLOT_BYTES
from actors.storage.store import RocksStore
from actors.storage.vault import FileVault
from actors.transport.messages.carried import EventOutcome, Message
from actors.transport.messages.of_dispatcher import BarrierStep
from actors.transport.messages.of_shards import Deliver
from actors.transport.placement import shard_of, slots_of
from actors.transport.router import Router
from engine import seeds
from engine.errors import Corrupt, InvalidInput, NotReady, UsageError
from engine.identity.home import home_of
from engine.inputs import Event
from engine.profile import Profile, Tombstone

SHARDS = 2
ENGINE_KEY = bytes(range(32))
CATALOG = compiled(CART)

_encode = msgspec.msgpack.encode


class Running:
    """The shards of a data directory, served in this process."""

    def __init__(self, data: Path, sockets: Path) -> None:
        self.data = data
        paths = [str(sockets / f"shard-{number}") for number in range(SHARDS)]
        self.shards = [_shard(data, number) for number in range(SHARDS)]
        self.servers = [ShardServer(shard, path, paths) for shard, path in zip(self.shards, paths, strict=True)]
        self.links = [ShardLink(path) for path in paths]
        self.router = Router(paths)

    async def tell(self, *events: Event) -> list[EventOutcome]:
        """Returns when all of it is durable."""
        return await self.router.ingest([(_home(event), event) for event in events])

    async def back_up(self, name: str) -> tuple[Path, Path]:
        """A whole backup and its keys."""
        directory = self.data.with_name(name)
        made = await backup.of_running(self.data, self.links, directory)
        return directory, Path(made["keys"])

    def record(self, event: Event) -> Any:
        """What stands at the place of whoever an event names."""
        return self.shards[shard_of(_home(event), SHARDS)].record(_home(event))

    def seen(self, event: Event) -> Counter[str]:
        """How often each event is in somebody's history."""
        record = self.record(event)
        return Counter(each.message_id for each in record.history) if isinstance(record, Profile) else Counter()


@contextlib.asynccontextmanager
async def running(data: Path) -> AsyncIterator[Running]:
    """Served for as long as the body runs."""
    sockets = Path(tempfile.mkdtemp(prefix="segue-", dir="/tmp"))
    _found(data)
    engine = Running(data, sockets)
    tasks = [asyncio.create_task(server.serve()) for server in engine.servers]
    try:
        await until(lambda: all((sockets / f"shard-{number}").exists() for number in range(SHARDS)))
        yield engine
    finally:
        for server in engine.servers:
            server.close()
        await asyncio.gather(*tasks)
        shutil.rmtree(sockets)


async def until(check: Callable[[], bool]) -> None:
    """Wait, ten seconds at most."""
    async with asyncio.timeout(10):
        while not check():
            await asyncio.sleep(0.005)


def run(story: Callable[[Path], Coroutine[Any, Any, None]], folder: Path) -> None:
    """Tell a story."""
    asyncio.run(story(folder))


def _found(data: Path) -> None:
    """What `segue up` makes at the first start."""
    if not data.exists():
        data.mkdir()
        engine = {"format": 2, "shards": SHARDS, "clock": "wall", "vault_base": 0}
        (data / "engine.json").write_text(json.dumps(engine))
        (data / "engine.key").write_text(ENGINE_KEY.hex())
        (data / "id.key").write_text("00" * 32)
        (data / "catalog").write_bytes(CATALOG.document)


def _shard(data: Path, number: int) -> Shard:
    base = json.loads((data / "engine.json").read_text())["vault_base"]
    vault = FileVault(data / "vault", ENGINE_KEY, base + number)
    return Shard(number, RocksStore(data / f"shard-{number:03d}"), CATALOG, WallClock(), vault=vault)


def _event(message: str, *, user: str = "", anonymous: str = "", name: str = "Product Viewed") -> Event:
    now_ms = WallClock().now_ms()
    fields = {"kind": "track", "at_ms": now_ms, "received_at_ms": now_ms, "source": "test", "channel": "web"}
    return Event(name=name, message_id=message, user_id=user, anonymous_id=anonymous, **fields)


def _home(event: Event) -> str:
    found = home_of(CATALOG, event)
    assert found is not None
    return found


def _on_shard(number: int, **fields: Any) -> str:
    """A name that lives on a shard."""
    (field,) = fields
    names = (f"{fields[field]}{count}" for count in itertools.count())
    return next(name for name in names if shard_of(_home(_event("?", **{field: name})), SHARDS) == number)


def _restored(directory: Path, keys: Path, data: Path) -> Path:
    done = restore.restore(directory, keys, data, lambda part: bytes.fromhex((part / "engine.key").read_text()))
    assert done.faults == []
    return data


# -- one instant


@pytest.mark.parametrize("first", [0, 1], ids=["the sender is copied first", "the receiver is copied first"])
def test_no_message_between_profiles_crosses_the_copies(tmp_path: Path, first: int):
    """Invariant 1: whoever is copied first, the other has not gone on without it."""
    user, anonymous = _on_shard(0, user="u"), _on_shard(1, anonymous="a")
    visit, login = _event("visit", anonymous=anonymous), _event("login", user=user, anonymous=anonymous)

    async def story(folder: Path) -> None:
        async with running(folder / "data") as engine:
            await engine.tell(visit)
            assert all([await link.barrier("lower", "b") for link in engine.links])
            assert await engine.links[first].barrier("copy", "b", str(folder / f"shard-{first:03d}"))
            telling = asyncio.create_task(engine.tell(login))
            await until(lambda: bool(engine.shards[0].messages))
            ((key, (to, told)), *_) = engine.shards[0].messages.items()
            sender, sequence = key[:15].hex(), int.from_bytes(key[15:])
            packed = msgspec.Raw(_encode(Message(sender, sequence, to, told)))
            assert (await engine.links[1]._client.call(Deliver([packed]))).arrived == []
            second = 1 - first
            assert await engine.links[second].barrier("copy", "b", str(folder / f"shard-{second:03d}"))
            assert all([await link.barrier("lift", "b") for link in engine.links])
            assert await telling == ["accepted"]
        for number in range(SHARDS):
            shutil.rmtree(folder / "data" / f"shard-{number:03d}")
            (folder / f"shard-{number:03d}").rename(folder / "data" / f"shard-{number:03d}")
        async with running(folder / "data") as engine:
            await engine.tell(login)
            assert isinstance(engine.record(visit), Tombstone)
            assert engine.seen(login) == {"visit": 1, "login": 1}
            assert not any(shard.messages for shard in engine.shards)

    run(story, tmp_path)


@pytest.mark.slow
def test_what_was_acknowledged_before_a_backup_under_load_is_in_it_once(tmp_path: Path):
    """Invariants 1 and 3, while visitors sign in all the time."""

    async def story(folder: Path) -> None:
        acknowledged: list[Event] = []
        numbers = itertools.count()

        async def shop(engine: Running) -> None:
            while True:
                number = next(numbers)
                person = {"user": f"u{number % 40}", "anonymous": f"a{number % 120}" if number % 3 == 0 else ""}
                events = [
                    _event(f"v{number}", anonymous=f"a{number % 120}"),
                    _event(f"m{number}", **person, name="Product Added" if number % 5 == 0 else "Product Viewed"),
                ]
                assert set(await engine.tell(*events)) == {"accepted"}
                acknowledged.extend(events)

        backups = []
        async with running(folder / "data") as engine:
            shoppers = [asyncio.create_task(shop(engine)) for _ in range(4)]
            for number in range(3):
                before = len(acknowledged)
                await until(lambda before=before: len(acknowledged) > before + 150)
                promised = list(acknowledged)
                backups.append((await engine.back_up(f"backup-{number}"), promised))
            for task in shoppers:
                task.cancel()
            await asyncio.gather(*shoppers, return_exceptions=True)
        assert len(acknowledged) > len(backups[-1][1]), "nothing happened meanwhile"
        for (directory, keys), promised in backups:
            data = _restored(directory, keys, folder / f"{directory.name}-restored")
            await _goes_on_with(data, promised)
            gc.collect()  # what was not read to its end holds a store open
            faults, _ = verify(sorted(data.glob("shard-*")), FileVault(data / "vault", ENGINE_KEY))
            assert faults == []

    run(story, tmp_path)


async def _goes_on_with(data: Path, promised: list[Event]) -> None:
    """A restored engine comes to rest and has each of these events once."""
    async with running(data) as engine:
        assert [shard.epoch for shard in engine.shards] == [2, 2]
        await until(lambda: not any(shard.messages for shard in engine.shards))
        assert set(await engine.tell(*promised)) == {"repeated"}
        there = Counter(
            event.message_id
            for shard in engine.shards
            for profile in shard.all_profiles()
            if isinstance(record := shard.record(profile), Profile)
            for event in [*shard.older(profile), *record.history]
        )
    assert {event.message_id for event in promised if there[event.message_id] != 1} == set()


def test_a_shard_that_starts_anew_on_the_way_spoils_the_backup(tmp_path: Path):
    """Its barrier was up for a moment: what it took in then may be in no copy of its sender."""

    class Restarted(ShardLink):
        async def barrier(self, step: BarrierStep, backup: str, path: str = "") -> bool:
            was_down = await super().barrier(step, backup, path)
            if step == "copy":
                vars(engine.servers[1]._barrier).update(vars(Barrier(engine.shards[1])))  # as in a new process
            return was_down

    async def story(folder: Path) -> None:
        nonlocal engine
        async with running(folder / "data") as engine:
            await engine.tell(_event("m", user="u"))
            engine.links[1] = Restarted(engine.links[1]._client.path)
            with pytest.raises(NotReady, match="anew"):
                await engine.back_up("backup")
            engine.links[1] = ShardLink(engine.links[1]._client.path)
            await engine.back_up("backup")

    engine: Running
    run(story, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "backup.keys", "data"]


# -- refused


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A backup and its keys; copy it before you break it."""
    folder = tmp_path_factory.mktemp("whole")
    made: list[tuple[Path, Path]] = []

    async def story(folder: Path) -> None:
        async with running(folder / "data") as engine:
            people = [_event(f"m{number}", user=f"u{number}", name="Product Added") for number in range(50)]
            await engine.tell(*people)
            made.append(await engine.back_up("backup"))

    run(story, folder)
    return made[0]


def _broken(whole: tuple[Path, Path], folder: Path) -> tuple[Path, Path]:
    directory, keys = folder / "broken", folder / "broken.keys"
    shutil.copytree(whole[0], directory)
    shutil.copytree(whole[1], keys)
    return directory, keys


def _of_kind(directory: Path, pattern: str) -> Path:
    return max(directory.glob(pattern), key=lambda path: path.stat().st_size)


@pytest.mark.parametrize("pattern", ["shard-000/*.sst", "shard-001/MANIFEST-*", "shard-000/CURRENT"])
@pytest.mark.parametrize("harm", ["truncated", "changed", "missing"])
def test_a_file_that_is_not_as_it_was_written_is_named_and_nothing_is_left(
    whole: tuple[Path, Path], tmp_path: Path, pattern: str, harm: str
):
    directory, keys = _broken(whole, tmp_path)
    path = _of_kind(directory, pattern)
    raw = path.read_bytes()
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(raw[:-1] if harm == "truncated" else bytes([raw[0] ^ 1]) + raw[1:])
    done = restore.restore(directory, keys, tmp_path / "new", lambda part: ENGINE_KEY)
    assert [str(path) in fault for fault in done.faults] == [True]
    assert not list(tmp_path.glob("new*"))


def test_a_manifest_that_is_not_as_it_was_written_is_refused(whole: tuple[Path, Path], tmp_path: Path):
    directory, keys = _broken(whole, tmp_path)
    path = directory / "manifest.json"
    text = path.read_text()
    for broken in (text[:-2], text.replace('"epoch": 1', '"epoch": 7', 1)):
        assert broken != text
        path.write_text(broken)
        with pytest.raises(Corrupt, match=r"manifest\.json"):
            restore.restore(directory, keys, tmp_path / "new", lambda part: ENGINE_KEY)
    assert not list(tmp_path.glob("new*"))


def test_another_key_restores_nothing(whole: tuple[Path, Path], tmp_path: Path):
    directory, keys = whole
    done = restore.restore(directory, keys, tmp_path / "new", lambda part: bytes(32))
    assert done.faults
    assert not list(tmp_path.glob("new*"))


def test_a_directory_with_something_in_it_is_neither_written_nor_restored_to(whole: tuple[Path, Path], tmp_path: Path):
    directory, keys = whole
    data = tmp_path / "data"
    _found(data)
    with pytest.raises(UsageError, match="not empty"):
        restore.restore(directory, keys, data, lambda part: ENGINE_KEY)
    with pytest.raises(InvalidInput, match="not empty"):
        backup.order(data, directory, tmp_path / "keys")
    for where in (data / "backup", Path("backup")):
        with pytest.raises(InvalidInput):
            backup.order(data, where, tmp_path / "keys")


# -- keys


def test_keys_go_apart_and_the_newest_copy_replaces_the_older(whole: tuple[Path, Path], tmp_path: Path):
    """Invariant 10: an erasure reaches every backup whose keys lie in the same folder."""
    directory, keys = whole
    assert not [path for path in directory.rglob("*") if "key" in path.name]
    data = _restored(directory, keys, tmp_path / "data")
    copies = tmp_path / "keys"
    key_copies.renew(data, copies)
    old = copies / "vault" / "keys-00000"
    place = bytes(6)
    inode = old.open("rb")
    slot = slice(HEAD_BYTES, HEAD_BYTES + SLOT_BYTES)
    wrapped = old.read_bytes()[slot]
    assert any(wrapped)
    FileVault(data / "vault", ENGINE_KEY).erase(place)
    key_copies.renew(data, copies)
    assert old.read_bytes()[slot] == bytes(SLOT_BYTES)
    assert old.stat().st_mode & 0o777 == 0o600
    with inode:
        assert wrapped not in inode.read(), "the older copy is overwritten, not only unlinked"


def test_whoever_was_erased_since_is_gone_from_what_is_restored(whole: tuple[Path, Path], tmp_path: Path):
    """Invariant 10: an old backup with the newest keys comes back without them, and they can come as somebody new."""
    directory, keys = _broken(whole, tmp_path)
    event = _event("m7", user="u7", name="Product Added")
    shard = shard_of(_home(event), SHARDS)
    first = _restored(directory, keys, tmp_path / "first")
    store = RocksStore(first / f"shard-{shard:03d}")
    place = store.get("keyring", bytes.fromhex(_home(event)))
    store.close()
    assert place is not None
    FileVault(keys / "vault", ENGINE_KEY).erase(place)

    async def story(folder: Path) -> None:
        async with running(_restored(directory, keys, folder / "second")) as engine:
            assert engine.record(event).to == seeds.next_epoch(_home(event))
            assert sum(shard.profiles for shard in engine.shards) == 49
            assert sum(len(shard.timers) for shard in engine.shards) == 49
            assert await engine.tell(event) == ["accepted"]
            assert isinstance(engine.shards[shard].record(seeds.next_epoch(_home(event))), Profile)
            assert await engine.tell(_event("m8", user="u8", name="Product Added")) == ["repeated"]

    run(story, tmp_path)


def test_the_keys_of_another_engine_are_not_overwritten(whole: tuple[Path, Path], tmp_path: Path):
    _, keys = _broken(whole, tmp_path)
    data = tmp_path / "data"
    _found(data)
    with pytest.raises(InvalidInput, match="not in"):  # the same engine, but an older state of it
        backup.order(data, tmp_path / "backup", keys)
    (data / "id.key").write_text("11" * 32)
    with pytest.raises(InvalidInput, match="another engine"):
        backup.order(data, tmp_path / "backup", keys)


def test_a_restored_engine_makes_its_keys_in_new_files(whole: tuple[Path, Path], tmp_path: Path):
    """The engine that was backed up may have gone on: a slot of both would be wrapped with one nonce twice."""
    data = _restored(*whole, tmp_path / "data")
    for number in range(SHARDS):
        _shard(data, number).close()
    assert json.loads((data / "engine.json").read_text())["vault_base"] == SHARDS


def test_what_commands_said_of_journeys_comes_back(whole: tuple[Path, Path], tmp_path: Path):
    data = _restored(*whole, tmp_path / "data")
    assert (data / "catalog").read_bytes() == CATALOG.document


def test_slots_are_those_that_the_placement_says():
    for shards in (1, 2, 3, 7, 256):
        owners = [number for number in range(shards) for _ in slots_of(number, shards)]
        assert owners == [shard_of(f"{slot:04x}" + "00" * 13, shards) for slot in range(4096)]


def test_a_folder_of_somebody_else_is_neither_filled_nor_changed(whole: tuple[Path, Path], tmp_path: Path):
    directory, keys = whole
    data = _restored(directory, keys, tmp_path / "data")
    (data / "keys.json").write_text('{"keys": []}')
    app = tmp_path / "app"
    for name, content in (("keys.json", "theirs"), ("vault/keys-00000", "theirs"), ("settings.ini", "theirs")):
        shutil.rmtree(app, ignore_errors=True)
        (app / name).parent.mkdir(parents=True)
        (app / name).write_text(content)
        app.chmod(0o755)
        with pytest.raises(InvalidInput) as said:
            backup.order(data, tmp_path / "backup", app)
        assert said.value.field == "keys" and str(app) in str(said.value)
        with pytest.raises(InvalidInput):
            key_copies.renew(data, app)
        assert (app / name).read_text() == content and app.stat().st_mode & 0o777 == 0o755
        assert [path for path in app.rglob("*") if path.is_file()] == [app / name]


def test_a_folder_of_keys_that_is_new_empty_or_of_earlier_backups_is_used(whole: tuple[Path, Path], tmp_path: Path):
    directory, keys = whole
    data = _restored(directory, keys, tmp_path / "data")
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o750)
    for folder in (tmp_path / "new", empty):
        for _ in range(2):
            key_copies.renew(data, folder)
        assert (folder / "engine.key").read_text() == ENGINE_KEY.hex()
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.rglob("*") if path.is_file())
    assert empty.stat().st_mode & 0o777 == 0o750
    (data / "engine.key").unlink()  # as where all secrets are in the environment
    (data / "id.key").unlink()
    for _ in range(2):
        key_copies.renew(data, tmp_path / "of the vault alone")


def test_what_lies_where_a_backup_would_grow_is_thrown_away_only_if_a_backup_left_it(
    whole: tuple[Path, Path], tmp_path: Path
):
    directory, keys = whole
    data = _restored(directory, keys, tmp_path / "data")
    wanted = backup.order(data, tmp_path / "backup", tmp_path / "keys")
    for name in ("shard-000/notes.txt", "shard-1/CURRENT", "manifest.json"):
        (wanted.part / name).parent.mkdir(parents=True, exist_ok=True)
        (wanted.part / name).write_text("theirs")
        with pytest.raises(InvalidInput, match="in the way"):
            backup.of_stopped(wanted, SHARDS)
        assert (wanted.part / name).read_text() == "theirs"
        shutil.rmtree(wanted.part)
    shutil.copytree(directory, wanted.part)
    assert backup.of_stopped(wanted, SHARDS)["shards"] == SHARDS


@pytest.mark.parametrize("name", ["engine.key", "id.key", "vault/keys-00000"])
@pytest.mark.parametrize("harm", ["missing", "changed", "cut"])
def test_a_copy_of_a_key_that_is_damaged_is_named_at_the_restore(
    whole: tuple[Path, Path], tmp_path: Path, name: str, harm: str
):
    data = _restored(*whole, tmp_path / "data")
    facts = inventory.read(data) | {
        "engine_key_check": inventory.check_of(ENGINE_KEY),
        "id_key_check": inventory.check_of(bytes(32)),
        "files": ["engine.key", "id.key"],
    }
    inventory.write(data, facts)
    directory, keys = tmp_path / "backup", tmp_path / "keys"
    backup.of_stopped(backup.order(data, directory, keys), SHARDS)
    whole_file = (keys / name).read_bytes()
    if harm == "missing":
        (keys / name).unlink()
    elif harm == "cut":
        (keys / name).write_bytes(whole_file[: len(whole_file) // 2])
    else:
        at = HEAD_BYTES + 20 if "vault" in name else 5
        changed = b"e" if whole_file[at : at + 1] != b"e" else b"f"
        (keys / name).write_bytes(whole_file[:at] + changed + whole_file[at + 1 :])
    with contextlib.suppress(Corrupt, FileNotFoundError):
        engine_key = lambda part: bytes.fromhex((part / "engine.key").read_text()[:64].ljust(64, "0"))  # noqa: E731
        done = restore.restore(directory, keys, tmp_path / "new", engine_key)
        assert any(str(keys / name) in fault for fault in done.faults), done.faults
    assert not list(tmp_path.glob("new*"))
