"""One mail's dialogue with an SMTP server. At each moment it knows whether the server may have taken the mail.

A server takes a mail only when it has read the line that ends it, a single dot. A dialogue that breaks off before the
dot has sent nothing. So the dot is written by itself, after all else has left this process; once it may have left,
silence is `Unknown`. The server's codes: 4xx means try later; 5xx means never where it is about this letter, and later
where it is about the server, the login or the sender, which all letters share.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

import aiosmtplib
from aiosmtplib.protocol import PERIOD_REGEX, SMTPProtocol, normalize_message_line_endings

from engine.errors import ProviderError, Refused, Unavailable, Unknown

_REFERENCE_CHARS_MAX: Final = 200
_LOOK_S: Final = 0.01  # between two looks whether all was written
_OF_THE_SERVER: Final = frozenset((502, 503, 521, 530, 534, 535, 538))  # RFC 5321, 7504 and 4954


class Answered(Exception):
    """The server answered with anything but yes. Where `is_intact`, the connection can be used again."""

    def __init__(self, code: int, error: ProviderError, *, is_intact: bool = True) -> None:
        super().__init__(code, error)
        self.code, self.error, self.is_intact = code, error, is_intact


class Dialogue:
    """One message's dialogue over an open connection. `sender` and `recipient` are bare addresses."""

    def __init__(self, recipient: str, sender: str, content: bytes) -> None:
        self._recipient, self._sender, self._content = recipient, sender, content
        self.is_ended = False  # whether the dot may have left

    def doubt(self, what: str) -> ProviderError:
        """The error for a dialogue that broke off."""
        if self.is_ended:
            return Unknown(f"the SMTP server may have taken it: {what}")
        return Unavailable(f"the SMTP server did not take it: {what}")

    async def run(self, client: aiosmtplib.SMTP) -> str:
        """The text of the server's 250. Raises Answered, or the error of a connection that breaks off."""
        await self._address(client)
        start = await client.execute_command(b"DATA")
        if start.code != 354:
            raise Answered(start.code, self._judged(start.code))
        assert client.protocol is not None, "it has just answered"
        answer, is_early = await self._give(client.protocol, client)
        if is_early or answer.code != 250:
            raise Answered(answer.code, self._judged(answer.code), is_intact=not is_early)
        return answer.message[:_REFERENCE_CHARS_MAX]

    async def _address(self, client: aiosmtplib.SMTP) -> None:
        options, encoding = [], "ascii"
        if not self._recipient.isascii():
            if not client.supports_extension("smtputf8"):
                raise Answered(0, Refused("the SMTP server takes no international addresses"))
            options, encoding = ["SMTPUTF8"], "utf-8"
        try:
            await client.mail(self._sender, options=options, encoding=encoding)
            await client.rcpt(self._recipient, encoding=encoding)
        except aiosmtplib.SMTPSenderRefused as fault:
            is_ours = bool(options) and fault.code >= 500  # only an international letter asks for something of its own
            error = self._judged(fault.code) if is_ours else self.doubt(f"it answered {fault.code} to the sender")
            raise Answered(fault.code, error) from None
        except aiosmtplib.SMTPRecipientRefused as fault:
            raise Answered(fault.code, self._judged(fault.code)) from None

    async def _give(self, protocol: SMTPProtocol, client: aiosmtplib.SMTP) -> tuple[aiosmtplib.SMTPResponse, bool]:
        """Write the mail, then the dot. Returns the answer, and whether it came before the dot. The caller bounds the
        time."""
        reading = asyncio.create_task(protocol.read_response())
        reading.add_done_callback(lambda task: task.cancelled() or task.exception())  # where nobody awaits it any more
        try:
            await asyncio.sleep(0)  # the reader has begun, so no early answer is missed
            # A leading dot is doubled, or the server would take its line for the end of the mail (RFC 5321, 4.5.2).
            protocol.write(PERIOD_REGEX.sub(b"..", normalize_message_line_endings(self._content)))
            async with asyncio.timeout(client.timeout):
                await _sent(protocol, reading)
            is_early = reading.done()
            if not is_early:
                self.is_ended = protocol.is_connected
                protocol.write(b".\r\n")
            return await reading, is_early
        finally:
            reading.cancel()

    def _judged(self, code: int) -> ProviderError:
        if 400 <= code < 500 or code in _OF_THE_SERVER:
            return Unavailable(f"the SMTP server answered {code}")
        if 500 <= code < 600:
            return Refused(f"the SMTP server answered {code}")
        return self.doubt(f"it answered {code}")


async def _sent(protocol: SMTPProtocol, reading: asyncio.Task[aiosmtplib.SMTPResponse]) -> None:
    """Returns when all that was written has left this process, or the server has answered or hung up. It polls,
    because aiosmtplib keeps the transport's callback to itself; a short mail is written at once and needs no wait."""
    await asyncio.sleep(0)
    transport = cast(asyncio.WriteTransport, protocol.transport)  # uvloop's transports do not inherit from it
    while protocol.is_connected and not reading.done() and transport.get_write_buffer_size():
        await asyncio.sleep(_LOOK_S)
