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
        """Run by other files from now on, as when a directory changes; statuses set by commands stay."""
        self.plain = statuses.carried(self.plain, plain)
        self._adopt()

    def says(self, journey: str, status: Status) -> None:
        """Set the status of a journey, as a command does."""
        self.plain = statuses.said(self.plain, journey, status)
        self._adopt()

    def reopens(self, stores: list[Any]) -> None:
        """End the engine; another one opens its stores with the active document."""
        self.catalog = compiled(self.plain)
        self.engine = LocalEngine(self.catalog, stores=stores, provider=self._take)
        asyncio.run(self.engine.advance(self.now_ms))

    def _adopt(self) -> None:
        catalog = compiled(self.plain)
        for windows in self.engine.windows:
            catalog_switch.adopt(windows.shard, catalog)
        self.catalog = self.engine.windows[0].shard.catalog
