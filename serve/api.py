"""The routes that FastAPI serves, its errors as problems, and the OpenAPI document of all routes, the hot ones too."""

from __future__ import annotations

import typing
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from engine.errors import InvalidInput, NotFound, SegueError
from engine.nearest import nearest
from serve import misspelt
from serve.gateway import Gateway
from serve.problems import problem
from serve.routes import (
    backup,
    browser,
    catalog,
    consent,
    dead_letters,
    decide,
    ingest,
    journeys,
    ofrep,
    operation,
    pins,
    profiles,
)

_MODULES = (backup, catalog, consent, dead_letters, journeys, operation, pins, profiles)
_HOT_BODIES: dict[str, type] = {"/v1/decide": decide.DecideBody, "/v1/exposures": decide.ExposureBody}
_SEGMENT = {"description": "A call of Segment's tracking API, or a batch of them", "type": "object"}


def build(gateway: Gateway) -> FastAPI:
    """The application for everything that is not hot."""
    api = FastAPI(title="Segue", version=gateway.config.version, redirect_slashes=False)
    api.state.gateway = gateway
    for module in _MODULES:
        api.include_router(module.router, dependencies=[Depends(_no_near_misses)])
    hot = (
        *ingest.KIND_OF_PATH,
        "/v1/import",
        browser.STATISTICS,
        *_HOT_BODIES,
        ofrep.FLAGS,
        f"{ofrep.FLAGS}/{{key:path}}",
    )
    for path in hot:  # known here too, or another method would be a 404
        api.add_route(path, _never_asked, ["POST"], include_in_schema=False)
    api.add_route("/v1/projects/{key:path}/settings", _never_asked, ["GET"], include_in_schema=False)
    api.add_exception_handler(SegueError, _segue_error)
    api.add_exception_handler(RequestValidationError, _validation_error)
    api.add_exception_handler(HTTPException, _http_error)
    api.add_exception_handler(Exception, _fault)
    described: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not described:
            described.update(_with_hot_routes(get_openapi(title=api.title, version=api.version, routes=api.routes)))
        return described

    api.openapi = openapi  # type: ignore[method-assign]
    return api


def every_path(api: FastAPI) -> list[str]:
    """The paths that there are, as patterns."""
    included = [route for module in _MODULES for route in module.router.routes]
    return [route.path for route in (*api.routes, *included) if hasattr(route, "path")]


def _with_hot_routes(document: dict[str, Any]) -> dict[str, Any]:
    schemas, components = msgspec.json.schema_components(
        _HOT_BODIES.values(), ref_template="#/components/schemas/{name}"
    )
    document.setdefault("components", {}).setdefault("schemas", {}).update(components)
    bodies = dict(zip(_HOT_BODIES, schemas, strict=True))
    for path in (*ingest.KIND_OF_PATH, "/v1/import", *_HOT_BODIES):
        content = {"application/json": {"schema": bodies.get(path, _SEGMENT)}}
        answers = {
            "200": {"description": "done, and durable"},
            "400": {"description": "the body, or a field of it, cannot be used"},
            "401": {"description": "no key, or one that is not known"},
            "403": {"description": "a key that may not"},
            "413": {"description": "over 4 MB"},
            "429": {"description": "too much at once; Retry-After says when to come back"},
            "503": {"description": "not ready"},
        }
        document["paths"][path] = {
            "post": {"requestBody": {"required": True, "content": content}, "responses": answers, "tags": ["hot"]}
        }
    for path in (ofrep.FLAGS, f"{ofrep.FLAGS}/{{key}}"):
        schema = {"type": "object", "properties": {"context": {"type": "object"}}}
        parameters = [{"name": "key", "in": "path", "required": True, "schema": {"type": "string"}}]
        document["paths"][path] = {
            "post": {
                "requestBody": {"content": {"application/json": {"schema": schema}}},
                "responses": {
                    "200": {"description": "key, value, variant and reason, or `flags` of these"},
                    "304": {"description": "nothing has changed"},
                    "400": {"description": "`errorCode` and `errorDetails`"},
                    "401": {"description": "no key, or one that is not known"},
                    "404": {"description": "no such placement"},
                },
                "tags": ["OpenFeature"],
            }
            | ({"parameters": parameters} if "{" in path else {})
        }
    document["paths"]["/healthz"] = {"get": {"responses": {"200": {"description": "alive"}}, "tags": ["operation"]}}
    return document


def _near(request: Request) -> str:
    """The path that was probably meant: the whole of it, or its beginning where a part of it names something."""
    path = request.scope["path"]
    there_are = every_path(request.app)
    near = nearest(path, [each for each in there_are if "{" not in each])
    beginnings = {each.partition("/{")[0] for each in there_are if "{" in each}
    first = nearest("/".join(path.split("/")[:3]), beginnings)
    return f"; did you mean {near or first}?" if near or first else ""


def _answer(error: SegueError) -> Response:
    status, headers, body = problem(error)
    return Response(body, status, {name.decode(): value.decode() for name, value in headers})


async def _never_asked(request: Request) -> Response:
    raise AssertionError("the application answers hot paths itself")


async def _segue_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SegueError)
    return _answer(error)


async def _fault(request: Request, error: Exception) -> Response:
    """Starlette sends this and raises the error on, so that the application can log it."""
    status, headers, body = problem(error)
    return Response(body, status, {name.decode(): value.decode() for name, value in headers})


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _answer(misspelt.of_model(error.errors(), _model_of(request)))


def _model_of(request: Request) -> type[BaseModel] | None:
    """What the body of a route must look like; None where it has none, or anything may stand in it."""
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
    """What FastAPI itself refuses: a path that is none, the wrong method for one, a body that is no text."""
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
    del headers["content-length"]
    return Response(msgspec.json.encode(told), error.status_code, headers)
