"""One grammar for eligibility, triggers, branches, stops and segments: from a tree to a predicate over a `View`.

A tree is plain data, already checked, with durations in milliseconds (`engine.catalog` makes it) and with the facts of
an action in it (`engine.conditions.binding`). Those of the event that started a run are put in when the run asks;
whoever asks without a run has none, and an atom that names one is false then.

    {"all": [tree…]}  {"any": [tree…]}  {"not": tree}
    {"trait": {"name": path, <test>…}}         {"context": {"name": path, <test>…}}
    {"event": {"name", "count"?: {"at_least"?, "at_most"?}, "within"?: ms, "where"?: {path: test},
               "undone_by"?: {"name", "where"?}}}
    {"segment": id}  {"suppression": id}  {"consent": {"purpose", "channel", "granted"?}}
    {"bought": {"name": subject, "within": ms, "full_price", "read"}}, by the policies alone
    (`engine.conditions.purchases`)

`engine.conditions.value_tests` says what a test and a path are. Windows go by event time: an event counts while its
time > now − within, and while its time > that of the newest event that undoes it (a refund takes back every purchase
before it). What is not recent any more counts by its tally (`engine.events.history`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary, WeakValueDictionary

from engine.conditions import purchases
from engine.conditions.binding import NEVER, names_event
from engine.conditions.event_atoms import EventAtom, how_many, with_trigger
from engine.conditions.value_tests import Test, build_at

# ruff: noqa: SIM110  a generator costs more than the tests in it, and this is the hot loop of every decision

if TYPE_CHECKING:
    from engine.catalog.compiled import Catalog
    from engine.profile import Profile

_NOTHING: Mapping[str, Any] = {}
_ATOMIC: Final = ("trait", "context", "event")  # words that can name what started a run


class View:
    """What a condition may look at. `trigger` is what the event that started a run had in it, for a run that asks.
    `memo` keeps what is asked often and answered slowly."""

    __slots__ = ("catalog", "context", "history", "memo", "now_ms", "profile", "trigger")

    def __init__(
        self,
        profile: Profile,
        catalog: Catalog,
        now_ms: int,
        context: Mapping[str, Any] = _NOTHING,
        trigger: Mapping[str, Any] = _NOTHING,
    ) -> None:
        self.profile = profile
        self.history = profile.history
        self.catalog = catalog
        self.now_ms = now_ms
        self.context = context
        self.trigger = trigger
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
        is_open = word in _ATOMIC and names_event(body)
        condition = _BUILT[spelled] = _of_run(word, body) if is_open else _BUILDERS[word](body)
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


def _of_run(word: str, body: Mapping[str, Any]) -> Condition:
    """An atom that names what started a run: asked anew for each, false where that is absent."""

    def asked(view: View) -> bool:
        tree = with_trigger({word: body}, view.trigger)
        return tree is not NEVER and build(tree)(view)

    if word == "event":
        _, _, _, atom, undoing = _asked(body)
        _ATOMS[asked] = frozenset((atom,) if undoing is None else (atom, undoing))
    return asked


def _test_at(path: Sequence[str], body: Mapping[str, Any]) -> Test:
    tests = {word: operand for word, operand in body.items() if word != "name"}
    return build_at(tuple(path), tests or {"exists": True})


def _trait(body: Mapping[str, Any]) -> Condition:
    name, *below = body["name"].split(".")
    passes = _test_at(below, body)

    def of_trait(view: View) -> bool:
        trait = view.profile.traits.get(name)
        return passes(None if trait is None else trait.value)

    return of_trait


def _context(body: Mapping[str, Any]) -> Condition:
    passes = _test_at(body["name"].split("."), body)
    return lambda view: passes(view.context)


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
    undoing = EventAtom.of(undo["name"], undo.get("where"), 1, undo.get("open", "")) if undo else None
    return least, most, enough, EventAtom.of(body["name"], body.get("where"), enough, body.get("open", "")), undoing


def _since_ms(view: View, within: float, undoing: EventAtom | None) -> float:
    since_ms = view.now_ms - within
    return since_ms if undoing is None else max(since_ms, _newest_ms(view, undoing))


def _how_often(view: View, atom: EventAtom, since_ms: float) -> int:
    count = how_many(view.times(atom), since_ms)
    if view.profile.spilled:
        older = _older(view, atom)
        count += len(older) - bisect_right(older, since_ms)
    return count


def _older(view: View, atom: EventAtom) -> Sequence[int]:
    """When the events happened that are not recent, oldest first."""
    if atom.open:
        details = view.profile.details.get(atom.open, ())
        return [detail.at_ms for detail in details if atom.where(detail.properties)]
    return view.profile.tallies.get(atom.digest, ())


def _newest_ms(view: View, atom: EventAtom) -> float:
    return max((*view.times(atom)[:1], *_older(view, atom)[-1:]), default=-inf)


def _segment(segment: str) -> Condition:
    def belongs(view: View) -> bool:
        condition = view.catalog.segments.get(segment)  # a run of an older catalog may ask for one that is gone
        return condition is not None and condition(view)

    return _once(f"segment {segment}", belongs)


def _suppression(rule: str) -> Condition:
    """What a rule asks where no action is looked at; with its facts in it, it stands in the tree itself."""

    def holds(view: View) -> bool:
        return any(known.when(view) for known in view.catalog.suppressions if known.id == rule)

    return _once(f"suppression {rule}", holds)


def _once(key: str, condition: Condition) -> Condition:
    """Asked once per view."""

    def known(view: View) -> bool:
        if key not in view.memo:
            view.memo[key] = condition(view)
        return bool(view.memo[key])

    return known


def _consent(body: Mapping[str, Any]) -> Condition:
    from engine.consent import consents  # consent reads the catalog, whose conditions are built here

    purpose, channel, wanted = body["purpose"], body["channel"], body.get("granted", True)
    return lambda view: consents.is_granted(view.profile, view.catalog, purpose, channel, "promotional") == wanted


def _bought(body: Mapping[str, Any]) -> Condition:
    asked = purchases.Question.of(body)

    def was_bought(view: View) -> bool:
        return asked.newest_ms(view) is not None

    _ATOMS[was_bought] = frozenset(asked.atoms)
    return was_bought


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
}
