"""Segment's tracking API, from the bytes of a request to its items, each with its event or its fault.

A fault in one event rejects that event and names the field. Only a body that is no JSON object (or no batch) is refused
as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import msgspec

from engine.catalog.identity_rules import USUAL, IdentityRules
from engine.errors import InvalidInput, TooLarge
from engine.handoffs.touchpoints import Kinds
from engine.values.times import read_ms
from serve.http.hostile_json import is_kept
from serve.http.user_hash import Proof
from serve.ingest.arrival import Arrival
from serve.ingest.batch_body import Batch, read_batch
from serve.ingest.items import REJECTED, Item, Submission
from serve.ingest.wire_event import read_event

BATCH_EVENTS_MAX: Final = 50_000  # no honest event is so short that more of them fit into 4 MB

_UNPROVED: Final = Proof()
_NOWHERE: Final[Kinds] = MappingProxyType({})


def parse_body(
    raw: bytes,
    path_kind: str | None,
    *,
    source: str,
    channel: str,
    received_at_ms: int,
    imported: bool = False,
    public: bool = False,
    proof: Proof = _UNPROVED,
    country: str = "",
    rules: IdentityRules = USUAL,
    touchpoints: Kinds = _NOWHERE,
) -> Submission:
    """A batch (`path_kind` None), or the single call of that kind, with all of its items parsed. `Arrival` says what
    the options mean.

    Raises `InvalidInput` for a body that is not JSON or no batch, and for a single event that is bad.
    """
    arrival = Arrival(source, channel, received_at_ms, imported, public, proof, country, rules, touchpoints)
    submission = open_body(raw, path_kind, arrival)
    parse_each_item(submission, submission.items)
    return submission


def open_body(raw: bytes, kind: str | None, arrival: Arrival) -> Submission:
    """The items of a body, not yet parsed. Raises `InvalidInput` for a body that is no batch, `TooLarge` for too many
    items."""
    if kind is not None:
        return Submission([Item(0, raw)], arrival, kind)
    batch = read_batch(raw)
    if len(batch.batch) > BATCH_EVENTS_MAX:
        raise TooLarge(f"holds {len(batch.batch)} events, at most {BATCH_EVENTS_MAX} go into one batch", "batch")
    sent_at_ms = _sent_at_ms(batch)
    is_usable = isinstance(batch.context, dict) and is_kept(batch.context)
    arrival = replace(arrival, sent_at_ms=sent_at_ms, context=batch.context if is_usable else {})
    sent_at = "" if sent_at_ms is None else msgspec.json.encode(batch.sent_at).decode()
    return Submission([Item(*numbered) for numbered in enumerate(batch.batch)], arrival, sent_at=sent_at)


def parse_each_item(submission: Submission, items: Iterable[Item]) -> None:
    """Parse these items of the submission: each gets its event, or is rejected. Raises InvalidInput for a bad single
    call."""
    kind, arrival = submission.kind, submission.arrival
    for item in items:
        try:
            item.event = read_event(item.raw, kind, arrival)
        except InvalidInput as fault:
            if kind is not None:
                raise
            item.set_aside(REJECTED, fault.field, fault.message)


def _sent_at_ms(batch: Batch) -> int | None:
    """When a batch was sent; None where it does not say so. A value that is no time counts as absent, and costs no
    event."""
    try:
        return read_ms(batch.sent_at, "sentAt")
    except InvalidInput:
        return None
