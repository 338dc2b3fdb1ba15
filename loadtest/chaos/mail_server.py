"""Where the mail of a chaos run arrives: an SMTP server on loopback that behaves as providers do.

Some mailboxes refuse for good; some mails are put off once; some answers come late, so that a kill often finds a
hand-over half-way. As at a provider, a mail is kept before the answer to it leaves.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import Any, Final

from aiosmtpd.controller import Controller

from actors.platform.ports import free_port
from loadtest.chaos.ledger import Mail

_SLOW_S: Final = 0.8
_ONE_IN_IS_SLOW: Final = 40
_ONE_IN_IS_PUT_OFF: Final = 60


class UnreliableMailServer:
    """Listens in a thread of its own until `close`."""

    def __init__(self, refusing: frozenset[str], *, puts_off: bool) -> None:
        """Mail to an address in `refusing` gets a 550; with `puts_off`, one mail in sixty a 451 at first."""
        self.port = free_port()
        self.mails: list[Mail] = []
        self.links: dict[str, str] = {}  # the newest unsubscribe link of each customer
        self.refused = 0
        self._refusing = refusing
        self._puts_off = puts_off
        self._put_off: set[str] = set()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def close(self) -> None:
        """Stop listening."""
        self._controller.stop()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Keep one mail, or say why not; called by the SMTP server."""
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        mail, behaviour = _read(message), zlib.crc32(envelope.content)
        if message["To"] in self._refusing:
            self.refused += 1
            return "550 no such mailbox"
        if self._puts_off and behaviour % _ONE_IN_IS_PUT_OFF == 1 and mail.send not in self._put_off:
            self._put_off.add(mail.send)
            return "451 later, please"
        if behaviour % _ONE_IN_IS_SLOW == 0:
            await asyncio.sleep(_SLOW_S)  # a dispatcher that is killed now has handed nothing over
        self.mails.append(mail)
        self.links[mail.customer] = str(message["List-Unsubscribe"]).strip("<>")
        if behaviour % _ONE_IN_IS_SLOW == 2:
            await asyncio.sleep(_SLOW_S)  # a dispatcher that is killed now never learns that the mail was taken
        return "250 kept"


def _read(message: EmailMessage) -> Mail:
    action, _, key = str(message["Subject"]).partition(" ")
    return Mail(
        send=str(message["Message-ID"]).strip("<>").partition("@")[0],
        customer=str(message["To"]).partition("@")[0],
        action=action,
        key=key,
        arrived_ms=time.time_ns() // 1_000_000,
        authorised_s=int(parsedate_to_datetime(str(message["Date"])).timestamp()),
    )
