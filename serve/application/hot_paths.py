"""The paths for which a page load or a batch waits, and the function that answers each: plain ASGI, without FastAPI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from serve.http import paths
from serve.http.gateway import Gateway
from serve.http.protocol import Request, Response
from serve.routes.pages import browser, decide, ingest, ofrep

Route = Callable[[Gateway, Request], Awaitable[Response]]

_ALIVE = Response(200, b'{"status":"alive"}')


async def alive(gateway: Gateway, request: Request) -> Response:
    """The process answers. Does nothing else, so it is also the baseline that benchmarks compare with."""
    return _ALIVE


HOT: dict[tuple[str, str], Route] = {
    **{("POST", path): ingest.ingest for path in paths.KIND_OF_PATH},
    ("POST", "/v1/decide"): decide.decide,
    ("POST", "/v1/exposures"): decide.expose,
    ("POST", "/v1/import"): ingest.import_history,
    ("POST", paths.STATISTICS): browser.statistics,
    ("GET", "/healthz"): alive,
}


def route_of(method: str, path: str) -> Route | None:
    """The function that answers a path; None where FastAPI does."""
    found = HOT.get((method, path))
    if found is None and method == "POST" and paths.is_flag(path):
        return ofrep.evaluate
    if found is None and method == "GET" and paths.is_settings(path):
        return browser.settings
    if found is None and method == "GET" and paths.is_script(path):
        return browser.script
    return found
