"""Which part of a condition made it false for a customer, what it wanted and what it saw. For people who ask why.

It asks the same predicates as a decision does (`engine.conditions.predicates`), part by part, and is worked out only
when somebody asks. The smallest part that decides is told: of `all` the first that does not hold, of `any` each
shortly, of a `not` the part that holds, of a segment or a suppression the part within it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Any, Final

from engine.catalog.problems import spelled
from engine.conditions import purchases
from engine.conditions.binding import NEVER, Tree, absent_facts, bind
from engine.conditions.event_atoms import with_trigger
from engine.conditions.event_counts import EventCount
from engine.conditions.predicates import build, tree_of
from engine.conditions.value_tests import build_where
from engine.contact import consents
from engine.values.paths import values_at
from engine.view import View
from engine.vocabulary import DAY_MS, HOUR_MS, MINUTE_MS

Loc = tuple[str | int, ...]

NO_FACTS: Final[Mapping[str, Any]] = {}
_SAW_MAX = 200  # characters of what was seen
_PARTS_MAX = 10  # of an `any` that are told
_UNITS = ((DAY_MS, "day"), (HOUR_MS, "hour"), (MINUTE_MS, "minute"))
_WORDS: Final = {
    "is": "is",
    "not": "is not",
    "in": "is one of",
    "not_in": "is none of",
    "at_least": "at least",
    "at_most": "at most",
    "more_than": "more than",
    "less_than": "less than",
}


@dataclass(frozen=True, slots=True)
class Failing:
    """A part of a condition: where it stands in the file (`all[2].trait.tier`), what would have let it pass, and what
    it saw, in a text of bounded length. Where several parts together are to blame, those."""

    path: str
    wanted: str
    saw: str
    parts: tuple[Failing, ...] = ()

    @property
    def plain(self) -> dict[str, Any]:
        """As clients read it."""
        told: dict[str, Any] = {"path": self.path, "wanted": self.wanted, "saw": self.saw}
        return told | {"parts": [part.plain for part in self.parts]} if self.parts else told


def failing(tree: Tree | None, view: View, facts: Mapping[str, Any] = NO_FACTS, at: Loc = ()) -> Failing | None:
    """The smallest part that makes a checked tree false, None where it holds. `facts` are those of the action that the
    tree is about (those of a run are in the view), `at` is where it stands."""
    return None if not tree else _Story(view, facts).deciding(tree, at, answer=False)


def holding(tree: Tree | None, view: View, facts: Mapping[str, Any] = NO_FACTS, at: Loc = ()) -> Failing | None:
    """The same of a tree that should not hold: the smallest part that makes it true, None where it is false."""
    return (
        Failing(spelled(at), "something", "nothing")
        if not tree
        else _Story(view, facts).deciding(tree, at, answer=True)
    )


def failing_test(tests: Mapping[str, Any] | None, properties: Mapping[str, Any], at: Loc = ()) -> Failing | None:
    """The first of an event's tests, by path, that its properties do not pass; None where they pass all."""
    for path, test in (tests or {}).items():
        if not build_where({path: test})(properties):
            saw = _value_seen(properties, tuple(path.split(".")))
            return Failing(spelled((*at, path)), _bounded(_test_in_words(test)), saw)
    return None


def span(ms: int) -> str:
    """A duration in words: `2 days`, `hour`."""
    unit_ms, name = next(((unit, name) for unit, name in _UNITS if ms % unit == 0), (1_000, "second"))
    count = ms // unit_ms
    return f"{count} {name}s" if count > 1 else name


@dataclass(frozen=True, slots=True)
class _Story:
    view: View
    facts: Mapping[str, Any]

    def deciding(self, tree: Tree, at: Loc, *, answer: bool) -> Failing | None:
        """The part for which a tree has this answer; None where it has the other one."""
        ((word, body),) = tree.items()
        if word == "not":
            return self.deciding(body, (*at, word), answer=not answer)
        if word in ("all", "any"):
            parts = [self.deciding(part, (*at, word, place), answer=answer) for place, part in enumerate(body)]
            return _first(parts) if answer is (word == "any") else _together(parts, (*at, word), answer=answer)
        if word == "segment":
            condition = self.view.catalog.segments.get(body)
            asked = None if condition is None else tree_of(condition)
            return self._within(asked, (*at, word, body), NO_FACTS, answer=answer)
        if word == "suppression":
            rules = {rule.id: rule.asked or rule.tree for rule in self.view.catalog.suppressions}
            return self._within(rules.get(body), (*at, word, body), self.facts, answer=answer)
        return self._atom(word, body, at, answer=answer)

    def _within(self, tree: Tree | None, at: Loc, facts: Mapping[str, Any], *, answer: bool) -> Failing | None:
        """What a name stands for; one that is not known any more stands for nobody."""
        if tree is None:
            return None if answer else Failing(spelled(at), "holds", "it is not in the catalog")
        return _Story(self.view, facts).deciding(tree, at, answer=answer)

    def _atom(self, word: str, body: Mapping[str, Any], at: Loc, *, answer: bool) -> Failing | None:
        tree = bind({word: body}, self.facts) or NEVER
        bound = with_trigger(tree, self.view.trigger)
        if build(tree)(self.view) is not answer:
            return None
        here, negated = spelled((*at, word, *_name(word, body))), "not: " if answer else ""
        if bound is NEVER:
            absent = ", ".join(sorted(absent_facts(body, self.facts, self.view.trigger)))
            return Failing(here, negated + _wanted(word, body), f"there is no {absent}")
        return Failing(here, negated + _wanted(word, bound[word]), _saw(self.view, word, bound[word]))


