"""An SMTP server on loopback that misbehaves where it is told to, and remembers which mails it took."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

STAGES = ("greeting", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "body", "end", "after")
_WELL = {"EHLO": "250-here\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n250 SMTPUTF8", "AUTH": "235 welcome"}


class ScriptedSmtp:
    """`at` has, for a stage of the dialogue, what happens in its place: `stall` (silence), `drop` (the connection is
    lost), `wait N` (the answer comes after N seconds) or a line of answer. A stage that is not in it goes well.

    `greeting` is before anything is said, `body` after 64 KB of the mail, `end` in answer to its last line, `after`
    behind that answer. With `times`, only the first so many connections misbehave.
    """

    def __init__(self, at: dict[str, str], *, times: int | None = None) -> None:
        self.at, self.times = at, times
        self.taken: list[bytes] = []
        self.greeted: list[str] = []  # the name in each EHLO
        self.connections = 0
        self.port = 0
        self._open: set[asyncio.StreamWriter] = set()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[ScriptedSmtp]:
        """Listen for as long as the body runs."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 26)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in self._open:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        at = self.at if self.times is None or self.connections <= self.times else {}
        self._open.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._talk(reader, writer, at)
        writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, at: dict[str, str]) -> None:
        await self._act(writer, at.get("greeting"), "220 hello")
        while line := (await reader.readline()).strip():
            verb = line.split()[0].decode().upper()
            if verb == "QUIT":
                return
            if verb == "EHLO":
                self.greeted.append(line.split()[1].decode())
            if verb != "DATA":
                await self._act(writer, at.get(verb), _WELL.get(verb, "250 fine"))
                continue
            await self._act(writer, at.get("DATA"), "354 go on")
            if "DATA" in at and not at["DATA"].startswith(("354", "wait")):
                continue
            await self._take(reader, writer, at)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, at: dict[str, str]) -> None:
        if "body" in at:
            await reader.readexactly(1 << 16)
            writer.transport.pause_reading()  # so that the sender's own buffer fills up and its writes wait
            await self._act(writer, at["body"], "")
            writer.transport.resume_reading()
        mail = await reader.readuntil(b"\r\n.\r\n")
        if "body" in at:  # it has had its answer
            return
        if at.get("end", "250").startswith(("250", "wait")):
            self.taken.append(mail)
        await self._act(writer, at.get("end"), "250 queued as 7")
        if "after" in at:
            await self._act(writer, at["after"], "")

    async def _act(self, writer: asyncio.StreamWriter, what: str | None, well: str) -> None:
        if what == "stall":
            await asyncio.Event().wait()
        if what == "drop":
            raise ConnectionResetError
        if what is not None and what.startswith("wait"):
            await asyncio.sleep(float(what.split()[1]))
            what = None
        if said := well if what is None else what:
            writer.write(f"{said}\r\n".encode())
            await writer.drain()
        if said.startswith("421"):
            raise ConnectionResetError
