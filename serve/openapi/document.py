"""The OpenAPI document of all routes. FastAPI describes its own, `hot_routes` describes the others. Keys, errors,
examples and code samples are added here to all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from engine import errors
from serve.api.pages import Problem
from serve.api.types import Answer, error
from serve.http.gateway import needs_server_key
from serve.http.problems import problem
from serve.openapi.code_samples import Key, samples
from serve.openapi.hot_routes import BODIES, FLAG_FAILURE, HOT, Hot
from serve.routes.pages.decide import DecideBody, ExposureBody

_REF: Final = "#/components/schemas/{model}"
_JSON, _PROBLEM = "application/json", "application/problem+json"
_ABOUT: Final = """One conversation per customer, across every channel.

A **write key** is public: it sends events and exposures, and asks for decisions. A **server key** may do everything.
Both are shown by HTTP basic (the key is the user, the password empty), as a bearer token or as `X-API-Key`; a write key
also as `writeKey` in the body of an event, a decision or an exposure. Errors are RFC 9457 problems with `code` and
`message`. What each answers is told in docs/reference.md, and how a page uses it in docs/for-web-developers.md."""

# Of each status, one error that has it; clients read more about them in docs/reference.md.
_ERRORS: Final[dict[int, errors.SegueError]] = {
    400: errors.InvalidInput("is no field of this; did you mean userId?", "user_id"),
    401: errors.Unauthorised("the key is not known"),
    403: errors.Forbidden("this needs a server key"),
    404: errors.NotFound("nobody is known by this identifier", "identifier"),
    409: errors.Outdated("is of another plan: the catalog or the files have changed since", "plan"),
    408: errors.TooSlow("was not there after 30 s, or while others needed its room", "body"),
    413: errors.TooLarge("is over 4194304 bytes", "body"),
    422: errors.RequestIdUsed("has been used for another placement, limit or context", "requestId"),
    429: errors.Overloaded(),
    500: errors.SegueError(),
    503: errors.NotReady("a shard does not answer"),
}
_OF_ALL: Final = (400, 408, 413, 429, 500, 503)
_KEYS: Final = ("basic", "bearer", "apiKey")
_TAGS: Final = {
    "pages": "What a page asks and tells",
    "events": "Segment's tracking API",
    "OpenFeature": "Placements as flags",
    "profiles": "One customer",
    "consent": "What may be sent to whom",
    "operation": "The engine itself",
}
_TEXTS: Final = {"text/html": "<!doctype html>…", "text/plain": 'ray_segue_events_total{status="accepted"} 10250\n'}
_FILLED: Final = {
    "send_id": "5eed",
    "reference": "user_id:ada",
    "version": "9f2c1e7ab04d",
    "letter": "0-17",
    "journey": "abandoned_cart",
    "word": "pause",
    "token": "TOKEN",
    "key": "home_hero",
}


def document(title: str, version: str, routes: list[Any], included: list[APIRoute]) -> dict[str, Any]:
    """The whole document. `included` are the routes that FastAPI answers, `routes` those of its application."""
    tags = [{"name": name, "description": about} for name, about in _TAGS.items()]
    made = get_openapi(title=title, version=version, description=_ABOUT, routes=routes, tags=tags)
    components = made.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.update(_schemas())
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for model in _subclasses(Answer):  # FastAPI drops what is null in an example
        if model.__name__ in schemas and "json_schema_extra" in model.model_config:
            schemas[model.__name__] |= model.model_config["json_schema_extra"]
    components["securitySchemes"] = {
        "basic": {"type": "http", "scheme": "basic", "description": "The key as user, no password"},
        "bearer": {"type": "http", "scheme": "bearer"},
        "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    components["headers"] = {
        "RequestId": {"description": "The request's own `X-Request-Id`, else a new one", "schema": {"type": "string"}},
        "RetryAfter": {"description": "Whole seconds", "schema": {"type": "integer", "minimum": 1}},
    }
    components["responses"] = {f"Error{status}": _error(status) for status in _ERRORS}
    keys = {(method.lower(), route.path_format): _key(route) for route in included for method in route.methods or ()}
    for path, hot in HOT.items():
        made["paths"][path] = {hot.method: _hot(path, hot)}
        keys[(hot.method, path)] = hot.key
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            _complete(operation, method, path, keys.get((method, path), "none"), schemas)
    _tidy(schemas)
    return made


def name_of(route: APIRoute) -> str:
    """The name of an operation, by which generated clients call it."""
    return f"{route.endpoint.__module__.rpartition('.')[2]}_{route.name}"


def _schemas() -> dict[str, Any]:
    """The schemas of the hot routes, which FastAPI does not know."""
    bodies = msgspec.json.schema_components([DecideBody, ExposureBody], ref_template=_REF.format(model="{name}"))[1]
    models: set[type[BaseModel]] = {Problem, FLAG_FAILURE, *(hot.answer for hot in HOT.values())}
    named = sorted(models, key=lambda model: model.__name__)
    described = models_json_schema([(model, "serialization") for model in named], ref_template=_REF)[1]
    return {**bodies, **described["$defs"], **BODIES}


def _subclasses(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from _subclasses(each)


def _error(status: int) -> dict[str, Any]:
    _, _, body = problem(_ERRORS[status])
    shown = msgspec.json.decode(body)
    told: dict[str, Any] = {
        "description": f"{shown['title']}: {shown['code']}",
        "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}},
        "content": {_PROBLEM: {"schema": {"$ref": _REF.format(model="Problem")}, "example": shown}},
    }
    if status in (429, 503):
        told["headers"]["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    return told


def _hot(path: str, hot: Hot) -> dict[str, Any]:
    answers: dict[str, Any] = {"200": _of_model(hot.answer)}
    answers |= {str(status): _of_model(FLAG_FAILURE) for status in hot.failures}
    answers |= {str(status): error(status) for status in hot.errors}
    if hot.name == "flags":
        answers["304"] = {"description": "Nothing has changed"}
    told: dict[str, Any] = {"summary": hot.summary, "description": hot.about, "operationId": hot.name.replace("/", "_")}
    told |= {"tags": [hot.tag], "responses": answers}
    if hot.body:
        content = {_JSON: {"schema": {"$ref": _REF.format(model=hot.body)}, "example": hot.example}}
        told["requestBody"] = {"required": hot.body not in ("Anything", "EvaluationBody"), "content": content}
    if hot.parameters:
        told["parameters"] = [
            {"name": name, "in": "path", "required": True, "description": about, "schema": {"type": "string"}}
            for name, about in hot.parameters.items()
        ]
    return told


def _of_model(model: type[BaseModel]) -> dict[str, Any]:
    about = (model.__doc__ or "").partition("\n")[0]
    return {"description": about, "content": {_JSON: {"schema": {"$ref": _REF.format(model=model.__name__)}}}}


def _key(route: APIRoute) -> Key:
    return "server" if any(needs_server_key(each.call) for each in _dependants(route.dependant)) else "none"


def _dependants(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for each in dependant.dependencies:
        yield from _dependants(each)


def _complete(operation: dict[str, Any], method: str, path: str, key: Key, schemas: dict[str, Any]) -> None:
    """Add what all operations have: a summary, errors, keys, examples and code samples."""
    answers = operation["responses"]
    if "HTTPValidationError" in str(answers.get("422")):  # FastAPI's own words, which nobody is told
        del answers["422"]
    statuses = _OF_ALL + ((401, 403) if key != "none" else ()) + ((404,) if "{" in path else ())
    for status in () if path == "/healthz" else statuses:
        answers.setdefault(str(status), error(status))
    if operation["operationId"].endswith(operation["summary"].lower().replace(" ", "_")):  # FastAPI's, of the function
        operation["summary"] = _first_words(operation["description"])
    operation["security"] = [{name: [key]} for name in _KEYS] if key != "none" else []
    body = operation.get("requestBody", {}).get("content", {}).get(_JSON)
    for content in (*([body] if body else []), *(each.get("content", {}).get(_JSON) for each in answers.values())):
        if content and "example" not in content and (shown := _example(content["schema"], schemas)) is not None:
            content["example"] = shown
    for kind, shown in _TEXTS.items():
        for content in (each.get("content", {}).get(kind) for each in answers.values()):
            if content is not None:
                content |= {"schema": {"type": "string"}, "example": shown}
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            own = _FILLED.get(parameter["name"], parameter["name"])
            parameter["example"] = "WRITE_KEY" if path.endswith("/settings") else own
    filled = path
    for parameter in operation.get("parameters", []):
        filled = filled.replace(f"{{{parameter['name']}}}", str(parameter.get("example", "")))
    operation["x-codeSamples"] = samples(method.upper(), filled, key, body["example"] if body else None)


def _first_words(about: str) -> str:
    """The first thought of a description, as its summary."""
    text = " ".join(about.split())
    return min((text.partition(end)[0] for end in (". ", "; ", ": ", ", ", " (")), key=len).rstrip(".")


def _example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """The example of the component that a schema refers to, alone or as one of several."""
    for each in (schema, *schema.get("anyOf", ())):
        if "$ref" in each:
            return schemas[each["$ref"].rpartition("/")[2]].get("examples", [None])[0]
    return None


def _tidy(schemas: dict[str, Any]) -> None:
    """Remove titles, which repeat the names of fields in odd letters, and defaults, from which generators of types
    conclude that a field is always there. Say of an object without described fields that it may hold any: generators
    would take it for an empty one."""
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            field.pop("title", None)
            field.pop("default", None)
            for each in (field, *field.get("anyOf", ())):
                if each.get("type") == "object" and "properties" not in each:
                    each.setdefault("additionalProperties", True)
