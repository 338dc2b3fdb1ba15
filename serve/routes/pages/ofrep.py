"""OpenFeature's remote evaluation (OFREP): a placement is read as a flag, whose value is the content to show there.

The customer is the context's `userId`, `anonymousId` or, with a server key, `identifiers`, else its `targetingKey` as a
user id. The rest of the context is what the page says of itself. Where there is nothing to show, the value is `{}`, the
variant `none` and the reason `DEFAULT`. Where no decision comes in time, the value is the placement's default, the
variant `default`, the reason the same. Reading a flag takes a place under the caps, as any decision does; exposures are
told with the `trackingToken` in its metadata.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from engine.errors import Forbidden, InvalidInput, NotFound, SegueError
from engine.identity.home import home_of
from engine.inputs import Decide
from engine.values.absence import is_absent
from engine.values.nearest import meant
from serve.api import misspelt
from serve.http.auth import Principal
from serve.http.gateway import Gateway
from serve.http.hostile_json import object_of
from serve.http.paths import FLAGS
from serve.http.problems import problem
from serve.http.protocol import Request, Response
from serve.routes.pages import deciding
from serve.routes.pages.decide import read_json

_JSON = (b"content-type", b"application/json")
_WHO: Final = ("targetingKey", "userId", "anonymousId", "identifiers", "userHash")
_CONTEXT_BYTES_MAX: Final = 32 * 1024


class EvaluationBody(msgspec.Struct):
    """The body of an evaluation."""

    context: Any = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks: the context of an evaluation, with the profile or the identifiers that it names."""

    context: dict[str, Any]
    profile: str
    identifiers: tuple[tuple[str, str], ...]


_body = msgspec.json.Decoder(EvaluationBody)


async def evaluate(gateway: Gateway, request: Request) -> Response:
    """One flag, or all of them; errors in the shape that the protocol has for them."""
    key = _key(request.path)
    try:
        principal = gateway.principal(request.headers)
        body: EvaluationBody = read_json(_body, request.body or b"{}")
        context = object_of(body.context, "context")
        named, fields = _named(principal, context)
        user = fields.get("user_id", "userId")
        gateway.prove(principal, named.get("user_id"), context.get("userHash"), user)
        if not named:
            raise _unnamed(request.body, context)
        asked = Asked(context, *gateway.identifiers(named, fields))
        return await (_one(gateway, asked, request, key) if key else _all(gateway, asked, request))
    except SegueError as error:
        return refusal(error, request.path)


def _key(path: str) -> str:
    return unquote(path.removeprefix(FLAGS).removeprefix("/"))


async def _one(gateway: Gateway, asked: Asked, request: Request, key: str) -> Response:
    if key not in gateway.catalog.placements:
        raise NotFound(f"there is no placement {key}; {meant(key, gateway.catalog.placements)}", "key")
    return Response(200, msgspec.json.encode(await _flag(gateway, asked, request, key)))


async def _all(gateway: Gateway, asked: Asked, request: Request) -> Response:
    """All flags. The tag covers the content and not the tokens, so an unchanged page keeps the tokens that it has."""
    flags = await asyncio.gather(*(_flag(gateway, asked, request, key) for key in gateway.catalog.placements))
    shown = [[flag[name] for name in ("key", "value", "variant", "reason")] for flag in flags]
    tag = f'"{hashlib.sha256(msgspec.json.encode(shown)).hexdigest()[:32]}"'.encode()
    headers = (_JSON, (b"etag", tag))
    if _is_known(tag, request.headers.get(b"if-none-match", b"")):
        return Response(304, b"", headers[1:])
    return Response(200, msgspec.json.encode({"flags": flags}), headers)


def _is_known(tag: bytes, told: bytes) -> bool:
    """Whether `If-None-Match` has the tag: `*` has any, and a weak one is the same (RFC 9110, 13.1.2). A proxy that
    compresses an answer may make its tag weak."""
    known = {each.strip().removeprefix(b"W/") for each in told.split(b",")}
    return tag in known or b"*" in known


