"""A message as the bytes of a mail (MIME). `mail_headers` writes its headers, the standard library its body.

The standard library folds headers badly: it breaks long links into encoded words, and makes words that are longer than
RFC 2047 allows.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses
from typing import Final

from actors.delivery.channels import mail_headers
from actors.delivery.channels.adapter import Message
from engine.errors import InvalidInput, Refused
from engine.values import identifiers

# Lines of at most 998 characters (RFC 5322, 2.1.1), and 7 bit, so that every server can pass the body on.
_POLICY: Final = SMTP.clone(max_line_length=mail_headers.LINE_MAX, cte_type="7bit")
_SEND_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,200}")
_HEADER_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,70}")
_URL: Final = re.compile(r"https?://[!-;=?-~]{1,900}")
_OURS: Final = re.compile(
    r"bcc|cc|content-.*|date|from|list-unsubscribe.*|message-id|mime-version|resent-.*|return-path|sender|subject|to"
)


def build(message: Message, sender: str) -> bytes:
    """The MIME form of `message`; `Refused` where a part of it cannot stand in a header."""
    recipient = mailbox(message.address)
    try:
        return b"".join([*_head(message, sender_of(sender), recipient), _body(message)])
    except ValueError as fault:
        raise Refused(f"the e-mail cannot be built: {fault}") from None


def sender_of(sender: str) -> tuple[str, str]:
    """The name and the address of `Name <address>`; ValueError for anything that cannot stand in every mail."""
    if not identifiers.is_clean(sender):
        raise ValueError("the sender has characters that it must not have")
    found = getaddresses([sender])
    if len(found) != 1:
        raise ValueError("the sender is more or less than one address: put a name with a comma in quotes")
    name, address = found[0][0].strip(), mailbox(found[0][1])
    if not address.isascii():
        raise ValueError("the sender's address is an international one, which not every server takes")
    return name, address


def mailbox(address: str) -> str:
    """`address` with its domain as DNS has it; `Refused` for more or less than one bare address."""
    try:
        return identifiers.mailbox(address)
    except InvalidInput:
        raise Refused("the e-mail address is not one") from None


def _head(message: Message, sender: tuple[str, str], recipient: str) -> list[bytes]:
    name, own = sender
    send_id, domain = _fit(_SEND_ID, message.send_id, "send id"), own.rpartition("@")[2]
    lines = [
        mail_headers.mailbox("From", name, own),
        mail_headers.mailbox("To", "", recipient),
        mail_headers.text("Subject", message.subject),
        mail_headers.token("Date", format_datetime(datetime.fromtimestamp(message.at_ms // 1000, UTC))),
        mail_headers.token("Message-ID", f"<{send_id}@{domain}>"),
    ]
    if message.unsubscribe_url:
        url = _fit(_URL, message.unsubscribe_url, "unsubscribe URL")
        lines.append(mail_headers.token("List-Unsubscribe", f"<{url}>"))
        lines.append(mail_headers.token("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))  # RFC 8058
    for header, value in message.headers.items():
        if _OURS.fullmatch(header.lower()):
            raise ValueError(f"the header {header} is not free to set")
        lines.append(mail_headers.text(_fit(_HEADER_NAME, header, "header name"), value))
    return lines


def _body(message: Message) -> bytes:
    """The body, with the headers that describe it."""
    mail = EmailMessage(policy=_POLICY)
    mail["MIME-Version"] = "1.0"
    mail.set_content(message.text.replace("\x00", ""))
    if message.html:
        mail.add_alternative(message.html.replace("\x00", ""), subtype="html")
    return mail.as_bytes()


def _fit(pattern: re.Pattern[str], value: str, what: str) -> str:
    if not pattern.fullmatch(value):
        raise ValueError(f"the {what} has characters that it must not have")
    return value
