"""Items of a batch that are no event: kept as dead letters with their reason, and taken once they are corrected."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from actors.transport.messages.carried import EventRejected, EventUnreadable
from engine.consent import authority
from engine.errors import InvalidInput
from engine.identity import claims
from engine.inputs import Event, Rejected
from engine.seeds import profile_id
from engine.values.identifiers import canonical_if_any
from serve.http.auth import Principal
from serve.http.gateway import Gateway
from serve.ingest.segment_format import EVENT_BYTES_MAX, Parsed, Rejection, parse_body
from serve.ingest.tracking import objection, planned

_NAMES = (("user_id", "userId"), ("anonymous_id", "anonymousId"))
_any = msgspec.json.Decoder()


def letters(
    gateway: Gateway, parsed: Parsed, rejected: Iterable[Rejection], principal: Principal, received_at_ms: int
) -> list[tuple[str, Rejected, str]]:
    """Each rejected item with the profile that it seems to be for, and why it was not taken."""
    channel = authority.source(gateway.catalog, principal.source).channel
    found = []
    for item in rejected:
        raw = bytes(parsed.items[item.index])
        text = raw[:EVENT_BYTES_MAX].decode("utf-8", "replace")
        is_cut = len(raw) > EVENT_BYTES_MAX
        told = Rejected(
            text=text,
            field=item.field,
            source=principal.source,
            channel=channel,
            received_at_ms=received_at_ms,
            is_cut=is_cut,
            public=principal.kind == "write",
            imported=parsed.imported,
            sent_at=parsed.sent_at,
        )
        found.append((_home(gateway, raw), told, item.message))
    return found


async def take(gateway: Gateway, item: dict[str, Any], event: dict[str, Any] | None) -> None:
    """Take an item as it came, or as it is corrected, at the time at which it came; InvalidInput where it is no event
    still."""
    if event is None and item["is_cut"]:
        raise InvalidInput(f"was longer than {EVENT_BYTES_MAX} bytes and is not kept whole: correct it", "event")
    text = item["text"].encode() if event is None else msgspec.json.encode(event)
    sent_at = f',"sentAt":{item["sent_at"]}'.encode() if item.get("sent_at") else b""
    parsed = parse_body(
        b'{"batch":[' + text + b"]" + sent_at + b"}",
        None,
        source=item["source"],
        channel=item["channel"],
        received_at_ms=item["received_at_ms"],
        imported=item.get("imported", False),
        public=item.get("public", False),  # who corrects it lends it no right of their own
        country=gateway.catalog.country,
    )
    pairs, strangers = homes(gateway, parsed)
    rejections = [*parsed.rejected, *strangers]
    for _, (_, told) in pairs:
        unusable = objection(gateway.catalog, told)
        if unusable is not None:
            rejections.append(Rejection(0, unusable.field, unusable.message))
        found = planned(gateway.catalog, told)
        if found is not None and found.mode == "quarantine":
            rejections.append(Rejection(0, found.field, f"the tracking plan still objects: {found.message}"))
    if not rejections:
        (result,) = await gateway.router.ingest([pair for _, pair in pairs])
        if not isinstance(result, EventRejected | EventUnreadable):
            return
        rejections = [Rejection(0, "", result.reason)]
    raise InvalidInput(rejections[0].message, f"event.{rejections[0].field}".rstrip("."))


def homes(
    gateway: Gateway, parsed: Parsed, since: int = 0
) -> tuple[list[tuple[int, tuple[str, Event]]], list[Rejection]]:
    """Which profile each event is for, from the event at `since` on; those that name nobody that can be known are
    rejected."""
    pairs, strangers = [], []
    for index, event in zip(parsed.indexes[since:], parsed.events[since:], strict=True):
        home = claims.home(gateway.catalog, event)
        if home is None:
            strangers.append(Rejection(index, "userId", "names nobody that can be known"))
        else:
            pairs.append((index, (home, event)))
    return pairs, strangers


def _home(gateway: Gateway, raw: bytes) -> str:
    """Who an item is about, as far as can be told: it must be found when this person is erased."""
    try:
        item = _any.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        item = None
    for namespace, name in _NAMES:
        value = item.get(name) if isinstance(item, dict) else None
        try:
            if found := canonical_if_any(namespace, value):
                return profile_id(gateway.catalog.id_key, namespace, found)
        except InvalidInput:
            continue
    return profile_id(gateway.catalog.id_key, "rejected", "")
