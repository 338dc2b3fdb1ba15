"""A shard that survives a full disk: it forgets what it could not write, and starts anew when there is room.

A write or a sync that fails leaves a group half-done in memory, and RocksDB refuses every later write. So the
connections are cut as if the process had died. Nothing of the group was acknowledged, so the store holds the truth, and
is opened again. Until that succeeds, callers are told to come back later.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import Callable
from typing import Any

from actors.platform import logs
from actors.serving.shard_server import ShardServer
from actors.transport.frame_server import FrameServer, Reply
from actors.transport.messages.base import Ping, Pong, Request
from actors.transport.messages.table import REQUESTS
from engine.errors import NotReady

_AGAIN_S = 1.0

log = logging.getLogger(__name__)


class ShardShell:
    """One shard for the life of its process. `make` opens the store, and raises NotReady where the disk is full."""

    def __init__(self, make: Callable[[], ShardServer]) -> None:
        self._make = make
        self._server = make()
        self._path = self._server.path
        self._closing = asyncio.Event()

    async def serve(self) -> None:
        """Serve until closed, however often the disk fills up."""
        while not self._closing.is_set():
            fault = await self._serve_until_fault()
            if fault:
                await self._reopen(fault)

    async def _serve_until_fault(self) -> str:
        """The reason why the server ended, empty where it was closed. A text, because the error object would keep the
        old store alive, and with it the store's lock."""
        try:
            await self._server.serve()
        except NotReady as error:
            logs.tell(log, logging.ERROR, "commit_failed", shard=self._path, reason=str(error))
            return str(error)
        return ""

    def close(self) -> None:
        """Finish the group at hand, then stop."""
        self._closing.set()
        self._server.close()

    async def _reopen(self, fault: str) -> None:
        """Turn callers away until the store can be opened again."""

        def refuse(request: Request[Any], reply: Reply) -> None:
            if not isinstance(request, Ping):
                raise NotReady(fault)
            reply.send(Pong())

        door = FrameServer(self._path, refuse, REQUESTS)
        await door.start()
        gc.collect()  # the store lets go of its lock with its last reference
        while not self._closing.is_set():
            try:
                self._server = await asyncio.get_running_loop().run_in_executor(None, self._make)
                logs.tell(log, logging.WARNING, "shard_opened_again", shard=self._path)
                break
            except NotReady as error:
                fault = str(error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _AGAIN_S)
        await door.close()
