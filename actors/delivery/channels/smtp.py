"""E-mail over SMTP: one connection, opened when needed and kept, one message at a time.

SMTP has no idempotency, so a mail is sent again only where `smtp_dialogue` knows that nothing was sent: a kept
connection that turns out to be stale is replaced once. The deadline of a message begins when it has the connection to
itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import aiosmtplib

from actors.delivery.channels import helo
from actors.delivery.channels.adapter import Message
from actors.delivery.channels.mail import build, mailbox, sender_of
from actors.delivery.channels.smtp_dialogue import Answered, Dialogue
from engine.errors import InvalidInput, Refused, Unavailable, UsageError
from engine.values import identifiers
from engine.vocabulary import Accepted


class SmtpAdapter:
    """Sends through the server that a channel's settings name; `environ` holds the variables that they name.

    Settings: host, port, sender, tls (`none`, `starttls`, `implicit`), helo (the name that we greet with; by default
    the machine's full name, else the sender's domain), timeout_s (of one command; the answer to a whole mail may take
    until the deadline of its message), and `…_env` for host, port, sender, helo, username and password. A variable that
    is set wins over the setting.
    """

    places = 1
    accepted: Accepted = "sent"

    def __init__(self, settings: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        def setting(name: str, default: Any = None) -> Any:
            return environ.get(settings.get(f"{name}_env") or "") or settings.get(name) or default

        def place(name: str) -> str:
            return f"{name}_env" if environ.get(settings.get(f"{name}_env") or "") else name

        tls = settings.get("tls") or "none"
        self._sender, port = str(setting("sender", "segue@localhost")), str(setting("port", 25))
        try:
            self._own_address = sender_of(self._sender)[1]
        except (Refused, ValueError) as fault:
            raise UsageError(_no_sender(self._sender, fault), place("sender")) from None
        greeting = setting("helo")
        self._helo = helo.checked(str(greeting)) if greeting is not None else ""
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise UsageError(f"the port of the SMTP server is none: {port}", place("port"))
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
        dialogue = Dialogue(mailbox(message.address), self._own_address, content)
        try:
            async with self._one_at_a_time, asyncio.timeout(message.deadline_s):
                return await self._deliver(dialogue)
        except TimeoutError:
            raise dialogue.doubt(f"no answer within {message.deadline_s:g} s") from None

    def prove(self, message: Message) -> None:
        """See `Adapter.prove`."""
        build(message, self._sender)

    async def close(self) -> None:
        """Say goodbye, if anyone is listening."""
        client, self._client = self._client, None
        if client is not None and client.is_connected:
            try:
                await client.quit()
            except (aiosmtplib.SMTPException, OSError):
                client.close()

    async def _deliver(self, dialogue: Dialogue) -> str:
        was_open = self._client is not None and self._client.is_connected
        try:
            return await self._attempt(dialogue)
        except Unavailable:
            # Servers close connections that were idle. Nothing was sent, so a fresh connection gets the same message.
            if not was_open or self._client is not None:
                raise
            return await self._attempt(dialogue)

    async def _attempt(self, dialogue: Dialogue) -> str:
        """One try. Afterwards the connection is either ready for the next message or gone."""
        client, self._client = self._client, None
        dialogue.is_ended = False
        try:
            if client is None or not client.is_connected:
                client = await self._connected()
            reference = await dialogue.run(client)
        except Answered as answered:
            self._client = await _ready_again(client, answered)
            raise answered.error from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as fault:
            _drop(client)
            raise dialogue.doubt(type(fault).__name__) from None
        except BaseException:  # cancelled, or out of time: the dialogue broke off in the middle
            _drop(client)
            raise
        self._client = client
        return reference

    async def _connected(self) -> aiosmtplib.SMTP:
        self._helo = self._helo or await helo.own(self._own_address.rpartition("@")[2])
        client = aiosmtplib.SMTP(local_hostname=self._helo, **self._connect_with)
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except BaseException:
            _drop(client)
            raise
        return client


def _host(name: str) -> str:
    """The server's name as DNS has it: the resolver of the standard library would ask for another one."""
    try:
        return name if name.isascii() else identifiers.host(name)
    except InvalidInput:
        raise UsageError(f"the name of the SMTP server is none: {name}", "host") from None


def _no_sender(text: str, fault: Exception) -> str:
    name = text.partition("<")[0].strip()
    if "," in name and '"' not in name:
        return f"is not one sender: {text}; a name with a comma stands in quotes of its own: '\"{name}\" <…>'"
    return f"is not one sender, as in Alba <hello@shop.example>: {text!r}: {fault}"


def _drop(client: aiosmtplib.SMTP | None) -> None:
    if client is not None:
        if client.transport is not None:
            cast(asyncio.WriteTransport, client.transport).abort()  # close() would still flush what is left of the mail
        client.close()


async def _ready_again(client: aiosmtplib.SMTP | None, answered: Answered) -> aiosmtplib.SMTP | None:
    """The connection, its transaction reset; None where the server hangs up (421) or does not answer."""
    if client is None or not answered.is_intact or answered.code == 421 or not client.is_connected:
        _drop(client)
        return None
    try:
        await client.rset()
    except (aiosmtplib.SMTPException, OSError):
        _drop(client)
        return None
    return client
