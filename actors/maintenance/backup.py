"""A copy of an engine's stores, all at one instant (`actors.serving.barrier`), with a manifest; its keys go apart
(`actors.storage.key_copies`).

The copy is made in a folder beside its place, and is renamed when it is whole: a folder with the backup's name is never
a part of one. A store's files are hard links where the file system allows that, so a backup takes no room until the
engine rewrites them.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from actors.catalog_files.active_catalog import document_in
from actors.maintenance import manifest
from actors.maintenance.manifest import Manifest
from actors.platform import durable
from actors.platform.clock import WallClock
from actors.storage import inventory, key_copies
from actors.storage.store import RocksStore
from actors.storage.store_folders import shard_path
from actors.transport.messages.of_dispatcher import BarrierStep
from actors.transport.placement import slots_of
from engine.errors import Corrupt, InvalidInput, NotReady
from engine.readings import instants

_PART = ".part"
CATALOG = "catalog"  # the file of the active catalog
_OF_A_STORE = re.compile(
    r"CURRENT|IDENTITY|LOCK|SYNCED|rocksdict-config\.json|LOG(\.old\.\d+)?|(MANIFEST|OPTIONS)-\d+(\.dbtmp)?|"
    r"\d+\.(sst|log|blob|dbtmp)|\.\w+-\w+\.new"
)


class BackedUp(Protocol):
    """A shard, with the methods that a backup calls."""

    async def barrier(self, step: BarrierStep, backup: str, path: str = "") -> bool:
        """Lower or lift the barrier of a backup, or copy the store behind it (`actors.serving.barrier`)."""
        ...

    async def pins(self) -> list[str]:
        """The profiles that have processes and stores of their own."""
        ...


@dataclass(frozen=True, slots=True)
class Order:
    """The folder to copy, and the folders of the copy and of its keys."""

    data: Path
    directory: Path
    keys: Path

    @property
    def part(self) -> Path:
        """The folder in which the copy is made."""
        return self.directory.with_name(self.directory.name + _PART)

    def store(self, shard: int) -> Path:
        """The folder of a shard's copy."""
        return shard_path(self.part, shard)


def order(data: Path, directory: str | Path, keys: str | Path | None = None) -> Order:
    """Check the folders of a backup; InvalidInput names the one that cannot be used. Without `keys` the keys go to
    `directory` + `.keys`."""
    try:
        return _order(data, Path(directory), keys)
    except OSError as error:
        raise InvalidInput(f"cannot be used: {error.strerror}", "directory") from None


def _order(data: Path, directory: Path, keys: str | Path | None) -> Order:
    if not directory.name or directory.is_symlink():
        raise InvalidInput("is no folder that can be made", "directory")
    keys = Path(keys) if keys else directory.with_name(directory.name + ".keys")
    for field, folder in (("directory", directory), ("keys", keys)):
        if not folder.is_absolute():
            raise InvalidInput("must begin with /", field)
        if folder.resolve().is_relative_to(data.resolve()):
            raise InvalidInput("lies in the data directory", field)
    wanted = Order(data, directory, keys)
    if any(keys.resolve().is_relative_to(folder.resolve()) for folder in (directory, wanted.part)):
        raise InvalidInput("keys must lie apart from what they open", "keys")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InvalidInput(f"{directory} is there already, and not empty", "directory")
    key_copies.check(data, keys)
    return wanted


async def of_running(
    data: Path, shards: Sequence[BackedUp], directory: str | Path, keys: str | Path | None = None
) -> dict[str, Any]:
    """Copy an engine that goes on meanwhile. Raises as `order` does, and NotReady where a shard was lost on the way;
    then no part of the copy is left."""
    wanted = order(data, directory, keys)
    name = uuid.uuid4().hex
    _begin(wanted)
    try:
        try:
            await asyncio.gather(*(shard.barrier("lower", name) for shard in shards))
            _refuse_pins(
                [profile for pins in await asyncio.gather(*(each.pins() for each in shards)) for profile in pins]
            )
            copies = [shard.barrier("copy", name, str(wanted.store(number))) for number, shard in enumerate(shards)]
            were_down = await asyncio.gather(*copies)
        finally:  # after a failure too: otherwise messages would wait until the barriers go up by themselves
            lifted = await asyncio.gather(*(shard.barrier("lift", name) for shard in shards), return_exceptions=True)
        if not all(were_down) or any(was_down is not True for was_down in lifted):
            raise NotReady("a shard was started anew during the backup")
        # In a thread: it reads every file of the copy, and the dispatcher goes on handing over.
        return await asyncio.to_thread(_finish, wanted, len(shards))
    except BaseException:
        shutil.rmtree(wanted.part, ignore_errors=True)
        raise


