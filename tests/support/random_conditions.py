"""Random conditions and customers for them: every word of the grammar, and data of every shape that clients send."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from engine.catalog.compiled import Catalog
from engine.events import history
from engine.parts.of_identity import Link
from engine.profile import ConsentRecord, Profile, TraitValue
from engine.recent_events import Happened
from engine.turn_state import Turn
from engine.vocabulary import DAY_MS, HOUR_MS
from support.naive import Person

NOW_MS = 1_000 * DAY_MS
_BOUNDS = ("at_least", "at_most", "more_than", "less_than")
NAMES = ("Seen", "Bought", "Refunded")
PATHS = ("category", "products.category", "price", "products.price", "tags", "products")

absents = st.sampled_from([None, "", " ", "\u200b", [], {}, "undefined", "null", "NaN", "[object Object]"])
scalars = st.sampled_from(["bags", "shoes", 0, 1, 5, 2.5, "5", "2.5", "05", "1e3", "5 ", "-1", True, False])
leaves = scalars | absents
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["category", "price"]), inner, max_size=2)
    ),
    max_leaves=5,
)
bounds = st.sampled_from([0, 1, 2.5, 5, -1])
event_facts = st.sampled_from(["$event.category", "$event.price", "$event.products.category", "$event.products.price"])
facts = st.sampled_from(["$action.category", "$action.product", "$action.tier"]) | event_facts
operands = scalars | facts | st.sampled_from(["", "undefined"])
members = st.lists(st.sampled_from(["bags", "5", "$action.category"]) | event_facts, min_size=1, max_size=3) | st.lists(
    st.sampled_from([0, 5, 2.5]), min_size=1, max_size=2
)
_words = {
    "is": operands,
    "not": operands,
    "in": members,
    "not_in": members,
    "at_least": bounds | st.just("$action.value"),
    "at_most": bounds | event_facts,
    "more_than": bounds,
    "less_than": bounds,
    "exists": st.booleans(),
}
_single = st.sampled_from(sorted(_words)).flatmap(lambda word: _words[word].map(lambda operand: {word: operand}))
operators = _single | st.tuples(_single, _single).map(lambda two: two[0] | two[1])
tests = operands | members | operators
some = st.dictionaries(st.sampled_from(["category", "price"]), tests, min_size=1, max_size=2).map(
    lambda paths: {"some": paths}
)
wheres = st.dictionaries(st.sampled_from(PATHS), tests | some, min_size=1, max_size=2)
counts = st.sampled_from([{"at_least": 2}, {"at_most": 0}, {"at_most": 1}, {"at_least": 1, "at_most": 2}])


@st.composite
def event_atoms(draw: st.DrawFn) -> dict[str, Any]:
    body: dict[str, Any] = {"name": draw(st.sampled_from(NAMES))}
    windows = st.sampled_from(["6h", "2d", "10d"])
    for word, drawn in (("count", counts), ("within", windows), ("where", wheres)):
        if draw(st.booleans()):
            body[word] = draw(drawn)
    if draw(st.integers(0, 4)) == 0:
        body["undone_by"] = {"name": "Refunded"} | draw(st.just({}) | wheres.map(lambda where: {"where": where}))
    return {"event": body}


@st.composite
def named_atoms(draw: st.DrawFn) -> dict[str, Any]:
    body: dict[str, Any] = {"name": draw(st.sampled_from(PATHS))}
    return {draw(st.sampled_from(["trait", "context"])): body | draw(operators | some | st.just({}))}


def trees(*others: str) -> st.SearchStrategy[dict[str, Any]]:
    """Conditions; `others` are words that stand for trees elsewhere."""
    known = {"segment": {"segment": "theirs"}, "suppression": {"suppression": "held"}}
    said = st.builds(
        lambda channel, granted: {"consent": {"purpose": "ads", "channel": channel, "granted": granted}},
        st.sampled_from(["web", "email"]),
        st.booleans(),
    )
    atoms = event_atoms() | named_atoms() | said
    if others:
        atoms |= st.sampled_from([known[word] for word in others])
    return st.recursive(
        atoms,
        lambda inner: st.lists(inner, min_size=1, max_size=3).flatmap(
            lambda parts: st.sampled_from([{"all": parts}, {"any": parts}, {"not": parts[0]}])
        ),
        max_leaves=6,
    )


data = st.dictionaries(st.sampled_from(["category", "price", "tags", "products"]), values, max_size=4)
_past = (st.integers(0, 12 * 24) | st.sampled_from([6, 48, 240])).map(lambda hours: NOW_MS - hours * HOUR_MS)
_happened = st.tuples(_past, st.sampled_from(NAMES), data)
people = st.builds(
    Person,
    traits=data,
    events=st.lists(_happened, max_size=6) | st.lists(_happened, min_size=28, max_size=40),
    consent=st.lists(st.tuples(st.just("ads"), st.sampled_from(["web", "email"]), st.booleans()), max_size=1),
    context=data,
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A catalog whose one action asks a condition, which may lead through a segment and a suppression."""
    action: dict[str, Any] = {
        "id": "a",
        "tier": "promotional",
        "purpose": "ads",
        "channels": ["web"],
        "variants": [{"id": "a", "web": {"content": {"title": "Hello"}}}],
        "value": 2.5,
        "eligible": draw(trees("segment", "suppression")),
    }
    if draw(st.booleans()):
        action["category"] = draw(st.sampled_from(["bags", "shoes"]))
    return {
        "channels.yaml": {
            "channels": [{"id": "web", "provider": "none"}, {"id": "email", "provider": "none", "address": "email"}]
        },
        "consent.yaml": {"purposes": {"ads": {"default": draw(st.booleans())}}},
        "segments.yaml": {"segments": {"theirs": _without_facts(draw(trees()))}},
        "policies.yaml": {"suppress": [{"id": "held", "when": draw(trees("segment"))}]},
        "actions/a.yaml": action,
    }


def _without_facts(tree: Any, kinds: tuple[str, ...] = ("$action", "$event")) -> Any:
    """A condition without facts of an action or a trigger: a segment is about a customer alone, so they become texts
    and numbers."""
    if isinstance(tree, dict):
        return {
            word: 1 if word in _BOUNDS and str(body).startswith(kinds) else _without_facts(body, kinds)
            for word, body in tree.items()
        }
    if isinstance(tree, list):
        return [_without_facts(part, kinds) for part in tree]
    return tree.partition(".")[2] if isinstance(tree, str) and tree.startswith(kinds) else tree


plain_trees = trees().map(_without_facts)
wheres_of_runs = wheres.map(lambda where: _without_facts(where, ("$action",)))


def profile_of(person: Person, catalog: Catalog) -> Profile:
    """The customer after everything that happened, older events in pages where there are many."""
    profile = Profile("00ff", clock_ms=NOW_MS, created_ms=1)
    profile.identifiers = [Link("user_id", "ada", 1, 1)]
    profile.traits = {name: TraitValue(value, 1) for name, value in person.traits.items()}
    profile.consent = [ConsentRecord(*said, 1, "form", "r1") for said in person.consent]
    for seq, (at_ms, name, data) in enumerate(sorted(person.events, key=lambda event: event[0])):
        turn = Turn(profile, catalog, NOW_MS)
        turn.remember(Happened(at_ms, seq, name, dict(data)))
        history.spill(turn)
    return profile
