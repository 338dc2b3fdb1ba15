"""Segment's tracking API, and the import of history: acknowledged only when it is durable."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from engine.consent import authority
from engine.contact.addresses import NAMESPACES
from engine.errors import InvalidInput
from engine.handoffs.touchpoints import kinds_of
from serve.api import misspelt
from serve.http.auth import Principal
from serve.http.gateway import Gateway
from serve.http.paths import KIND_OF_PATH
from serve.http.protocol import Request, Response, ok
from serve.ingest import dead_letters, pipeline
from serve.ingest.arrival import Arrival
from serve.ingest.items import NOT_ALLOWED, OFF_PLAN, UNREADABLE, Item, Submission
from serve.ingest.segment_format import open_body, parse_each_item

REJECTED_NAMED_MAX = 100  # items of one batch
KEPT_AT_ONCE = 100  # letters in one message to a shard, some 10 ms of its time

_NAMES = ("userId", "anonymousId", "previousId", "event", "type", "batch")  # that an event or a batch may miss
_QUARANTINED: Final = (NOT_ALLOWED, OFF_PLAN)
_OK = ok({"success": True})


async def ingest(gateway: Gateway, request: Request) -> Response:
    """One call or a batch, by path; the good part of a batch is kept and the bad part is named."""
    principal, now_ms = gateway.principal(request.headers, request.body), await gateway.now_ms()
    try:
        submission = await _identified(gateway, request, _arrival(gateway, principal, now_ms))
    except InvalidInput as fault:
        raise _with_hint(fault, request.body) from None
    if submission.kind is not None and (rejected := submission.rejected):
        raise InvalidInput(rejected[0].message, rejected[0].field)
    await _judged(gateway, request, submission)
    await pipeline.tell_each_profile(gateway.router, submission.items)
    return await _answer(gateway, submission)


async def import_history(gateway: Gateway, request: Request) -> Response:
    """A batch of history, its times taken as they are; on a replay clock it waits for its time, on the wall it
    happens now."""
    principal, now_ms = gateway.server(request.headers), await gateway.now_ms()
    submission = await _identified(gateway, request, _arrival(gateway, principal, now_ms, imported=True))
    await _judged(gateway, request, submission)
    take = pipeline.stage_each_event if gateway.config.is_replay else pipeline.tell_each_profile
    await take(gateway.router, submission.items)
    return await _answer(gateway, submission)


def _arrival(gateway: Gateway, principal: Principal, now_ms: int, *, imported: bool = False) -> Arrival:
    return Arrival(
        source=principal.source,
        channel=authority.source(gateway.catalog, principal.source).channel,
        received_at_ms=now_ms,
        imported=imported,
        public=principal.kind == "write",
        proof=gateway.proof(principal),
        country=gateway.catalog.country,
        rules=gateway.catalog.identity,
        touchpoints=kinds_of(gateway.catalog),
    )


async def _identified(gateway: Gateway, request: Request, arrival: Arrival) -> Submission:
    """Parse a body and find the profile of each event; items that cannot be used are set aside."""
    async with gateway.parsing():
        submission = open_body(request.body, KIND_OF_PATH.get(request.path), arrival)
        for number, part in enumerate(pipeline.in_parts(submission.items)):
            if number:
                await asyncio.sleep(0)  # other requests go on between two parts
            parse_each_item(submission, part)
            pipeline.find_each_profile(gateway.catalog, part)
    return submission


async def _judged(gateway: Gateway, request: Request, submission: Submission) -> None:
    """Set aside and count the items that are not to be taken. Raises Overloaded for a request over the limit that holds
    no event which is never shed."""
    if request.is_over_limit:
        pipeline.refuse_if_all_may_wait(gateway.catalog, submission.items)
    for number, part in enumerate(pipeline.in_parts(submission.items)):
        if number:
            await asyncio.sleep(0)
        gateway.counts["warned"] += pipeline.quarantine_what_is_not_to_be_sent(gateway.catalog, part)
    gateway.counts["quarantined"] += len(submission.that_are(*_QUARANTINED))


async def _answer(gateway: Gateway, submission: Submission) -> Response:
    """The answer, once everything that was set aside is kept as a dead letter.

    A rejected item is kept before it is named, because some clients read no answer. Of many, the first are kept and
    named, and all are counted. Quarantined items are all kept and none is named: they are not the client's fault.
    """
    unusable = submission.arrival.unusable
    addresses = sum(unusable[namespace] for namespace in NAMESPACES)
    gateway.counts["unusable_address"] += addresses
    gateway.counts["unusable_identifier"] += unusable.total() - addresses
    quarantined = [*submission.that_are(*_QUARANTINED), *submission.that_are(UNREADABLE)]
    for start in range(0, len(quarantined), KEPT_AT_ONCE):
        await _keep(gateway, submission, quarantined[start : start + KEPT_AT_ONCE])
    rejected = submission.rejected
    if not rejected:
        return _OK
    gateway.counts["rejected"] += len(rejected)
    named = rejected[:REJECTED_NAMED_MAX]
    for item in named:
        item.message += _instead(item.field, item.raw)
    await _keep(gateway, submission, named)
    answer: dict[str, Any] = {"success": True, "rejected": [_shown(item) for item in named]}
    if len(named) == len(rejected):
        return ok(answer)
    return msgspec.structs.replace(ok(answer | {"rejectedTotal": len(rejected)}), is_faulty=True)


async def _keep(gateway: Gateway, submission: Submission, items: list[Item]) -> None:
    await gateway.router.set_aside(dead_letters.letters(gateway.catalog, submission, items))


def _with_hint(fault: InvalidInput, body: bytes) -> InvalidInput:
    """The refusal of a single call, or of a body that is no batch, with the field name that was probably meant."""
    if type(fault) is not InvalidInput:
        return fault
    hint = _instead(fault.field, body)
    if not hint and fault.field == "batch" and fault.message == "is missing":
        hint = misspelt.list_instead_of("batch", body)
    return InvalidInput(fault.message + hint, fault.field)


def _instead(field: str, item: bytes | msgspec.Raw) -> str:
    """A hint at the name that stands in the place of `field`. A missing `userId` may also have been meant as
    `anonymousId`."""
    fields = ("userId", "anonymousId") if field == "userId" else (field,) if field in _NAMES else ()
    return next(filter(None, (misspelt.instead_of(each, item, _NAMES) for each in fields)), "")


def _shown(item: Item) -> dict[str, Any]:
    return {"index": item.index, "field": item.field, "message": item.message}
