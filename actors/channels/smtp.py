"""E-mail over SMTP: one connection, opened when needed and kept, one message at a time.

SMTP has no idempotency. Up to DATA a failure is harmless, and a stale connection is replaced once; a code in answer to
DATA is the server's word; silence after DATA was begun is `Unknown`, because the mail may be on its way.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Any, Final

import aiosmtplib

from actors.channels.adapter import Message
from engine import identifiers
from engine.errors import InvalidInput, ProviderError, Refused, Unavailable, Unknown, UsageError

# Wide lines keep long URLs in headers whole; 7 bit keeps every server able to pass the body on.
_POLICY: Final = SMTP.clone(max_line_length=998, cte_type="7bit")
_SEND_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,200}")
_HEADER_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,70}")
_URL: Final = re.compile(r"https?://[!-;=?-~]{1,900}")
_OURS: Final = re.compile(
    r"bcc|cc|content-.*|date|from|list-unsubscribe.*|message-id|mime-version|resent-.*|return-path|sender|subject|to"
)
_REFERENCE_CHARS_MAX: Final = 200


class SmtpAdapter:
    """Sends through the server that a channel's settings name; `environ` holds what they name by variable.

    Settings: host, port, sender, tls (`none`, `starttls`, `implicit`), timeout_s (of one command), and `…_env` for
    host, port, sender, username and password, which win where they are set.
    """

    def __init__(self, settings: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        def setting(name: str, default: Any = None) -> Any:
            return environ.get(settings.get(f"{name}_env") or "") or settings.get(name) or default

        tls = settings.get("tls") or "none"
        self._sender, port = str(setting("sender", "segue@localhost")), str(setting("port", 25))
        try:
            self._own_address = _mailbox(parseaddr(self._sender)[1])
        except Refused:
            raise UsageError(f"the sender of e-mail is not an address: {self._sender}") from None
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise UsageError(f"the port of the SMTP server is none: {port}")
        self._connect_with: dict[str, Any] = {
            "hostname": _host(str(setting("host", "127.0.0.1"))),
            "port": int(port),
            "username": setting("username"),
            "password": setting("password"),
            "use_tls": tls == "implicit",
            "start_tls": tls == "starttls",
            "timeout": float(setting("timeout_s", 30)),
        }
        self._client: aiosmtplib.SMTP | None = None
        self._one_at_a_time = asyncio.Lock()

    async def send(self, message: Message) -> str:
        """See `Adapter.send`; the reference is the text of the server's 250."""
        content = build(message, self._sender)
        hand_over = _HandOver(_mailbox(message.address), self._own_address, content)
        try:
            async with asyncio.timeout(message.deadline_s), self._one_at_a_time:
                return await self._deliver(hand_over)
        except TimeoutError:
            raise hand_over.doubt(f"no answer within {message.deadline_s:g} s") from None

    async def close(self) -> None:
        """Say goodbye, if anyone is listening."""
        client, self._client = self._client, None
        if client is not None and client.is_connected:
            try:
                await client.quit()
            except (aiosmtplib.SMTPException, OSError):
                client.close()

    async def _deliver(self, hand_over: _HandOver) -> str:
        was_open = self._client is not None and self._client.is_connected
        try:
            return await self._attempt(hand_over)
        except Unavailable:
            # A kept connection may have died of old age. Nothing was sent, so a fresh one gets the same message.
            if not was_open or self._client is not None:
                raise
            return await self._attempt(hand_over)

    async def _attempt(self, hand_over: _HandOver) -> str:
        """One try. Afterwards the connection is either ready for the next message or gone."""
        client, self._client = self._client, None
        hand_over.data_begun = False
        try:
            if client is None or not client.is_connected:
                client = await self._connected()
            reference = await hand_over.run(client)
        except _Answered as answered:
            self._client = await _ready_again(client, answered.code)
            raise answered.error from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as fault:
            _drop(client)
            raise hand_over.doubt(type(fault).__name__) from None
        except BaseException:  # cancelled, or out of time: the dialogue broke off in the middle
            _drop(client)
            raise
        self._client = client
        return reference

    async def _connected(self) -> aiosmtplib.SMTP:
        client = aiosmtplib.SMTP(local_hostname="segue", **self._connect_with)
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except BaseException:
            _drop(client)
            raise
        return client


