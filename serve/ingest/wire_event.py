"""One event of Segment's tracking API, from its bytes to an `Event` with its time and its identifiers settled.

A fault in it is an `InvalidInput` that names the field as the wire does. Properties, traits and context pass as they
were sent. Nothing here knows a shard or a status.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from engine.catalog import inner_events
from engine.errors import InvalidInput
from engine.handoffs.touchpoints import kind_of
from engine.inputs import Event
from engine.values.absence import is_absent
from engine.values.identifiers import canonical_if_any, is_clean
from engine.values.times import read_ms
from serve.http.hostile_json import UNREADABLE, check_shape, object_of, text_of, unreadable
from serve.http.user_hash import FIELD
from serve.ingest.arrival import Arrival
from serve.ingest.carried import identifiers_of
from serve.ingest.signed_link import token_in

EVENT_BYTES_MAX: Final = 32 * 1024
IMPORTED_BYTES_MAX: Final = 1024 * 1024
MESSAGE_ID_CHARS_MAX: Final = 100
NAME_CHARS_MAX: Final = 255

KINDS: Final = ("track", "identify", "page", "screen", "group", "alias")

_NAMES: Final = dict(zip(KINDS[1:], ("Identified", "Page Viewed", "Screen Viewed", "Grouped", "Aliased"), strict=True))
NAMES_OF_KINDS: Final = frozenset(_NAMES.values())
_SENT_AFTER_MS: Final = 86_400_000  # a `sentAt` longer before its event than this, or after its receipt, is no time


class _Sent(msgspec.Struct, rename="camel", frozen=True):
    """One event as it stands on the wire; unknown fields are let pass. Any of these fields may hold a value that counts
    as absent (`engine.values.absence`), so each is checked where it is used."""

    type: Any = None
    event: Any = None
    user_id: Any = None
    anonymous_id: Any = None
    previous_id: Any = None
    group_id: Any = None
    message_id: Any = None
    timestamp: Any = None
    original_timestamp: Any = None
    sent_at: Any = None
    name: Any = None
    category: Any = None
    properties: Any = None
    traits: Any = None
    context: Any = None
    user_hash: Any = None


_sent: Final = msgspec.json.Decoder(_Sent).decode
_plain: Final = msgspec.json.Decoder().decode
_digestible: Final = msgspec.json.Encoder(order="deterministic").encode  # JSON objects have no order, so hashes neither


def read_event(raw: bytes | msgspec.Raw, kind: str | None, arrival: Arrival) -> Event:
    """The event in `raw`; `kind` is that of its path, None where its own `type` says it. Raises InvalidInput."""
    size, most = memoryview(raw).nbytes, IMPORTED_BYTES_MAX if arrival.imported else EVENT_BYTES_MAX
    if size > most:
        raise InvalidInput(f"has {size} bytes, an event may have {most}")
    try:
        sent = _sent(raw)
        check_shape(bytes(raw), sent)
        message_id = message_id_of(sent.message_id)
        digest = "" if message_id else _digest(raw, sent, kind or sent.type)
    except UNREADABLE as fault:
        raise unreadable(fault) from None
    return _event(sent, kind or _kind(sent.type), message_id, digest, arrival)


def _digest(raw: bytes | msgspec.Raw, sent: _Sent, kind: Any) -> str:
    """An id for an event without one: the hash of its fields, less those that a retry or another path would change.

    Empty without a timestamp, because two equal events may then really be two.
    """
    if is_absent(sent.timestamp) and is_absent(sent.original_timestamp):
        return ""
    body = _plain(raw)
    for changing in ("sentAt", "writeKey", "messageId"):
        body.pop(changing, None)
    body["type"] = kind
    return hashlib.blake2b(_digestible(body), digest_size=16).hexdigest()


def _kind(kind: Any) -> str:
    if not isinstance(kind, str) or kind not in KINDS:
        raise InvalidInput(f"must be one of {', '.join(KINDS)}", "type")
    return kind


def _event(sent: _Sent, kind: str, message_id: str, digest: str, arrival: Arrival) -> Event:
    context = object_of(sent.context, "context")
    properties, own = object_of(sent.properties, "properties"), object_of(sent.traits, "traits")
    if arrival.context:
        context = arrival.context | context
    in_context = context.get("traits")
    in_context = in_context if isinstance(in_context, dict) else {}
    # Identifiers in their canonical form from here on, so that all spellings of one name lead to one profile.
    forms = arrival.rules.forms
    user_id = canonical_if_any("user_id", sent.user_id, field="userId", forms=forms)
    anonymous_id = canonical_if_any("anonymous_id", sent.anonymous_id, field="anonymousId", forms=forms)
    user_id, anonymous_id, identifiers = identifiers_of(
        kind, user_id, anonymous_id, own, in_context, properties, context, arrival
    )
    if user_id:
        _prove(sent, context, [user_id, *(name for space, name in identifiers if space == "user_id")], arrival)
    previous_id = canonical_if_any("user_id", sent.previous_id, field="previousId", forms=forms)
    if kind == "alias" and not previous_id:
        raise InvalidInput("is needed by an alias", "previousId")
    if kind == "alias" and previous_id == (user_id or anonymous_id):
        raise InvalidInput("is the same person already: an alias needs another id", "previousId")
    name, channel = _name(sent, kind), _channel(context.get("channel")) or arrival.channel
    return Event(
        kind=kind,
        name=name,
        at_ms=_at_ms(sent, arrival),
        received_at_ms=arrival.received_at_ms,
        source=arrival.source,
        channel=channel,
        message_id=message_id,
        digest=digest,
        user_id=user_id,
        anonymous_id=anonymous_id,
        previous_id=previous_id,
        identifiers=identifiers,
        properties=_properties(sent, kind, properties, own),
        traits=in_context | own if kind == "identify" else {},
        context={name: value for name, value in context.items() if name != FIELD} if FIELD in context else context,
        public=arrival.public,
        imported=arrival.imported,
        link=token_in(context, properties),
        touchpoint=kind_of(arrival.touchpoints, channel, name, context),
    )


def _prove(sent: _Sent, context: dict[str, Any], user_ids: list[str], arrival: Arrival) -> None:
    """Each user id that an event names needs its proof, where the source asks for one."""
    told = context.get(FIELD) if is_absent(sent.user_hash) else sent.user_hash
    for user_id in user_ids:
        arrival.proof.check(user_id, told)


def message_id_of(value: Any) -> str:
    """A `messageId` as text; empty where it is absent. InvalidInput names it where it cannot be used."""
    if is_absent(value):
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):  # in Python `true` is an integer too
        raise InvalidInput("must be a text or a whole number", "messageId")
    text = str(value)
    if len(text) > MESSAGE_ID_CHARS_MAX:
        raise InvalidInput(f"is longer than {MESSAGE_ID_CHARS_MAX} characters", "messageId")
    if not is_clean(text):
        raise InvalidInput("holds a control character", "messageId")
    return text


def _name(sent: _Sent, kind: str) -> str:
    event = text_of(sent.event, "event")
    if kind != "track":
        return _NAMES[kind]
    if not event:
        raise InvalidInput("is needed by a track", "event")
    if inner_events.is_reserved(event):
        raise InvalidInput(f"names that begin with {inner_events.PREFIX} are the engine's own", "event")
    return _fit_name(event, "event")


def _channel(value: Any) -> str:
    return "" if not isinstance(value, str) or is_absent(value) else _fit_name(value, "context.channel")


def _fit_name(name: str, wire_name: str) -> str:
    """A name as it may stand in journals, logs and metrics."""
    if len(name) > NAME_CHARS_MAX:
        raise InvalidInput(f"is longer than {NAME_CHARS_MAX} characters", wire_name)
    if not is_clean(name):
        raise InvalidInput("holds a control character", wire_name)
    return name


def _properties(sent: _Sent, kind: str, properties: dict[str, Any], traits: dict[str, Any]) -> dict[str, Any]:
    if kind in ("page", "screen"):
        given = (("name", text_of(sent.name, "name")), ("category", text_of(sent.category, "category")))
        return properties | {key: value for key, value in given if value}
    if kind == "group":
        return traits | properties | _group_id(sent.group_id)
    return properties


def _group_id(value: Any) -> dict[str, Any]:
    if is_absent(value):
        return {}
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidInput("must be a text or a whole number", "groupId")
    return {"groupId": value}


def _at_ms(sent: _Sent, arrival: Arrival) -> int:
    """When it happened, by our clock (docs/design/virtual-time.md). `engine.values.stated_time` says what a time ahead
    of now may do.

    `sentAt` corrects the client's clock. It is not believed where it lies days before the event, or days ahead of now
    while the event does not: a clock that runs days ahead would have stamped the event with it, too."""
    timestamp = read_ms(sent.timestamp, "timestamp")
    original = read_ms(sent.original_timestamp, "originalTimestamp")
    if arrival.imported:
        given = timestamp if timestamp is not None else original
        return arrival.received_at_ms if given is None else given
    given = original if original is not None else timestamp
    sent_at = read_ms(sent.sent_at, "sentAt")
    sent_at = sent_at if sent_at is not None else arrival.sent_at_ms
    if given is None:
        return arrival.received_at_ms
    received = arrival.received_at_ms
    if sent_at is None or given > sent_at + _SENT_AFTER_MS or given <= received < sent_at - _SENT_AFTER_MS:
        return given
    corrected = given + received - sent_at
    return given if corrected < 0 else corrected
