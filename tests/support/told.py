"""A world whose catalog is replaced while it goes on, by other files and by commands, as in a running engine."""

from __future__ import annotations

import asyncio
from typing import Any

from actors.replay_clock.in_process import LocalEngine
from actors.serving import catalog_switch
from engine.catalog import statuses
from engine.vocabulary import Status
from support.world import World, compiled


class Told(World):
    """A world that remembers its document, as an engine's `catalog` file does."""

    def __init__(self, plain: dict[str, Any], **options: Any) -> None:
        self.plain = statuses.carried(None, plain)
        super().__init__(self.plain, **options)

    def takes(self, plain: dict[str, Any]) -> None:
        """It runs by other files from now on, as when a directory changes: what was said by command stands."""
        self.plain = statuses.carried(self.plain, plain)
        self._adopt()

    def says(self, journey: str, status: Status) -> None:
        """A command says something of a journey."""
        self.plain = statuses.said(self.plain, journey, status)
        self._adopt()

    def reopens(self, stores: list[Any]) -> None:
        """The engine has ended; another one opens its stores with the document that stands."""
        self.catalog = compiled(self.plain)
        self.engine = LocalEngine(self.catalog, stores=stores, provider=self._take)
        asyncio.run(self.engine.advance(self.now_ms))

    def _adopt(self) -> None:
        catalog = compiled(self.plain)
        for windows in self.engine.windows:
            catalog_switch.adopt(windows.shard, catalog)
        self.catalog = self.engine.windows[0].shard.catalog
