"""One grammar for eligibility, triggers, branches, stops and segments: a checked tree becomes a predicate over a
`View`.

A tree is plain data, already checked and with durations in milliseconds (`engine.catalog` makes it):

    {"all": [tree…]}  {"any": [tree…]}  {"not": tree}
    {"trait": {"name": path, <test>…}}         {"context": {"name": path, <test>…}}
    {"event": {"name", "count"?: {"at_least"?, "at_most"?}, "within"?: ms, "where"?: {path: test}}}
    {"segment": id}  {"consent": {"purpose", "channel", "granted"?}}  {"suppression": id}

A test is a scalar (equal), a list (one of), or a mapping of `is, not, in, not_in, at_least, at_most, more_than,
less_than, exists`; several hold together. A path is dotted and starts at the event's properties (or the traits, or the
context); one that leads through a list matches any element. `$action.x` is a fact of the action under decision; where
it is absent, the atom that mentions it is false.

Windows go by event time: an event counts while its time > now − within.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

# ruff: noqa: SIM110  (conditions are the hot loop of every decision, and there a generator costs more than its test)

if TYPE_CHECKING:
    from engine.catalog.compiled import Catalog
    from engine.profile import Profile

_NOTHING: Mapping[str, Any] = {}
_FACT = "$action."


class View:
    """What a condition may look at. `memo` keeps the answers of atoms, by what they read of the action."""

    __slots__ = ("action", "catalog", "context", "memo", "now_ms", "profile")

    def __init__(self, profile: Profile, catalog: Catalog, now_ms: int, context: Mapping[str, Any] = _NOTHING) -> None:
        self.profile = profile
        self.catalog = catalog
        self.now_ms = now_ms
        self.context = context
        self.action: Mapping[str, Any] = _NOTHING
        self.memo: dict[Hashable, bool] = {}


Condition = Callable[[View], bool]
Test = Callable[[Any, View], bool]
Where = Callable[[Mapping[str, Any], View], bool]


def always(view: View) -> bool:
    """The condition that is not there."""
    return True


def build(tree: Mapping[str, Any] | None) -> Condition:
    """The predicate of a checked tree; None holds always."""
    if not tree:
        return always
    spelled = repr(tree)
    condition = _BUILT.get(spelled)
    if condition is None:
        ((word, body),) = tree.items()
        condition = _BUILT[spelled] = _BUILDERS[word](body)
    return condition


# Equal trees are one predicate as long as a catalog holds it, so what many actions ask is answered once per view.
_BUILT: WeakValueDictionary[str, Condition] = WeakValueDictionary()


def build_where(paths: Mapping[str, Any] | None) -> Where:
    """The predicate on an event's properties that all tests of `paths` hold."""
    if not paths:
        return lambda properties, view: True
    pairs = [(tuple(path.split(".")), build_test(test)) for path, test in paths.items()]

    def where(properties: Mapping[str, Any], view: View) -> bool:
        for path, test in pairs:
            if not _any_at(properties, path, 0, test, view):
                return False
        return True

    return where


def _any_at(data: Any, path: tuple[str, ...], depth: int, test: Test, view: View) -> bool:
    """Whether any of `values_at(data, path[depth:])` passes; without a generator, as a window asks it of each event."""
    if isinstance(data, (list, tuple)):
        if not data:
            return test(None, view)
        for element in data:
            if _any_at(element, path, depth, test, view):
                return True
        return False
    if depth == len(path):
        return test(data, view)
    if isinstance(data, dict) and path[depth] in data:
        return _any_at(data[path[depth]], path, depth + 1, test, view)
    return test(None, view)


