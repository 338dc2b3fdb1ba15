"""The identifiers that an event carries: where each stands on the wire, and which namespace it is of.

A value that is none is left out, because the event itself may be fine. Where nothing else names anybody, its fault is
that of the event.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from engine.catalog.identity_rules import Carried, IdentityRules
from engine.contact.addresses import NAMESPACES
from engine.errors import InvalidInput
from engine.inputs import Event
from engine.values.absence import is_absent
from engine.values.identifiers import PROFILE_ID, canonical_if_any
from engine.values.nearest import meant
from engine.values.paths import values_at
from engine.values.phones import country_in
from serve.ingest.arrival import Arrival

IDENTIFIERS_MAX: Final = 50  # in one event; no person has so many, and each may cost a message to another shard

Told = tuple[str, Any, str]  # namespace, value, and its field on the wire

_EXTERNAL: Final = "externalIds"
_FIELD: Final = f"context.{_EXTERNAL}"
# The types of Segment's external ids that are not called as our namespaces are.
_TYPES: Final = {
    "userId": "user_id",
    "anonymousId": "anonymous_id",
    "android.id": "device_id",
    "android.idfa": "device_id",
    "ios.id": "device_id",
    "ios.idfa": "device_id",
}
_FIELDS: Final = {"user_id": "userId", "anonymous_id": "anonymousId"}
_NOBODY: Final = f"names nobody: it needs a userId, anonymousId, entry in {_FIELD} or other identifier"


def identifiers_of(
    kind: str,
    user_id: str,
    anonymous_id: str,
    own: dict[str, Any],
    in_context: dict[str, Any],
    properties: dict[str, Any],
    context: dict[str, Any],
    arrival: Arrival,
) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """The user id, the anonymous id and all other identifiers of an event, in canonical form. The traits `own` stand in
    the event itself, those `in_context` in its context.

    Raises InvalidInput where it names nobody, or too many.
    """
    # The traits of a group call describe the group: its mailbox is nobody's own.
    traits = in_context if kind == "group" else in_context | own
    told = _usual(traits, properties, context)
    fault = None
    if _EXTERNAL in context:
        found, fault = _external(context[_EXTERNAL], arrival)
        told += found
    if arrival.rules.carried:
        told += _mapped(arrival.rules.carried, properties, traits, context)
    if not told and (user_id or anonymous_id):
        return user_id, anonymous_id, ()  # the common case
    pairs: dict[tuple[str, str], None] = {}
    for namespace, value, field in told:
        try:
            name = canonical_if_any(
                namespace, value, _country(namespace, value, traits, arrival), field, arrival.rules.forms
            )
        except InvalidInput as broken:
            arrival.unusable[namespace] += kind == "identify" or namespace not in NAMESPACES
            fault = fault or _as_written(broken, own)
        else:
            if name:
                pairs[namespace, name] = None
    if not (user_id or anonymous_id or pairs):
        raise fault or InvalidInput(_NOBODY, "userId")
    if len(pairs) > IDENTIFIERS_MAX:
        field = _FIELD if _EXTERNAL in context else told[-1][2]
        raise InvalidInput(f"{len(pairs)} identifiers are too many: an event may carry {IDENTIFIERS_MAX}", field)
    user_id = user_id or next((name for namespace, name in pairs if namespace == "user_id"), "")
    anonymous_id = anonymous_id or next((name for namespace, name in pairs if namespace == "anonymous_id"), "")
    pairs.pop(("user_id", user_id), None)
    pairs.pop(("anonymous_id", anonymous_id), None)
    return user_id, anonymous_id, tuple(pairs)


def named_by(item: dict[str, Any], arrival: Arrival) -> Event:
    """An event with nothing but the identifiers of an item that is none, as far as they can be read."""
    arrival = replace(arrival, unusable=Counter())
    own, properties, context = (_object(item.get(name)) for name in ("traits", "properties", "context"))
    context = arrival.context | context
    user_id, anonymous_id = (_readable(name, item, arrival) for name in ("user_id", "anonymous_id"))
    others: tuple[tuple[str, str], ...] = ()
    with suppress(InvalidInput):
        user_id, anonymous_id, others = identifiers_of(
            "track", user_id, anonymous_id, own, _object(context.get("traits")), properties, context, arrival
        )
    return Event(
        kind="track",
        name="",
        at_ms=0,
        received_at_ms=0,
        source=arrival.source,
        user_id=user_id,
        anonymous_id=anonymous_id,
        identifiers=others,
        public=arrival.public,
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _readable(namespace: str, item: dict[str, Any], arrival: Arrival) -> str:
    try:
        return canonical_if_any(namespace, item.get(_FIELDS[namespace]), forms=arrival.rules.forms)
    except InvalidInput:
        return ""


def field_of(event: Event, rules: IdentityRules) -> str:
    """The field by which an event names somebody, for a refusal of all that it names."""
    if event.user_id or event.anonymous_id:
        return "userId" if event.user_id else "anonymousId"
    in_context = _object(event.context.get("traits"))
    own = {name: value for name, value in event.traits.items() if name not in in_context}
    traits = in_context | own
    told = _usual(traits, event.properties, event.context)
    told += _mapped(rules.carried, event.properties, traits, event.context)
    named = {namespace for namespace, _ in event.identifiers}
    found = next((field for namespace, _, field in told if namespace in named), _FIELD)
    return _as_written(InvalidInput("", found), own).field


def _usual(traits: dict[str, Any], properties: dict[str, Any], context: dict[str, Any]) -> list[Told]:
    """The identifiers at the places where every event may have them."""
    told: list[Told] = []
    for namespace in NAMESPACES:
        if (value := traits.get(namespace)) is not None:
            told.append((namespace, value, f"traits.{namespace}"))
    device = context.get("device")
    if isinstance(device, dict):
        if (value := device.get("id")) is not None:
            told.append(("device_id", value, "context.device.id"))
        # Whoever has forbidden tracking has an advertising id that stands for nobody.
        if (value := device.get("advertisingId")) is not None and device.get("adTrackingEnabled") is not False:
            told.append(("device_id", value, "context.device.advertisingId"))
    if not is_absent(card := traits.get("loyalty_id")):
        told.append(("loyalty_id", card, "traits.loyalty_id"))
    elif (card := properties.get("loyalty_id")) is not None:
        told.append(("loyalty_id", card, "properties.loyalty_id"))
    return told


def _external(listed: Any, arrival: Arrival) -> tuple[list[Told], InvalidInput | None]:
    """Segment's external ids, `[{id, type, collection, encoding}]`, with the first fault in them."""
    if is_absent(listed):
        return [], None
    if not isinstance(listed, list):
        return [], InvalidInput("must be a list of {id, type, collection, encoding}", _FIELD)
    if len(listed) > IDENTIFIERS_MAX:
        raise InvalidInput(f"holds {len(listed)} entries: an event may carry {IDENTIFIERS_MAX} identifiers", _FIELD)
    told, fault = [], None
    for number, entry in enumerate(listed):
        try:
            told.append(_one(entry, f"{_FIELD}.{number}", arrival))
        except InvalidInput as broken:
            fault = fault or broken
            arrival.unusable[_EXTERNAL] += 1
    return told, fault


