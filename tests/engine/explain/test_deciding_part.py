"""Why a condition does not hold: the part of it that decides, where it stands, what it wanted and what it saw."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from support import random_conditions
from support.naive import Person

from engine.catalog.compile import compile_document
from engine.conditions.binding import bind, inline
from engine.conditions.predicates import build
from engine.explain.deciding_part import Failing, failing, holding
from engine.profile import ConsentRecord, Profile, TraitValue
from engine.recent_events import Happened
from engine.view import View
from engine.vocabulary import DAY_MS

NOW_MS = 100 * DAY_MS
DOCUMENT: dict[str, Any] = {
    "channels.yaml": {"channels": [{"id": "web", "provider": "none"}, {"id": "email", "provider": "none"}]},
    "consent.yaml": {"purposes": {"ads": {}}},
    "segments.yaml": {
        "segments": {
            "regulars": {
                "all": [
                    {"trait": {"name": "country", "is": "AT"}},
                    {"event": {"name": "Order Completed", "count": {"at_least": 3}, "within": "30d"}},
                ]
            }
        }
    },
    "policies.yaml": {"suppress": [{"id": "minors", "when": {"not": {"trait": {"name": "age", "at_least": 18}}}}]},
}  # fmt: skip


def _view() -> View:
    profile = Profile(id="p")
    traits = {
        "country": "AT",
        "age": 17,
        "roles": ["staff", "customer"],
        "note": "x" * 5_000,
        "address": {"city": "Wien"},
    }
    profile.traits = {name: TraitValue(value, 0) for name, value in traits.items()}
    profile.consent = [ConsentRecord("ads", "*", False, 99 * DAY_MS, "form", "r1")]
    profile.history = [
        Happened(NOW_MS - days * DAY_MS, days, "Order Completed", {"products": [{"category": "bags", "price": 20}]})
        for days in (40, 7)
    ]
    return View(profile, compile_document(DOCUMENT), NOW_MS, {"page": {"kind": "home"}})


def _trait(name: str, **tests: Any) -> dict[str, Any]:
    return {"trait": {"name": name} | {word.removesuffix("_"): operand for word, operand in tests.items()}}


def _ordered(**body: Any) -> dict[str, Any]:
    return {"event": {"name": "Order Completed", **body}}


STORIES: list[tuple[dict[str, Any], tuple[str, str, str] | None]] = [
    (_trait("country", is_="AT"), None),
    (_trait("country", is_="DE"), ("trait.country", 'is "DE"', '"AT"')),
    (_trait("tier", in_=["gold"]), ("trait.tier", 'is one of ["gold"]', "nothing")),
    (_trait("address.city", is_="Graz"), ("trait.address.city", 'is "Graz"', '"Wien"')),
    (_trait("age", at_least=18, less_than=65), ("trait.age", "at least 18 and less than 65", "17")),
    (
        {"all": [_trait("country"), _trait("age", at_least=18), _trait("tier")]},
        ("all[2].trait.age", "at least 18", "17"),
    ),
    (
        {"all": [{"any": [{"all": [_trait("age", at_least=18)]}]}]},
        ("all[1].any[1].all[1].trait.age", "at least 18", "17"),
    ),
    ({"not": _trait("country")}, ("not.trait.country", "not: exists", '"AT"')),
    (
        {"not": {"any": [_trait("tier"), _trait("age", less_than=18)]}},
        ("not.any[2].trait.age", "not: less than 18", "17"),
    ),
    ({"context": {"name": "page.kind", "is": "search"}}, ("context.page.kind", 'is "search"', '"home"')),
    (
        _ordered(count={"at_least": 3}, within=30 * DAY_MS, where={"products.category": "bags"}),
        (
            "event.Order Completed",
            'at least 3 in the last 30 days where products.category is "bags"',
            "1 since 1970-03-12T00:00:00Z",
        ),
    ),
    (_ordered(count={"at_most": 1}), ("event.Order Completed", "at most 1", "2")),
    ({"not": _ordered()}, ("not.event.Order Completed", "not: at least 1", "2")),
    (
        {"segment": "regulars"},
        (
            "segment.regulars.all[2].event.Order Completed",
            "at least 3 in the last 30 days",
            "1 since 1970-03-12T00:00:00Z",
        ),
    ),
    ({"not": {"suppression": "minors"}}, ("not.suppression.minors.not.trait.age", "at least 18", "17")),
    (
        {"consent": {"purpose": "ads", "channel": "email"}},
        ("consent.ads.email", "granted", "withdrawn (ads on *) on 1970-04-10T00:00:00Z by form"),
    ),
    (
        _ordered(where={"products.category": "$action.category"}),
        (
            "event.Order Completed",
            'at least 1 where products.category is "$action.category"',
            "there is no $action.category",
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("tree", "told"), STORIES, ids=[str(row[0])[:70] for row in STORIES])
def test_the_part_that_decides_is_told(tree: dict[str, Any], told: tuple[str, str, str] | None):
    found = failing(tree, _view())
    assert (found and (found.path, found.wanted, found.saw)) == told


def test_of_an_any_each_part_is_told_shortly():
    found = failing({"any": [_trait("age", at_least=18), _trait("tier")]}, _view(), at=("eligible",))
    assert found is not None
    assert found.plain == {
        "path": "eligible.any",
        "wanted": "one that holds",
        "saw": "none holds",
        "parts": [
            {"path": "eligible.any[1].trait.age", "wanted": "at least 18", "saw": "17"},
            {"path": "eligible.any[2].trait.tier", "wanted": "exists", "saw": "nothing"},
        ],
    }


def test_of_a_suppression_the_part_that_holds_is_told():
    found = holding({"any": [_trait("tier"), _trait("age", less_than=18)]}, _view(), at=("when",))
    assert found == Failing("when.any[2].trait.age", "not: less than 18", "17")


def test_what_was_seen_is_told_in_a_bounded_length():
    for name in ("note", "note.deeper"):
        found = failing(_trait(name, is_="y"), _view())
        assert found is not None
        assert len(found.saw) <= 200


SLOW = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@SLOW
@given(random_conditions.documents(), random_conditions.people, random_conditions.data)
def test_a_part_fails_exactly_where_the_whole_does_not_hold(
    document: dict[str, Any], person: Person, trigger: dict[str, Any]
):
    catalog = compile_document(document)
    profile = random_conditions.profile_of(person, catalog)
    view = View(profile, catalog, random_conditions.NOW_MS, dict(person.context), trigger)
    action = catalog.actions["a"]
    holds = all(build(part)(view) for part in action.eligible)
    assert action.asked is not None
    assert (failing(action.asked, view, action.facts) is None) is holds
    assert (holding(action.asked, view, action.facts) is None) is not holds
    bound = bind(inline(action.asked, {rule.id: rule.tree for rule in catalog.suppressions}), action.facts)
    assert (failing(bound, view) is None) is build(bound)(view) is holds
