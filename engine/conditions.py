"""One grammar for eligibility, triggers, branches, stops and segments: a checked tree becomes a predicate over a
`View`.

A tree is plain data, already checked, with durations in milliseconds (`engine.catalog` makes it) and with the facts of
an action in it (`engine.binding`):

    {"all": [tree…]}  {"any": [tree…]}  {"not": tree}
    {"trait": {"name": path, <test>…}}         {"context": {"name": path, <test>…}}
    {"event": {"name", "count"?: {"at_least"?, "at_most"?}, "within"?: ms, "where"?: {path: test},
               "undone_by"?: {"name", "where"?}}}
    {"segment": id}  {"consent": {"purpose", "channel", "granted"?}}

`engine.value_tests` says what a test and a path are. Windows go by event time: an event counts while its time > now −
within, and while its time > that of the newest event that undoes it (a refund takes back every purchase before it).
What is not recent any more counts by its tally (`engine.history`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import inf
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from engine.value_tests import Where, any_at, build_test, build_where

# ruff: noqa: SIM110  a generator costs more than the tests in it, and this is the hot loop of every decision

if TYPE_CHECKING:
    from engine.catalog.compiled import Catalog
    from engine.profile import Profile

_NOTHING: Mapping[str, Any] = {}


class View:
    """What a condition may look at. `memo` keeps what is asked often and answered slowly."""

    __slots__ = ("catalog", "context", "history", "memo", "now_ms", "profile")

    def __init__(self, profile: Profile, catalog: Catalog, now_ms: int, context: Mapping[str, Any] = _NOTHING) -> None:
        self.profile = profile
        self.history = profile.history
        self.catalog = catalog
        self.now_ms = now_ms
        self.context = context
        self.memo: dict[str, Any] = {}

    def times(self, atom: EventAtom) -> list[int]:
        """When the recent events happened that an atom is about, newest first."""
        if atom.text_at is not None:
            return self.history.by_text(atom.text_at).get(atom.text, [])
        times: list[int] | None = self.memo.get(atom.digest)
        if times is None:
            where = atom.where
            named = self.history.named(atom.name)
            times = self.memo[atom.digest] = [event.at_ms for event in named if where(event.properties)]
        return times


Condition = Callable[[View], bool]


@dataclass(frozen=True, slots=True)
class EventAtom:
    """What a condition asks of one kind of event: `keep` is how many matches decide it. Two atoms with one digest ask
    the same of an event. Where all it asks is one text, that is `text` at `text_at` (the event's name and a path)."""

    name: str
    where: Where
    keep: int
    digest: str
    text_at: tuple[str, str] | None
    text: str

    @classmethod
    def of(cls, name: str, where: Mapping[str, Any] | None, keep: int) -> EventAtom:
        """The atom that asks `where` of the events of a name."""
        digest = blake2b(repr((name, where)).encode(), digest_size=6).hexdigest()
        ((path, test),) = where.items() if where and len(where) == 1 else (("", None),)
        text_at, text = ((name, path), test) if isinstance(test, str) else (None, "")
        return cls(name, build_where(where), keep, digest, text_at, text)


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
        _TREES[condition] = tree
    return condition


def tree_of(condition: Condition) -> Mapping[str, Any] | None:
    """The tree that `build` made a condition of; None where it always holds."""
    return _TREES.get(condition)


# Equal trees are one predicate as long as a catalog holds it, so what many actions ask is answered once per view.
_BUILT: WeakValueDictionary[str, Condition] = WeakValueDictionary()
_TREES: WeakKeyDictionary[Condition, Mapping[str, Any]] = WeakKeyDictionary()


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


def _tests_of(body: Mapping[str, Any]) -> Callable[[Any], bool]:
    tests = {word: operand for word, operand in body.items() if word != "name"} or {"exists": True}
    return build_test(tests)


def _trait(body: Mapping[str, Any]) -> Condition:
    name, *path = body["name"].split(".")
    below, test = tuple(path), _tests_of(body)

    def of_trait(view: View) -> bool:
        trait = view.profile.traits.get(name)
        value = None if trait is None else trait.value
        return any_at(value, below, 0, test) if below or value.__class__ is list else test(value)

    return of_trait


def _context(body: Mapping[str, Any]) -> Condition:
    path, test = tuple(body["name"].split(".")), _tests_of(body)
    return lambda view: any_at(view.context, path, 0, test)


def _event(body: Mapping[str, Any]) -> Condition:
    least, most, enough, atom, undoing = _asked(body)
    within = body.get("within", inf)

    def happened(view: View) -> bool:
        since_ms = _since_ms(view, within, undoing)
        times = view.times(atom)
        if len(times) >= enough and times[enough - 1] > since_ms:
            return most is None
        count = _how_often(view, atom, since_ms)
        return count >= least and (most is None or count <= most)

    _ATOMS[happened] = frozenset((atom,) if undoing is None else (atom, undoing))
    return happened


def counted(view: View, body: Mapping[str, Any]) -> tuple[int, float]:
    """How many events an event's condition counts now, and after which time; −inf: at all. Of old ones it knows no
    more than what decides it."""
    _, _, _, atom, undoing = _asked(body)
    since_ms = _since_ms(view, body.get("within", inf), undoing)
    return _how_often(view, atom, since_ms), since_ms


def _asked(body: Mapping[str, Any]) -> tuple[int, int | None, int, EventAtom, EventAtom | None]:
    """At least and at most how many, how many decide it, of which events, and what takes them back."""
    bounds = body.get("count") or {"at_least": 1}
    least, most = bounds.get("at_least", 0), bounds.get("at_most")
    enough = least if most is None else most + 1
    undo = body.get("undone_by")
    undoing = EventAtom.of(undo["name"], undo.get("where"), 1) if undo else None
    return least, most, enough, EventAtom.of(body["name"], body.get("where"), enough), undoing


def _since_ms(view: View, within: float, undoing: EventAtom | None) -> float:
    since_ms = view.now_ms - within
    return since_ms if undoing is None else max(since_ms, _newest_ms(view, undoing))


def _how_often(view: View, atom: EventAtom, since_ms: float) -> int:
    count = how_many(view.times(atom), since_ms)
    if view.profile.spilled:
        older = view.profile.tallies.get(atom.digest, ())
        count += len(older) - bisect_right(older, since_ms)
    return count


def how_many(times: Sequence[int], since_ms: float) -> int:
    """How many of `times`, newest first, are later."""
    count = 0
    for at_ms in times:
        if at_ms <= since_ms:
            break
        count += 1
    return count


def _newest_ms(view: View, atom: EventAtom) -> float:
    recent, older = view.times(atom), view.profile.tallies.get(atom.digest, ())
    return max(recent[0] if recent else -inf, older[-1] if older else -inf)


def _segment(segment: str) -> Condition:
    key = f"segment {segment}"

    def belongs(view: View) -> bool:
        answer: bool | None = view.memo.get(key)
        if answer is None:
            answer = view.memo[key] = view.catalog.segments[segment](view)
        return answer

    return belongs


def _consent(body: Mapping[str, Any]) -> Condition:
    from engine import consent  # consent reads the catalog, whose conditions are built here

    purpose, channel, wanted = body["purpose"], body["channel"], body.get("granted", True)
    return lambda view: consent.is_granted(view.profile, view.catalog, purpose, channel, "promotional") == wanted


_BUILDERS: dict[str, Callable[[Any], Condition]] = {
    "all": _all,
    "any": _any,
    "not": _not,
    "trait": _trait,
    "context": _context,
    "event": _event,
    "segment": _segment,
    "consent": _consent,
}
