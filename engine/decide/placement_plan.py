"""All that a decision asks at one placement, worked out once per catalog, channel and placement
(`docs/decisions/0014-candidates-are-bits-and-a-receipt-is-planes-of-them.md`).

Candidates are bits of one integer; bit 0 is the best of the first tier by all that is known beforehand. A question of
several candidates is asked once, and its answer strikes all of their bits at a time. So a gate costs what its questions
cost, not what its candidates do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import TypeVar

from engine.catalog.compiled import Action, Budget, Cap, Catalog, Holdout, Propensity
from engine.catalog.once_per_catalog import once_per_catalog
from engine.catalog.quiet.compiled import QuietRule
from engine.catalog.statuses import OF_ACTION, as_it_stands
from engine.decide.questions import Questions
from engine.frequency import caps, fatigue
from engine.profile import Place
from engine.vocabulary import TIER_RANK

Key = TypeVar("Key", bound=Hashable)
Rule = TypeVar("Rule", Budget, Holdout, QuietRule)
ByBit = list[tuple[int, Action]]  # candidates by their bit


@dataclass(frozen=True, slots=True)
class Group:
    """Candidates of one tier whose scores differ by their `base` alone, so the lowest bit among them is the best.
    `propensity` is None where it is a constant, which is part of the base; `fatigue` names the level that counts."""

    mask: int
    propensity: Propensity | None
    fatigue: str | None
    action: Action


@dataclass(frozen=True, slots=True)
class PlacementPlan:
    """The questions of one placement, or of one send. An `int` that stands for candidates is a mask of their bits."""

    channel: str
    placement: str
    actions: tuple[Action, ...]
    index: dict[str, int]  # an action's bit, by its id
    base: tuple[float, ...]  # of each candidate, what of its score is known beforehand
    levers: tuple[float, ...]
    statuses: tuple[tuple[str, int], ...]  # (reason, those that are not live)
    validity: tuple[tuple[int | None, int | None, int], ...]  # (from, until (exclusive), those with these dates)
    on_channel: int
    purposes: tuple[tuple[tuple[str, str], int], ...]  # ((purpose, tier), those of it)
    eligible: Questions
    suppressions: tuple[tuple[str, Questions], ...]  # a yes holds back
    tiring: tuple[tuple[str, int], ...]  # (key of a fatigue level, those for which it counts)
    caps: tuple[tuple[Cap, int], ...]
    offering: int  # those that are offers
    full_price: Questions  # a no drops: the customer has paid the full price
    budgets: tuple[tuple[Budget, int], ...]
    categories: dict[str, int]
    per_category: int | None
    holdouts: tuple[tuple[Holdout, int], ...]
    quiet_hours: tuple[tuple[QuietRule, int], ...]
    tiers: tuple[tuple[int, tuple[Group, ...]], ...]  # (all of a tier, its groups), the first tier first
    asked_about: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Name the parts that are not empty: a gate whose parts are all empty need not be asked."""
        parts = frozenset(name for name in self.__slots__ if name != "asked_about" and getattr(self, name))
        object.__setattr__(self, "asked_about", parts)

    @property
    def everyone(self) -> int:
        """The bits of all candidates."""
        return (1 << len(self.actions)) - 1


def bits(mask: int) -> Iterator[int]:
    """The candidates in a mask, the best first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def of_placement(catalog: Catalog, channel: str, placement: str) -> PlacementPlan:
    """The plan of a placement, for a request by `channel`."""
    key = (channel, placement)
    plans = _plans_of(catalog)
    plan = plans.get(key)
    if plan is None:
        plan = _make(catalog, channel, placement, catalog.shown_at.get(placement, ()))
        if channel in catalog.channels:  # names that clients make up must not fill the memory
            plans[key] = plan
    return plan


def of_send(catalog: Catalog, channel: str, action: Action, version: str) -> PlacementPlan:
    """The plan of one send. Its action may be of an older catalog; its rules, its status and what its consent depends
    on are the active catalog's."""
    key = (channel, "", version, action.id)
    plans = _plans_of(catalog)
    plan = plans.get(key)
    if plan is None:
        plan = plans[key] = _make(catalog, channel, "", (as_it_stands(catalog, action),))
    return plan


@once_per_catalog
def _plans_of(catalog: Catalog) -> dict[tuple[str, ...], PlacementPlan]:
    return {}


