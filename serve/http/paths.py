"""The paths that are answered outside FastAPI, and the questions that a path and the headers answer before the body."""

from __future__ import annotations

import itertools
import secrets
from typing import Final
from urllib.parse import quote, unquote_plus

from engine.values.absence import is_absent
from serve.http.protocol import Headers, Scope

_REQUEST_ID_MAX: Final = 128
_RUN: Final = secrets.token_hex(8).encode()  # of this process; its requests are numbered
_numbers = itertools.count()

KIND_OF_PATH: Final = {  # None: the items of a batch say it themselves
    **{f"/v1/{kind}": kind for kind in ("track", "identify", "page", "screen", "group", "alias")},
    "/v1/t": "track",
    "/v1/i": "identify",
    "/v1/p": "page",
    "/v1/s": "screen",
    "/v1/g": "group",
    "/v1/a": "alias",
    "/v1/batch": None,
    "/v1/b": None,
}
STATISTICS: Final = "/v1/m"
FLAGS: Final = "/ofrep/v1/evaluate/flags"
PROJECTS, SETTINGS = "/v1/projects/", "/settings"  # of a write key, which stands between
SCRIPTS: Final = ("/analytics.js/", "/analytics-next/", "/next-integrations/")

BATCHES: Final = frozenset((*KIND_OF_PATH, "/v1/import"))
READY: Final = "/readyz"
LINKS: Final = "/u/"
WITH_KEYS: Final = ("/v1/", FLAGS)
_ABOUT_WHAT_IS_SHOWN: Final = frozenset(("/v1/decide", "/v1/exposures"))
WITH_KEY_IN_BODY: Final = frozenset((*KIND_OF_PATH, *_ABOUT_WHAT_IS_SHOWN))
_FROM_PAGES: Final = WITH_KEY_IN_BODY | {STATISTICS}  # and whatever lies below them, so that a page can read 404
_FLAGS_OF_PAGES: Final = "/ofrep/"


def name(path: str) -> str:
    """The name of a path in metrics: its first two words, because the rest may name a person."""
    return "/".join(path.split("/")[:3])


def known(path: str, names: set[str]) -> str:
    """The name of a path that exists, one of `names`; empty for others. A link in a mail has the name of its page."""
    full = name(path)
    if full in names:
        return full
    return next((page for page in ("/u", "/c") if full.startswith(f"{page}/")), "")


def is_flag(path: str) -> bool:
    """Whether it is an evaluation of OpenFeature."""
    return path == FLAGS or path.startswith(f"{FLAGS}/")


def is_settings(path: str) -> bool:
    """Whether a path asks for the settings of a write key."""
    return path.startswith(PROJECTS) and path.endswith(SETTINGS) and len(path) >= len(PROJECTS) + len(SETTINGS)


def is_script(path: str) -> bool:
    """Whether a path asks for Segment's client itself, or a part of it."""
    return path.startswith(SCRIPTS)


def is_question(path: str) -> bool:
    """Whether a page waits to be told what to show. It always gets an answer, if only the placement's default."""
    return path == "/v1/decide" or is_flag(path)


def is_small(path: str) -> bool:
    """Whether no large body is expected."""
    return is_flag(path) or path in _ABOUT_WHAT_IS_SHOWN or is_settings(path)


def is_for_pages(path: str, names: set[str]) -> bool:
    """Whether web pages may call it; also where there is no such path, so that a page can read that."""
    return (
        path in _FROM_PAGES
        or path.startswith((_FLAGS_OF_PAGES, PROJECTS, *SCRIPTS))
        or name(path) in _FROM_PAGES
        or (bool(names) and not known(path, names))
    )


def request_id(headers: Headers) -> bytes:
    """The id by which a client knows its request, else a new one. A value that could not stand in a header is not
    taken, because the answer repeats the id in one."""
    given = headers.get(b"x-request-id", b"")
    usable = 0 < len(given) <= _REQUEST_ID_MAX and given.isascii() and given.decode().isprintable()
    return given if usable else b"%s%016x" % (_RUN, next(_numbers))


def for_others(scope: Scope) -> Scope:
    """A request as FastAPI should see it.

    The path stays percent-encoded, so that a name may hold `/timeline`. Parameters of the query without a value are
    left out. The body is JSON, whatever the client calls it.
    """
    raw_path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    headers = [header for header in scope["headers"] if header[0] != b"content-type"]
    return {
        **scope,
        "path": raw_path.partition(b"?")[0].decode("latin-1"),
        "query_string": _less_absent(scope["query_string"]),
        "headers": [*headers, (b"content-type", b"application/json")],
    }


def _less_absent(query: bytes) -> bytes:
    """A query without the names whose values are absent: `?limit=` is as none."""
    parts = (part for part in query.split(b"&") if part)
    return b"&".join(part for part in parts if not is_absent(unquote_plus(part.partition(b"=")[2].decode("latin-1"))))
