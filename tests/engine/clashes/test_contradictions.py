"""What the solver says can never hold never does: of every condition that holds of somebody it says that it can."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from support import random_conditions
from support.naive import Person

from engine.catalog.compile import compile_document
from engine.clashes.logic.contradictions import Solver
from engine.clashes.logic.element_tests import ElementTest
from engine.conditions.predicates import build, tree_of
from engine.conditions.value_tests import build_at
from engine.view import View

VALUES = ["bags", "shoes", 0, 1, 5, 2.5, "5", "2.5", "05", -1, True, False, None, "", "null"]


def single(value: Any) -> Any:
    """A value without lists in it: the solver takes what is compared with numbers for one value."""
    if isinstance(value, list):
        return single(value[0]) if value else None
    return {name: single(each) for name, each in value.items()} if isinstance(value, dict) else value


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(random_conditions.documents(), random_conditions.people, random_conditions.data)
def test_a_condition_that_holds_of_somebody_can_hold(document: dict[str, Any], person: Person, trigger: dict[str, Any]):
    catalog = compile_document(document)
    person = Person(single(dict(person.traits)), person.events, person.consent, {})
    profile = random_conditions.profile_of(person, catalog)
    view = View(profile, catalog, random_conditions.NOW_MS, {}, trigger)
    solver = Solver({name: tree_of(each) or {} for name, each in catalog.segments.items()})
    rules = {rule.id: rule.asked for rule in catalog.suppressions if rule.asked}
    trees = [tree for tree in (catalog.actions["a"].asked, *rules.values()) if tree is not None]
    held = [tree for tree in trees if build(tree)(view)]
    others = [{"not": tree} for tree in trees if not build(tree)(view)]
    assert solver.can_hold([*held, *others]) is not False


@settings(max_examples=300, deadline=None)
@given(random_conditions.operators, random_conditions.operators)
def test_one_test_implies_another_only_where_every_value_that_passes_it_passes_the_other(one: Any, other: Any):
    negations = ("not", "not_in", "exists")
    if any(word in tests for tests in (one, other) for word in negations):
        return
    tests = [ElementTest.of(one), ElementTest.of(other)]
    passing = [[value for value in VALUES if build_at((), each)(value)] for each in (one, other)]
    opaque = any(test.opaque for test in tests)
    if not opaque:
        assert tests[0].is_possible() or not passing[0]
        assert tests[0].both(tests[1]).is_possible() or not [each for each in passing[0] if each in passing[1]]
    if tests[0].implies(tests[1]):
        assert opaque or all(any(value is each for each in passing[1]) for value in passing[0])


BOUGHT = {"name": "Bought"}


@pytest.mark.parametrize(
    ("trees", "can"),
    [
        ([{"trait": {"name": "x", "is": "a"}}, {"trait": {"name": "x", "is": "b"}}], True),  # x may be a list
        ([{"trait": {"name": "x", "is": True}}, {"trait": {"name": "x", "is": False}}], False),
        ([{"trait": {"name": "x", "at_least": 5}}, {"trait": {"name": "x", "less_than": 5}}], False),
        ([{"trait": {"name": "x", "at_least": 5}}, {"trait": {"name": "x", "at_most": 5}}], True),
        ([{"trait": {"name": "x", "in": ["a"]}}, {"not": {"trait": {"name": "x", "in": ["a", "b"]}}}], False),
        ([{"trait": {"name": "x", "in": ["a", "c"]}}, {"not": {"trait": {"name": "x", "in": ["a", "b"]}}}], True),
        ([{"trait": {"name": "x", "exists": False}}, {"trait": {"name": "x", "is": None}}], True),
        ([{"event": BOUGHT | {"within": 5}}, {"not": {"event": BOUGHT | {"within": 9}}}], False),
        ([{"event": BOUGHT | {"within": 9}}, {"not": {"event": BOUGHT | {"within": 5}}}], True),
        ([{"event": BOUGHT | {"where": {"a": 1}}}, {"not": {"event": BOUGHT}}], False),
        ([{"event": BOUGHT}, {"not": {"event": BOUGHT | {"where": {"a": 1}}}}], True),
        ([{"event": BOUGHT | {"count": {"at_least": 3}}}, {"event": BOUGHT | {"count": {"at_most": 2}}}], False),
        ([{"event": BOUGHT}, {"not": {"event": BOUGHT | {"undone_by": {"name": "Refunded"}}}}], True),
        ([{"context": {"name": "page", "is": "home"}}], False),  # a journey has no context
        (
            [
                {"consent": {"purpose": "p", "channel": "c"}},
                {"consent": {"purpose": "p", "channel": "c", "granted": False}},
            ],
            False,
        ),
        ([{"segment": "s"}, {"trait": {"name": "x", "less_than": 1}}], False),
        ([{"outcome": {"name": ["opened"]}}, {"not": {"outcome": {"name": ["opened"]}}}], False),
        ([{"any": []}], False),
        ([], True),
    ],
)
def test_conditions_that_exclude_one_another(trees: list[Any], can: bool):
    assert Solver({"s": {"trait": {"name": "x", "at_least": 5}}}).can_hold(trees) is can
