"""Decisions the slow way, from the grammar of the contract alone. The compiled engine must agree with them.

It reads the catalog's plain document and a past as plain data; nothing of it comes from `engine/`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]
UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
TIERS = ("service", "lifecycle", "promotional")


@dataclass(frozen=True)
class Person:
    """A customer as plain data: events are (at_ms, name, properties)."""

    traits: Row
    events: Sequence[tuple[int, str, Row]]
    consent: Sequence[tuple[str, str, bool]] = ()
    email: bool = True
    seen: Sequence[tuple[int, str]] = ()  # (time, action) of each display on the web
    context: Row = field(default_factory=dict)


def ms(duration: str) -> int:
    return int(duration[:-1]) * UNITS[duration[-1]]


def values(data: Any, path: Sequence[str]) -> Iterator[Any]:
    if isinstance(data, list):
        if not data:
            yield None
        for element in data:
            yield from values(element, path)
    elif not path:
        yield data
    elif isinstance(data, Mapping) and path[0] in data:
        yield from values(data[path[0]], path[1:])
    else:
        yield None


def facts(operand: Any, action: Row) -> list[Any]:
    """The values of an operand: itself, a fact of the action, or all values of a run's trigger at a path."""
    if not isinstance(operand, str) or not operand.startswith(("$action.", "$event.")):
        return [operand]
    kind, _, path = operand.partition(".")
    if kind == "$action":
        return [action[path]] if action.get(path) is not None else []
    found = [value for value in values(action.get("$event", {}), path.split(".")) if not says_nothing(value)]
    texts = [number(value) for value in found if isinstance(value, str) and number(value) is not None]
    return [value for value in found if not isinstance(value, Mapping)] + texts


def lacks_a_fact(body: Any, action: Row) -> bool:
    """Whether an atom names a fact that the action or the trigger does not have."""
    if isinstance(body, str):
        return not facts(body, action)
    if isinstance(body, Mapping):
        return any(lacks_a_fact(part, action) for part in body.values())
    return isinstance(body, list) and any(lacks_a_fact(part, action) for part in body)


def says_nothing(value: Any) -> bool:
    """Whether a value counts as absent: null, an empty list or object, a text without visible characters, and the words
    that JavaScript writes for nothing."""
    if isinstance(value, str):
        seen = [char for char in value if not char.isspace() and unicodedata.category(char) not in ("Cc", "Cf")]
        return not seen or value.strip() in ("undefined", "null", "NaN", "[object Object]")
    return value is None or (isinstance(value, list | dict) and not value)