def _one(entry: Any, field: str, arrival: Arrival) -> Told:
    if not isinstance(entry, dict):
        raise InvalidInput("must be an object: {id, type, collection, encoding}", field)
    for name, usual in (("collection", "users"), ("encoding", "none")):
        if not is_absent(entry.get(name)) and entry[name] != usual:
            raise InvalidInput(f"must be {usual}, or absent", f"{field}.{name}")
    told, forms = entry.get("type"), arrival.rules.forms
    if not isinstance(told, str):
        raise InvalidInput("must be the name of a namespace", f"{field}.type")
    namespace = told if told in forms else _TYPES.get(told, told.replace(".", "_"))
    if namespace not in forms or namespace == PROFILE_ID:
        known = [name for name in forms if name != PROFILE_ID]
        raise InvalidInput(f"is none of the namespaces; {meant(told, known)}", f"{field}.type")
    return namespace, entry.get("id"), f"{field}.id"


def _mapped(
    places: tuple[Carried, ...], properties: dict[str, Any], traits: dict[str, Any], context: dict[str, Any]
) -> list[Told]:
    """The values at the paths of identity.yaml."""
    told: list[Told] = []
    for place in places:
        root = properties if place.root == "properties" else traits if place.root == "traits" else context
        if place.path[0] in root:
            values = values_at(root, place.path)
            told += [(place.namespace, value, place.written) for value in values if value is not None]
    return told


def _country(namespace: str, value: Any, traits: dict[str, Any], arrival: Arrival) -> str:
    """The country of a telephone without its code."""
    if arrival.rules.forms[namespace] != "phone" or (isinstance(value, str) and value[:1] == "+"):
        return ""
    return country_in(traits, arrival.country)


def _as_written(fault: InvalidInput, own: dict[str, Any]) -> InvalidInput:
    root, _, name = fault.field.partition(".")
    if root == "traits" and name.partition(".")[0] not in own:
        return InvalidInput(fault.message, f"context.{fault.field}")
    return fault