async def _flag(gateway: Gateway, asked: Asked, request: Request, key: str) -> dict[str, Any]:
    question = _question(gateway, asked, key)
    home = home_of(gateway.catalog, question)
    if home is None:
        raise InvalidInput("names nobody that can be known", "targetingKey")
    answer = await deciding.decide(gateway, home, question, is_full=request.is_over_limit)
    metadata = {"decisionId": answer["decisionId"], "catalogVersion": answer["catalogVersion"]}
    if answer.get("degraded"):
        default = gateway.catalog.placements[key].default
        metadata["degraded"] = True
        return {"key": key, "value": default, "variant": "default", "reason": "DEFAULT", "metadata": metadata}
    if not answer["actions"]:
        return {"key": key, "value": {}, "variant": "none", "reason": "DEFAULT", "metadata": metadata}
    (shown,) = answer["actions"]
    metadata |= {name: shown[name] for name in ("actionId", "trackingToken")}
    flag = {"key": key, "value": shown["content"], "variant": f"{shown['actionId']}.{shown['variant']}"}
    return flag | {"reason": "TARGETING_MATCH", "metadata": metadata}


def _question(gateway: Gateway, asked: Asked, key: str) -> Decide:
    told = {name: value for name, value in asked.context.items() if name not in _WHO}
    if len(msgspec.json.encode(told)) > _CONTEXT_BYTES_MAX:
        raise InvalidInput(f"is over {_CONTEXT_BYTES_MAX} bytes", "context")
    placement = gateway.catalog.placements[key]
    return Decide(
        placement=key,
        channel=placement.channel,
        context=told,
        identifiers=asked.identifiers,
        profile_id=asked.profile,
    )


def _named(principal: Principal, context: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The identifiers in a context by namespace, and the names of their fields."""
    told = object_of(context.get("identifiers"), "context.identifiers")
    others = {name: value for name, value in told.items() if not is_absent(value)}
    if principal.kind == "write" and others:
        raise Forbidden("a write key decides by userId or anonymousId", "context.identifiers")
    own = {"user_id": "userId", "anonymous_id": "anonymousId"}
    if named := others | _present(context, own):
        fields = {each: f"context.identifiers.{each}" for each in others}
        return named, fields | {each: f"context.{name}" for each, name in own.items()}
    return _present(context, {"user_id": "targetingKey"}), {"user_id": "context.targetingKey"}


def _present(context: dict[str, Any], fields: dict[str, str]) -> dict[str, Any]:
    return {each: context[name] for each, name in fields.items() if not is_absent(context.get(name))}


def _unnamed(body: bytes, context: dict[str, Any]) -> InvalidInput:
    """The context names nobody; perhaps another name in it, or beside it, was meant to."""
    hints = (misspelt.instead_of(name, raw, _WHO) for raw in (msgspec.json.encode(context), body) for name in _WHO)
    outside = misspelt.instead_of("context", body, ["context"]) or _outside(body)
    return InvalidInput(f"says who this is about{next(filter(None, hints), outside)}", "targetingKey")


def _outside(body: bytes) -> str:
    names = msgspec.json.decode(body or b"{}")
    return next((f"; {name} stands beside `context`, and belongs into it" for name in _WHO if name in names), "")


def refusal(error: SegueError, path: str) -> Response:
    """The answer to a faulty evaluation, in the shape that the protocol has for it."""
    key = _key(path)
    status, headers, body = problem(error)
    if status not in (400, 404):
        return Response(status, body, tuple(headers))
    code = {"targetingKey": "TARGETING_KEY_MISSING", "body": "PARSE_ERROR"}.get(error.field, "INVALID_CONTEXT")
    if isinstance(error, NotFound):
        code = "FLAG_NOT_FOUND"
    details = msgspec.json.decode(body)["detail"]
    told = {"errorCode": code, "errorDetails": details} | ({"key": key} if key else {})
    return Response(status, msgspec.json.encode(told))
