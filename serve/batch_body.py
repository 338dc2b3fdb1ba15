"""The body of a batch: a list of items, of which one that is broken costs only itself, and what was made of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from engine.inputs import Event
from serve.hostile_json import UNREADABLE, unreadable


class Batch(msgspec.Struct, rename="camel", frozen=True):
    """A batch as it stands on the wire, its items unread."""

    batch: list[msgspec.Raw]
    sent_at: str | int | None = None
    context: dict[str, Any] | None = None


_batch: Final = msgspec.json.Decoder(Batch).decode


def read_batch(raw: bytes) -> Batch:
    """The batch of a body; InvalidInput where it is none."""
    try:
        return _batch(raw)
    except msgspec.ValidationError as fault:
        raise unreadable(fault) from None
    except UNREADABLE as fault:
        batch = _batch_around_a_broken_character(raw)
        if batch is None:
            raise unreadable(fault) from None
        return batch


def _batch_around_a_broken_character(raw: bytes) -> Batch | None:
    """The batch with each item written anew, so that half an emoji (`\\ud83d`) costs one event and not all of them."""
    if b"\\ud" not in raw and b"\\uD" not in raw:
        return None
    try:
        body = json.loads(raw)
        items = [
            msgspec.Raw(json.dumps(item, separators=(",", ":"), allow_nan=False).encode()) for item in body["batch"]
        ]
        return msgspec.convert(body | {"batch": items}, Batch)
    except (*UNREADABLE, KeyError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why the item at `index` of a batch was not taken; `field` may be empty where the item is no event at all."""

    index: int
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """The good events, the index in the batch of each, the others with their reasons, and all items as they came.

    `sent_at` is that of the batch, as JSON; `imported` as of `parse_body`.
    """

    events: list[Event] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    items: list[msgspec.Raw] = field(default_factory=list)
    sent_at: str = ""
    imported: bool = False