def number(value: Any) -> float | None:
    """A number, or a text that is written as a plain one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?", value, re.ASCII):
        return float(value)
    return None


def equal(value: Any, wanted: Any) -> bool:
    if says_nothing(wanted):
        return says_nothing(value)
    if isinstance(wanted, bool):
        return isinstance(value, bool) and value == wanted
    if isinstance(wanted, str):
        return isinstance(value, str) and value == wanted
    return number(value) == wanted


def ordered(value: Any, operand: Any, word: str) -> bool:
    known, bound = number(value), number(operand)
    if known is None or bound is None:
        return False
    return {
        "at_least": known >= bound,
        "at_most": known <= bound,
        "more_than": known > bound,
        "less_than": known < bound,
    }[word]


def one_word(value: Any, word: str, operand: Any, action: Row) -> bool:
    if word in ("is", "in"):
        members = operand if word == "in" else [operand]
        return any(equal(value, fact) for member in members for fact in facts(member, action))
    if word == "exists":
        return not says_nothing(value)
    if word == "some":
        return isinstance(value, Mapping) and not says_nothing(value) and matches(value, operand, action)
    return any(ordered(value, fact, word) for fact in facts(operand, action))


def at_path(data: Any, path: str, test: Any, action: Row) -> bool:
    """Whether one of the values passes every wanted test, and none of them a test that must fail."""
    found = list(values(data, path.split(".")))
    tests = {"in": test} if isinstance(test, list) else test if isinstance(test, Mapping) else {"is": test}
    unwanted = {"not": "is", "not_in": "in"} | ({} if tests.get("exists", True) else {"exists": "exists"})
    wanted = {word: operand for word, operand in tests.items() if word not in unwanted}
    return any(
        all(one_word(value, word, operand, action) for word, operand in wanted.items()) for value in found
    ) and not any(
        one_word(value, unwanted[word], operand, action)
        for word, operand in tests.items()
        if word in unwanted
        for value in found
    )


def matches(properties: Row, where: Row | None, action: Row) -> bool:
    return all(at_path(properties, path, test, action) for path, test in (where or {}).items())


class Judge:
    """A document and the moment at which it is asked."""

    def __init__(self, document: Row, now_ms: int) -> None:
        self.document, self.now_ms = document, now_ms
        self.policies: Row = document.get("policies.yaml", {})
        self.segments: Row = document.get("segments.yaml", {}).get("segments", {})

    def holds(self, condition: Row | None, person: Person, action: Row) -> bool:
        if condition is None:
            return True
        ((word, body),) = condition.items()
        if word in ("all", "any"):
            answers = [self.holds(part, person, action) for part in body]
            return all(answers) if word == "all" else any(answers)
        if word == "not":
            return not self.holds(body, person, action)
        return not lacks_a_fact(body, action) and self.atom(word, body, person, action)

    def atom(self, word: str, body: Any, person: Person, action: Row) -> bool:
        if word == "segment":
            return self.holds(self.segments[body], person, {})
        if word == "suppression":
            return any(
                self.holds(rule["when"], person, action) for rule in self.policies["suppress"] if rule["id"] == body
            )
        if word == "consent":
            return self.granted(person, body["purpose"], body["channel"]) == body.get("granted", True)
        if word in ("trait", "context"):
            tests = {key: operand for key, operand in body.items() if key != "name"} or {"exists": True}
            return at_path(person.traits if word == "trait" else person.context, body["name"], tests, action)
        count = body.get("count", {"at_least": 1})
        found = self.count(body, person, action)
        return count.get("at_least", 0) <= found and ("at_most" not in count or found <= count["at_most"])

    def count(self, body: Row, person: Person, action: Row) -> int:
        since = self.now_ms - ms(body["within"]) if "within" in body else float("-inf")
        undo = body.get("undone_by")
        if undo is not None:
            undone = [
                at
                for at, name, data in person.events
                if name == undo["name"] and matches(data, undo.get("where"), action)
            ]
            since = max([since, *undone])
        hits = [matches(data, body.get("where"), action) for _, name, data in person.events if name == body["name"]]
        times = [at for at, name, _ in person.events if name == body["name"]]
        return sum(hit and at > since for hit, at in zip(hits, times, strict=True))

    def granted(self, person: Person, purpose: str, channel: str, tier: str = "promotional") -> bool:
        words = [granted for of, on, granted in person.consent if of == purpose and on == channel]
        if words:
            return all(words)
        rule = self.document["consent.yaml"]["purposes"][purpose]
        needed = channel in rule["channels"] if tier == "service" else channel not in rule.get("no_consent_needed", [])
        return not needed or rule["default"]

    def reason(self, action: Row, person: Person, channel: str) -> str:
        """The first gate that removes an action; empty where none does."""
        if channel not in action["channels"]:
            return "fit.channel"
        known = {row["id"]: row for row in self.document["channels.yaml"]["channels"]}
        if known[channel].get("address") and not person.email:
            return f"fit.no_{known[channel]['address']}"
        if not self.granted(person, action["purpose"], channel, action["tier"]):
            return f"consent.{action['purpose']}.{channel}"
        if not self.holds(action.get("eligible"), person, action):
            return "eligibility"
        for rule in self.policies.get("suppress", []):
            if rule.get("tier") in (None, action["tier"]) and self.holds(rule["when"], person, action):
                return f"suppress.{rule['id']}"
        for cap in self.policies.get("caps", []):
            if self.counts(cap, action) and self.taken(cap, person) >= cap["limit"]:
                return f"cap.{cap['id']}"
        return ""

    def counts(self, cap: Row, action: Row) -> bool:
        kind = {
            "channel": "web",
            "action": action["id"],
            **{key: action.get(key, "") for key in ("tier", "purpose", "category")},
        }
        return all(kind[key] == wanted for key, wanted in cap.get("match", {}).items())

    def taken(self, cap: Row, person: Person) -> int:
        actions = {action["id"]: action for action in self.actions()}
        return sum(at > self.now_ms - ms(cap["per"]) and self.counts(cap, actions[name]) for at, name in person.seen)

    def actions(self) -> list[Row]:
        return [data for file, data in sorted(self.document.items()) if file.startswith("actions/")]

    def decide(self, person: Person, channel: str) -> tuple[str | None, dict[str, str]]:
        """The action to show where there is room for one, and the reason of every other."""
        reasons = {action["id"]: self.reason(action, person, channel) for action in self.actions()}
        going = [action for action in self.actions() if not reasons[action["id"]]]
        going.sort(
            key=lambda action: (
                TIERS.index(action["tier"]),
                -self.score(action, person),
                -self.base(action),
                action["id"],
            )
        )
        if not going:
            return None, reasons
        best = going[0]["id"]
        return best, {name: reason or ("" if name == best else f"outranked.{best}") for name, reason in reasons.items()}

    def base(self, action: Row) -> float:
        model = action.get("propensity", {"constant": 1.0})
        return float(model.get("constant", 1.0) * round(action.get("value", 0) * 100) * action.get("weight", 1.0))

    def score(self, action: Row, person: Person) -> float:
        model = action.get("propensity", {"constant": 1.0})
        if "trait" not in model:
            return self.base(action)
        value = number(person.traits.get(model["trait"]))
        usable = value is not None and 0 <= value <= 1
        return self.base(action) * (value if usable else model.get("default", 0.0))