class _Answered(Exception):
    """The server answered with something else than yes; the dialogue is intact."""

    def __init__(self, code: int, error: ProviderError) -> None:
        super().__init__(code, error)
        self.code, self.error = code, error


class _HandOver:
    """One message's dialogue, which knows how far it came."""

    def __init__(self, recipient: str, sender: str, content: bytes) -> None:
        self._recipient, self._sender, self._content = recipient, sender, content
        self.data_begun = False

    def doubt(self, what: str) -> ProviderError:
        """The error for a dialogue that broke off."""
        if self.data_begun:
            return Unknown(f"the SMTP server may have taken it: {what}")
        return Unavailable(f"the SMTP server did not take it: {what}")

    async def run(self, client: aiosmtplib.SMTP) -> str:
        options, encoding = [], "ascii"
        if not self._recipient.isascii():
            if not client.supports_extension("smtputf8"):
                raise _Answered(0, Refused("the SMTP server takes no international addresses"))
            options, encoding = ["SMTPUTF8"], "utf-8"
        try:
            await client.mail(self._sender, options=options, encoding=encoding)
            await client.rcpt(self._recipient, encoding=encoding)
            self.data_begun = True
            answer = await client.data(self._content)
        except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPDataError) as fault:
            raise _Answered(fault.code, self._judged(fault.code)) from None
        return answer.message[:_REFERENCE_CHARS_MAX]

    def _judged(self, code: int) -> ProviderError:
        if 400 <= code < 500:
            return Unavailable(f"the SMTP server answered {code}")
        if 500 <= code < 600:
            return Refused(f"the SMTP server answered {code}")
        return self.doubt(f"it answered {code}")


def build(message: Message, sender: str) -> bytes:
    """The MIME form of `message`; `Refused` where a part of it cannot stand in a header."""
    recipient, (name, own) = _mailbox(message.address), parseaddr(sender)
    mail = EmailMessage(policy=_POLICY if recipient.isascii() else _POLICY.clone(utf8=True))
    try:
        mail["From"] = Address(display_name=name, addr_spec=_mailbox(own))
        mail["To"] = recipient  # `Address` would take no international one
        mail["Subject"] = message.subject
        mail["Date"] = format_datetime(datetime.fromtimestamp(message.at_ms // 1000, UTC))
        mail["Message-ID"] = f"<{_fit(_SEND_ID, message.send_id, 'send id')}@segue>"
        if message.unsubscribe_url:
            mail["List-Unsubscribe"] = f"<{_fit(_URL, message.unsubscribe_url, 'unsubscribe URL')}>"
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
        for header, value in message.headers.items():
            if _OURS.fullmatch(header.lower()):
                raise ValueError(f"the header {header} is not free to set")
            mail[_fit(_HEADER_NAME, header, "header name")] = value
        mail.set_content(message.text.replace("\x00", ""))
        if message.html:
            mail.add_alternative(message.html.replace("\x00", ""), subtype="html")
        return mail.as_bytes()
    except (ValueError, IndexError, LookupError) as fault:  # IndexError: the standard library on some odd addresses
        raise Refused(f"the e-mail cannot be built: {fault}") from None


def _mailbox(address: str) -> str:
    """`address` with its domain as DNS has it; `Refused` for more or less than one bare address."""
    try:
        return identifiers.mailbox(address)
    except InvalidInput:
        raise Refused("the e-mail address is not one") from None


def _host(name: str) -> str:
    """The server's name as DNS has it: the resolver of the standard library would ask for another one."""
    try:
        return name if name.isascii() else identifiers.host(name)
    except InvalidInput:
        raise UsageError(f"the name of the SMTP server is none: {name}") from None


def _fit(pattern: re.Pattern[str], value: str, what: str) -> str:
    if not pattern.fullmatch(value):
        raise ValueError(f"the {what} has characters that it must not have")
    return value


def _drop(client: aiosmtplib.SMTP | None) -> None:
    if client is not None:
        client.close()


async def _ready_again(client: aiosmtplib.SMTP | None, code: int) -> aiosmtplib.SMTP | None:
    """The connection, its transaction reset; None where the server hangs up (421) or does not answer."""
    if client is None or code == 421 or not client.is_connected:
        _drop(client)
        return None
    try:
        await client.rset()
    except (aiosmtplib.SMTPException, OSError):
        _drop(client)
        return None
    return client
