"""A data directory of an older format, before anything of its engine starts."""

from __future__ import annotations

from dataclasses import replace

from engine.catalog.compiled import Catalog
from serve.data_directory import DataDirectory


def upgrade(data: DataDirectory, shards: int, catalog: Catalog) -> None:
    """Rewrite its stores, one after the other."""
    from actors import upgrade as stores  # opens RocksDB, which only an old directory needs here
    from actors.store import RocksStore, inspect
    from actors.vault import FileVault

    catalog = replace(catalog, id_key=data.id_key)
    for number in range(shards):
        inspect(data.shard_path(number))
    for number in range(shards):
        store = RocksStore(data.shard_path(number))
        vault = FileVault(data.vault_path, data.engine_key, data.vault_base + number)
        try:
            stores.upgrade(store, vault, catalog)
        finally:
            store.close()
            vault.close()
    data.upgraded()
