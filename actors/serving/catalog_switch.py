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
    shard.decide_by(succeed(shard.catalog, catalog))
    waking.after_catalog_change(shard)


def succeed(was: Catalog, catalog: Catalog) -> Catalog:
    """`catalog` with the archive that `was` is in; all that have ever stood share it, and each of them finds each: one
    that comes back is looked up by runs that entered under it while another one stands."""
    archive = was.archive
    archive[was.version] = was
    if catalog.version not in archive:
        archive[catalog.version] = replace(catalog, archive=archive)
    return archive[catalog.version]