def values_at(data: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Every value that `path` leads to; a list on the way stands for each of its elements. None where there is
    nothing."""
    if isinstance(data, list | tuple):
        if not data:
            yield None
        for element in data:
            yield from values_at(element, path)
    elif not path:
        yield data
    elif isinstance(data, dict) and path[0] in data:
        yield from values_at(data[path[0]], path[1:])
    else:
        yield None


def build_test(test: Any) -> Test:
    """The predicate of one test on one value."""
    if isinstance(test, Mapping):
        parts = [_OPERATORS[word](_operand(operand)) for word, operand in test.items()]
        return parts[0] if len(parts) == 1 else lambda value, view: all(part(value, view) for part in parts)
    return _is_in(_operand(test)) if isinstance(test, list | tuple) else _is(_operand(test))


class Absent(Exception):
    """A `$action.` fact that the action does not have: the whole atom is false, however it is nested."""


def _operand(operand: Any) -> Callable[[View], Any]:
    if isinstance(operand, str) and operand.startswith(_FACT):
        fact = operand.removeprefix(_FACT)

        def from_action(view: View) -> Any:
            value = view.action.get(fact)
            if value is None:
                raise Absent
            return value

        return from_action
    if isinstance(operand, list | tuple):
        members = [_operand(member) for member in operand]
        return lambda view: [member(view) for member in members]
    return lambda view: operand


def _same(value: Any, other: Any) -> bool:
    # True is 1 in Python, but not in YAML or JSON
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)


def _is(get: Callable[[View], Any]) -> Test:
    return lambda value, view: _same(value, get(view))


def _is_in(get: Callable[[View], Any]) -> Test:
    return lambda value, view: any(_same(value, other) for other in get(view))


def _negated(make: Callable[[Callable[[View], Any]], Test]) -> Callable[[Callable[[View], Any]], Test]:
    def build_negated(get: Callable[[View], Any]) -> Test:
        test = make(get)
        return lambda value, view: not test(value, view)

    return build_negated


def _compare(holds: Callable[[Any, Any], bool]) -> Callable[[Callable[[View], Any]], Test]:
    def build_comparison(get: Callable[[View], Any]) -> Test:
        def test(value: Any, view: View) -> bool:
            if value is None or isinstance(value, bool):
                return False
            try:
                return holds(value, get(view))
            except TypeError:  # a text where the catalog expects a number says nothing, and is no reason to fail a turn
                return False

        return test

    return build_comparison


_OPERATORS: dict[str, Callable[[Callable[[View], Any]], Test]] = {
    "is": _is,
    "not": _negated(_is),
    "in": _is_in,
    "not_in": _negated(_is_in),
    "at_least": _compare(lambda value, bound: bool(value >= bound)),
    "at_most": _compare(lambda value, bound: bool(value <= bound)),
    "more_than": _compare(lambda value, bound: bool(value > bound)),
    "less_than": _compare(lambda value, bound: bool(value < bound)),
    "exists": lambda get: lambda value, view: (value is not None) == get(view),
}
OPERATORS = tuple(_OPERATORS)


def _all(trees: list[Mapping[str, Any]]) -> Condition:
    parts = [build(tree) for tree in trees]

    def each(view: View) -> bool:
        for part in parts:
            if not part(view):
                return False
        return True

    return each


def _any(trees: list[Mapping[str, Any]]) -> Condition:
    parts = [build(tree) for tree in trees]

    def some(view: View) -> bool:
        for part in parts:
            if part(view):
                return True
        return False

    return some


def _not(tree: Mapping[str, Any]) -> Condition:
    part = build(tree)
    return lambda view: not part(view)


def _atom(condition: Condition, body: Any) -> Condition:
    """The answer once per view and per facts of the action that it reads; false where one of them is absent."""
    facts = _facts_in(body)
    if not facts:

        def remembered(view: View) -> bool:
            answer = view.memo.get(remembered)
            if answer is None:
                answer = view.memo[remembered] = condition(view)
            return answer

        return remembered

    def by_action(view: View) -> bool:
        key = (by_action, *[view.action.get(fact) for fact in facts])
        answer = view.memo.get(key)
        if answer is None:
            try:
                answer = condition(view)
            except Absent:
                answer = False
            view.memo[key] = answer
        return answer

    return by_action


def _facts_in(body: Any) -> list[str]:
    """The facts of the action that the operands of an atom name."""
    if isinstance(body, str):
        return [body.removeprefix(_FACT)] if body.startswith(_FACT) else []
    parts = body.values() if isinstance(body, Mapping) else body if isinstance(body, list | tuple) else ()
    return sorted({fact for part in parts for fact in _facts_in(part)})


def _named_value(body: Mapping[str, Any], data: Callable[[View], Any]) -> Condition:
    path = tuple(body["name"].split("."))
    tests = {word: operand for word, operand in body.items() if word != "name"} or {"exists": True}
    test = build_test(tests)
    return _atom(lambda view: _any_at(data(view), path, 0, test, view), body)


def _trait(body: Mapping[str, Any]) -> Condition:
    return _named_value(body, lambda view: view.profile.trait_values)


def _context(body: Mapping[str, Any]) -> Condition:
    return _named_value(body, lambda view: view.context)


def _event(body: Mapping[str, Any]) -> Condition:
    name, within = body["name"], body.get("within")
    bounds = body.get("count") or {"at_least": 1}
    least, most = bounds.get("at_least", 0), bounds.get("at_most")
    where = build_where(body.get("where"))
    enough = least if most is None else most + 1

    def happened(view: View) -> bool:
        since = view.now_ms - within if within is not None else None
        count = 0
        for event in reversed(view.profile.history):
            if since is not None and event.at_ms <= since:
                break
            if event.name == name and where(event.properties, view):
                count += 1
                if count >= enough:
                    break
        return count >= least and (most is None or count <= most)

    return _atom(happened, body)


def _segment(segment: str) -> Condition:
    return _atom(lambda view: view.catalog.segments[segment](view), segment)


def _consent(body: Mapping[str, Any]) -> Condition:
    from engine import consent  # consent reads the catalog, whose conditions are built here

    purpose, channel, wanted = body["purpose"], body["channel"], body.get("granted", True)
    return _atom(lambda view: consent.is_granted(view.profile, view.catalog, purpose, channel) == wanted, body)


def _suppression(rule_id: str) -> Condition:
    def suppressed(view: View) -> bool:
        return any(rule.when(view) for rule in view.catalog.suppressions if rule.id == rule_id)

    return suppressed


_BUILDERS: dict[str, Callable[[Any], Condition]] = {
    "all": _all,
    "any": _any,
    "not": _not,
    "trait": _trait,
    "context": _context,
    "event": _event,
    "segment": _segment,
    "consent": _consent,
    "suppression": _suppression,
}
