"""The OpenAPI document as two pages for people: one to try things out, one to read, with samples. All files that they
load come from this server, so they work without the Internet, and their policy (CSP) lets them load no others."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

from engine.errors import NotFound

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # both pages write styles while they run
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS: Final = {"content-security-policy": _POLICY, "x-content-type-options": "nosniff"}
_KEPT: Final = _HEADERS | {"cache-control": "public, max-age=86400"}
_FILES: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "redoc.standalone.js": "text/javascript",
    "favicon.png": "image/png",
}
_STARTS: Final = {
    "try.js": 'SwaggerUIBundle({url: "openapi.json", dom_id: "#page", deepLinking: true, displayRequestDuration: true,'
    " presets: [SwaggerUIBundle.presets.apis], persistAuthorization: false, tryItOutEnabled: true});",
    "read.js": 'Redoc.init("openapi.json", {disableSearch: false, hideDownloadButton: false, expandResponses: "200"},'
    ' document.getElementById("page"));',
}
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Segue: {title}</title><link rel="icon" href="docs/assets/favicon.png">{style}</head>
<body style="margin:0"><p style="font:14px system-ui,sans-serif;margin:.5rem 1rem">{other}</p><div id="page"></div>
<script src="docs/assets/{bundle}"></script><script src="docs/assets/{start}"></script></body></html>
"""

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def tried_out() -> HTMLResponse:
    """The page on which every route can be called."""
    style = '<link rel="stylesheet" href="docs/assets/swagger-ui.css">'
    other = '<a href="redoc">The same to be read, with samples in curl, JavaScript, Python and Go</a>'
    page = _PAGE.format(title="API", style=style, other=other, bundle="swagger-ui-bundle.js", start="try.js")
    return HTMLResponse(page, headers=_HEADERS)


@router.get("/redoc")
async def read() -> HTMLResponse:
    """The page with samples."""
    other = '<a href="docs">The same to be tried out</a>'
    page = _PAGE.format(title="API", style="", other=other, bundle="redoc.standalone.js", start="read.js")
    return HTMLResponse(page, headers=_HEADERS)


@router.get("/docs/assets/{name}")
async def asset(name: str) -> Response:
    """A file of these pages; their packages bring most of them."""
    if name in _STARTS:
        return Response(_STARTS[name], media_type="text/javascript", headers=_KEPT)
    if name not in _FILES:
        raise NotFound("these pages have no such file", "name")
    return FileResponse(_folder() / name, media_type=_FILES[name], headers=_KEPT)


def _folder() -> Path:
    """Where the package has its files, found without running any of it."""
    found = find_spec("fastapi_offline")
    if found is None or found.origin is None:
        raise NotFound("the package fastapi-offline is not installed", "name")
    return Path(found.origin).parent / "static"
