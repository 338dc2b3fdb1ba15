"""The one grammar of conditions: what each sentence says about a customer, from YAML's words to the answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.binding import bind
from engine.catalog.compile import compile_document
from engine.catalog.compiled import Catalog
from engine.conditions import View, build
from engine.decide.questions import Questions
from engine.profile import ConsentRecord, Profile, TraitValue
from engine.recent import Happened
from engine.value_tests import any_at, build_where, values_at
from engine.vocabulary import DAY_MS

NOW_MS = 100 * DAY_MS
EMPTY = compile_document({})

TRAITS = {"country": "AT", "age": 41, "vip": True, "tags": ["new", "gold"], "address": {"city": "Wien"}, "empty": []}
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
    # history
    (_event("Product Viewed"), True),
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


@given(
    st.recursive(
        st.none() | st.integers(0, 2),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    ),
    st.lists(st.sampled_from("ab"), max_size=3).map(tuple),
    st.none() | st.integers(0, 2),
)
def test_some_value_at_a_path_passes_when_one_of_them_does(data: Any, path: tuple[str, ...], wanted: int | None):
    passes = any_at(data, path, 0, lambda value: value == wanted)
    assert passes == any(value == wanted for value in values_at(data, path))
