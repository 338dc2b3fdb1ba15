"""Load is for one's own machine: says whether a host is this one. Never resolves a name, so DNS cannot fool it."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether the URL's host is `localhost`, in 127.0.0.0/8, or ::1."""
    try:
        name = urlsplit(host).hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:  # no URL, or a name other than localhost
        return False


def why_refused(host: str | None) -> str | None:
    """The one line to print before giving up; None when the host is fine."""
    if not host:
        return "no host: say --host http://127.0.0.1:8000"
    if not is_loopback(host):
        return f"refusing to load {host}: only this machine (127.0.0.0/8, localhost, ::1) may be loaded"
    return None
