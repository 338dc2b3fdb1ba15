"""The inspection of a shard before it changes anything: its store, the stores of its pinned profiles, and every key.

A file that is missing, cut, or broken as a whole is Corrupt, and the engine does not start. A key that cannot be read
is one person's: it is reported, that person is set aside, and all others are served.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from actors.shard.ownership import AWAY
from actors.storage import keys
from actors.storage.batch import ERASING, KEY_FILE
from actors.storage.store import inspect
from actors.storage.store_port import Rows
from actors.storage.vault import FileVault, parts
from actors.transport.placement import pinned
from engine import codec
from engine.errors import Corrupt


def inspect_shard(path: Path, vault: FileVault, key_files: Iterable[int]) -> list[str]:
    """Look at a shard's store and its pinned profiles', and at all of these key files, also where nobody's keys are;
    a line for each key that cannot be read. Corrupt where a file is missing or damaged as a whole."""
    found: list[str] = []
    pins: list[Path] = []

    def look(rows: Rows) -> None:
        for key, record in rows("meta"):
            if key.startswith(KEY_FILE):
                _check_extent(vault, key, record)
            elif key.startswith(AWAY):
                pins.extend(_pin_of(path, key, record))
        found.extend(unreadable(rows, vault))

    inspect(path, look=look)
    for pin in pins:
        inspect(pin, look=lambda rows: found.extend(unreadable(rows, vault)))
    for number in key_files:
        named = f"{vault.path(number)}: slot "
        for slot in vault.broken(number):
            line = f"{named}{slot} cannot be read"
            if not any(each.startswith(f"{line};") for each in found):
                found.append(line)
    return found


def unreadable(rows: Rows, vault: FileVault) -> Iterator[str]:
    """A line for each person whose key cannot be read. Corrupt where a whole key file cannot be."""
    erasing = {key.removeprefix(ERASING) for key, _ in rows("meta") if key.startswith(ERASING)}
    for key, place in rows("keyring"):
        number, slot = parts(place)
        if place in erasing:  # a crash has left it to be destroyed
            continue
        vault.slots(number)
        try:
            vault.check_slot(number, slot)
        except Corrupt as error:
            yield f"{error}; nothing of profile {keys.profile_of(key)} can be read, all others live"


def _check_extent(vault: FileVault, key: bytes, record: bytes) -> None:
    number = int(key.removeprefix(KEY_FILE).decode().rpartition("-")[2])
    made = msgspec.msgpack.decode(codec.unseal(record, "meta/vault"))
    there = vault.slots(number)
    if there < made:
        raise Corrupt(f"ends at slot {there}, and {made} were made", str(vault.path(number)))


def _pin_of(path: Path, key: bytes, record: bytes) -> Iterator[Path]:
    """The store of a profile that lives in a process of its own, nowhere else."""
    profile = key.removeprefix(AWAY).decode()
    to, is_there = msgspec.msgpack.decode(codec.unseal(record, "meta/away"))
    if is_there and to == pinned(profile):
        yield path.with_name(f"pin-{profile}")
