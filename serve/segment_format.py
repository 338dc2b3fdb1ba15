"""Segment's tracking API, from the bytes of a request to `Event`s with their times and identifiers settled.

What is wrong with one event rejects that event and names its field; only a body that is no JSON object (or no batch) is
refused as a whole. Properties, traits and context pass as they were sent. Nothing here knows a shard or a status.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from engine.errors import InvalidInput, TooLarge
from engine.identifiers import canonical, is_clean
from engine.inputs import Event
from serve.batch_body import Parsed as Parsed
from serve.batch_body import Rejection as Rejection
from serve.batch_body import read_batch
from serve.hostile_json import UNREADABLE, check_shape, unreadable
from serve.user_hash import FIELD, Proof

EVENT_BYTES_MAX: Final = 32 * 1024
IMPORTED_BYTES_MAX: Final = 1024 * 1024
BATCH_EVENTS_MAX: Final = 50_000  # no honest event is so short that more of them fit into 4 MB
PARSED_AT_ONCE: Final = 200  # some milliseconds, for which others wait
MESSAGE_ID_CHARS_MAX: Final = 100
NAME_CHARS_MAX: Final = 255

KINDS: Final = ("track", "identify", "page", "screen", "group", "alias")

_NAMES: Final = dict(zip(KINDS[1:], ("Identified", "Page Viewed", "Screen Viewed", "Grouped", "Aliased"), strict=True))
NAMES_OF_KINDS: Final = frozenset(_NAMES.values())
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_YEAR_10000_MS: Final = 253_402_300_800_000

_UNPROVED: Final = Proof()
_Id = str | int | None
_Time = str | int | None
_Object = dict[str, Any] | None


class _Sent(msgspec.Struct, rename="camel", frozen=True):
    """One event as it stands on the wire; null is as absent, unknown fields are let pass."""

    type: str | None = None
    event: str | None = None
    user_id: _Id = None
    anonymous_id: _Id = None
    previous_id: _Id = None
    group_id: _Id = None
    message_id: _Id = None
    timestamp: _Time = None
    original_timestamp: _Time = None
    sent_at: _Time = None
    name: str | None = None
    category: str | None = None
    properties: _Object = None
    traits: _Object = None
    context: _Object = None
    user_hash: Any = None


_sent: Final = msgspec.json.Decoder(_Sent).decode
_plain: Final = msgspec.json.Decoder().decode
_digestible: Final = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class _Arrival:
    """What the request says about all of its events. `sent_at_ms` and `context` are the batch's own."""

    source: str
    channel: str
    received_at_ms: int
    imported: bool
    public: bool
    proof: Proof
    sent_at_ms: int | None = None
    context: dict[str, Any] = field(default_factory=dict)


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
) -> Parsed:
    """A batch (`path_kind` None), or the single call of that kind. `channel` is the source's, for events without one.

    Raises `InvalidInput` for what is not JSON or no batch, and for a single event that is bad. `imported` takes each
    `timestamp` as it is; `public` is what comes under a write key, and `proof` what it asks of a user id. Field names
    in errors are those of the wire.
    """
    *_, parsed = parse_parts(
        raw,
        path_kind,
        source=source,
        channel=channel,
        received_at_ms=received_at_ms,
        imported=imported,
        public=public,
        proof=proof,
    )
    return parsed


def parse_parts(
    raw: bytes,
    path_kind: str | None,
    *,
    source: str,
    channel: str,
    received_at_ms: int,
    imported: bool = False,
    public: bool = False,
    proof: Proof = _UNPROVED,
) -> Iterator[Parsed]:
    """The same, a part of a large batch at a time: yields what is parsed so far, always the same object, so that
    others may have their turn before the next part."""
    arrival = _Arrival(source, channel, received_at_ms, imported, public, proof)
    if path_kind is None:
        yield from _parse_batch(raw, arrival)
    else:
        yield Parsed([_parse_event(raw, path_kind, arrival)], [0], items=[msgspec.Raw(raw)])


