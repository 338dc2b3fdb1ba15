"""Random catalogs and pasts: the compiled decision is the one that a naive interpreter of the grammar comes to."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.naive import TIERS, Judge, Person

from engine.catalog.compile import compile_document
from engine.decide import receipt
from engine.effects import Answer, Note
from engine.events import history
from engine.inputs import Decide
from engine.parts.of_identity import Link
from engine.profile import ConsentRecord, Place, Profile, TraitValue
from engine.recent_events import Happened
from engine.turn import handle
from engine.turn_state import Turn
from engine.vocabulary import DAY_MS, HOUR_MS

pytestmark = pytest.mark.slow

NOW_MS = 1_000 * DAY_MS
NAMES = ("Seen", "Bought", "Refunded")
CATEGORIES = ("bags", "kids", "shoes")
DURATIONS = ("6h", "2d", "10d")

scalars = st.sampled_from(["bags", "shoes", "AT", 0, 1, 5, True, False])
numbers = st.sampled_from([0, 1, 2.5, 5])
facts = st.sampled_from(["$action.category", "$action.product", "$action.tier"])
paths = st.sampled_from(["category", "products.category", "price", "products.price"])
operands = scalars | facts
tests = (
    operands
    | st.lists(st.sampled_from(["bags", "shoes", "$action.category"]), min_size=1, max_size=2)
    | st.sampled_from(["is", "not"]).flatmap(lambda word: operands.map(lambda operand: {word: operand}))
    | st.sampled_from(["at_least", "at_most", "more_than", "less_than"]).flatmap(
        lambda word: numbers.map(lambda bound: {word: bound})
    )
    | st.booleans().map(lambda wanted: {"exists": wanted})
    | st.just({"in": ["bags", "$action.product"]})
    | st.just({"not_in": ["bags", "kids"], "exists": True})
)
wheres = st.dictionaries(paths, tests, min_size=1, max_size=2) | st.just(
    {"products": {"some": {"category": "$action.category", "price": {"at_least": 2.5}}}}
)
counts = st.sampled_from([{"at_least": 2}, {"at_most": 0}, {"at_most": 1}, {"at_least": 1, "at_most": 2}])


@st.composite
def event_atoms(draw: st.DrawFn) -> dict[str, Any]:
    body: dict[str, Any] = {"name": draw(st.sampled_from(NAMES))}
    for word, values in (("count", counts), ("within", st.sampled_from(DURATIONS)), ("where", wheres)):
        if draw(st.booleans()):
            body[word] = draw(values)
    if draw(st.integers(0, 4)) == 0:
        body["undone_by"] = {"name": "Refunded"} | draw(
            st.just({}) | st.just({"where": {"category": "$action.category"}})
        )
    return {"event": body}


@st.composite
def named_atoms(draw: st.DrawFn) -> dict[str, Any]:
    word = draw(st.sampled_from(["trait", "context"]))
    body: dict[str, Any] = {"name": draw(st.sampled_from(["country", "age", "address.city", "tags"]))}
    test = draw(tests)
    return {word: body | (test if isinstance(test, dict) else {"in": test} if isinstance(test, list) else {"is": test})}


def conditions(*others: str) -> st.SearchStrategy[dict[str, Any]]:
    fixed = [{"consent": {"purpose": "marketing", "channel": "email"}}]
    fixed += [{"segment": "grown"}] if "segment" in others else []
    fixed += [{"suppression": "ticket"}] if "suppression" in others else []
    refused = event_atoms().map(lambda atom: {"not": atom})
    atoms = event_atoms() | refused | named_atoms() | st.sampled_from(fixed)
    return st.recursive(
        atoms,
        lambda inner: st.lists(inner, min_size=1, max_size=3).flatmap(
            lambda parts: st.sampled_from([{"all": parts}, {"any": parts}, {"not": parts[0]}])
        ),
        max_leaves=5,
    )


@st.composite
def actions(draw: st.DrawFn, number: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": f"a{number}",
        "tier": draw(st.sampled_from(TIERS)),
        "purpose": draw(st.sampled_from(["service", "marketing"])),
        "channels": draw(st.sampled_from([["web"], ["web", "email"]])),
        "placements": ["hero"],
        "value": draw(st.sampled_from([0, 1, 2])),
        "weight": draw(st.sampled_from([1.0, 2.0])),
        "propensity": draw(st.sampled_from([{"constant": 0.5}, {"constant": 1.0}, {"trait": "age", "default": 0.25}])),
    }
    made["variants"] = [{"id": "a"} | {channel: {"content": {"title": "Hello"}} for channel in made["channels"]}]
    for word in ("category", "product"):
        if draw(st.booleans()):
            made[word] = draw(st.sampled_from(CATEGORIES))
    if draw(st.integers(0, 3)):
        made["eligible"] = draw(conditions("segment", "suppression"))
    return made


matches = st.fixed_dictionaries({}, optional={
    "tier": st.sampled_from(TIERS), "category": st.sampled_from(CATEGORIES), "action": st.sampled_from(["a0", "a1"])
})  # fmt: skip


caps = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["c0", "c1"]),
        "limit": st.integers(1, 2),
        "per": st.sampled_from(DURATIONS),
        "match": matches,
    }
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    made = [draw(actions(number)) for number in range(draw(st.integers(2, 8)))]
    return {
        "channels.yaml": {
            "channels": [{"id": "web", "provider": "none"}, {"id": "email", "provider": "none", "address": "email"}]
        },
        "consent.yaml": {
            "purposes": {
                "service": {"channels": [], "default": draw(st.booleans())},
                "marketing": {
                    "channels": draw(st.sampled_from([[], ["email"], ["web", "email"]])),
                    "default": draw(st.booleans()),
                },
                "advice": {"no_consent_needed": draw(st.sampled_from([["web"], ["web", "email"]]))},
            }
        },
        "placements.yaml": {"placements": [{"id": "hero", "channel": "web"}]},
        "segments.yaml": {"segments": {"grown": {"trait": {"name": "age", "at_least": 5}}}},
        "policies.yaml": {
            "suppress": [{"id": "ticket", "when": draw(conditions("segment"))}]
            + [
                {"id": f"s{n}", "when": draw(conditions("segment"))} | ({"tier": tier} if tier else {})
                for n, tier in enumerate(draw(st.lists(st.sampled_from([None, *TIERS]), max_size=2)))
            ],
            "caps": draw(st.lists(caps, max_size=2, unique_by=lambda cap: cap["id"])),
        },
    } | {f"actions/{action['id']}.yaml": action for action in made}  # fmt: skip


properties = st.fixed_dictionaries(
    {},
    optional={
        "category": st.sampled_from([*CATEGORIES, 1, True, None, ""]),
        "price": numbers,
        "products": st.lists(
            st.fixed_dictionaries({}, optional={"category": st.sampled_from(CATEGORIES), "price": numbers}), max_size=2
        ),
    },
)
past = (st.integers(0, 12 * 24) | st.sampled_from([6, 48, 240])).map(lambda hours: NOW_MS - hours * HOUR_MS)
happened = st.tuples(past, st.sampled_from(NAMES), properties)
said = st.tuples(st.just("marketing"), st.sampled_from(["web", "email"]), st.booleans())
people = st.builds(
    Person,
    traits=st.fixed_dictionaries(
        {},
        optional={
            "country": scalars,
            "age": st.sampled_from([0, 0.5, 1, 5, True, "old", "0.5"]),
            "address": st.fixed_dictionaries({}, optional={"city": scalars}),
            "tags": st.lists(scalars, max_size=2),
        },
    ),
    events=st.lists(happened, max_size=12) | st.lists(happened, min_size=30, max_size=45),
    consent=st.lists(said, max_size=1),
    email=st.booleans(),
    seen=st.lists(st.tuples(past, st.sampled_from(["a0", "a1"])), max_size=4),
    context=st.fixed_dictionaries(
        {}, optional={"country": scalars, "age": numbers, "tags": st.lists(scalars, max_size=2)}
    ),
)


def compiled(document: dict[str, Any]) -> Any:
    return dataclasses.replace(compile_document(document), id_key=b"a key for properties")


def profile_of(person: Person, document: dict[str, Any], catalog: Any) -> Profile:
    """The customer after everything that happened, with older events in pages where there are many."""
    profile = Profile("00ff", clock_ms=NOW_MS, created_ms=1)
    profile.identifiers = [Link("user_id", "ada", 1, 1)]
    if person.email:
        profile.identifiers.append(Link("email", "ada@shop.example", 1, 1))
    profile.traits = {name: TraitValue(value, 1) for name, value in person.traits.items()}
    profile.consent = [ConsentRecord(*said, 1, "form", "r1") for said in person.consent]
    by_id = {data["id"]: data for file, data in document.items() if file.startswith("actions/")}
    for number, (at_ms, name) in enumerate(sorted(person.seen)):
        action = by_id[name]
        kind = (action["tier"], action["purpose"], action.get("category", ""), "")
        profile.places.append(Place(f"p{number}", name, "web", *kind, "elsewhere", at_ms, at_ms + 1, at_ms))
    for seq, (at_ms, name, data) in enumerate(sorted(person.events, key=lambda event: event[0])):
        turn = Turn(profile, catalog, NOW_MS)
        turn.remember(Happened(at_ms, seq, name, dict(data)))
        history.spill(turn)
    return profile


def decided(profile: Profile, catalog: Any, **asked: Any) -> tuple[dict[str, Any], Note]:
    effects = handle(profile, Decide(placement="hero", explain=True, **({"channel": "web"} | asked)), catalog, NOW_MS)
    (answer,) = [effect.value for effect in effects if isinstance(effect, Answer)]
    (note,) = [effect for effect in effects if isinstance(effect, Note)]
    return answer, note


SLOW = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@SLOW
@given(documents(), people, st.sampled_from(["web", "email"]))
def test_the_compiled_decision_is_that_of_a_naive_interpreter(document: dict[str, Any], person: Person, channel: str):
    catalog = compiled(document)
    profile = profile_of(person, document, catalog)
    best, wanted = Judge(document, NOW_MS).decide(person, channel)
    answer, note = decided(profile, catalog, channel=channel, context=dict(person.context))
    rows = answer["explanation"]["candidates"]
    assert {row["actionId"]: row["reason"] for row in rows} == wanted
    assert len(rows) == len(wanted), "every candidate has exactly one outcome"
    assert [shown["actionId"] for shown in answer["actions"]] == ([best] if best else [])
    kept = receipt.outcomes(receipt.read(note.entry.detail["receipt"]), catalog, channel)
    assert {action: reason for action, _, reason in kept} == wanted
    assert all((outcome == "chosen") == (not reason) for _, outcome, reason in kept)


@SLOW
@given(documents(), people, st.integers(1, 4), st.randoms())
def test_order_changes_nothing_and_tiers_and_consent_hold(
    document: dict[str, Any], person: Person, limit: int, random: Any
):
    shuffled = list(document.items())
    random.shuffle(shuffled)
    catalog, other = compiled(document), compiled(dict(shuffled))
    answer, note = decided(profile_of(person, document, catalog), catalog, limit=limit)
    again, noted = decided(profile_of(person, document, other), other, limit=limit)
    assert (answer, note) == (again, noted)
    tiers = [shown["tier"] for shown in answer["actions"]]
    assert tiers == sorted(tiers, key=TIERS.index)
    rows = {row["actionId"]: row for row in answer["explanation"]["candidates"]}
    for file, data in document.items():
        if file.startswith("actions/") and rows[data["id"]]["outcome"] == "chosen":
            assert Judge(document, NOW_MS).granted(person, data["purpose"], "web", data["tier"])
        elif file.startswith("actions/") and rows[data["id"]]["outcome"] == "outranked" and data["tier"] == "service":
            assert all(tier == "service" for tier in tiers)


@SLOW
@given(documents(), people, st.integers(0, 1), st.integers(1, 3))
def test_raising_a_cap_never_removes_a_candidate(document: dict[str, Any], person: Person, which: int, by: int):
    caps = document["policies.yaml"]["caps"]
    raised = document | {
        "policies.yaml": document["policies.yaml"]
        | {"caps": [cap | {"limit": cap["limit"] + by * (n == which)} for n, cap in enumerate(caps)]}
    }
    before, _ = decided(profile_of(person, document, compiled(document)), compiled(document))
    after, _ = decided(profile_of(person, raised, compiled(raised)), compiled(raised))
    dropped = {row["actionId"] for row in after["explanation"]["candidates"] if row["outcome"] == "dropped"}
    assert dropped <= {row["actionId"] for row in before["explanation"]["candidates"] if row["outcome"] == "dropped"}