def _first(parts: list[Failing | None]) -> Failing | None:
    return next((part for part in parts if part is not None), None)


def _together(parts: list[Failing | None], at: Loc, *, answer: bool) -> Failing | None:
    """The parts are to blame only all together."""
    told = [part for part in parts if part is not None]
    if len(told) < len(parts):
        return None
    if len(told) == 1:
        return told[0]
    wanted, saw = ("one that does not hold", "all hold") if answer else ("one that holds", "none holds")
    return Failing(spelled(at), wanted, saw, tuple(told[:_PARTS_MAX]))


def _name(word: str, body: Mapping[str, Any]) -> Loc:
    return (body["purpose"], body["channel"]) if word == "consent" else (body["name"],)


def _wanted(word: str, body: Mapping[str, Any]) -> str:
    if word == "consent":
        return "granted" if body.get("granted", True) else "not granted"
    if word == "event":
        return _bounded(_events_wanted(body))
    if word == "bought":
        return f"{'at full price' if body['full_price'] else 'bought'} in the last {span(body['within'])}"
    tests = {operator: operand for operator, operand in body.items() if operator != "name"}
    return _bounded(_tests_in_words(tests or {"exists": True}))


def _events_wanted(body: Mapping[str, Any]) -> str:
    bounds = body.get("count") or {"at_least": 1}
    often = " and ".join(f"{_WORDS[word]} {bounds[word]}" for word in ("at_least", "at_most") if word in bounds)
    within = f" in the last {span(body['within'])}" if "within" in body else ""
    undo = body.get("undone_by")
    undone = f", not undone by {undo['name']}{_where(undo.get('where'))}" if undo else ""
    return f"{often}{within}{_where(body.get('where'))}{undone}"


def _where(paths: Mapping[str, Any] | None) -> str:
    return f" where {_paths_in_words(paths)}" if paths else ""


def _paths_in_words(paths: Mapping[str, Any]) -> str:
    return " and ".join(f"{path} {_test_in_words(test)}" for path, test in paths.items())


def _test_in_words(test: Any) -> str:
    if isinstance(test, Mapping):
        return _tests_in_words(test)
    return f"is one of {_json(test)}" if isinstance(test, list | tuple) else f"is {_json(test)}"


def _tests_in_words(tests: Mapping[str, Any]) -> str:
    return " and ".join(_operator_in_words(word, operand) for word, operand in tests.items())


def _operator_in_words(word: str, operand: Any) -> str:
    if word == "exists":
        return "exists" if operand else "does not exist"
    if word == "some":
        return f"has some with {_paths_in_words(operand)}"
    return f"{_WORDS[word]} {_json(operand)}"


def _saw(view: View, word: str, body: Mapping[str, Any]) -> str:
    if word == "consent":
        return _consent_seen(view, body["purpose"], body["channel"])
    if word == "event":
        return _events_seen(view, body)
    if word == "bought":
        at_ms = purchases.Question.of(body).newest_ms(view)
        return "nothing that stands" if at_ms is None else f"bought on {_time(at_ms)}"
    path = tuple(body["name"].split("."))
    data = _traits_at(view, path[0]) if word == "trait" else view.context
    return _value_seen(data, path)


def _traits_at(view: View, name: str) -> Mapping[str, Any]:
    trait = view.profile.traits.get(name)
    return {} if trait is None else {name: trait.value}


def _value_seen(data: Any, path: tuple[str, ...]) -> str:
    """What stands at a path; where lists lie on the way, all that it leads to."""
    value = data
    for step in path:
        if isinstance(value, list | tuple):
            return _json(list(_some(values_at(data, path))))
        if not isinstance(value, Mapping) or step not in value:
            return "nothing"
        value = value[step]
    return _json(value)


def _some(values: Iterator[Any]) -> Iterator[Any]:
    return (value for value, _ in zip(values, range(_SAW_MAX), strict=False))


def _events_seen(view: View, body: Mapping[str, Any]) -> str:
    asked = EventCount.of(body)
    since_ms = asked.since_ms(view)
    count = asked.times_since(view, since_ms)
    return f"{count or 'none'}{f' since {_time(since_ms)}' if since_ms > -inf else ''}"


def _consent_seen(view: View, purpose: str, channel: str) -> str:
    standing = consents.against(view.profile, purpose, channel)
    covering = [no for no in standing if no.purpose in (purpose, "*") and no.channel in (channel, "*")]
    if covering:
        no = covering[0]
        return f"withdrawn ({no.purpose} on {no.channel}) on {_time(no.at_ms)} by {no.source or 'nobody named'}"
    basis = consents.basis(view.profile, view.catalog, purpose, channel, "promotional")
    if basis is None:
        return "nothing is recorded"
    return {consents.NOT_NEEDED: "not needed", consents.BY_DEFAULT: "granted by default"}.get(
        basis, f"granted ({basis})"
    )


def _time(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _json(value: Any) -> str:
    return _bounded(json.dumps(value, ensure_ascii=False, default=str))


def _bounded(text: str) -> str:
    return text if len(text) <= _SAW_MAX else f"{text[: _SAW_MAX - 1]}…"
