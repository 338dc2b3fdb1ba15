"""Finds the part of a condition that made it false for a customer, with what it wanted and saw. For people who ask why.

The part is found by asking the same predicates as a decision does (`engine.conditions.predicates`), part by part, and
only when somebody asks. It is the smallest that decides: of `all` the first part that does not hold, of `not` the part
that holds, of a segment or a suppression the part within it. Of an `any` all parts together are to blame, each in
short.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from engine.catalog.problems import spelled
from engine.conditions.binding import NEVER, Tree, absent_facts, bind
from engine.conditions.event_atoms import with_trigger
from engine.conditions.predicates import build, tree_of
from engine.conditions.value_tests import build_where
from engine.explain.in_words import bounded, test_in_words, wanted
from engine.explain.what_was_seen import saw, value_seen
from engine.view import View

Loc = tuple[str | int, ...]

NO_FACTS: Final[Mapping[str, Any]] = {}
_PARTS_MAX = 10  # of an `any` that are told


@dataclass(frozen=True, slots=True)
class Failing:
    """A part of a condition: its path in the file (`all[2].trait.tier`), what would have let it pass, and what it saw,
    in texts of bounded length. Where several parts together are to blame, `parts` holds them."""

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
    return None if not tree else _Search(view, facts).deciding(tree, at, answer=False)


def holding(tree: Tree | None, view: View, facts: Mapping[str, Any] = NO_FACTS, at: Loc = ()) -> Failing | None:
    """The same of a tree that should not hold: the smallest part that makes it true, None where it is false."""
    return (
        Failing(spelled(at), "something", "nothing")
        if not tree
        else _Search(view, facts).deciding(tree, at, answer=True)
    )


def failing_test(tests: Mapping[str, Any] | None, properties: Mapping[str, Any], at: Loc = ()) -> Failing | None:
    """The first of an event's tests, by path, that its properties do not pass; None where they pass all."""
    for path, test in (tests or {}).items():
        if not build_where({path: test})(properties):
            seen = value_seen(properties, tuple(path.split(".")))
            return Failing(spelled((*at, path)), bounded(test_in_words(test)), seen)
    return None


@dataclass(frozen=True, slots=True)
class _Search:
    """Goes down a tree along the parts that decide its answer. Below a `not` that is the opposite answer."""

    view: View
    facts: Mapping[str, Any]

    def deciding(self, tree: Tree, at: Loc, *, answer: bool) -> Failing | None:
        """The part for which a tree has this answer; None where it has the other one."""
        ((word, body),) = tree.items()
        if word == "not":
            return self.deciding(body, (*at, word), answer=not answer)
        if word in ("all", "any"):
            # Each part is asked when the one before has not settled it: a customer may refuse a journey at every event.
            parts = (self.deciding(part, (*at, word, place), answer=answer) for place, part in enumerate(body))
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
        """The tree that a segment or a suppression stands for. One that is gone from the catalog holds for nobody."""
        if tree is None:
            return None if answer else Failing(spelled(at), "holds", "it is not in the catalog")
        return _Search(self.view, facts).deciding(tree, at, answer=answer)

    def _atom(self, word: str, body: Mapping[str, Any], at: Loc, *, answer: bool) -> Failing | None:
        tree = bind({word: body}, self.facts) or NEVER
        bound = with_trigger(tree, self.view.trigger)
        if build(tree)(self.view) is not answer:
            return None
        here, negated = spelled((*at, word, *_name(word, body))), "not: " if answer else ""
        if bound is NEVER:
            absent = ", ".join(sorted(absent_facts(body, self.facts, self.view.trigger)))
            return Failing(here, negated + wanted(word, body), f"there is no {absent}")
        return Failing(here, negated + wanted(word, bound[word]), saw(self.view, word, bound[word]))


def _first(parts: Iterable[Failing | None]) -> Failing | None:
    return next((part for part in parts if part is not None), None)


def _together(parts: Iterable[Failing | None], at: Loc, *, answer: bool) -> Failing | None:
    """The whole, where all of its parts are to blame together; None where one of them is not."""
    told: list[Failing] = []
    for part in parts:
        if part is None:
            return None
        told.append(part)
    if len(told) == 1:
        return told[0]
    needed, found = ("one that does not hold", "all hold") if answer else ("one that holds", "none holds")
    return Failing(spelled(at), needed, found, tuple(told[:_PARTS_MAX]))


def _name(word: str, body: Mapping[str, Any]) -> Loc:
    if word == "outcome":
        return tuple(body["name"])
    return (body["purpose"], body["channel"]) if word == "consent" else (body["name"],)
