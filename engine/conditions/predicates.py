"""One grammar for eligibility, triggers, branches, stops and segments: a tree becomes a predicate over a `Readable`.

A tree is plain data that was checked, with durations in milliseconds (`engine.catalog` makes it) and the facts of an
action put in (`engine.conditions.binding`). The facts of the event that started a run are put in when the run asks. An
atom that names one is false where no run asks.

    {"all": [tree…]}  {"any": [tree…]}  {"not": tree}
    {"trait": {"name": path, <test>…}}         {"context": {"name": path, <test>…}}
    {"event": {"name", "count"?: {"at_least"?, "at_most"?}, "within"?: ms, "where"?: {path: test},
               "undone_by"?: {"name", "where"?}}}
    {"segment": id}  {"suppression": id}  {"consent": {"purpose", "channel", "granted"?}}
    {"outcome": {"name": [outcome…], "journey"?, "step"?, "action"?, "channel"?, "within"?: ms}}
    {"bought": {"name": subject, "within": ms, "full_price", "read"}}

Only the policies write `bought` (`engine.conditions.purchases`).

`engine.conditions.value_tests` says what a test and a path are. Windows go by event time: an event counts while its
time > now − within, and while its time > that of the newest event that undoes it (a refund takes back every purchase
before it). `engine.conditions.event_counts` counts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakValueDictionary

from engine.conditions import outcomes, purchases
from engine.conditions.binding import NEVER, names_event
from engine.conditions.event_atoms import EventAtom, with_trigger
from engine.conditions.event_counts import EventCount
from engine.conditions.readable import Condition, Readable
from engine.conditions.value_tests import Test, build_at

# ruff: noqa: SIM110  a generator costs more than the tests in it, and this is the hot loop of every decision

LIKELY: Final = "likely"  # `likely.x` is trait x of a profile that is probably the same person, in decisions alone
_ATOMIC: Final = ("trait", "context", "event")  # words whose bodies can name facts of a run's trigger

_ATOMS: WeakKeyDictionary[Condition, frozenset[EventAtom]] = WeakKeyDictionary()


def atoms_of(condition: Condition) -> frozenset[EventAtom]:
    """The event atoms that a condition is made of."""
    return _ATOMS.get(condition, frozenset())


def _made_of(condition: Condition, parts: Sequence[Condition]) -> Condition:
    """`condition`, known to ask of the past what its parts ask."""
    _ATOMS[condition] = frozenset[EventAtom]().union(*map(atoms_of, parts))
    return condition


def always(view: Readable) -> bool:
    """The condition of a part that has none."""
    return True


def build(tree: Mapping[str, Any] | None) -> Condition:
    """The predicate of a checked tree; None holds always."""
    if not tree:
        return always
    spelled = repr(tree)
    condition = _BUILT.get(spelled)
    if condition is None:
        ((word, body),) = tree.items()
        is_open = word in _ATOMIC and names_event(body)
        condition = _BUILT[spelled] = _of_run(word, body) if is_open else _BUILDERS[word](body)
        _TREES[condition] = tree
    return condition


def tree_of(condition: Condition) -> Mapping[str, Any] | None:
    """The tree that `build` made a condition of; None where it always holds."""
    return _TREES.get(condition)


# Equal trees are one predicate as long as any catalog holds it. So a plan finds that many actions ask the same, and an
# answer in a view's memo serves all of them.
_BUILT: WeakValueDictionary[str, Condition] = WeakValueDictionary()
_TREES: WeakKeyDictionary[Condition, Mapping[str, Any]] = WeakKeyDictionary()
# Those that runs have asked for lately, so that they are not forgotten at once: many customers look at one product.
_ASKED: deque[Condition] = deque(maxlen=4_096)


def _all(trees: list[Mapping[str, Any]]) -> Condition:
    parts = [build(tree) for tree in trees]

    def each(view: Readable) -> bool:
        for part in parts:
            if not part(view):
                return False
        return True

    return _made_of(each, parts)


def _any(trees: list[Mapping[str, Any]]) -> Condition:
    parts = [build(tree) for tree in trees]

    def some(view: Readable) -> bool:
        for part in parts:
            if part(view):
                return True
        return False

    return _made_of(some, parts)


def _not(tree: Mapping[str, Any]) -> Condition:
    part = build(tree)
    return _made_of(lambda view: not part(view), [part])


def _of_run(word: str, body: Mapping[str, Any]) -> Condition:
    """An atom that names facts of a run's trigger: built anew when a run asks, false where a fact is absent."""

    def asked(view: Readable) -> bool:
        tree = with_trigger({word: body}, view.trigger)
        if tree is NEVER:
            return False
        condition = build(tree)
        _ASKED.append(condition)
        return condition(view)

    if word == "event":
        _ATOMS[asked] = EventCount.of(body).atoms
    return asked


