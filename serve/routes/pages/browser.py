"""The other requests of Segment's client for web pages, besides events: its settings, its statistics, its script."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgspec

from engine.errors import NotFound, Unauthorised
from serve.http.gateway import Gateway
from serve.http.paths import PROJECTS, SETTINGS
from serve.http.protocol import Headers, Request, Response, ok

# The header `Host` is repeated in the answer, and a client may write anything into it.
_HOST = re.compile(r"[A-Za-z0-9.\-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
_LOOPBACK = re.compile(r"(localhost|127\.[0-9.]+|\[::1\])(:[0-9]+)?")
_KEPT: Final = (b"cache-control", b"public, max-age=300")
_TAKEN = ok({"success": True})


def knows(gateway: Gateway, path: str) -> bool:
    """Whether the key in such a path is a write key that is known."""
    try:
        gateway.keys.identify({}, _key(path))
    except Unauthorised:
        return False
    return True


async def settings(gateway: Gateway, request: Request) -> Response:
    """Tell a client that knows a host and a write key where to send its events. NotFound for a key that is none, as
    Segment itself answers."""
    if not knows(gateway, request.path):
        raise NotFound("there is no such write key; `segue keys list` names those that there are", "writeKey")
    protocol, host = _address(gateway.config.public_url, request.headers)
    segment: dict[str, Any] = {"apiKey": _key(request.path), "apiHost": f"{host}/v1", "protocol": protocol}
    segment |= {"unbundledIntegrations": [], "maybeBundledConfigIds": {}, "addBundledMetadata": False}
    told = {
        "integrations": {"Segment.io": segment},
        "plan": {},
        "edgeFunction": {},
        "enabledMiddleware": {},
        "middlewareSettings": {},
        "remotePlugins": [],
        "analyticsNextEnabled": True,
        "legacyVideoPluginsEnabled": False,
        "metrics": {"sampleRate": 0, "host": f"{host}/v1"},
    }
    answer = ok(told)
    return msgspec.structs.replace(answer, headers=(*answer.headers, _KEPT))


async def statistics(gateway: Gateway, request: Request) -> Response:
    """Take what the client counts about itself, and keep none of it."""
    return _TAKEN


async def script(gateway: Gateway, request: Request) -> Response:
    """NotFound for the client's script, with the place where it is to be had."""
    raise NotFound(
        "Segue serves no client script: take @segment/analytics-next from npm, bundled or as its standalone.js on your"
        " own site, and give it this host as cdnURL; docs/for-web-developers.md has both, to be pasted",
        "path",
    )


def _key(path: str) -> str:
    return unquote(path.removeprefix(PROJECTS).removesuffix(SETTINGS))


def _address(public_url: str, headers: Headers) -> tuple[str, str]:
    """The protocol and the host by which the page reaches us: the host that it asked, because that way it got here."""
    public, asked = urlsplit(public_url), headers.get(b"host", b"").decode("latin-1")
    if not _HOST.fullmatch(asked) or asked == public.netloc:
        return public.scheme or "http", f"{public.netloc}{public.path.rstrip('/')}"
    forwarded = headers.get(b"x-forwarded-proto", b"").decode("latin-1").partition(",")[0].strip().lower()
    if forwarded in ("http", "https"):
        return forwarded, asked
    # Browsers let a page of https call nothing but https, except on their own machine.
    is_secure = headers.get(b"origin", b"").startswith(b"https:") and not _LOOPBACK.fullmatch(asked)
    return ("https" if is_secure else "http"), asked
