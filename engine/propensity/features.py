"""The features of models: numbers of a customer, each made in one declared way.

    {"trait": path}  {"context": path}        a number, in a text too; true is 1, false is 0, all else is `missing`
    {"when": tree}                            1 where the condition holds, else 0
    {"count": {"name", "within"?, "where"?}}  how often it happened, up to `most`
    {"action": [id…]}                         1 for these actions, else 0

A number becomes (number − mean) / scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from engine.conditions.binding import bind
from engine.conditions.event_atoms import EventAtom, how_many
from engine.conditions.predicates import atoms_of, build
from engine.conditions.readable import Condition, Readable
from engine.conditions.value_tests import number_of
from engine.values.paths import values_at

Read = Callable[[Readable], float]


@dataclass(frozen=True, slots=True)
class Feature:
    """One number of a customer, ready for an action. `atoms` are its questions about past events."""

    read: Read
    atoms: frozenset[EventAtom]
    is_about_action: bool


def features_of(declared: Iterable[Mapping[str, Any]], facts: Mapping[str, Any]) -> tuple[Feature, ...]:
    """The features of a model, about the action with these facts."""
    return tuple(_feature(each, facts) for each in declared)


def vector(features: Sequence[Feature], view: Readable) -> list[float]:
    """The numbers of a customer."""
    return [feature.read(view) for feature in features]


def _feature(declared: Mapping[str, Any], facts: Mapping[str, Any]) -> Feature:
    mean, scale, missing = declared.get("mean", 0.0), declared.get("scale", 1.0), declared.get("missing", 0.0)

    def scaled(number: float | None) -> float:
        return float(((missing if number is None else number) - mean) / scale)

    if "trait" in declared:
        name, *below = declared["trait"].split(".")
        path = tuple(below)
        return Feature(lambda view: scaled(_number(_trait(view, name), path)), frozenset(), False)
    if "context" in declared:
        steps = tuple(declared["context"].split("."))
        return Feature(lambda view: scaled(_number(view.context, steps)), frozenset(), False)
    if "action" in declared:
        answer = scaled(float(facts.get("id") in declared["action"]))
        return Feature(lambda view: answer, frozenset(), True)
    if "when" in declared:
        tree = bind(declared["when"], facts)
        condition: Condition = build(tree)
        return Feature(lambda view: scaled(float(condition(view))), atoms_of(condition), tree != declared["when"])
    return _count(declared, facts, scaled)


def _count(declared: Mapping[str, Any], facts: Mapping[str, Any], scaled: Callable[[float], float]) -> Feature:
    tree = bind({"event": declared["count"]}, facts) or {}
    if "event" not in tree:  # it asks for a fact that the action does not have
        never = scaled(0.0)
        return Feature(lambda view: never, frozenset(), True)
    body, most = tree["event"], declared.get("most", 20)
    atom, within = EventAtom.of(body["name"], body.get("where"), most), body.get("within", inf)

    def read(view: Readable) -> float:
        since_ms = view.now_ms - within
        older = view.profile.tallies.get(atom.digest, ()) if view.profile.spilled else ()
        return scaled(float(min(most, how_many(view.times(atom), since_ms) + how_many(older[::-1], since_ms))))

    return Feature(read, frozenset((atom,)), body != declared["count"])


def _trait(view: Readable, name: str) -> Any:
    trait = view.profile.traits.get(name)
    return None if trait is None else trait.value


def _number(data: Any, path: tuple[str, ...]) -> float | None:
    value = next(iter(values_at(data, path)), None)
    number = int(value) if isinstance(value, bool) else number_of(value)
    return float(number) if number is not None and abs(number) < inf else None
