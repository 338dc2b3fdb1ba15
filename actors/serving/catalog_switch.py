"""One catalog takes the place of another in a shard: the next turn is decided by the new one, whatever named the old
one keeps it."""

from __future__ import annotations

from dataclasses import replace

from actors.shard import waking
from actors.shard.shard import Shard
from engine.catalog.compiled import Catalog


def adopt(shard: Shard, catalog: Catalog) -> None:
    """Decide by `catalog` from the next turn on. Called between two groups of turns."""
    if catalog.version == shard.catalog.version:
        return
    shard.commit(sync=False)
    shard.catalog = succeed(shard.catalog, catalog)
    shard.keep_catalog()
    waking.after_catalog_change(shard)
    shard.outbox.sort_anew()
    shard.cache.clear()  # what conditions ask of older events is tallied anew as profiles come back


def succeed(was: Catalog, catalog: Catalog) -> Catalog:
    """`catalog` with the archive that `was` is in; all that have ever stood share it, and each of them finds each: one
    that comes back is looked up by runs that entered under it while another one stands."""
    archive = was.archive
    archive[was.version] = was
    if catalog.version not in archive:
        archive[catalog.version] = replace(catalog, archive=archive)
    return archive[catalog.version]
