"""The one grammar of conditions: what each sentence says about a customer, from YAML's words to the answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.world import World, action, document

from engine.catalog.compile import compile_document
from engine.catalog.compiled import Catalog
from engine.conditions.binding import bind
from engine.conditions.predicates import build
from engine.conditions.value_tests import build_where
from engine.decide.questions import Questions
from engine.profile import ConsentRecord, Profile, TraitValue
from engine.recent_events import Happened
from engine.view import View
from engine.vocabulary import DAY_MS

NOW_MS = 100 * DAY_MS
EMPTY = compile_document({})

TRAITS = {
    "country": "AT", "age": 41, "vip": True, "tags": ["new", "gold"], "address": {"city": "Wien"}, "empty": [],
    "blank": " \u200b", "said": "undefined", "price": "19.90", "zip": "01067", "id": "5", "count": 5, "roles": [],
    "kin": [{"age": 3}, {"age": "12"}, {}], "rows": [["a", "b"], [["c"]]], "gaps": [None, "a"], "nothing": None,
    "none": [None, ""], "cheap": [0.5, 30],
}  # fmt: skip
HISTORY = [  # days ago, name, properties
    (40, "Order Completed", {"total": 80, "products": [{"category": "bags", "price": 20}, {"category": "shoes"}]}),
    (7, "Product Viewed", {"category": "shoes", "price": 60}),
    (6, "Product Viewed", {"category": "shoes", "price": 40}),
    (1, "Product Viewed", {"category": "bags", "price": 20}),
    (0, "Product Added", {"category": "kids", "value": 12.5}),
]


def _catalog(condition: dict[str, Any], **action: Any) -> Catalog:
    return compile_document(
        {
            "channels.yaml": {"channels": [{"id": "web", "provider": "none"}]},
            "consent.yaml": {"purposes": {"ads": {"channels": ["web"]}}},
            "segments.yaml": {
                "segments": {"grown": _trait("age", at_least=18), "young": {"not": {"segment": "grown"}}}
            },
            "policies.yaml": {"suppress": [{"id": "viennese", "when": _trait("address.city", is_="Wien")}]},
            "actions/a.yaml": {
                "id": "a", "tier": "promotional", "purpose": "ads", "channels": ["web"], "eligible": condition,
                "variants": [{"id": "a", "web": {"content": {"title": "Hello"}}}], **action
            },
        }
    )  # fmt: skip


def _customer() -> Profile:
    profile = Profile(id="p")
    profile.traits = {name: TraitValue(value, 0) for name, value in TRAITS.items()}
    profile.consent = [ConsentRecord("ads", "web", True, 1, "form", "r1")]
    profile.history = [
        Happened(NOW_MS - days * DAY_MS, seq, name, properties) for seq, (days, name, properties) in enumerate(HISTORY)
    ]
    return profile


def _holds(condition: dict[str, Any], **action: Any) -> bool:
    catalog = _catalog(condition, **action)
    view = View(_customer(), catalog, NOW_MS, {"page": {"kind": "search"}})
    parts = catalog.actions["a"].eligible
    answers = {all(build(part)(view) for part in parts) for _ in range(2)}  # the second time from the memo
    assert len(answers) == 1
    for wanted in (True, False):  # many questions at once come to the same
        asked = parts if wanted else [{"not": {"all": list(parts)}}] if len(parts) != 1 else [{"not": parts[0]}]
        assert (not Questions.of((part, 1) for part in asked).refusing(view, 1)) == (wanted in answers)
    return answers.pop()


def _trait(name: str, **tests: Any) -> dict[str, Any]:
    return {"trait": {"name": name} | {word.removesuffix("_"): operand for word, operand in tests.items()}}


def _event(name: str, **body: Any) -> dict[str, Any]:
    return {"event": {"name": name, **body}}


SENTENCES = [
    # traits, and every operator
    (_trait("country", is_="AT"), True),
    (_trait("country", not_="AT"), False),
    (_trait("country", in_=["DE", "AT"]), True),
    (_trait("country", not_in=["DE", "AT"]), False),
    (_trait("age", at_least=41, at_most=41), True),
    (_trait("age", more_than=41), False),
    (_trait("age", less_than=41.5), True),
    (_trait("country"), True),
    (_trait("shoe_size"), False),
    (_trait("shoe_size", exists=False), True),
    (_trait("shoe_size", not_=44), True),
    (_trait("shoe_size", at_least=0), False),
    (_trait("country", at_least=0), False),  # a text is neither more nor less than a number
    (_trait("vip", is_=1), False),  # true is not 1
    (_trait("vip", at_least=0), False),
    (_trait("address.city", is_="Wien"), True),
    (_trait("tags", is_="gold"), True),  # any element of a list
    (_trait("tags", is_="old"), False),
    (_trait("empty", exists=False), True),
    # lists: one element is so; under a negation none is
    (_trait("tags", not_="gold"), False),
    (_trait("tags", not_="old"), True),
    (_trait("tags", in_=["old", "gold"]), True),
    (_trait("tags", not_in=["old", "gold"]), False),
    (_trait("tags", not_in=["old", "dull"]), True),
    (_trait("tags", is_="new", not_="gold"), False),
    (_trait("kin.age", at_least=10), True),
    (_trait("kin.age", at_least=4, at_most=11), False),  # of one element both are asked
    (_trait("kin.age", not_=3), False),
    (_trait("kin.age", exists=False), False),
    (_trait("kin", some={"age": {"at_least": 4, "at_most": 12}}), True),
    (_trait("kin", some={"age": {"exists": False}}), False),  # an empty object is absent, and no element
    (_trait("rows", is_="c"), True),
    (_trait("rows", not_in=["c"]), False),
    (_trait("cheap", less_than=1), True),
    # what is absent: no list of it either
    (_trait("roles", not_="staff"), True),
    (_trait("roles", not_in=["staff"]), True),
    (_trait("roles", in_=["staff"]), False),
    (_trait("shoe_size", not_in=[44]), True),
    *[(_trait(name), False) for name in ("blank", "said", "nothing", "none", "empty")],
    *[(_trait(name, exists=False), True) for name in ("blank", "said", "nothing", "none", "empty")],
    *[(_trait(name, not_="x"), True) for name in ("blank", "said", "nothing", "none", "empty")],
    *[(_trait(name, at_most=0), False) for name in ("blank", "said", "nothing", "none", "empty")],
    (_trait("gaps"), True),
    (_trait("gaps", exists=False), False),
    (_trait("blank", is_=""), True),  # nothing is nothing, however it is said
    (_trait("country", not_=""), True),
    # a plain number in a text counts beside a number
    (_trait("price", at_least=10), True),
    (_trait("price", is_=19.9), True),
    (_trait("price", more_than=19.9), False),
    (_trait("zip", at_least=0), False),
    (_trait("id", is_=5), True),
    (_trait("id", not_in=[4, 5]), False),
    (_trait("count", is_="5"), False),  # a text is the same text alone
    (_trait("vip", in_=[0, 1]), False),
    (_trait("id", is_=True), False),
    # history
    (_event("Product Viewed"), True),
    (_event("Order Completed", where={"products.category": {"not": "bags"}}), False),
    (_event("Order Completed", where={"products.category": {"not_in": ["kids"]}}), True),
    (_event("Order Completed", where={"products.price": {"exists": False}}), False),
    (_event("Order Completed", where={"products": {"some": {"price": {"exists": False}}}}), True),
    (_event("Product Viewed", count={"at_least": 2}, where={"category": {"not": "bags"}}), True),
    (_event("Cart Cleared"), False),
    (_event("Product Viewed", count={"at_least": 3}), True),
    (_event("Product Viewed", count={"at_least": 4}), False),
    (_event("Product Viewed", count={"at_most": 2}), False),
    (_event("Cart Cleared", count={"at_most": 0}), True),
    (_event("Product Viewed", count={"at_least": 2, "at_most": 3}), True),
    (_event("Product Viewed", count={"at_least": 1, "at_most": 2}), False),
    (_event("Product Viewed", count={"at_least": 3}, within="7d"), False),  # just seven days ago is outside
    (_event("Product Viewed", count={"at_least": 2}, within="7d"), True),
    (_event("Product Viewed", where={"category": "shoes", "price": {"at_least": 50}}), True),
    (_event("Product Viewed", where={"category": "bags", "price": {"at_least": 50}}), False),
    (_event("Product Viewed", where={"category": ["kids", "bags"]}), True),
    (_event("Order Completed", where={"products.category": "shoes"}), True),
    (
        _event("Order Completed", where={"products.price": 20, "products.category": "shoes"}),
        True,
    ),  # elements may differ
    (_event("Order Completed", where={"products.category": "kids"}), False),
    # the rest
    ({"segment": "grown"}, True),
    ({"segment": "young"}, False),
    ({"suppression": "viennese"}, True),
    ({"consent": {"purpose": "ads", "channel": "web"}}, True),
    ({"consent": {"purpose": "ads", "channel": "web", "granted": False}}, False),
    ({"context": {"name": "page.kind", "is": "search"}}, True),
    ({"context": {"name": "page.kind", "is": "home"}}, False),
    ({"all": [{"segment": "grown"}, {"segment": "young"}]}, False),
    ({"any": [{"segment": "grown"}, {"segment": "young"}]}, True),
    ({"not": {"all": [{"segment": "grown"}, {"any": [{"segment": "young"}]}]}}, True),
]


@pytest.mark.parametrize(("condition", "answer"), SENTENCES, ids=[str(row[0])[:70] for row in SENTENCES])
def test_a_sentence_means_what_it_says(condition: dict[str, Any], answer: bool) -> None:
    assert _holds(condition) is answer
    assert _holds({"not": condition}) is not answer


@pytest.mark.parametrize(
    ("action", "answer"), [({"category": "shoes"}, True), ({"category": "kids"}, False), ({}, False)]
)
def test_a_fact_of_the_action_is_compared_and_an_absent_one_makes_it_false(
    action: dict[str, str], answer: bool
) -> None:
    assert _holds(_event("Order Completed", where={"products.category": "$action.category"}), **action) is answer
    assert _holds(_event("Order Completed", where={"products.category": ["$action.category"]}), **action) is answer


def test_no_condition_always_holds() -> None:
    assert build_where(None)({"anything": 1}) is True


@pytest.mark.parametrize("test", [{"not": "gold"}, {"not_in": ["gold", "old"]}, {"exists": False}])
@pytest.mark.parametrize("name", [*TRAITS, "shoe_size", "kin.age", "address.city", "address.street"])
def test_a_negation_is_the_long_form_of_not(name: str, test: dict[str, Any]):
    positive = {"not": "is", "not_in": "in", "exists": "exists"}
    ((word, operand),) = test.items()
    long = {"not": {"trait": {"name": name, positive[word]: operand or True}}}
    assert _holds({"trait": {"name": name, **test}}) is _holds(long)


_atoms = st.sampled_from([condition for condition, _ in SENTENCES])


@given(st.lists(_atoms, min_size=1, max_size=4))
def test_not_all_is_any_not(conditions: list[dict[str, Any]]) -> None:
    assert _holds({"not": {"all": conditions}}) is _holds({"any": [{"not": condition} for condition in conditions]})


def test_equal_conditions_are_one_and_each_action_asks_with_its_own_facts():
    viewed = _event("Product Viewed", where={"category": "$action.category"})
    view = View(_customer(), EMPTY, NOW_MS)
    bound = [
        build(bind(viewed, facts)) for facts in ({"category": "shoes"}, {"category": "kids"}, {}, {"category": "shoes"})
    ]
    assert bound[0] is bound[3]
    assert [condition(view) for condition in bound] == [True, False, False, True]


@pytest.mark.parametrize("written", ["Z\u00fcrich", "Zu\u0308rich"])
@pytest.mark.parametrize("came", ["Z\u00fcrich", "Zu\u0308rich"])
def test_texts_are_equal_however_their_letters_are_composed(written: str, came: str):
    asked: list[dict[str, Any]] = [
        {"trait": {"name": "city", "is": written}},
        {"trait": {"name": "city", "in": ["Bern", written]}},
        {"not": {"trait": {"name": "city", "not": written}}},
        {"event": {"name": "Seen", "where": {"city": written}}},
        {"event": {"name": "Seen", "where": {"city": {"in": [written, "Bern"]}}}},
    ]
    web = {"channels": ["web"], "placements": ["home_hero"], "purpose": "service"}
    world = World(document(actions=[action(f"a{n}", eligible=tree, **web) for n, tree in enumerate(asked)]))
    ada = world.customer("ada")
    ada.identifies(city=came)
    ada.does("Seen", city=came)
    for _ in range(2):
        rows = ada.decides(limit=9, explain=True)["explanation"]["candidates"]
        assert [row for row in rows if row["reason"] == "eligibility"] == [] and len(rows) == len(asked)
        for number in range(60):
            ada.does("Page Seen", number=number)
    assert ada.profile.spilled


@pytest.mark.parametrize("test", [{"not": "b"}, {"not_in": ["b"]}, {"exists": False}])
@pytest.mark.parametrize("absent", [{}, [{}], [], [[{}]], None, "", [{}, None]])
def test_what_is_absent_passes_no_some(absent: Any, test: Any):
    asked = build_where({"items": {"some": {"a": test}}})
    assert not asked({"items": absent}) and not asked({})
    assert asked({"items": [{}, {"c": 1}]}) and asked({"items": {"c": 1}})
