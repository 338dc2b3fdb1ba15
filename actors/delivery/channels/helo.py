"""The name with which we greet a mail server. Many servers refuse any but a full name (RFC 5321, 4.1.1.1)."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from typing import Final

from engine.errors import InvalidInput, UsageError
from engine.values import identifiers

_LABEL: Final = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_FULL: Final = re.compile(rf"{_NAME.pattern}\.(?!\d+\Z){_LABEL}")
_LOCAL: Final = (".localdomain", ".local", ".localhost", ".arpa", ".internal", ".lan", ".home")


def checked(name: str) -> str:
    """A name or an address in brackets as a setting gives it, in ASCII; UsageError for what no server takes."""
    if name.startswith("[") and name.endswith("]"):
        try:
            ipaddress.ip_address(name[1:-1].removeprefix("IPv6:"))
        except ValueError:
            raise UsageError(f"the helo of the SMTP channel is no address in brackets: {name[:300]}", "helo") from None
        return name
    try:
        found = name if name.isascii() else identifiers.host(name)
    except InvalidInput:
        found = ""
    if not _NAME.fullmatch(found):
        raise UsageError(f"the helo of the SMTP channel is no name of a machine: {name[:300]!r}", "helo")
    return found


async def own(domain: str) -> str:
    """This machine's full name where it is one that other machines can resolve, else the sender's domain."""
    name = await asyncio.to_thread(socket.getfqdn)  # may block: it asks the resolver
    return name if _FULL.fullmatch(name) and not name.lower().endswith(_LOCAL) else domain
