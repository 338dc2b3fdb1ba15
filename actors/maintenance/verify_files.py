"""Checks the files beside the stores of a stopped engine: the inventory, the active catalog, and every key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from actors.catalog_files.active_catalog import document_in
from actors.storage import inventory
from actors.storage.vault import FileVault
from engine.errors import Corrupt


def verify_files(data: Path, facts: inventory.Facts) -> Iterator[str]:
    """A line for every part of a data directory that is missing, cut or another one, as `file: message`."""
    yield from map(str, inventory.faults(data, facts))
    if (data / "catalog").exists():
        try:
            document_in(data / "catalog")
        except Corrupt as error:
            yield str(error)


def verify_keys(data: Path, vault: FileVault) -> Iterator[str]:
    """A line for every key file that is damaged as a whole, and for every slot that cannot be read, used or not."""
    for name in inventory.key_files_in(data):
        number = int(name.rpartition("-")[2])
        try:
            for slot in vault.broken(number):
                yield f"{vault.path(number)}: slot {slot} cannot be read"
        except Corrupt as error:
            yield str(error)
