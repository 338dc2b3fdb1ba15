"""The addresses at which HTTP listens, as `SEGUE_HOST` names them, and their spelling for other programs."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from engine.errors import UsageError

VARIABLE = "SEGUE_HOST"
LOOPBACK = "127.0.0.1"
EVERYWHERE, EVERYWHERE_6 = "0.0.0.0", "::"  # the second one takes in the first


def addresses(host: str) -> tuple[str, ...]:
    """The IP addresses of a name or an address; UsageError where none of them is this machine's."""
    try:
        found = socket.getaddrinfo(host or "?", 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise UsageError(f"must be an address or a name of this machine, and {host!r} is none", VARIABLE) from None
    ours = tuple(dict.fromkeys(str(place[4][0]) for place in found if not fault(str(place[4][0]), 0)))
    if not ours:
        raise UsageError(f"{host} is no address of this machine", VARIABLE)
    return ours


def fault(address: str, port: int) -> str:
    """The reason why nobody can listen at an address and a port; empty where somebody can."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        # As servers do: connections that an ended process has left in TIME_WAIT do not keep the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            if ":" in address:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address != EVERYWHERE_6))
            probe.bind((address, port))
        except OSError as error:
            return error.strerror or "it cannot be listened on"
    return ""


def binds(found: Sequence[str], port: int) -> list[str]:
    """The addresses as HAProxy's `bind` wants them."""
    return [f"{written(address)}:{port}" + (" v4v6" if address == EVERYWHERE_6 else "") for address in found]


def near(host: str) -> str:
    """The host by which this machine itself reaches it, in a URL."""
    return LOOPBACK if host in (EVERYWHERE, EVERYWHERE_6) else written(host)


def is_open(found: Sequence[str]) -> bool:
    """Whether other machines can connect."""
    return any(not address.startswith("127.") and address != "::1" for address in found)


def written(host: str) -> str:
    """A host as a URL has it: an IPv6 address in brackets (RFC 3986, 3.2.2), anything else as it is."""
    return f"[{host}]" if ":" in host else host
