"""The plan of an engine, which every one of its actors is given when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.platform.clock import clock_file
from actors.transport.placement import pin_socket


@dataclass(frozen=True, slots=True)
class EnginePlan:
    """Made by the front process; plain data."""

    catalog: str  # the file of the active catalog
    id_key: bytes
    stores: tuple[str, ...]
    vault: str  # the folder of the key files
    vault_base: int  # shard n makes its keys in file `vault_base` + n
    engine_key: bytes = field(repr=False)
    sockets: str  # a short runtime directory of mode 0700
    is_replay: bool
    public_url: str

    def active_catalog(self) -> ActiveCatalog:
        """The active catalog of the engine."""
        return ActiveCatalog(self.catalog, self.id_key)

    def shard_sockets(self) -> list[str]:
        """The socket of each shard."""
        return [f"{self.sockets}/shard-{number}" for number in range(len(self.stores))]

    def pin_socket(self, profile: str) -> str:
        """The socket of a pinned profile's process."""
        return pin_socket(self.sockets, profile)

    def pin_store(self, profile: str) -> Path:
        """The folder of a pinned profile's store."""
        return Path(self.stores[0]).parent / f"pin-{profile}"

    def clock_file(self) -> Path:
        """The file in which the processes agree on the time."""
        return clock_file(Path(self.sockets))

    def dispatcher_socket(self) -> str:
        """The socket of the dispatcher, for backups and moves of the replay clock."""
        return f"{self.sockets}/dispatcher"