def _test_at(path: Sequence[str], body: Mapping[str, Any]) -> Test:
    tests = {word: operand for word, operand in body.items() if word != "name"}
    return build_at(tuple(path), tests or {"exists": True})


def _trait(body: Mapping[str, Any]) -> Condition:
    name, *below = body["name"].split(".")
    if name == LIKELY and below:
        return _lent(below[0], _test_at(below[1:], body))
    passes = _test_at(below, body)

    def of_trait(view: Readable) -> bool:
        trait = view.profile.traits.get(name)
        return passes(None if trait is None else trait.value)

    return of_trait


def _lent(name: str, passes: Test) -> Condition:
    return lambda view: passes(view.lent(name))


def _context(body: Mapping[str, Any]) -> Condition:
    passes = _test_at(body["name"].split("."), body)
    return lambda view: passes(view.context)


def _event(body: Mapping[str, Any]) -> Condition:
    asked = EventCount.of(body)
    least, most, enough, atom = asked.least, asked.most, asked.enough, asked.atom

    def happened(view: Readable) -> bool:
        since_ms = asked.since_ms(view)
        times = view.times(atom)
        if len(times) >= enough and times[enough - 1] > since_ms:  # recent events decide it, older ones need no look
            return most is None
        count = asked.times_since(view, since_ms)
        return count >= least and (most is None or count <= most)

    _ATOMS[happened] = asked.atoms
    return happened


def _segment(segment: str) -> Condition:
    return _once(f"segment {segment}", lambda view: view.is_in_segment(segment))


def _suppression(rule: str) -> Condition:
    """A suppression rule asked without an action. Where an action asks, the rule's own tree was put in its place
    (`engine.conditions.binding.inline`)."""
    return _once(f"suppression {rule}", lambda view: view.is_suppressed_by(rule))


def _once(key: str, condition: Condition) -> Condition:
    """A condition that is asked once per view: many actions may ask for the same segment."""

    def known(view: Readable) -> bool:
        if key not in view.memo:
            view.memo[key] = condition(view)
        return bool(view.memo[key])

    return known


def _consent(body: Mapping[str, Any]) -> Condition:
    purpose, channel, wanted = body["purpose"], body["channel"], body.get("granted", True)
    return lambda view: view.is_granted(purpose, channel) == wanted


def _bought(body: Mapping[str, Any]) -> Condition:
    asked = purchases.Question.of(body)

    def was_bought(view: Readable) -> bool:
        return asked.newest_ms(view) is not None

    _ATOMS[was_bought] = frozenset(asked.atoms)
    return was_bought


def _outcome(body: Mapping[str, Any]) -> Condition:
    return lambda view: outcomes.happened(view, body)


_BUILDERS: dict[str, Callable[[Any], Condition]] = {
    "all": _all,
    "any": _any,
    "not": _not,
    "trait": _trait,
    "context": _context,
    "event": _event,
    "segment": _segment,
    "suppression": _suppression,
    "consent": _consent,
    "bought": _bought,
    "outcome": _outcome,
}
