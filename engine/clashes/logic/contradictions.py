"""Whether conditions can hold together of one customer at one moment.

The conditions are spread into cases, each a list of plain statements (an element passes a test, something happened at
least so often, or the opposite). A case is impossible where one statement rules another out. What the solver does not
know (an outcome, a suppression) may be either way. So "never" is sure, and "can hold" only means that nothing speaks
against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from engine.clashes.logic.element_tests import ElementTest
from engine.conditions.binding import ACTION_FACT, EVENT_FACT
from engine.conditions.value_tests import build_at

Tree = Mapping[str, Any]

_CASES_MAX: Final = 4_000  # that are looked at before the solver gives up
_COMPARED: Final = ("is", "in", "not", "not_in")
_OF_NONE: Final = {"not": "is", "not_in": "in"}


class TooManyCases(Exception):
    """The conditions have more cases than are worth a look."""


@dataclass(frozen=True, slots=True)
class Passes:
    """Some element of a trait passes a test."""

    trait: str
    test: ElementTest


@dataclass(frozen=True, slots=True)
class Happened:
    """Events of a name that pass tests happened at least so often in a window."""

    name: str
    where: tuple[tuple[str, ElementTest, str], ...]  # path, the test of one element, the test as it stands
    within: float
    undone_by: str
    least: int

    def implies(self, other: Happened) -> bool:
        """Whether this cannot be without the other."""
        mine = {path: (test, spelled) for path, test, spelled in self.where}
        return (
            self.name == other.name
            and self.least >= other.least
            and self.within <= other.within
            and other.undone_by in ("", self.undone_by)
            and all(_tells(mine.get(path), test, spelled) for path, test, spelled in other.where)
        )


@dataclass(frozen=True, slots=True)
class Holds:
    """Something that is so or is not, and that nothing else tells of."""

    what: str


Statement = Passes | Happened | Holds


class Solver:
    """Answers for one catalog: `segments` are their conditions, as plain trees."""

    def __init__(self, segments: Mapping[str, Tree]) -> None:
        self._segments = segments
        self._known: dict[str, bool | None] = {}

    def can_hold(self, trees: Sequence[Tree]) -> bool | None:
        """Whether all of these can hold at once; None where there are too many cases to say."""
        key = repr(trees)
        if key not in self._known:
            try:
                self._known[key] = any(True for _ in self._cases(trees))
            except (TooManyCases, RecursionError):
                self._known[key] = None
        return self._known[key]

    def never(self, trees: Sequence[Tree]) -> bool:
        """Whether they surely cannot."""
        return self.can_hold(trees) is False

    def traits_of(self, tree: Tree) -> dict[str, set[str] | None]:
        """The traits that a condition asks about, with those of the segments in it, and the texts that it compares each
        with; None where it asks something else of it."""
        found: dict[str, set[str] | None] = {}
        for name, texts in self._traits_in(tree):
            known = found.setdefault(name, set())
            found[name] = None if known is None or texts is None else known | texts
        return found

    def _traits_in(self, tree: Tree) -> Iterator[tuple[str, set[str] | None]]:
        ((word, body),) = tree.items()
        if word == "trait":
            yield body["name"], _texts(body)
        elif word == "segment":
            yield from self._traits_in(self._segments[body]) if body in self._segments else ()
        else:
            for part in body if word in ("all", "any") else [body] if word == "not" else []:
                yield from self._traits_in(part)

    def _cases(self, trees: Sequence[Tree]) -> Iterator[None]:
        yield from self._extended([(tree, True) for tree in reversed(trees)], (), [_CASES_MAX])

    def _extended(
        self, todo: list[tuple[Any, bool]], case: tuple[tuple[Statement, bool], ...], budget: list[int]
    ) -> Iterator[None]:
        """Once for each case in which everything in `todo` holds, or does not, beside what `case` says already."""
        budget[0] -= 1
        if budget[0] < 0:
            raise TooManyCases
        todo = list(todo)
        while todo:
            tree, is_so = todo.pop()
            if isinstance(tree, Statement):
                if any(_rule_out(other, (tree, is_so)) for other in (*case, (tree, is_so))):
                    return
                case = (*case, (tree, is_so))
                continue
            word, body = self._spread(tree)
            if word == "not":
                todo.append((body, not is_so))
            elif (word == "all") == is_so:
                todo += [(part, is_so) for part in reversed(body)]
            else:
                for part in body:
                    yield from self._extended([*todo, (part, is_so)], case, budget)
                return
        yield None

    def _spread(self, tree: Tree) -> tuple[str, Any]:
        """A condition as `all`, `any` or `not` of others and of statements."""
        ((word, body),) = tree.items()
        if word in ("all", "any", "not"):
            return word, body
        if _names_facts(body):  # false where the fact is absent, whatever it asks
            return "all", [Holds(repr((word, body)))]
        if word == "segment" and body in self._segments:
            return "all", [self._segments[body]]
        if word == "trait":
            return "all", [*_of_trait(body)]
        if word == "event":
            return "all", [*_of_event(body)]
        if word == "context":  # a journey has none
            tests = {name: test for name, test in body.items() if name != "name"} or {"exists": True}
            return ("all" if build_at(tuple(body["name"].split(".")), tests)({}) else "any"), []
        if word == "consent":
            agreed = Holds(f"consent {body['purpose']} {body['channel']}")
            return "all", [agreed if body.get("granted", True) else _not(agreed)]
        return "all", [Holds(repr((word, body)))]


def implies(where: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether an event that passes one `where` passes the other too."""
    mine = {path: (test, spelled) for path, test, spelled in _where(where)}
    return all(_tells(mine.get(path), test, spelled) for path, test, spelled in _where(other))


