"""The only place where an error becomes a status: RFC 9457 problem details, with the `code` and `message` clients read.

An error that is not in the table is our fault. Its text may hold anything, so the caller is told nothing of it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import msgspec

from engine.errors import (
    CatalogError,
    Forbidden,
    InvalidInput,
    NotFound,
    NotReady,
    Outdated,
    Overloaded,
    RequestIdUsed,
    SegueError,
    TooLarge,
    TooSlow,
    TryAgain,
    Unauthorised,
)

Header = tuple[bytes, bytes]

_STATUS: Final[dict[type, HTTPStatus]] = {
    InvalidInput: HTTPStatus.BAD_REQUEST,
    Unauthorised: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    TooSlow: HTTPStatus.REQUEST_TIMEOUT,
    RequestIdUsed: HTTPStatus.UNPROCESSABLE_ENTITY,
    Outdated: HTTPStatus.CONFLICT,
    CatalogError: HTTPStatus.UNPROCESSABLE_ENTITY,
    Overloaded: HTTPStatus.TOO_MANY_REQUESTS,
    NotReady: HTTPStatus.SERVICE_UNAVAILABLE,
    TryAgain: HTTPStatus.SERVICE_UNAVAILABLE,
}
PROBLEMS_MAX: Final = 100  # of a catalog, in one answer
_TEXT_CHARS_MAX: Final = 500
_NEUTRAL: Final = SegueError("something went wrong on our side; the same request may be sent again")


def problem(error: BaseException) -> tuple[int, list[Header], bytes]:
    """Status, headers and body for `error`. CORS and `content-length` are the application's."""
    status = next((_STATUS[cls] for cls in type(error).__mro__ if cls in _STATUS), HTTPStatus.INTERNAL_SERVER_ERROR)
    known = error if status != HTTPStatus.INTERNAL_SERVER_ERROR and isinstance(error, SegueError) else _NEUTRAL
    headers = [(b"content-type", b"application/problem+json"), *_headers(known, status)]
    return status.value, headers, msgspec.json.encode(_body(known, status))


def _headers(error: SegueError, status: HTTPStatus) -> list[Header]:
    if status == HTTPStatus.UNAUTHORIZED:
        return [(b"www-authenticate", b'Basic realm="segue", charset="UTF-8"')]
    if isinstance(error, TryAgain):
        # Whole seconds, at least one: clients read nothing else (`docs/design/clients.md`).
        wait_ms = error.retry_after_ms if isinstance(error, Overloaded) else 1000
        return [(b"retry-after", b"%d" % max(1, -(-wait_ms // 1000)))]
    return []


def _body(error: SegueError, status: HTTPStatus) -> dict[str, Any]:
    """`detail` and `message` say the same: the first is RFC 9457's word, the second that of Segment's clients."""
    detail = _encodable(str(error))
    body: dict[str, Any] = {
        "type": f"urn:segue:problem:{error.code}",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "code": error.code,
        "message": detail,
    }
    if error.field:
        body["field"] = _encodable(error.field)
    if isinstance(error, CatalogError):
        body["problems"] = [_encodable(line) for line in error.problems[:PROBLEMS_MAX]]
        body["problemsTotal"] = len(error.problems)
    return body


def _encodable(text: str) -> str:
    """`text` without lone surrogates and cut to a readable length. The name of the field at fault may hold such
    surrogates, and may be as long as the whole body."""
    cut = text if len(text) <= _TEXT_CHARS_MAX else f"{text[:_TEXT_CHARS_MAX]}…"
    return cut.encode(errors="replace").decode()