def of_stopped(wanted: Order, shards: int) -> dict[str, Any]:
    """Copy an engine that does not run; the caller holds its data directory."""
    _refuse_pins([path.name.removeprefix("pin-") for path in wanted.data.glob("pin-*")])
    _begin(wanted)
    try:
        for number in range(shards):
            store = RocksStore(shard_path(wanted.data, number), create=False)
            try:
                store.checkpoint(wanted.store(number))
            finally:
                store.close()
        return _finish(wanted, shards)
    except BaseException:
        shutil.rmtree(wanted.part, ignore_errors=True)
        raise


def _refuse_pins(profiles: list[str]) -> None:
    """InvalidInput where profiles are pinned: they have stores of their own, which no backup holds."""
    if profiles:
        raise InvalidInput(f"{len(profiles)} profiles are pinned; unpin {', '.join(sorted(profiles))} first", "pins")


def _begin(wanted: Order) -> None:
    """Make an empty folder for the copy. What a killed backup left there is deleted; anything else is refused."""
    left = next(_in_the_way(wanted.part), None)
    if left is not None:
        raise InvalidInput(f"{left} is in the way", "directory")
    try:
        shutil.rmtree(wanted.part, ignore_errors=True)
        durable.make_folder(wanted.part)
    except OSError as error:
        raise InvalidInput(f"{wanted.part} cannot be written: {error.strerror}", "directory") from error


def _in_the_way(part: Path) -> Iterator[Path]:
    """Everything at `part` that no backup can have left there."""
    for path in part.glob("*") if part.is_dir() and not part.is_symlink() else part.parent.glob(part.name):
        if re.fullmatch(r"shard-\d{3}(\.tmp)?", path.name) and path.is_dir() and not path.is_symlink():
            yield from (each for each in path.iterdir() if not _OF_A_STORE.fullmatch(each.name))
        elif not _is_manifest(path) and not _is_catalog(path):
            yield path


def _is_catalog(path: Path) -> bool:
    try:
        return path.name == CATALOG and bool(document_in(path))
    except Corrupt:
        return False


def _is_manifest(path: Path) -> bool:
    if path.name != manifest.NAME or not path.is_file():
        return re.fullmatch(rf"\.{re.escape(manifest.NAME)}-\w+\.new", path.name) is not None
    try:
        manifest.read(path.parent)
    except Corrupt:
        return False
    return True


def _finish(wanted: Order, shards: int) -> dict[str, Any]:
    """Count and digest the copies, copy the keys, and rename the folder."""
    counted = []
    for number in range(shards):
        store = RocksStore(wanted.store(number), create=False)  # proves that it opens; its log becomes a table
        try:
            counted.append(manifest.shard_copy(store, number, slots_of(number, shards)))
        finally:
            store.close()
    if (wanted.data / CATALOG).exists():  # only here is the status that commands gave to journeys
        durable.copy(wanted.data / CATALOG, wanted.part / CATALOG)
    made = Manifest(
        at=instants.iso(WallClock().now_ms()),
        version=version("segue"),
        engine=inventory.read(wanted.data),
        shards=counted,
        files=manifest.files_below(wanted.part),
    )
    manifest.write(made, wanted.part)
    key_copies.renew(wanted.data, wanted.keys)  # after the stores: every key that they name is in it
    if wanted.directory.exists():
        wanted.directory.rmdir()
    durable.move(wanted.part, wanted.directory)
    return {
        "directory": str(wanted.directory),
        "keys": str(wanted.keys),
        "at": made.at,
        "shards": len(counted),
        "profiles": sum(shard.profiles for shard in counted),
        "files": len(made.files),
        "bytes": sum(file.size_bytes for file in made.files.values()),
    }
