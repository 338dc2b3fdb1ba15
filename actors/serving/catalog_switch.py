"""Switches a shard from one catalog to another. From then on the new one decides turns; runs that entered under the old
one go on by the old one."""

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
    """`catalog` with the archive of `was`. All catalogs that were ever active share one archive. So a run finds the one
    that it entered under, even if that one was replaced and has come back."""
    archive = was.archive
    archive[was.version] = was
    for version, each in {**catalog.archive, catalog.version: catalog}.items():  # also those that were missed
        if version not in archive:
            archive[version] = replace(each, archive=archive)
    return archive[catalog.version]
