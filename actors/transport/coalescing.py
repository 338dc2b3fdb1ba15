"""A transport that sends the writes of one loop iteration together, because each write costs a system call and wakes
the reader."""

from __future__ import annotations

import asyncio
from typing import Any


class CoalescingTransport:
    """Stands before a transport and has all its methods; only `write` and `close` are its own."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._unsent: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, part: bytes) -> None:
        """Send `part` after all earlier parts; does nothing where the other end is gone."""
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(part)

    def close(self) -> None:
        """Send what was written, then hang up."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._unsent and not self._transport.is_closing():
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()