def _make(catalog: Catalog, channel: str, placement: str, wanted: Iterable[Action]) -> PlacementPlan:
    wanted = list(wanted)
    kinds = {action.id: caps.place_for(action, channel, "", 0, placement=placement) for action in wanted}
    levers = {name: _lever(catalog, kind) for name, kind in kinds.items()}
    base = {action.id: _base(action) * levers[action.id] for action in wanted}
    actions = tuple(sorted(wanted, key=lambda action: (TIER_RANK[action.tier], -base[action.id], action.id)))
    each = list(enumerate(actions))
    places = [kinds[action.id] for action in actions]
    here = catalog.placements.get(placement)
    return PlacementPlan(
        channel=channel,
        placement=placement,
        actions=actions,
        index={action.id: i for i, action in each},
        base=tuple(base[action.id] for action in actions),
        levers=tuple(levers[action.id] for action in actions),
        statuses=_statuses(each),
        validity=_validity(each),
        on_channel=sum(1 << i for i, action in each if channel in action.channels and channel in catalog.channels),
        purposes=tuple(_masks(((action.purpose, action.tier), 1 << i) for i, action in each)),
        eligible=Questions.of((part, 1 << i) for i, action in each for part in action.eligible),
        suppressions=_suppressions(catalog, each),
        caps=tuple(
            (cap, mask)
            for cap in catalog.caps
            if (mask := sum(1 << i for i, place in enumerate(places) if cap in caps.over(catalog, place)))
        ),
        tiring=_tiring(catalog, each),
        offering=sum(1 << i for i, action in each if action.offer is not None),
        full_price=Questions.of(({"not": action.full_price}, 1 << i) for i, action in each if action.full_price),
        budgets=_covering(catalog.budgets, places),
        categories=dict(_masks((action.category or "", 1 << i) for i, action in each)),
        per_category=here.per_category if here is not None else None,
        holdouts=_covering(catalog.holdouts, places),
        quiet_hours=_covering(catalog.quiet_hours.rules, places),
        tiers=tuple(_tiers(catalog, each)),
    )


def _statuses(each: ByBit) -> tuple[tuple[str, int], ...]:
    """Each reason of candidates that are not live, with those candidates."""
    by_status = _masks((action.status, 1 << i) for i, action in each)
    return tuple((OF_ACTION[status], mask) for status, mask in by_status if status != "live")


def _validity(each: ByBit) -> tuple[tuple[int | None, int | None, int], ...]:
    """Each pair of dates between which candidates are valid, with those candidates."""
    by_dates = _masks(((action.valid_from_ms, action.valid_until_ms), 1 << i) for i, action in each)
    return tuple(
        (start_ms, end_ms, mask) for (start_ms, end_ms), mask in by_dates if (start_ms, end_ms) != (None, None)
    )


def _suppressions(catalog: Catalog, each: ByBit) -> tuple[tuple[str, Questions], ...]:
    return tuple(
        (rule.id, Questions.of((asked, 1 << i) for i, action in each if (asked := rule.of(action)) is not None))
        for rule in catalog.suppressions
    )


def _tiring(catalog: Catalog, each: ByBit) -> tuple[tuple[str, int], ...]:
    """Categories that customers tire of, and the candidates in each."""
    by_category = _masks((fatigue.key_of(catalog.fatigue, action), 1 << i) for i, action in each)
    return tuple((key, mask) for key, mask in by_category if key is not None)


def _covering(rules: Iterable[Rule], places: list[Place]) -> tuple[tuple[Rule, int], ...]:
    """Rules that cover any candidate's place, each with those candidates."""
    found = ((rule, sum(1 << i for i, place in enumerate(places) if caps.covers(rule, place))) for rule in rules)
    return tuple((rule, mask) for rule, mask in found if mask)


def _base(action: Action) -> float:
    """The part of a score that does not depend on the customer."""
    constant = action.propensity.constant
    return (1.0 if constant is None else constant) * float(action.value_minor) * action.weight


def _lever(catalog: Catalog, kind: Place) -> float:
    return prod(lever.weight for lever in catalog.levers if caps.covers(lever, kind))


def _masks(pairs: Iterable[tuple[Key, int]]) -> list[tuple[Key, int]]:
    found: defaultdict[Key, int] = defaultdict(int)
    for key, bit in pairs:
        found[key] |= bit
    return list(found.items())


def _tiers(catalog: Catalog, each: list[tuple[int, Action]]) -> Iterator[tuple[int, tuple[Group, ...]]]:
    """The groups of each tier, in the order of tiers."""
    for _, members in _grouped(each, lambda action: TIER_RANK[action.tier]):
        groups = _grouped(members, lambda action: (_varying(action), fatigue.key_of(catalog.fatigue, action)))
        yield (
            sum(1 << i for i, _ in members),
            tuple(Group(sum(1 << i for i, _ in group), *key, group[0][1]) for key, group in groups),
        )


def _varying(action: Action) -> Propensity | None:
    return None if action.propensity.constant is not None else action.propensity


def _grouped(
    members: list[tuple[int, Action]], key_of: Callable[[Action], Key]
) -> list[tuple[Key, list[tuple[int, Action]]]]:
    found: dict[Key, list[tuple[int, Action]]] = {}
    for member in members:
        found.setdefault(key_of(member[1]), []).append(member)
    return list(found.items())
