"""The routes that FastAPI serves, its errors as problems, and the OpenAPI document of all routes, the hot ones too."""

from __future__ import annotations

import typing
from http import HTTPStatus
from importlib import import_module
from typing import Any

import msgspec
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from engine.errors import InvalidInput, NotFound, SegueError
from engine.values.nearest import nearest
from serve.api import misspelt
from serve.http.gateway import Gateway
from serve.http.problems import problem
from serve.openapi import docs_pages
from serve.openapi import document as openapi
from serve.openapi.hot_routes import HOT

_ROUTES = (
    "backup consent dead_letters journeys messages operation pins profiles publishing.catalog publishing.plans reviews "
    "sandbox splits things transitions"
)
_MODULES = (*(import_module(f"serve.routes.{name}") for name in _ROUTES.split()), docs_pages)


def build(gateway: Gateway) -> FastAPI:
    """The application for everything that is not hot."""
    api = FastAPI(
        title="Segue",
        version=gateway.config.version,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=openapi.name_of,
    )
    api.state.gateway = gateway
    for module in _MODULES:
        api.include_router(module.router, dependencies=[Depends(_no_near_misses)])
    for path, hot in HOT.items():  # known here too, or another method would be a 404
        pattern = path.replace("{key}", "{key:path}")
        api.add_route(pattern, _never_asked, [hot.method.upper()], include_in_schema=False)
    api.add_exception_handler(SegueError, _segue_error)
    api.add_exception_handler(RequestValidationError, _validation_error)
    api.add_exception_handler(HTTPException, _http_error)
    api.add_exception_handler(Exception, _fault)
    described: dict[str, Any] = {}

    def describe() -> dict[str, Any]:
        if not described:
            included = [route for module in _MODULES for route in module.router.routes if isinstance(route, APIRoute)]
            described.update(openapi.document(api.title, api.version, api.routes, included))
        return described

    api.openapi = describe  # type: ignore[method-assign]
    return api


def every_path(api: FastAPI) -> list[str]:
    """All paths that exist, as patterns."""
    included = [route for module in _MODULES for route in module.router.routes]
    return [route.path for route in (*api.routes, *included) if hasattr(route, "path")]


def _near(request: Request) -> str:
    """The path that was probably meant: the whole of it, or its beginning where a part of it names something."""
    path = request.scope["path"]
    there_are = every_path(request.app)
    near = nearest(path, [each for each in there_are if "{" not in each])
    beginnings = {each.partition("/{")[0] for each in there_are if "{" in each}
    first = nearest("/".join(path.split("/")[:3]), beginnings)
    if near or first:
        return f"; did you mean {near or first}?"
    return _near_part(path, there_are)


def _near_part(path: str, patterns: list[str]) -> str:
    """The same for a path that begins with a known name, and goes on as nothing does."""
    parts = path.split("/")
    start = "/".join(parts[:3])  # such as `/v1/profiles`
    below = sorted({each for each in patterns if each.startswith(f"{start}/{{")})
    if not below:
        return ""
    whole = "/".join(below[0].split("/")[:4])
    tails = {each.removeprefix(whole).removeprefix("/"): each for each in below}
    near = nearest("/".join(parts[4:]), [tail for tail in tails if tail])
    if near is not None:
        return f"; did you mean {tails[near]}?"
    return f"; there are {', '.join(below)}, where a slash within a name is written %2F"


def _answer(error: SegueError) -> Response:
    status, headers, body = problem(error)
    return Response(body, status, {name.decode(): value.decode() for name, value in headers})


async def _never_asked(request: Request) -> Response:
    """The route of hot paths in FastAPI, which the application never asks it for. A path that only looks like one
    of them comes here, and does not exist."""
    raise HTTPException(404)


async def _segue_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SegueError)
    return _answer(error)


async def _fault(request: Request, error: Exception) -> Response:
    """The answer to a fault of ours. Starlette sends it, then raises the error again, so that the application can log
    it."""
    status, headers, body = problem(error)
    return Response(body, status, {name.decode(): value.decode() for name, value in headers})


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _answer(misspelt.of_model(error.errors(), _model_of(request)))


def _model_of(request: Request) -> type[BaseModel] | None:
    """The model of a route's body; None where it has no body, or any body is allowed."""
    field = getattr(request.scope.get("route"), "body_field", None)
    parts = getattr(field.field_info, "annotation", None) if field is not None else None
    found = [
        part for part in (parts, *typing.get_args(parts)) if isinstance(part, type) and issubclass(part, BaseModel)
    ]
    return found[0] if found else None


def _no_near_misses(request: Request) -> None:
    """Refuse a name in the query that is nearly one that the route reads: it would be lost silently."""
    known = {field.alias for field in request.scope["route"].dependant.query_params}
    for name in request.query_params:
        if (near := nearest(name, known)) is not None:
            raise InvalidInput(f"is not read here; did you mean {near}?", name[:100])


async def _http_error(request: Request, error: Exception) -> Response:
    """The problem for an error of FastAPI's own: no such path, the wrong method for one, a body that is no text."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _answer(NotFound(f"there is no such page{_near(request)}", "path"))
    if error.status_code == 405:
        answer = _answer(InvalidInput(f"this path takes {(error.headers or {}).get('Allow', 'another one')}", "method"))
    else:
        answer = _answer(InvalidInput(str(error.detail), "body"))
    told = msgspec.json.decode(answer.body) | {
        "status": error.status_code,
        "title": HTTPStatus(error.status_code).phrase,
    }
    headers = dict(answer.headers) | dict(error.headers or {})
    del headers["content-length"]  # that of the body before `status` and `title` were put right
    return Response(msgspec.json.encode(told), error.status_code, headers)
