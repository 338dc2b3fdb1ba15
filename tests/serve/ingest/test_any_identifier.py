"""An event needs one usable identifier of any namespace, wherever it carries it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.catalog.compile import compile_document
from engine.errors import InvalidInput, Unauthorised
from engine.identity.home import home_of
from engine.inputs import Event
from engine.seeds import profile_id
from serve.http.user_hash import Proof, hash_of
from serve.ingest.arrival import Arrival
from serve.ingest.carried import field_of, named_by
from serve.ingest.wire_event import read_event

CATALOG = compile_document(
    {
        "channels.yaml": {"channels": [{"id": "web", "provider": "none"}]},
        "identity.yaml": {
            "namespaces": {
                "loyalty_id": {"paths": ["properties.card", "properties.payment.cards.number"]},
                "member_no": {"canonical": "digits", "paths": ["traits.member"]},
                "till": {"kind": "shared", "paths": ["properties.till"]},
            }
        },
        "sources.yaml": {
            "sources": {"web": {"channel": "web"}, "kiosk": {"channel": "web", "identify": ["loyalty_id"]}},
        },
    }
)


def event(source: str = "shop", *, public: bool = False, **fields: Any) -> Event:
    arrival = Arrival(source, "web", 1_772_366_400_000, public=public, country="DE", rules=CATALOG.identity)
    body = {"type": "track", "event": "Bought", "messageId": "m"} | fields
    return read_event(json.dumps(body).encode(), None, arrival)


def refused(**fields: Any) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as fault:
        event(**fields)
    return fault.value.field, fault.value.message


def external(namespace: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"context": {"externalIds": [{"id": value, "type": namespace, **more}]}}


def lives_at(told: Event) -> str:
    known = {
        profile_id(CATALOG.id_key, namespace, value): namespace
        for namespace, value in (("user_id", told.user_id), ("anonymous_id", told.anonymous_id), *told.identifiers)
        if value
    }
    return known[home_of(CATALOG, told) or ""]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"context": {"traits": {"email": "Ada@Example.com"}}}, ("email", "ada@example.com")),
        ({"context": {"traits": {"phone": "0171 1234567"}}}, ("phone", "+491711234567")),
        ({"context": {"device": {"id": "d-1"}}}, ("device_id", "d-1")),
        ({"context": {"device": {"advertisingId": "AD-1"}}}, ("device_id", "AD-1")),
        ({"properties": {"loyalty_id": 4711}}, ("loyalty_id", "4711")),
        ({"properties": {"card": "C-1"}}, ("loyalty_id", "C-1")),
        ({"properties": {"payment": {"cards": [{"number": "C-2"}]}}}, ("loyalty_id", "C-2")),
        ({"context": {"traits": {"member": "12-34 56"}}}, ("member_no", "123456")),
        (external("member_no", "12 34 56", collection="users", encoding="none"), ("member_no", "123456")),
        (external("email", "ada@example.com", collection=None), ("email", "ada@example.com")),
        (external("ios.idfa", "AD-1"), ("device_id", "AD-1")),
        (external("android.id", "d-1"), ("device_id", "d-1")),
    ],
)
def test_one_identifier_is_enough_wherever_it_stands(fields: dict[str, Any], found: tuple[str, str]):
    told = event(**fields)
    assert told.identifiers == (found,)
    assert home_of(CATALOG, told) == profile_id(CATALOG.id_key, *found)


def test_a_user_id_among_the_external_ids_is_the_user_id():
    told = event(**external("user_id", "ada"))
    assert (told.user_id, told.identifiers) == ("ada", ())
    assert event(userId="ada", **external("user_id", "ada")).identifiers == ()
    assert event(userId="ada", **external("user_id", "bob")).identifiers == (("user_id", "bob"),)
    assert event(**external("anonymousId", "a-1")).anonymous_id == "a-1"


def test_whoever_forbids_tracking_has_no_advertising_id():
    device = {"id": "d-1", "advertisingId": "AD-1", "adTrackingEnabled": False}
    assert event(context={"device": device}).identifiers == (("device_id", "d-1"),)


@pytest.mark.parametrize(
    ("fields", "source", "public", "namespace"),
    [
        ({"userId": "ada", "anonymousId": "a-1"}, "shop", False, "user_id"),
        ({"anonymousId": "a-1", "properties": {"card": "C-1"}}, "shop", False, "loyalty_id"),
        ({"anonymousId": "a-1", "context": {"traits": {"email": "ada@example.com"}}}, "shop", False, "email"),
        # A write key finds people by what their browser is called, whatever else it states.
        ({"anonymousId": "a-1", "context": {"traits": {"email": "ada@example.com"}}}, "web", True, "anonymous_id"),
        ({"anonymousId": "a-1", "context": {"device": {"id": "d-1"}}}, "web", True, "device_id"),
        ({"properties": {"card": "C-1"}}, "web", True, "loyalty_id"),
        ({"properties": {"card": "C-1"}, "anonymousId": "a-1"}, "kiosk", True, "loyalty_id"),
        ({"properties": {"till": "7"}, "anonymousId": "a-1"}, "shop", False, "anonymous_id"),
        ({"properties": {"till": "7"}}, "shop", False, "till"),
        ({"userId": "null", "properties": {"card": "C-1"}}, "shop", False, "loyalty_id"),
    ],
)
def test_an_event_lives_at_its_first_identifier_by_which_its_source_finds_people(fields, source, public, namespace):
    assert lives_at(event(source, public=public, **fields)) == namespace


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"traits": {"email": "nonsense"}, "type": "identify"}, "traits.email"),
        ({"context": {"traits": {"phone": "call me"}}}, "context.traits.phone"),
        ({"properties": {"card": {"no": 1}}}, "properties.card"),
        ({"context": {"traits": {"member": "none at all"}}}, "context.traits.member"),
        ({"context": {"device": {"id": "d" * 10_240}}}, "context.device.id"),
        (external("email", "nonsense"), "context.externalIds.0.id"),
        (external("shoe_size", "43"), "context.externalIds.0.type"),
        (external("profile_id", "0" * 30), "context.externalIds.0.type"),
        (external("email", "ada@example.com", collection="accounts"), "context.externalIds.0.collection"),
        (external("email", "ada@example.com", encoding="sha256"), "context.externalIds.0.encoding"),
        ({"context": {"externalIds": "ada"}}, "context.externalIds"),
        ({"context": {"externalIds": ["ada"]}}, "context.externalIds.0"),
        ({}, "userId"),
    ],
)
def test_a_bad_identifier_that_is_the_only_one_is_named(fields: dict[str, Any], field: str):
    assert refused(**fields)[0] == field
    assert event(userId="ada", **fields).user_id == "ada"  # and where it is not the only one, it is left out


def test_five_hundred_identifiers_are_refused():
    many = [{"id": f"c-{number}", "type": "loyalty_id"} for number in range(500)]
    field, message = refused(userId="ada", context={"externalIds": many})
    assert (field, "500 entries" in message) == ("context.externalIds", True)
    field, message = refused(userId="ada", properties={"card": [entry["id"] for entry in many]})
    assert (field, "500 identifiers" in message) == ("properties.card", True)


def test_a_set_aside_item_is_kept_with_whoever_any_of_its_identifiers_names():
    arrival = Arrival("shop", "web", 0, rules=CATALOG.identity)
    for fields, pair in (
        ({"properties": {"card": "C-1"}, "userId": {"no": "id"}}, ("loyalty_id", "C-1")),
        ({"context": {"externalIds": [{"type": "email", "id": "Ada@Example.com"}]}}, ("email", "ada@example.com")),
        ({"userId": "ada", "context": "none", "traits": ["none"]}, ("user_id", "ada")),
    ):
        assert home_of(CATALOG, named_by(fields, arrival)) == profile_id(CATALOG.id_key, *pair)
    assert home_of(CATALOG, named_by({"userId": "null"}, arrival)) is None
    assert not arrival.unusable


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"userId": "nil"}, "userId"),
        ({"userId": "nil", "anonymousId": "0"}, "userId"),
        ({"anonymousId": "0"}, "anonymousId"),
        ({"context": {"traits": {"email": "ada@example.com"}}}, "context.traits.email"),
        ({"type": "identify", "traits": {"email": "ada@example.com"}}, "traits.email"),
        ({"context": {"device": {"id": "nil"}}}, "context.device.id"),
        (external("loyalty_id", "unknown"), "context.externalIds"),
        ({"properties": {"card": "unknown"}}, "properties.card"),
    ],
)
def test_an_event_of_blocked_values_alone_is_rejected_by_name(fields: dict[str, Any], field: str):
    identity = {"namespaces": {"email": {"blocked": ["ada@example.com"]}}}
    assert field_of(event(**fields), CATALOG.identity) == field
    catalog = compile_document({"identity.yaml": identity})
    assert home_of(catalog, event(**fields)) is None


@pytest.mark.parametrize(
    "fields",
    [external("user_id", "ada"), {"userId": "bea", "userHash": hash_of("s", "bea")} | external("user_id", "ada")],
)
def test_a_user_id_among_the_external_ids_is_proved_too(fields: dict[str, Any]):
    arrival = Arrival("app", "web", 0, public=True, proof=Proof("s", is_required=True), rules=CATALOG.identity)
    body = {"type": "track", "event": "Bought", "messageId": "m"}
    with pytest.raises(Unauthorised):
        read_event(json.dumps(body | fields).encode(), None, arrival)
    proved = body | external("user_id", "ada") | {"userHash": hash_of("s", "ada")}
    assert read_event(json.dumps(proved).encode(), None, arrival).user_id == "ada"
