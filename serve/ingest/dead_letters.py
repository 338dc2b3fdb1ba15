"""Items that were set aside: they are kept as dead letters with their reason, and taken once they are corrected."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from engine.catalog.compiled import Catalog
from engine.errors import InvalidInput
from engine.handoffs.touchpoints import kinds_of
from engine.identity.home import home_of
from engine.inputs import Rejected
from engine.seeds import profile_id
from serve.http.gateway import Gateway
from serve.ingest.arrival import Arrival
from serve.ingest.carried import named_by
from serve.ingest.items import NOT_ALLOWED, OFF_PLAN, REJECTED, UNREADABLE, Item, Submission
from serve.ingest.pipeline import find_each_profile, quarantine_what_is_not_to_be_sent, tell_each_profile
from serve.ingest.segment_format import parse_body
from serve.ingest.wire_event import EVENT_BYTES_MAX

_any = msgspec.json.Decoder()


def letters(catalog: Catalog, submission: Submission, items: Iterable[Item]) -> list[tuple[str, Rejected, str]]:
    """The dead letter of each item, with the profile that it seems to be for and the reason why it was not taken."""
    return [
        (_home(catalog, bytes(item.raw), submission.arrival), _letter(submission, item), item.reason) for item in items
    ]


def _letter(submission: Submission, item: Item) -> Rejected:
    raw, arrival = bytes(item.raw), submission.arrival
    return Rejected(
        text=raw[:EVENT_BYTES_MAX].decode("utf-8", "replace"),
        field=item.field,
        source=arrival.source,
        channel=arrival.channel,
        received_at_ms=arrival.received_at_ms,
        is_cut=len(raw) > EVENT_BYTES_MAX,
        public=arrival.public,
        imported=arrival.imported,
        sent_at=submission.sent_at,
    )


async def redrive(gateway: Gateway, letter: dict[str, Any], event: dict[str, Any] | None) -> None:
    """Take an item as it came, or as `event` corrects it, dated by when it came. Raises InvalidInput where it still
    cannot be taken."""
    if event is None and letter["is_cut"]:
        raise InvalidInput(f"was longer than {EVENT_BYTES_MAX} bytes and is not kept whole: correct it", "event")
    submission = _as_it_came(letter, letter["text"].encode() if event is None else msgspec.json.encode(event), gateway)
    find_each_profile(gateway.catalog, submission.items)
    quarantine_what_is_not_to_be_sent(gateway.catalog, submission.items)
    if submission.events:
        await tell_each_profile(gateway.router, submission.items)
    (item,) = submission.items
    if item.result in (REJECTED, NOT_ALLOWED, OFF_PLAN, UNREADABLE):
        message = f"the tracking plan still objects: {item.message}" if item.result == OFF_PLAN else item.message
        raise InvalidInput(message, f"event.{item.field}".rstrip("."))


def _as_it_came(letter: dict[str, Any], text: bytes, gateway: Gateway) -> Submission:
    sent_at = f',"sentAt":{letter["sent_at"]}'.encode() if letter.get("sent_at") else b""
    return parse_body(
        b'{"batch":[' + text + b"]" + sent_at + b"}",
        None,
        source=letter["source"],
        channel=letter["channel"],
        received_at_ms=letter["received_at_ms"],
        imported=letter.get("imported", False),
        public=letter.get("public", False),  # the rights of its own key: the one who corrects it lends it none
        country=gateway.catalog.country,
        rules=gateway.catalog.identity,
        touchpoints=kinds_of(gateway.catalog),
    )


def _home(catalog: Catalog, raw: bytes, arrival: Arrival) -> str:
    """The profile of the person that an item is about, as far as can be told. The dead letter is kept with it, so that
    it is erased with this person."""
    try:
        item = _any.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        item = None
    found = home_of(catalog, named_by(item, arrival)) if isinstance(item, dict) else None
    return found or profile_id(catalog.id_key, "rejected", "")
