"""A customer's history, bounded: the newest events stay with the state, older ones leave in pages.

Conditions must not read a lifetime of events. So when a page leaves, an event counter for each atom that the catalog
asks for keeps the times of the newest matches. An atom that wants three matches needs no more than three times,
whatever its window. A counter holds no event that is still recent, so the sum of both is right. Where an atom asks for
facts of a run's trigger, details of the newest events are kept instead: the parts that the atom will look at.

An event that a run may still have to hear stays recent (`engine.events.kept`).
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from engine import limits
from engine.catalog.compiled import Action, Catalog
from engine.catalog.once_per_catalog import once_per_catalog
from engine.conditions.event_atoms import EventAtom
from engine.conditions.predicates import atoms_of, build
from engine.conditions.readable import Condition
from engine.conditions.value_tests import Where
from engine.effects import Page
from engine.events import common_past, kept
from engine.profile import Detail, Profile
from engine.recent_events import Happened, Recent, encoder
from engine.turn_state import Turn
from engine.values.paths import only

RECENT_MAX = 24  # recent events, beside those that runs may still have to hear
PAGE_EVENTS = 12
_LOOK_EVERY = 12  # events, as many as leave at once


@dataclass(frozen=True, slots=True)
class EventCounter:
    """Keeps the newest `keep` times at which an event passed `where`; with `paths` also the values that stood there."""

    key: str
    where: Where
    keep: int
    paths: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class EventCounters:
    """The counters for all that a catalog, and the older ones that runs still name, may ask of events that are not
    recent. `name` stands for the whole set: a profile that was counted by another set must be counted anew."""

    name: str
    by_event: Mapping[str, tuple[EventCounter, ...]]


def counters_of(catalog: Catalog) -> EventCounters:
    """The counters of a catalog; worked out once, and again when an older catalog has joined its archive."""
    known = _by_archive_size(catalog)
    size = len(catalog.archive)
    if size not in known:
        known[size] = _counters(catalog)
    return known[size]


@once_per_catalog
def _by_archive_size(catalog: Catalog) -> dict[int, EventCounters]:
    return {}


def bound(turn: Turn) -> None:
    """Let old events go at the end of a turn, where too many are recent. It is enough to look every few events: each
    look has to find all events that a run may still have to hear."""
    recent = turn.profile.history
    if len(recent) % _LOOK_EVERY == 0 or recent.packed_bytes > limits.RECENT_BYTES_MAX:
        while spill(turn):
            pass


def spill(turn: Turn) -> bool:
    """Let a page of the oldest events go where there are too many; whether there are too many still."""
    profile = turn.profile
    surplus = profile.history.packed_bytes - limits.RECENT_BYTES_MAX
    if len(profile.history) <= RECENT_MAX and surplus <= 0:
        return False
    needed = kept.needed(turn)
    events = profile.history.events
    free = [place for place in range(len(events)) if place not in needed]
    leaving = free[:PAGE_EVENTS]
    if len(free) <= RECENT_MAX:
        leaving = _oldest_until(profile.history, free, surplus)
    if not leaving:
        return False
    page = [events[place] for place in leaving]
    profile.history.drop(set(leaving))
    wanted = counters_of(turn.catalog)
    if not profile.spilled:
        profile.tallied = wanted.name
    assert profile.tallied == wanted.name, "whoever activates a profile counts it anew for another catalog"
    add(profile, turn.catalog, page)
    profile.pages += 1
    turn.effects.append(Page(profile.pages, page))
    return len(free) - len(page) > RECENT_MAX


def _oldest_until(recent: Recent, free: list[int], surplus: int) -> list[int]:
    """The oldest events that may leave, as many as free `surplus` bytes; the newest of all stays."""
    leaving = []
    for place in free[:PAGE_EVENTS]:
        if surplus <= 0 or place == len(recent) - 1:
            break
        leaving.append(place)
        surplus -= recent.bytes_of(place)
    return leaving


def recount(profile: Profile, catalog: Catalog, older: Iterable[Happened]) -> None:
    """Count all events that are not recent anew: after a merge, or under another catalog. One that is recent too counts
    as such."""
    profile.tallies, profile.details, profile.spilled, profile.tallied = {}, {}, 0, counters_of(catalog).name
    add(profile, catalog, common_past.distinct(older, profile.history))


def add(profile: Profile, catalog: Catalog, leaving: Iterable[Happened]) -> None:
    """Count events that are not recent any more."""
    by_event = counters_of(catalog).by_event
    for event in leaving:
        profile.spilled += 1
        for counter in by_event.get(event.name, ()):
            if not counter.where(event.properties):
                continue
            if counter.paths:
                _keep(profile, counter, event)
            else:
                times = profile.tallies.setdefault(counter.key, [])
                insort(times, event.at_ms)
                del times[: -counter.keep]


def _keep(profile: Profile, counter: EventCounter, event: Happened) -> None:
    """Keep the parts of an event that runs may ask for; of the newest events, as many as there is room for."""
    details = profile.details.setdefault(counter.key, [])
    insort(details, Detail(event.at_ms, only(event.properties, counter.paths)), key=lambda detail: detail.at_ms)
    count, room = 0, limits.DETAILS_BYTES_MAX
    for detail in reversed(details):
        room -= len(encoder.encode(detail))
        if count == counter.keep or (count and room < 0):
            break
        count += 1
    del details[:-count]


def _counters(catalog: Catalog) -> EventCounters:
    found: dict[str, tuple[str, EventCounter]] = {}
    catalogs = (catalog, *catalog.archive.values())
    actions = {id(action): action for each in catalogs for action in each.actions.values()}
    for each in catalogs:
        for atom in _atoms(each, actions.values()):
            known = found.get(atom.digest)
            if known is None or known[1].keep < atom.keep:
                found[atom.digest] = atom.name, EventCounter(atom.digest, atom.where, atom.keep, atom.paths)
    by_event: defaultdict[str, list[EventCounter]] = defaultdict(list)
    # Sorted, because atoms come in a set, and the name must not depend on its order.
    for key in sorted(found):
        by_event[found[key][0]].append(found[key][1])
    spelled = repr([(key, found[key][1].keep) for key in sorted(found)])
    name = blake2b(spelled.encode(), digest_size=8).hexdigest()
    return EventCounters(name, {event: tuple(counters) for event, counters in by_event.items()})


def _atoms(catalog: Catalog, actions: Iterable[Action]) -> set[EventAtom]:
    """The atoms that a catalog asks of the past. Its suppressions ask about the actions of older versions too."""
    trees = [part for action in catalog.actions.values() for part in action.eligible]
    trees += [action.full_price for action in actions if action.full_price is not None]
    trees += [asked for rule in catalog.suppressions for action in actions if (asked := rule.of(action))]
    conditions: list[Condition] = [*map(build, trees), *(rule.when for rule in catalog.suppressions)]
    conditions += catalog.segments.values()
    for journey in catalog.journeys.values():
        conditions.append(journey.when)
        conditions += [condition for step in journey.steps for condition, _ in step.arms]
    found = {atom for condition in conditions for atom in atoms_of(condition)}
    scorers = [action.propensity.scorer for action in catalog.actions.values()]
    return found.union(*(scorer.atoms for scorer in scorers if scorer is not None))