def _texts(body: Mapping[str, Any]) -> set[str] | None:
    """The texts that a test compares a trait with; None where it does not only that."""
    found = set[str]()
    for word, operand in body.items():
        members = operand if isinstance(operand, list | tuple) else [operand]
        if word != "name" and not (word in _COMPARED and all(isinstance(each, str) for each in members)):
            return None
        found |= set() if word == "name" else {*members}
    return found


def _names_facts(body: Any) -> bool:
    """Whether it compares with a fact of an action or of the event that started a run."""
    if isinstance(body, Mapping):
        return any(map(_names_facts, body.values()))
    if isinstance(body, list | tuple):
        return any(map(_names_facts, body))
    return isinstance(body, str) and body.startswith((ACTION_FACT, EVENT_FACT))


def _not(part: Any) -> dict[str, Any]:
    return {"not": part}


def _of_trait(body: Mapping[str, Any]) -> Iterator[Any]:
    """One element passes all but the negations; no element is as those say."""
    name, tests = body["name"], {word: test for word, test in body.items() if word != "name"}
    each = {word: test for word, test in tests.items() if word not in _OF_NONE and word != "exists"}
    if tests.get("exists", not tests) or each:
        yield Passes(name, ElementTest.of(each))
    if tests.get("exists") is False:
        yield _not(Passes(name, ElementTest()))
    for word, plain in _OF_NONE.items():
        if word in tests:
            yield _not(Passes(name, ElementTest.of({plain: tests[word]})))


def _of_event(body: Mapping[str, Any]) -> Iterator[Any]:
    bounds = body.get("count") or {"at_least": 1}
    where, undo = tuple(_where(body.get("where"))), repr(body["undone_by"]) if body.get("undone_by") else ""
    within = body.get("within", inf)
    if bounds.get("at_least", 0):
        yield Happened(body["name"], where, within, undo, bounds["at_least"])
    if bounds.get("at_most") is not None:
        yield _not(Happened(body["name"], where, within, undo, bounds["at_most"] + 1))


def _where(where: Mapping[str, Any] | None) -> Iterator[tuple[str, ElementTest, str]]:
    for path, test in (where or {}).items():
        plain = test if isinstance(test, Mapping) else {"in" if isinstance(test, list | tuple) else "is": test}
        yield path, ElementTest.of(plain), repr(plain)


def _tells(mine: tuple[ElementTest, str] | None, test: ElementTest, spelled: str) -> bool:
    """Whether what is asked at a path tells that another test passes there too."""
    if mine is None:
        return False
    return mine[1] == spelled or (not _negates(spelled) and not _negates(mine[1]) and mine[0].implies(test))


def _negates(spelled: str) -> bool:
    return any(word in spelled for word in ("'not'", "'not_in'", "'exists'"))


def _rule_out(one: tuple[Statement, bool], other: tuple[Statement, bool]) -> bool:
    """Whether two statements cannot be true at once; of one with itself, whether it can never be."""
    if one[1] and other[1]:
        return _are_apart(one[0], other[0])
    if not one[1] and not other[1]:
        return False
    yes, no = (one[0], other[0]) if one[1] else (other[0], one[0])
    if isinstance(yes, Passes) and isinstance(no, Passes):
        return yes.trait == no.trait and yes.test.implies(no.test)
    if isinstance(yes, Happened) and isinstance(no, Happened):
        return yes.implies(no)
    return yes == no


def _are_apart(one: Statement, other: Statement) -> bool:
    """Whether two tests of one trait can pass for no value. A trait may be a list of texts, so two texts are not apart;
    what is compared with numbers, or asked to be true or false, is one value."""
    if not (isinstance(one, Passes) and isinstance(other, Passes) and one.trait == other.trait):
        return False
    if one is other:
        return not one.test.is_possible()
    are_single = (one.test.is_bounded and other.test.is_bounded) or (one.test.is_flag and other.test.is_flag)
    return are_single and not one.test.both(other.test).is_possible()
