"""The body of a batch: a list of items. A broken item costs only itself."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from serve.http.hostile_json import UNREADABLE, unreadable


class Batch(msgspec.Struct, rename="camel", frozen=True):
    """A batch as it stands on the wire; its items are not parsed yet."""

    batch: list[msgspec.Raw]
    sent_at: Any = None
    context: Any = None


class _Loose(msgspec.Struct, rename="camel", frozen=True):
    """A batch with no field parsed, for a body of which some field is not what it should be."""

    batch: msgspec.Raw
    sent_at: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    context: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_batch: Final = msgspec.json.Decoder(Batch).decode
_loose: Final = msgspec.json.Decoder(_Loose).decode
_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_numbered: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_any: Final = msgspec.json.Decoder().decode


def read_batch(raw: bytes) -> Batch:
    """The batch of a body; InvalidInput where it is none. A fault in another field costs no item."""
    try:
        return _batch(raw)  # one pass for nearly all bodies; the slower ways below are for the others
    except UNREADABLE as fault:
        batch = _batch_read_loosely(raw)
        if batch is None:
            raise unreadable(fault) from None
        return batch


def _batch_read_loosely(raw: bytes) -> Batch | None:
    try:
        read = _loose(raw)
        return Batch(_listed(read.batch), _or_none(read.sent_at), _or_none(read.context))
    except UNREADABLE:
        return _batch_around_a_broken_character(raw)


def _listed(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """The items, also where PHP wrote the list as an object, because its indexes had a gap."""
    if bytes(raw)[:1] != b"{":
        return _items(raw)
    numbered = _numbered(raw)
    if not all(index.isdecimal() for index in numbered):
        raise msgspec.ValidationError("Expected `array`, got `object` - at `$.batch`")
    return list(numbered.values())


def _or_none(raw: msgspec.Raw | msgspec.UnsetType) -> Any:
    """A field; None where it is absent, or cannot be read."""
    try:
        return None if isinstance(raw, msgspec.UnsetType) else _any(raw)
    except UNREADABLE:
        return None


def _batch_around_a_broken_character(raw: bytes) -> Batch | None:
    """The batch with each item written anew, so that half an emoji (`\\ud83d`) costs one event and not all of them.
    `json` reads such a text, and msgspec refuses the whole body."""
    if b"\\ud" not in raw and b"\\uD" not in raw:
        return None
    try:
        body = json.loads(raw)
        found = body["batch"]
        items = list(found.values()) if isinstance(found, dict) else found
        written = [msgspec.Raw(json.dumps(item, separators=(",", ":"), allow_nan=False).encode()) for item in items]
        return Batch(written, _if_whole(body.get("sentAt")), _if_whole(body.get("context")))
    except (*UNREADABLE, KeyError, TypeError, AttributeError):
        return None


def _if_whole(value: Any) -> Any:
    """A field; None where the broken character is in it."""
    try:
        msgspec.json.encode(value)
    except UNREADABLE:
        return None
    return value
