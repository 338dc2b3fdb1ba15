"""A mail server for demonstrations and tests: real SMTP on loopback that keeps what it is sent."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from typing import Any

from aiosmtpd.controller import Controller

from actors.platform.ports import free_port

_KEPT = 200_000


@dataclass(frozen=True)
class Mail:
    """A mail that arrived, and for whom. Its headers are parsed only when they are asked for."""

    to: str
    raw: bytes

    @cached_property
    def message(self) -> EmailMessage:
        """The mail as the standard library reads it."""
        return message_from_bytes(self.raw, _class=EmailMessage, policy=policy.default)

    @property
    def send_id(self) -> str:
        """The id of the send to which it belongs."""
        return str(self.message["Message-ID"] or "").strip("<>").partition("@")[0]


class MailServer:
    """Starts listening at once, in a thread of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.mails: list[Mail] = []
        self._lock = threading.Lock()  # the server adds mails in its own thread while others read them
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Keep one message; called by the SMTP server."""
        mails = [Mail(to, envelope.content) for to in envelope.rcpt_tos]
        with self._lock:
            if len(self.mails) + len(mails) > _KEPT:
                return "452 the mailbox is full"
            self.mails += mails
        return "250 kept"

    def of(self, address: str) -> list[Mail]:
        """The mails to one address."""
        with self._lock:
            return [mail for mail in self.mails if mail.to.lower() == address.lower()]

    def close(self) -> None:
        """Stop listening."""
        self._controller.stop()
