"""Compiles the rules of the benchmark's catalog to closures, for the peer. Within one decision, the same condition is
evaluated once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_UNITS_MS = {"h": 3_600_000, "d": 86_400_000}
TIERS = ("service", "lifecycle", "promotional")


@dataclass(slots=True)
class Person:
    """The customer of a decision: `events` by name, each (epoch ms, properties)."""

    traits: Mapping[str, Any]
    context: Mapping[str, Any]
    events: Mapping[str, Sequence[tuple[int, Mapping[str, Any]]]]
    now_ms: int
    answers: dict[str, bool]


Test = Callable[[Person], bool]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An action as a decision needs it; `caps` are the numbers of the caps that count it."""

    id: str
    rank: int
    tests: tuple[Test, ...]
    value: float
    trait: str | None
    propensity: float
    caps: tuple[int, ...]
    content: Any


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `limit` in a rolling window."""

    id: str
    limit: int
    window_ms: int


def compiled(document: Mapping[str, Any], placement: str) -> tuple[list[Candidate], list[Cap]]:
    """The candidates of a placement, the best tiers first, and all caps."""
    policies = document["policies.yaml"]
    caps = [Cap(each["id"], each["limit"], _ms(each["per"])) for each in policies["caps"]]
    segments = {name: _test(rule, {}, {}) for name, rule in document["segments.yaml"]["segments"].items()}
    found = []
    for file, action in document.items():
        if file.startswith("actions/") and placement in action.get("placements", ()):
            rules = [action["eligible"]]
            rules += [{"not": rule["when"]} for rule in policies["suppress"] if rule["tier"] == action["tier"]]
            facts = {"channel": "web", **action}
            counted = (n for n, cap in enumerate(policies["caps"]) if _matches(cap["match"], facts))
            model = action["propensity"]
            found.append(
                Candidate(
                    action["id"],
                    TIERS.index(action["tier"]),
                    tuple(_test(rule, action, segments) for rule in rules),
                    action["value"] * action["weight"],
                    model.get("trait"),
                    model.get("constant", model.get("default")),
                    tuple(counted),
                    action["variants"][0]["web"]["content"],
                )
            )
    found.sort(key=lambda each: (each.rank, each.id))
    return found, caps


def best(candidates: Sequence[Candidate], caps: Sequence[Cap], taken: Sequence[int], person: Person) -> list[Candidate]:
    """The candidates that may be shown, the best first."""
    full = {n for n, cap in enumerate(caps) if taken[n] >= cap.limit}
    going = [each for each in candidates if full.isdisjoint(each.caps) and all(test(person) for test in each.tests)]
    going.sort(key=lambda each: (each.rank, -score(each, person), each.id))
    return going


def score(candidate: Candidate, person: Person) -> float:
    """Propensity × value × weight."""
    propensity = person.traits.get(candidate.trait, candidate.propensity) if candidate.trait else candidate.propensity
    return float(propensity) * candidate.value


def _matches(match: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    return all(facts.get(name) == wanted for name, wanted in match.items())


def _ms(text: str) -> int:
    return int(text[:-1]) * _UNITS_MS[text[-1]]


def _test(rule: Mapping[str, Any], action: Mapping[str, Any], segments: Mapping[str, Test]) -> Test:
    ((word, body),) = rule.items()
    if word in ("all", "any"):
        parts = [_test(part, action, segments) for part in body]
        every = all if word == "all" else any
        return lambda person: every(part(person) for part in parts)
    if word == "not":
        inner = _test(body, action, segments)
        return lambda person: not inner(person)
    if word == "segment":
        return _once(f"segment {body}", segments[body])
    return _once(
        json.dumps([rule, _fact(body, action)]), _event(body, action) if word == "event" else _value(word, body)
    )


def _fact(body: Mapping[str, Any], action: Mapping[str, Any]) -> Any:
    return action.get("category") if "$action.category" in json.dumps(body) else None


def _once(key: str, test: Test) -> Test:
    def asked(person: Person) -> bool:
        known = person.answers.get(key)
        if known is None:
            known = person.answers[key] = test(person)
        return known

    return asked


def _value(word: str, body: Mapping[str, Any]) -> Test:
    names, passes = body["name"].split("."), _passes(body)

    def test(person: Person) -> bool:
        value: Any = person.traits if word == "trait" else person.context
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return value is not None and passes(value)

    return test


def _passes(body: Mapping[str, Any]) -> Callable[[object], bool]:
    if "in" in body:
        allowed = frozenset(body["in"])
        return lambda value: value in allowed
    if "at_least" in body:
        least: float = body["at_least"]
        return lambda value: isinstance(value, int | float) and value >= least
    wanted = body["is"]
    return lambda value: value == wanted


def _event(body: Mapping[str, Any], action: Mapping[str, Any]) -> Test:
    name, window_ms, count = body["name"], _ms(body["within"]), body.get("count", {"at_least": 1})
    where = {
        path: action.get("category") if wanted == "$action.category" else wanted
        for path, wanted in body.get("where", {}).items()
    }
    least: int = count.get("at_least", 0)
    most: int = count.get("at_most", 1 << 30)

    def test(person: Person) -> bool:
        since_ms, found = person.now_ms - window_ms, 0
        for at_ms, properties in person.events.get(name, ()):
            if at_ms > since_ms and all(_has(properties, path, wanted) for path, wanted in where.items()):
                found += 1
        return least <= found <= most

    return test


def _has(properties: Mapping[str, Any], path: str, wanted: object) -> bool:
    head, _, rest = path.partition(".")
    value = properties.get(head)
    if rest:
        return any(_has(each, rest, wanted) for each in value or () if isinstance(each, dict))
    return wanted == value
