"""A shard behind its socket, as the dispatcher asks it."""

from __future__ import annotations

from typing import Any

import msgspec

from actors.transport.messages.carried import Outcome
from actors.transport.messages.of_dispatcher import Report, Span
from actors.transport.wire import FrameClient

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_report = msgspec.msgpack.Decoder(Report)
_outcomes = msgspec.msgpack.Decoder(list[Outcome])


class ShardLink:
    """A shard behind its socket, as the dispatcher and the conductor ask it."""

    def __init__(self, path: str) -> None:
        self._client = FrameClient(path)
        self._dispatcher = ""
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

    async def pull(self, name: str, most: int, channel: str | None = None) -> list[dict[str, Any]]:
        """Up to `most` messages of a channel (empty: of those that nothing can be sent on; None: of all) that are
        authorised and durably `handing_over`; waits a moment where there are none. What a pull of the same name was
        given before is given again."""
        found: list[dict[str, Any]] = _decode(await self._ask("outbox", (name, most, channel)))
        return found

    async def authorise(self, name: str, profile: str, send: str) -> dict[str, Any] | None:
        """The message of a send that the pull of this name was given, as it may go now; None where it may not."""
        found: dict[str, Any] | None = _decode(await self._ask("authorise", (name, profile, send)))
        return found

    async def pins(self) -> list[str]:
        """The profiles of this shard that have processes of their own, or are about to."""
        known: list[str] = _decode(await self._client.call("read", _encode(("pins", "", None))))
        return known

    def end(self) -> None:
        """Pull nothing more: there is nobody any more."""
        self.is_over = True
        self._client.close()

    async def settle(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Say what providers said. Returns what cannot be taken yet, because its profile is on its way; raises TryAgain
        where nothing was."""
        return _outcomes.decode(await self._ask("settle", outcomes))

    async def _ask(self, op: str, what: Any) -> bytes:
        return await self._client.call(op, _encode((self._dispatcher, _encode(what))))