def _parse_batch(raw: bytes, arrival: _Arrival) -> Iterator[Parsed]:
    sent = read_batch(raw)
    if len(sent.batch) > BATCH_EVENTS_MAX:
        raise TooLarge(f"holds {len(sent.batch)} events, at most {BATCH_EVENTS_MAX} go into one batch", "batch")
    arrival = replace(arrival, sent_at_ms=time_ms(sent.sent_at, "sentAt"), context=sent.context or {})
    sent_at = "" if sent.sent_at is None else msgspec.json.encode(sent.sent_at).decode()
    parsed = Parsed(items=sent.batch, sent_at=sent_at, imported=arrival.imported)
    for index, item in enumerate(sent.batch):
        try:
            parsed.events.append(_parse_event(item, None, arrival))
            parsed.indexes.append(index)
        except InvalidInput as fault:
            parsed.rejected.append(Rejection(index, fault.field, fault.message))
        if index % PARSED_AT_ONCE == PARSED_AT_ONCE - 1:
            yield parsed
    yield parsed


def _parse_event(raw: bytes | msgspec.Raw, kind: str | None, arrival: _Arrival) -> Event:
    size, most = memoryview(raw).nbytes, IMPORTED_BYTES_MAX if arrival.imported else EVENT_BYTES_MAX
    if size > most:
        raise InvalidInput(f"has {size} bytes, an event may have {most}")
    try:
        sent = _sent(raw)
        check_shape(bytes(raw), sent)
        digest = "" if sent.message_id is not None else _digest(raw, sent, kind or sent.type)
    except UNREADABLE as fault:
        raise unreadable(fault) from None
    return _event(sent, kind or _kind(sent.type), digest, arrival)


def _digest(raw: bytes | msgspec.Raw, sent: _Sent, kind: str | None) -> str:
    """A name for an event without one: the hash of what was sent, less what a retry or another path would change.

    Empty without a timestamp: two equal events may then well be two.
    """
    if sent.timestamp is None and sent.original_timestamp is None:
        return ""
    body = _plain(raw)
    for changing in ("sentAt", "writeKey", "messageId"):
        body.pop(changing, None)
    body["type"] = kind
    return hashlib.blake2b(_digestible(body), digest_size=16).hexdigest()


def _kind(kind: str | None) -> str:
    if kind not in KINDS:
        raise InvalidInput(f"must be one of {', '.join(KINDS)}", "type")
    return kind


def _event(sent: _Sent, kind: str, digest: str, arrival: _Arrival) -> Event:
    context = sent.context or {}
    if arrival.context:
        context = arrival.context | context
    user_id = _id("user_id", sent.user_id, "userId")
    anonymous_id = _id("anonymous_id", sent.anonymous_id, "anonymousId")
    if not user_id and not anonymous_id:
        raise InvalidInput("neither userId nor anonymousId is given", "userId")
    if user_id:
        arrival.proof.check(user_id, sent.user_hash or context.get(FIELD))
    previous_id = _id("user_id", sent.previous_id, "previousId")
    if kind == "alias" and not previous_id:
        raise InvalidInput("is needed by an alias", "previousId")
    told = context.get("traits")
    told = told if isinstance(told, dict) else {}
    own = sent.traits or {}
    channel = context.get("channel")
    return Event(
        kind=kind,
        name=_name(sent, kind),
        at_ms=_at_ms(sent, arrival),
        received_at_ms=arrival.received_at_ms,
        source=arrival.source,
        channel=_fit_name(channel, "context.channel") if isinstance(channel, str) and channel else arrival.channel,
        message_id=_message_id(sent.message_id),
        digest=digest,
        user_id=user_id,
        anonymous_id=anonymous_id,
        previous_id=previous_id,
        # The traits of a group call describe the group: its mailbox is nobody's own.
        identifiers=_identifiers(told if kind == "group" else told | own, sent.properties, context),
        properties=_properties(sent, kind),
        traits=told | own if kind == "identify" else {},
        context={name: told for name, told in context.items() if name != FIELD} if FIELD in context else context,
        public=arrival.public,
        imported=arrival.imported,
    )


