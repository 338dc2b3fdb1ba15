"""One grammar for eligibility, triggers, branches, stops and segments: a checked tree becomes a predicate over a
`View`.

A tree is plain data, already checked and with durations in milliseconds (`engine.catalog` makes it):

    {"all": [tree…]}  {"any": [tree…]}  {"not": tree}
    {"trait": {"name": path, <test>…}}         {"context": {"name": path, <test>…}}
    {"event": {"name", "count"?: {"at_least"?, "at_most"?}, "within"?: ms, "where"?: {path: test}}}
    {"segment": id}  {"consent": {"purpose", "channel", "granted"?}}  {"suppression": id}

`engine.value_tests` says what a test and a path are. `$action.x` is a fact of the action under decision; where it is
absent, the atom that mentions it is false.

Windows go by event time: an event counts while its time > now − within. What is not recent any more counts by its
tally (`engine.history`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import inf
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from engine.value_tests import ACTION_FACT, Absent, Where, any_at, build_test, build_where

# ruff: noqa: SIM110  a generator costs more than the tests in it, and this is the hot loop of every decision

if TYPE_CHECKING:
    from engine.catalog.compiled import Catalog
    from engine.profile import Profile
    from engine.recent import Happened

_NOTHING: Mapping[str, Any] = {}


class View:
    """What a condition may look at. `memo` keeps the answers of atoms, by what they read of the action."""

    __slots__ = ("_by_name", "_traits", "_unsorted", "action", "catalog", "context", "memo", "now_ms", "profile")

    def __init__(self, profile: Profile, catalog: Catalog, now_ms: int, context: Mapping[str, Any] = _NOTHING) -> None:
        self.profile = profile
        self.catalog = catalog
        self.now_ms = now_ms
        self.context = context
        self.action: Mapping[str, Any] = _NOTHING
        self.memo: dict[Hashable, bool] = {}
        self._traits: Mapping[str, Any] | None = None
        self._by_name: dict[str, list[Happened]] = {}
        self._unsorted = -1  # how many of the oldest events are not in `_by_name` yet; -1 where nobody has asked

    @property
    def traits(self) -> Mapping[str, Any]:
        """The profile's traits without their times."""
        if self._traits is None:
            self._traits = self.profile.trait_values
        return self._traits

    def events(self, name: str, since_ms: float) -> Sequence[Happened]:
        """The events of that name, newest first: all with time > `since_ms`, perhaps older ones too."""
        history = self.profile.history.events
        left = self._unsorted if self._unsorted >= 0 else len(history)
        while left and history[left - 1].at_ms > since_ms:
            left -= 1
            self._by_name.setdefault(history[left].name, []).append(history[left])
        self._unsorted = left
        return self._by_name.get(name, ())


Condition = Callable[[View], bool]


@dataclass(frozen=True, slots=True)
class EventAtom:
    """What a condition asks of one kind of event: `keep` is how many matches decide it, `facts` the facts of the
    action that `where` reads. Two atoms with one digest ask the same of an event."""

    name: str
    where: Where
    facts: tuple[str, ...]
    keep: int
    digest: str

    def key(self, action: Mapping[str, Any]) -> str:
        """What names its tally for an action."""
        return self.digest + repr([action.get(fact) for fact in self.facts]) if self.facts else self.digest


_ATOMS: WeakKeyDictionary[Condition, frozenset[EventAtom]] = WeakKeyDictionary()


def atoms_of(condition: Condition) -> frozenset[EventAtom]:
    """The event atoms that a condition is made of."""
    return _ATOMS.get(condition, frozenset())


def _made_of(condition: Condition, parts: Sequence[Condition]) -> Condition:
    _ATOMS[condition] = frozenset[EventAtom]().union(*map(atoms_of, parts))
    return condition


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


def _all(trees: list[Mapping[str, Any]]) -> Condition:
    parts = [build(tree) for tree in trees]

    def each(view: View) -> bool:
        for part in parts:
            if not part(view):
                return False
        return True

    return _made_of(each, parts)


def _any(trees: list[Mapping[str, Any]]) -> Condition:
    parts = [build(tree) for tree in trees]

    def some(view: View) -> bool:
        for part in parts:
            if part(view):
                return True
        return False

    return _made_of(some, parts)


def _not(tree: Mapping[str, Any]) -> Condition:
    part = build(tree)
    return _made_of(lambda view: not part(view), [part])


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
        return [body.removeprefix(ACTION_FACT)] if body.startswith(ACTION_FACT) else []
    parts = body.values() if isinstance(body, Mapping) else body if isinstance(body, list | tuple) else ()
    return sorted({fact for part in parts for fact in _facts_in(part)})


def _named_value(body: Mapping[str, Any], data: Callable[[View], Any]) -> Condition:
    path = tuple(body["name"].split("."))
    tests = {word: operand for word, operand in body.items() if word != "name"} or {"exists": True}
    test = build_test(tests)
    return _atom(lambda view: any_at(data(view), path, 0, test, view), body)


def _trait(body: Mapping[str, Any]) -> Condition:
    return _named_value(body, lambda view: view.traits)


def _context(body: Mapping[str, Any]) -> Condition:
    return _named_value(body, lambda view: view.context)


def _event(body: Mapping[str, Any]) -> Condition:
    name, within = body["name"], body.get("within", inf)
    bounds = body.get("count") or {"at_least": 1}
    least, most = bounds.get("at_least", 0), bounds.get("at_most")
    where = build_where(body.get("where"))
    enough = least if most is None else most + 1
    digest = blake2b(repr((name, body.get("where"))).encode(), digest_size=6).hexdigest()
    atom = EventAtom(name, where, tuple(_facts_in(body)), enough, digest)

    def happened(view: View) -> bool:
        since_ms = view.now_ms - within
        count = 0
        for event in view.events(name, since_ms):
            if event.at_ms <= since_ms:
                break
            if where(event.properties, view):
                count += 1
                if count >= enough:
                    break
        if count < enough and view.profile.spilled:
            times = view.profile.tallies.get(atom.key(view.action), ())
            count += len(times) - bisect_right(times, since_ms)
        return count >= least and (most is None or count <= most)

    condition = _atom(happened, body)
    _ATOMS[condition] = frozenset((atom,))
    return condition


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
