"""identity.yaml and sources.yaml: what they mean, and the contradictions that are found in them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.catalog.compile import compile_document, examined, problems_of
from engine.catalog.identity_rules import USUAL
from engine.values.identifiers import canonical


def namespaces(**stated: Any) -> dict[str, Any]:
    return {"identity.yaml": {"namespaces": stated}}


CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    (namespaces(profile_id={}), "namespaces.profile_id: is the engine's own name"),
    (namespaces(email={"kind": "device"}), "namespaces.email.kind: email is of kind contact or shared"),
    (namespaces(anonymous_id={"kind": "person"}), "namespaces.anonymous_id.kind: anonymous_id is of kind device"),
    (namespaces(email={"canonical": "plain"}), "namespaces.email.canonical: email is spelled as email"),
    (namespaces(card={"canonical": "email"}), "namespaces.card.canonical: what is spelled as email is of kind contact"),
    (namespaces(till={"kind": "shared", "unique": True}), "namespaces.till.unique: says nothing of a shared one"),
    (namespaces(till={"kind": "shared", "limit": {"count": 3}}), "namespaces.till.limit: says nothing of a shared one"),
    (namespaces(user_id={"limit": {"count": 3}}), "namespaces.user_id.limit: is unique: a person has one value"),
    (namespaces(card={"limit": {"count": 0}}), "namespaces.card.limit.count: "),
    (namespaces(card={"shared_above": 0}), "namespaces.card.shared_above: "),
    (namespaces(card={"blocked": ["X", "x"]}), "namespaces.card.blocked[2]: is there already"),
    (namespaces(card={"blocked_patterns": ["(a"]}), "namespaces.card.blocked_patterns[1]: is no regular expression"),
    (namespaces(card={"blocked_patterns": [r"(a)\1"]}), "backreferences are not supported"),
    (namespaces(card={"blocked_patterns": ["x|.*"]}), "namespaces.card.blocked_patterns[1]: matches every value"),
    (namespaces(card={"paths": ["card"]}), "namespaces.card.paths[1]: begins with properties., traits. or context."),
    (namespaces(card={"paths": ["property.card"]}), "did you mean 'properties'?"),
    (namespaces(card={"paths": ["traits.email"]}), "namespaces.card.paths[1]: is where email stands"),
    (namespaces(card={"paths": ["context.externalIds.id"]}), "namespaces.card.paths[1]: is read anyway"),
    (namespaces(a={"paths": ["traits.x"]}, b={"paths": ["traits.x"]}), "namespaces.b.paths[1]: is where a stands"),
    (namespaces(card={"priority": 20}), "namespaces.card.priority: 20 is the priority of loyalty_id already"),
    (
        {"identity.yaml": {"priority": ["card"], "namespaces": {"card": {"priority": 5}}}},
        "namespaces.card.priority: stands in the list `priority` too",
    ),
    ({"identity.yaml": {"priority": ["email", "email"]}}, "priority[2]: 'email' is there already"),
    ({"identity.yaml": {"priority": ["e_mail"]}}, "no namespace called 'e_mail', did you mean 'email'?"),
    ({"identity.yaml": {"traits": {"email": {"keep": "oldest"}}}}, "traits.email: which address is current"),
    ({"identity.yaml": {"traits": {"address.city": {}}}}, "a rule is for a trait as a whole: write address"),
    ({"identity.yaml": {"traits": {"tags": {"keep": "union", "sources": ["a"]}}}}, "a union keeps what every source"),
    ({"identity.yaml": {"matching": {"review_at": 0.95}}}, "matching.review_at: is above personalise.at"),
    ({"identity.yaml": {"matching": {"fields": {"sur_name": ["x"]}}}}, "called 'sur_name', did you mean 'surname'?"),
    (
        {"identity.yaml": {"matching": {"fields": {"city": ["home.city"]}}}, "consent.yaml": {"sensitive": ["home"]}},
        "matching.fields.city[1]: 'home' is sensitive",
    ),
    (
        {
            "identity.yaml": {"matching": {"personalise": {"traits": ["faith"]}}},
            "consent.yaml": {"sensitive": ["faith"]},
        },
        "matching.personalise.traits[1]: 'faith' is sensitive",
    ),
    ({"identity.yaml": {"matching": {"merge_at": 0.8}}}, "matching.personalise.at: is above merge_at"),
    (
        {"identity.yaml": {"transitions": {"t": {"from": ["web"], "into": ["web"], "ready_within": "1s"}}}},
        "transitions.t.into: is where it began",
    ),
    (
        {
            "identity.yaml": {
                "transitions": {
                    "a": {"from": ["web"], "into": ["app"], "ready_within": "1s"},
                    "b": {"from": ["web", "app"], "into": ["app"], "ready_within": "1s"},
                }
            }
        },
        "transitions.b: web → app has its objective in a already",
    ),
    (
        {"identity.yaml": {"transitions": {"t": {"from": ["store"], "into": ["web"], "ready_within": "1s"}}}},
        "transitions.t.from[1]: no channel and no kind of device is called 'store': there are app, desktop, mobile",
    ),
    ({"sources.yaml": {"sources": {"a": {"channel": "web", "identify": ["email", "email"]}}}}, "identify[2]: is there"),
    ({"sources.yaml": {"sources": {"a": {"channel": "web", "link": False, "merge": True}}}}, "a.merge: a source"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "problem"), CONTRADICTIONS, ids=[problem for _, problem in CONTRADICTIONS])
def test_a_contradiction_is_found_and_named(document: dict[str, Any], problem: str):
    found = [str(each) for each in problems_of(document)]
    assert len(found) == 1
    assert problem in found[0]


@pytest.mark.parametrize(
    ("document", "doubt"),
    [
        ({"sources.yaml": {"sources": {"a": {"channel": "web", "merge": True}}}}, "sources.a.merge: changes nothing"),
        ({"sources.yaml": {"sources": {"a": {"channel": "web", "link": True}}}}, "sources.a.link: changes nothing"),
        (
            {"sources.yaml": {"sources": {"a": {"channel": "web", "identify": [], "user_hash": "required"}}}},
            "sources.a.identify: leaves out user_id",
        ),
        (namespaces(loyaltyId={}), "namespaces.loyaltyId: is a namespace of its own: did you mean loyalty_id?"),
        (
            {"identity.yaml": {"traits": {"name": {"sources": ["crm"]}}}},
            "no source called 'crm' stands in sources.yaml",
        ),
        (
            {"identity.yaml": {"priority": ["till"], "namespaces": {"till": {"kind": "shared"}}}},
            "priority[1]: till is shared",
        ),
    ],
)
def test_what_changes_nothing_is_doubted(document: dict[str, Any], doubt: str):
    assert doubt in "\n".join(map(str, examined(document).warnings()))


def test_the_order_of_priority_is_that_of_the_kinds_where_nothing_is_said():
    own = {"till": {"kind": "shared"}, "tablet": {"kind": "device"}, "work_mail": {"kind": "contact"}, "crm_id": {}}
    order = [*compile_document(namespaces(**own)).identity.namespaces]
    assert order == [
        "user_id", "loyalty_id", "crm_id", "email", "phone", "work_mail", "device_id", "anonymous_id", "tablet", "till",
    ]  # fmt: skip
    listed = compile_document({"identity.yaml": {"priority": ["email", "user_id"]}}).identity
    assert [*listed.namespaces][:3] == ["email", "user_id", "loyalty_id"]
    assert USUAL.rank("user_id") < USUAL.rank("anonymous_id") < USUAL.rank("nobody_knows")


def test_blocked_values_and_patterns_meet_values_as_they_come_out_of_the_door():
    stated = {
        "phone": {"blocked": ["0171 1234567"]},
        "email": {"blocked": ["None@Shop.Example"]},
        "loyalty_id": {"blocked_patterns": ["test-[0-9]+"]},
    }
    document = namespaces(**stated) | {"policies.yaml": {"workspace": {"country": "DE"}}}
    identity = compile_document(document).identity
    for namespace, value in (("phone", "+49 171 1234567"), ("email", "none@shop.example"), ("loyalty_id", "TEST-77")):
        assert identity.is_blocked(namespace, canonical(namespace, value))
    assert not identity.is_blocked("loyalty_id", "TEST-77b")
    assert not identity.is_blocked("user_id", "TEST-77")


def test_nobody_is_recognised_by_a_sensitive_trait_though_it_be_a_usual_one():
    fields = compile_document({"consent.yaml": {"sensitive": ["nationalId", "address"]}}).identity.matching.fields
    assert "nationalId" not in fields["national_id"] and "taxId" in fields["national_id"]
    assert fields["city"] == ("city", "suburb", "town")
    assert compile_document({}).identity.matching.fields == {}


def test_a_pattern_that_would_never_end_elsewhere_ends_at_once():
    identity = compile_document(namespaces(loyalty_id={"blocked_patterns": ["(a+)+b"]})).identity
    assert not identity.is_blocked("loyalty_id", "a" * 255)
