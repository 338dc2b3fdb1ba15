"""Lets what the configuration directory holds take effect, one change after the other, each by every shard."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.transport.router import Router
from engine.catalog.compiled import Catalog
from engine.errors import SegueError

_ADOPT_S: Final = 15.0  # as long as a shard that hangs is let be
_LOOK_S: Final = 0.05


async def take(active_catalog: ActiveCatalog, files: bytes, shards: Sequence[str]) -> Catalog:
    """`ActiveCatalog.take` in its turn, returned once every shard goes by it. One that hangs or is being started again
    is not waited for longer: it makes up for what it has missed. Raises the errors of `take` and `turn`."""
    router = Router(shards)
    try:
        async with active_catalog.turn():
            made = await asyncio.get_running_loop().run_in_executor(None, active_catalog.take, files)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ADOPT_S):
                    while not await _is_everywhere(router, made.version):
                        await asyncio.sleep(_LOOK_S)
        return made
    finally:
        router.close()


async def _is_everywhere(router: Router, version: str) -> bool:
    try:
        return {shard["catalogVersion"] for shard in await router.everywhere("status")} == {version}
    except SegueError:
        return False
