"""The same decisions in two other ways, for comparison: a plain loop in Python over the conditions as they are written,
and a general rule library (JsonLogic). Neither knows caps, consent or receipts. They only find the actions that are
eligible and not suppressed, and the best score among these.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from time import thread_time_ns
from typing import Any

from engine.profile import Profile
from loadtest.world.shop_world import START_MS

Person = Mapping[str, Any]
Rule = Mapping[str, Any]
_UNITS = {"h": 3_600_000, "d": 86_400_000}
_ROUNDS = 15
_TIERS = ("service", "lifecycle", "promotional")


def person_of(profile: Profile, context: Mapping[str, Any]) -> dict[str, Any]:
    """A customer as plain data."""
    return {
        "traits": profile.trait_values,
        "context": context,
        "events": [{"at": each.at_ms, "name": each.name, **each.properties} for each in profile.history.events],
    }


def loop_us(person: Person, document: Mapping[str, Any], placement: str) -> float:
    """How long one decision takes in a plain loop, in microseconds of CPU."""
    segments = document["segments.yaml"]["segments"]
    rules = document["policies.yaml"]["suppress"]
    actions = _actions(document, placement)

    def holds(rule: Rule, action: Rule) -> bool:
        ((word, body),) = rule.items()
        if word == "all":
            return all(holds(part, action) for part in body)
        if word == "any":
            return any(holds(part, action) for part in body)
        if word == "not":
            return not holds(body, action)
        if word == "segment":
            return holds(segments[body], action)
        if word == "event":
            return _happened(person, body, action)
        return _passes(_value(person["traits" if word == "trait" else "context"], body["name"]), body)

    def decide() -> str | None:
        going = [
            action
            for action in actions
            if holds(action["eligible"], action)
            and not any(action["tier"] == rule["tier"] and holds(rule["when"], action) for rule in rules)
        ]
        going.sort(key=lambda action: (_TIERS.index(action["tier"]), -_score(action, person), action["id"]))
        return going[0]["id"] if going else None

    return _median_us(decide)


def library_us(person: Person, document: Mapping[str, Any], placement: str) -> float | None:
    """How long one decision takes with JsonLogic; None where it is not installed."""
    try:
        from json_logic import jsonLogic
    except ImportError:
        return None
    segments = document["segments.yaml"]["segments"]
    rules = document["policies.yaml"]["suppress"]
    actions = _actions(document, placement)
    asked = [
        (
            action,
            _logic(action["eligible"], action, segments),
            [_logic(rule["when"], action, segments) for rule in rules if rule["tier"] == action["tier"]],
        )
        for action in actions
    ]

    def decide() -> str | None:
        going = [
            action
            for action, eligible, suppressing in asked
            if jsonLogic(eligible, person) and not any(jsonLogic(rule, person) for rule in suppressing)
        ]
        going.sort(key=lambda action: (_TIERS.index(action["tier"]), -_score(action, person), action["id"]))
        return going[0]["id"] if going else None

    return _median_us(decide)


def _median_us(decide: Callable[[], str | None]) -> float:
    taken = []
    for _ in range(_ROUNDS):
        started = thread_time_ns()
        decide()
        taken.append(thread_time_ns() - started)
    return statistics.median(taken) / 1000


def _actions(document: Mapping[str, Any], placement: str) -> list[Rule]:
    found = [data for file, data in document.items() if file.startswith("actions/")]
    return [action for action in found if placement in action.get("placements", ())]


def _since(body: Rule) -> int:
    return START_MS - int(body["within"][:-1]) * _UNITS[body["within"][-1]]


def _happened(person: Person, body: Rule, action: Rule) -> bool:
    count, since = 0, _since(body)
    for event in person["events"]:
        if event["name"] == body["name"] and event["at"] > since:
            count += all(_found(event, path, test, action) for path, test in body.get("where", {}).items())
    wanted = body.get("count", {"at_least": 1})
    return bool(wanted.get("at_least", 0) <= count <= wanted.get("at_most", count))


def _found(event: Person, path: str, test: str, action: Rule) -> bool:
    wanted = action["category"] if test == "$action.category" else test
    head, _, below = path.partition(".")
    if not below:
        return bool(event.get(head) == wanted)
    return any(item.get(below) == wanted for item in event.get(head, ()))


def _value(data: Any, path: str) -> Any:
    for name in path.split("."):
        data = data.get(name) if isinstance(data, Mapping) else None
    return data


def _passes(value: Any, body: Rule) -> bool:
    if "in" in body:
        return value in body["in"]
    if "is" in body:
        return bool(value == body["is"])
    return value is not None and bool(value >= body["at_least"])


def _score(action: Rule, person: Person) -> float:
    model = action["propensity"]
    chance = model.get("constant", person["traits"].get(model.get("trait"), model.get("default", 0.0)))
    return float(chance * action["value"] * action["weight"])


def _logic(rule: Rule, action: Rule, segments: Mapping[str, Rule]) -> Any:
    """A condition in JsonLogic."""
    ((word, body),) = rule.items()
    if word in ("all", "any"):
        return {"and" if word == "all" else "or": [_logic(part, action, segments) for part in body]}
    if word == "not":
        return {"!": [_logic(body, action, segments)]}
    if word == "segment":
        return _logic(segments[body], action, segments)
    if word == "event":
        return _logic_of_event(body, action)
    value = {"var": f"{'traits' if word == 'trait' else 'context'}.{body['name']}"}
    if "in" in body:
        return {"in": [value, body["in"]]}
    return {"==": [value, body["is"]]} if "is" in body else {">=": [value, body["at_least"]]}


def _logic_of_event(body: Rule, action: Rule) -> Any:
    tests: list[Any] = [{"==": [{"var": "name"}, body["name"]]}, {">": [{"var": "at"}, _since(body)]}]
    for path, test in body.get("where", {}).items():
        wanted = action["category"] if test == "$action.category" else test
        head, _, below = path.partition(".")
        same = {"==": [{"var": below or head}, wanted]}
        tests.append({"some": [{"var": head}, same]} if below else same)
    found = {"filter": [{"var": "events"}, {"and": tests}]}
    count = {"reduce": [found, {"+": [{"var": "accumulator"}, 1]}, 0]}
    wanted_count = body.get("count", {"at_least": 1})
    bounds: Sequence[Any] = [
        {">=" if word == "at_least" else "<=": [count, bound]} for word, bound in wanted_count.items()
    ]
    return {"and": bounds} if len(bounds) > 1 else bounds[0]
