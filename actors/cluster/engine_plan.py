"""What every actor of one engine is told when it is made."""

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
        """The catalog that the engine runs by."""
        return ActiveCatalog(self.catalog, self.id_key)

    def shard_sockets(self) -> list[str]:
        """Where each shard listens."""
        return [f"{self.sockets}/shard-{number}" for number in range(len(self.stores))]

    def pin_socket(self, profile: str) -> str:
        """Where the process of a pinned profile listens."""
        return pin_socket(self.sockets, profile)

    def pin_store(self, profile: str) -> Path:
        """Where a pinned profile is kept."""
        return Path(self.stores[0]).parent / f"pin-{profile}"

    def clock_file(self) -> Path:
        """Where the processes agree on the time."""
        return clock_file(Path(self.sockets))

    def dispatcher_socket(self) -> str:
        """Where the dispatcher listens (for moves of the replay clock)."""
        return f"{self.sockets}/dispatcher"
