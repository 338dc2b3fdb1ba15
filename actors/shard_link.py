"""A shard behind its socket, as the dispatcher asks it."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import Any

import msgspec

from actors.windows import Outcome, Report, Span
from actors.wire import FrameClient
from engine.errors import TryAgain

_PULL_MOST = 64
_PAUSE_S = 0.2

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_report = msgspec.msgpack.Decoder(Report)
_outcomes = msgspec.msgpack.Decoder(list[Outcome])


class ShardLink:
    """A shard behind its socket, as the dispatcher and the conductor ask it."""

    def __init__(self, path: str) -> None:
        self._client = FrameClient(path)
        self._lane = uuid.uuid4().hex[:8]
        self._dispatcher = ""
        self._pulls = 0
        self.is_over = False

    async def known(self) -> str:
        """The name of the dispatcher that the shard listens to."""
        return str(_decode(await self._client.call("dispatcher", b"")))

    async def enlist(self, dispatcher: str) -> int:
        """Be the one that the shard listens to; what an older one was handing over is given up."""
        self._dispatcher = dispatcher
        return int(_decode(await self._client.call("enlist", _encode(dispatcher))))

    async def run(self, span: Span) -> Report:
        """Run a span of windows."""
        return _report.decode(await self._ask("run", span))

    async def rest(self, now_ms: int, arrived: list[tuple[str, int]]) -> int:
        """Put the replay clock."""
        return int(_decode(await self._ask("rest", (now_ms, arrived))))

    async def peek(self) -> Report:
        """What is pending."""
        return _report.decode(await self._ask("peek", None))

    async def barrier(self, op: str, name: str, path: str = "") -> bool:
        """Lower or lift the barrier of a backup, or copy the store behind it."""
        return bool(_decode(await self._client.call("barrier", _encode((op, name, path)))))

    async def pull(self) -> list[dict[str, Any]]:
        """Messages that are authorised and durably `handing_over`; waits a moment where there are none.

        A pull that fails keeps its name: what the shard gave to it then surely went to nobody, and is given again. So
        no two shards may know a pull by the same name, or one would give again what a profile has brought along.
        """
        found: list[dict[str, Any]] = _decode(await self._ask("outbox", (f"{self._lane}-{self._pulls}", _PULL_MOST)))
        self._pulls += 1
        return found

    async def pins(self) -> list[str]:
        """The profiles of this shard that have processes of their own, or are about to."""
        known: list[str] = _decode(await self._client.call("read", _encode(("pins", "", None))))
        return known

    def end(self) -> None:
        """Pull nothing more: there is nobody any more."""
        self.is_over = True
        self._client.close()

    async def settle(self, outcomes: list[Outcome]) -> None:
        """Say what providers said, again until the shard has it."""
        while outcomes:
            with contextlib.suppress(TryAgain):
                outcomes = _outcomes.decode(await self._ask("settle", outcomes))
            if outcomes:
                await asyncio.sleep(_PAUSE_S)

    async def _ask(self, op: str, what: Any) -> bytes:
        return await self._client.call(op, _encode((self._dispatcher, _encode(what))))
