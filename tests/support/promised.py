"""Holds every answer that a test of the HTTP application gets against the promises of the OpenAPI document."""

from __future__ import annotations

import gzip
import re
from collections.abc import Awaitable, Callable
from functools import cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import msgspec

from engine.values.absence import is_absent
from serve.openapi import application

_METHODS = {"GET", "POST", "DELETE", "PUT", "PATCH"}
_UNDESCRIBED = re.compile(r"/(docs|redoc|openapi\.json|analytics\.js/|analytics-next/|next-integrations/)")


@cache
def document() -> dict[str, Any]:
    """The document; it is the same whatever the catalog."""
    return application.build(SimpleNamespace(config=SimpleNamespace(version="0"))).openapi()  # type: ignore[arg-type]


@cache
def _paths() -> list[tuple[re.Pattern[str], str]]:
    """Patterns of paths, the most specific first."""
    named = sorted(document()["paths"], key=lambda path: -len(re.sub(r"{\w+}", "", path)))
    return [(re.compile(re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(path))), path) for path in named]


@cache
def validator(pointer: str) -> Any:
    """The validator of the schema at a place of the document."""
    return jsonschema_rs.Draft202012Validator({"$ref": f"#{pointer}"} | document())


def _pointer(*parts: str) -> str:
    return "".join(f"/{quote(part.replace('~', '~0').replace('/', '~1'), safe='~')}" for part in parts)


def operation_of(method: str, path: str) -> tuple[str, dict[str, Any]] | None:
    """The path of the document that a request is for, and its operation; None where the document has none."""
    for pattern, named in _paths():
        if pattern.fullmatch(path) and method.lower() in document()["paths"][named]:
            return named, document()["paths"][named][method.lower()]
    return None


def broken(method: str, path: str, asked: bytes, status: int, kind: str, answer: bytes) -> str:
    """The promise that an answer breaks; empty where it keeps all."""
    found = operation_of(method, path)
    if found is None:
        is_known = status in (404, 405, 401, 403, 429, 400, 408, 413, 500) or _UNDESCRIBED.match(path)
        return (
            "" if is_known or method not in _METHODS else f"{method} {path}: {status}, which the document does not have"
        )
    named, operation = found
    at = (method.lower(), named)
    if str(status) not in operation["responses"]:
        return f"{method} {named}: {status} is not among its answers: {answer[:300]!r}"
    place = ("paths", named, method.lower(), "responses", str(status))
    told = operation["responses"][str(status)]
    if "$ref" in told:
        place = tuple(told["$ref"].removeprefix("#/").split("/"))
        told = document()["components"]["responses"][place[-1]]
    contents = told.get("content", {})
    kind = kind.partition(";")[0]
    if contents and kind not in contents and not (status == 404 and kind == "application/problem+json"):
        return f"{method} {named}: {status} as {kind}, not as {list(contents)}"
    if kind in contents and "json" in kind:
        checker = validator(_pointer(*place, "content", kind, "schema"))
        for error in checker.iter_errors(msgspec.json.decode(answer)):
            return f"{method} {named}: {status}: {'.'.join(map(str, error.instance_path))}: {error.message[:300]}"
    return _asked_wrongly(at, operation, asked, answer) if 200 <= status < 300 else ""


def _asked_wrongly(at: tuple[str, str], operation: dict[str, Any], asked: bytes, answer: bytes) -> str:
    """Whether the document forbids a question that was answered."""
    if "requestBody" not in operation or (not asked and not operation["requestBody"].get("required")):
        return ""
    if b'"rejected"' in answer or at[1] == "/v1/m":  # what was wrong with it is in the answer, or it is not read
        return ""
    body = gzip.decompress(asked) if asked[:2] == b"\x1f\x8b" else asked
    pointer = _pointer("paths", at[1], at[0], "requestBody", "content", "application/json", "schema")
    try:
        question = msgspec.json.decode(body)
    except msgspec.DecodeError:  # it holds what cannot be read, in a field that costs itself alone
        return ""
    # Either form may fit: the document allows null for some fields, and any field may be absent.
    faults = [list(validator(pointer).iter_errors(said)) for said in (question, _said(question))]
    if not all(faults):
        return ""
    error = faults[1][0]
    where = ".".join(map(str, error.instance_path))
    return f"{at[0].upper()} {at[1]}: answered, and the document forbids {where}: {error.message[:300]}"


def _said(question: Any) -> Any:
    """A question without its absent fields. The document describes the values of a field, and any field may be
    absent."""
    if isinstance(question, list):
        return [_said(each) for each in question]
    if isinstance(question, dict):
        return {name: _said(value) for name, value in question.items() if not is_absent(value)}
    return question


class Promised:
    """An application whose every answer is held against the document; `faults` are those that break a promise."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app, self.faults = app, dict[str, None]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Passes everything on, and looks at it."""
        if scope["type"] != "http" or scope["method"] not in _METHODS:
            await self.app(scope, receive, send)
            return
        asked, told, answer = bytearray(), dict[str, Any](), bytearray()

        async def hear() -> Any:
            message = await receive()
            asked.extend(message.get("body", b""))
            return message

        async def say(message: Any) -> None:
            if message["type"] == "http.response.start":
                told.update(message)
            else:
                answer.extend(message.get("body", b""))
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                told["is_whole"] = True

        await self.app(scope, hear, say)
        if told.get("is_whole"):
            kind = dict(told["headers"]).get(b"content-type", b"").decode()
            path = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0].decode("latin-1")
            fault = broken(scope["method"], path, bytes(asked), told["status"], kind, bytes(answer))
            if fault:
                self.faults[fault] = None
