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

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.catalog.compiled import Catalog
    from engine.profile import Profile

_NOTHING: Mapping[str, Any] = {}


class View:
    """What a condition may look at. `memo` keeps the answers of atoms that do not depend on the action."""

    __slots__ = ("action", "catalog", "context", "memo", "now_ms", "profile")

    def __init__(self, profile: Profile, catalog: Catalog, now_ms: int, context: Mapping[str, Any] = _NOTHING) -> None:
        self.profile = profile
        self.catalog = catalog
        self.now_ms = now_ms
        self.context = context
        self.action: Mapping[str, Any] = _NOTHING
        self.memo: dict[int, bool] = {}


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
    ((word, body),) = tree.items()
    return _BUILDERS[word](body)


def build_where(paths: Mapping[str, Any] | None) -> Where:
    """The predicate on an event's properties that all tests of `paths` hold."""
    if not paths:
        return lambda properties, view: True
    pairs = [(tuple(path.split(".")), build_test(test)) for path, test in paths.items()]

    def where(properties: Mapping[str, Any], view: View) -> bool:
        return all(any(test(value, view) for value in values_at(properties, path)) for path, test in pairs)

    return where


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
    elif isinstance(data, Mapping) and path[0] in data:
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
    if isinstance(operand, str) and operand.startswith("$action."):
        fact = operand.removeprefix("$action.")

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
    return lambda view: all(part(view) for part in parts)


def _any(trees: list[Mapping[str, Any]]) -> Condition:
    parts = [build(tree) for tree in trees]
    return lambda view: any(part(view) for part in parts)


def _not(tree: Mapping[str, Any]) -> Condition:
    part = build(tree)
    return lambda view: not part(view)


def _atom(condition: Condition, body: Any) -> Condition:
    """The answer once per view where it depends on the view alone; false where a fact of the action is absent."""
    if "$action." not in repr(body):

        def remembered(view: View) -> bool:
            answer = view.memo.get(id(remembered))
            if answer is None:
                answer = view.memo[id(remembered)] = condition(view)
            return answer

        return remembered

    def by_action(view: View) -> bool:
        try:
            return condition(view)
        except Absent:
            return False

    return by_action


def _named_value(body: Mapping[str, Any], data: Callable[[View], Any]) -> Condition:
    path = tuple(body["name"].split("."))
    tests = {word: operand for word, operand in body.items() if word != "name"} or {"exists": True}
    test = build_test(tests)
    return _atom(lambda view: any(test(value, view) for value in values_at(data(view), path)), body)


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