def _id(namespace: str, value: _Id, wire_name: str) -> str:
    if value is None or value == "":
        return ""
    try:
        return canonical(namespace, value)
    except InvalidInput as fault:
        raise InvalidInput(fault.message, wire_name) from None


def _message_id(value: _Id) -> str:
    if value is None:
        return ""
    text = str(value)
    if len(text) > MESSAGE_ID_CHARS_MAX:
        raise InvalidInput(f"is longer than {MESSAGE_ID_CHARS_MAX} characters", "messageId")
    if not is_clean(text):
        raise InvalidInput("holds a control character", "messageId")
    return text


def _name(sent: _Sent, kind: str) -> str:
    if kind != "track":
        return _NAMES[kind]
    if not sent.event:
        raise InvalidInput("is needed by a track", "event")
    return _fit_name(sent.event, "event")


def _fit_name(name: str, wire_name: str) -> str:
    """A name as it may stand in journals, logs and metrics."""
    if len(name) > NAME_CHARS_MAX:
        raise InvalidInput(f"is longer than {NAME_CHARS_MAX} characters", wire_name)
    if not is_clean(name):
        raise InvalidInput("holds a control character", wire_name)
    return name


def _properties(sent: _Sent, kind: str) -> dict[str, Any]:
    properties = sent.properties or {}
    if kind in ("page", "screen"):
        given = (("name", sent.name), ("category", sent.category))
        return properties | {key: value for key, value in given if value is not None}
    if kind == "group":
        return (sent.traits or {}) | properties | ({"groupId": sent.group_id} if sent.group_id is not None else {})
    return properties


def _identifiers(
    traits: dict[str, Any], properties: dict[str, Any] | None, context: dict[str, Any]
) -> tuple[tuple[str, str], ...]:
    """What else names this person. A value that is none is simply no identifier: the event itself may be fine."""
    device = context.get("device")
    found = (
        ("email", traits.get("email")),
        ("phone", traits.get("phone")),
        ("device_id", device.get("id") if isinstance(device, dict) else None),
        ("loyalty_id", traits.get("loyalty_id") or (properties or {}).get("loyalty_id")),
    )
    pairs = []
    for namespace, value in found:
        if value is not None:
            try:
                pairs.append((namespace, canonical(namespace, value)))
            except InvalidInput:
                continue
    return tuple(pairs)


def _at_ms(sent: _Sent, arrival: _Arrival) -> int:
    """When it happened, by our clock (design §4a); what a time ahead of now may do, `engine.stated_time` says."""
    timestamp = time_ms(sent.timestamp, "timestamp")
    original = time_ms(sent.original_timestamp, "originalTimestamp")
    if arrival.imported:
        given = timestamp if timestamp is not None else original
        return arrival.received_at_ms if given is None else given
    given = original if original is not None else timestamp
    sent_at = time_ms(sent.sent_at, "sentAt")
    sent_at = sent_at if sent_at is not None else arrival.sent_at_ms
    if given is None:
        return arrival.received_at_ms
    if sent_at is not None:
        given += arrival.received_at_ms - sent_at
    return max(0, given)


def time_ms(value: str | int | None, wire_name: str) -> int | None:
    """A time as a client writes it: ISO 8601 (UTC where it names no zone), or epoch milliseconds; None for null."""
    if value is None:
        return None
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            value = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MS
    except (ValueError, OverflowError):
        raise InvalidInput("is not a time in ISO 8601", wire_name) from None
    if not 0 <= value < _YEAR_10000_MS:
        raise InvalidInput("is not between the years 1970 and 9999", wire_name)
    return value
