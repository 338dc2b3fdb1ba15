"""A data directory of an older format, or one whose catalog has gone, before anything of its engine starts."""

from __future__ import annotations

from dataclasses import replace

from actors.catalog_files.active_catalog import ActiveCatalog
from engine.catalog.compiled import Catalog
from serve.process.data_directory import DataDirectory


def upgrade(data: DataDirectory, shards: int, catalog: Catalog) -> None:
    """Rewrite its stores, one after the other."""
    from actors.maintenance import upgrade as stores  # opens RocksDB, which only an old directory needs here
    from actors.storage.store import RocksStore, inspect
    from actors.storage.vault import FileVault

    catalog = replace(catalog, id_key=data.id_key)
    # All of them first: no store is rewritten while another one is damaged.
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


def bring_back_catalog(data: DataDirectory, active_catalog: ActiveCatalog) -> None:
    """Write the catalog's file anew where it is gone, from the catalog that the first shard ran by last. Otherwise the
    operator's words on journeys would be lost with the file."""
    from actors.shard.waking import last_document
    from actors.storage.store import RocksStore, inspect  # opens RocksDB, which this alone needs here

    path = data.shard_path(0)
    if path.is_dir() and any(path.iterdir()):
        inspect(path)
        store = RocksStore(path)
        try:
            document = last_document(store)
        finally:
            store.close()
        if document is not None:
            active_catalog.put(document)
