"""Random conditions over data of every shape: the compiled predicate says what a naive reader of the grammar says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support import random_conditions
from support.naive import Judge, Person, lacks_a_fact, matches

from engine.catalog.compile import compile_document
from engine.catalog.compile_journeys import compile_trigger
from engine.conditions.predicates import build
from engine.decide.questions import Questions
from engine.values.paths import any_at, values_at
from engine.view import View

pytestmark = pytest.mark.slow

SLOW = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


@SLOW
@given(random_conditions.documents(), random_conditions.people, random_conditions.data)
def test_a_condition_holds_where_a_naive_reader_of_the_grammar_says_so(
    document: dict[str, Any], person: Person, trigger: dict[str, Any]
):
    catalog = compile_document(document)
    action = catalog.actions["a"]
    profile = random_conditions.profile_of(person, catalog)
    view = View(profile, catalog, random_conditions.NOW_MS, dict(person.context), trigger)
    written = document["actions/a.yaml"] | {"$event": trigger}
    wanted = Judge(document, random_conditions.NOW_MS).holds(written["eligible"], person, written)
    assert all(build(part)(view) for part in action.eligible) is wanted
    assert (not Questions.of((part, 1) for part in action.eligible).refusing(view, 1)) is wanted


@SLOW
@given(random_conditions.wheres_of_runs, random_conditions.data, random_conditions.data)
@example({"roles": {"not_in": ["staff"]}}, {"roles": ["staff", "customer"]}, {})
def test_the_where_of_a_stop_is_the_where_of_a_condition(
    where: dict[str, Any], properties: dict[str, Any], trigger: dict[str, Any]
):
    run = {"$event": trigger}
    wanted = not lacks_a_fact(where, run) and matches(properties, where, run)
    assert compile_trigger("Seen", where).passes(properties, trigger) is wanted


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
