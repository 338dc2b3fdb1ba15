"""Segment's tracking API, and the import of history: acknowledged only when it is durable."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import msgspec

from actors.transport.messages.carried import EventRejected, EventUnreadable
from engine.consent import authority
from engine.errors import InvalidInput, Overloaded
from engine.events.shedding import is_sheddable
from engine.inputs import Event
from serve.api import misspelt
from serve.http.auth import Principal
from serve.http.gateway import Gateway
from serve.http.protocol import Request, Response, ok
from serve.ingest.rejected import homes, letters
from serve.ingest.segment_format import PARSED_AT_ONCE, Parsed, Rejection, parse_parts
from serve.ingest.tracking import Pair, sifted

KIND_OF_PATH = {
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

REJECTED_NAMED_MAX = 100  # of one batch
KEPT_AT_ONCE = 100  # letters in one message to a shard, some 10 ms of its time

_NAMES = ("userId", "anonymousId", "previousId", "event", "type", "batch")  # that an event or a batch may miss
_OK = ok({"success": True})


async def ingest(gateway: Gateway, request: Request) -> Response:
    """One call or a batch, by path; the good part of a batch is kept and the bad part is named."""
    principal, now_ms = gateway.principal(request.headers, request.body), await gateway.now_ms()
    try:
        parsed, pairs, rejected = await _read(gateway, request, principal, now_ms)
    except InvalidInput as fault:
        raise _with_hint(fault, request.body) from None
    if rejected and KIND_OF_PATH[request.path] is not None:
        raise InvalidInput(rejected[0].message, rejected[0].field)
    _shed(gateway, request, pairs)
    pairs, quarantined = await _sifted(gateway, pairs)
    await _tell(gateway, pairs, rejected, quarantined)
    gateway.counts["unusable_address"] += parsed.unusable.total()
    return await _answer(gateway, parsed, rejected, quarantined, principal, now_ms)


async def import_history(gateway: Gateway, request: Request) -> Response:
    """A batch of history, its times taken as they are; on a replay clock it waits for its time, on the wall it
    happens now."""
    principal, now_ms = gateway.server(request.headers), await gateway.now_ms()
    parsed, pairs, rejected = await _read(gateway, request, principal, now_ms, imported=True)
    _shed(gateway, request, pairs)
    pairs, quarantined = await _sifted(gateway, pairs)
    if gateway.config.is_replay:
        await gateway.router.stage([pair for _, pair in pairs])
    else:
        await _tell(gateway, pairs, rejected, quarantined)
    gateway.counts["unusable_address"] += parsed.unusable.total()
    return await _answer(gateway, parsed, rejected, quarantined, principal, now_ms)


async def _tell(gateway: Gateway, pairs: list[Pair], rejected: list[Rejection], quarantined: list[Rejection]) -> None:
    """Events have their turns. What a profile cannot take is rejected; what is for one that cannot be read is kept
    until it can be."""
    for (index, _), result in zip(pairs, await gateway.router.ingest([pair for _, pair in pairs]), strict=True):
        if isinstance(result, EventRejected):
            rejected.append(Rejection(index, "", result.reason))
        elif isinstance(result, EventUnreadable):
            quarantined.append(Rejection(index, "", result.reason))


async def _read(
    gateway: Gateway, request: Request, principal: Principal, now_ms: int, *, imported: bool = False
) -> tuple[Parsed, list[tuple[int, tuple[str, Event]]], list[Rejection]]:
    """What a body holds, whose each event is, and what of it cannot be used."""
    pairs: list[tuple[int, tuple[str, Event]]] = []
    strangers: list[Rejection] = []
    parsed = Parsed()
    async with gateway.parsing():
        for parsed in parse_parts(
            request.body,
            KIND_OF_PATH.get(request.path),
            source=principal.source,
            channel=authority.source(gateway.catalog, principal.source).channel,
            received_at_ms=now_ms,
            imported=imported,
            public=principal.kind == "write",
            proof=gateway.proof(principal),
            country=gateway.catalog.country,
        ):
            if len(parsed.items) > PARSED_AT_ONCE:
                await asyncio.sleep(0)
            more, unknown = homes(gateway, parsed, len(pairs) + len(strangers))
            pairs += more
            strangers += unknown
    return parsed, pairs, [*parsed.rejected, *strangers]


async def _sifted(gateway: Gateway, pairs: list[Pair]) -> tuple[list[Pair], list[Rejection]]:
    """What the tracking plan makes of them, a part at a time."""
    if len(pairs) <= PARSED_AT_ONCE:
        return sifted(gateway, pairs)
    taken: list[Pair] = []
    quarantined: list[Rejection] = []
    for start in range(0, len(pairs), PARSED_AT_ONCE):
        more, set_aside = sifted(gateway, pairs[start : start + PARSED_AT_ONCE])
        taken += more
        quarantined += set_aside
        await asyncio.sleep(0)
    return taken, quarantined


def _shed(gateway: Gateway, request: Request, pairs: list[tuple[int, tuple[str, Event]]]) -> None:
    """Refuse what came in only for what it might hold, and holds nothing that is never shed."""
    if request.is_looked_into and all(is_sheddable(gateway.catalog, event) for _, (_, event) in pairs):
        raise Overloaded


async def _answer(
    gateway: Gateway,
    parsed: Parsed,
    rejected: list[Rejection],
    quarantined: list[Rejection],
    principal: Principal,
    received_at_ms: int,
) -> Response:
    """What was rejected is kept before it is named, so that it is not lost where nobody reads the answer; of many, the
    first are kept and named, and all are counted. What is quarantined is kept too, all of it, and is no fault of the
    client's."""
    for start in range(0, len(quarantined), KEPT_AT_ONCE):
        part = quarantined[start : start + KEPT_AT_ONCE]
        await gateway.router.set_aside(letters(gateway, parsed, part, principal, received_at_ms))
    if not rejected:
        return _OK
    gateway.counts["rejected"] += len(rejected)
    rejected.sort(key=lambda item: item.index)
    named = _explained(rejected[:REJECTED_NAMED_MAX], parsed)
    await gateway.router.set_aside(letters(gateway, parsed, named, principal, received_at_ms))
    answer: dict[str, Any] = {"success": True, "rejected": [_shown(item) for item in named]}
    if len(named) == len(rejected):
        return ok(answer)
    return msgspec.structs.replace(ok(answer | {"rejectedTotal": len(rejected)}), is_faulty=True)


def _explained(rejected: list[Rejection], parsed: Parsed) -> list[Rejection]:
    """With the name that was probably meant, where one is missing and another one stands in its place."""
    return [replace(each, message=each.message + _instead(each.field, parsed.items[each.index])) for each in rejected]


def _with_hint(fault: InvalidInput, body: bytes) -> InvalidInput:
    """The same for a single call, or for a batch that is none."""
    if type(fault) is not InvalidInput:
        return fault
    hint = _instead(fault.field, body)
    if not hint and fault.field == "batch" and fault.message == "is missing":
        hint = misspelt.list_instead_of("batch", body)
    return InvalidInput(fault.message + hint, fault.field)


def _instead(field: str, item: bytes | msgspec.Raw) -> str:
    """What stands in the place of `field`; somebody may be named by either of two."""
    fields = ("userId", "anonymousId") if field == "userId" else (field,) if field in _NAMES else ()
    return next(filter(None, (misspelt.instead_of(each, item, _NAMES) for each in fields)), "")


def _shown(item: Rejection) -> dict[str, Any]:
    return {"index": item.index, "field": item.field, "message": item.message}
