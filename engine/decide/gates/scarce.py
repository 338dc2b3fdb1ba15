"""Gates about scarce things: room under caps, offers that contradict one another, budgets, room for a category.

All but `not_paid_in_full` are asked again after each choice, because the chosen action has taken some of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.compiled import Action, Cap, Catalog
from engine.decide import offers
from engine.decide.gates.candidates import Candidates, Departure
from engine.decide.placement_plan import bits
from engine.explain.deciding_part import Failing, holding
from engine.frequency import at_addresses, budgets, caps
from engine.view import View


def with_room(candidates: Candidates, alive: int) -> int:
    """Drop the candidates for which a cap has no room."""
    count = candidates.count
    for cap, mask in candidates.plan.caps:
        full = alive & mask
        if full and count.is_full(cap):
            for i, place in candidates.held.items():
                if not count.is_full(cap, place.ref):
                    full &= ~(1 << i)
            alive ^= candidates.drop(f"cap.{cap.id}", full)
    return alive


def has_room(leaving: Departure) -> str | None:
    """A decided send counts again, by the messages that have really left."""
    full = next((cap for cap, until_ms in _over_limit(leaving) if not until_ms), None) or _full_at_address(leaving)
    return f"cap.{full.id}" if full is not None else None


def has_room_soon(leaving: Departure) -> tuple[str, int] | None:
    """A message waits where an earlier one left later than it was decided, and so is still in the window of a cap."""
    cap, until_ms = max(_over_limit(leaving), key=lambda told: told[1], default=(None, 0))
    return (f"cap.{cap.id}", until_ms) if cap is not None else None


def _over_limit(leaving: Departure) -> Iterator[tuple[Cap, int]]:
    """The caps that are full by the messages that have left, and until when only for their lateness (0: not only)."""
    assert leaving.place is not None, "the first gate asks for the place"
    profile, catalog, now_ms = leaving.turn.profile, leaving.turn.catalog, leaving.turn.now_ms
    for cap in caps.over_limit(profile, catalog, leaving.place, now_ms):
        yield cap, caps.late_only_until_ms(profile, catalog, cap, leaving.place, now_ms)


def _full_at_address(leaving: Departure) -> Cap | None:
    """The first cap without room at the address of a send, whoever wrote there."""
    profile, catalog, place = leaving.turn.profile, leaving.turn.catalog, leaving.place
    if not profile.lent or place is None or not at_addresses.counting(catalog, place):
        return None
    address = at_addresses.of_channel(profile, catalog, place.channel)
    return at_addresses.full(profile, catalog, place, address, leaving.turn.now_ms) if address else None


def caps_of(catalog: Catalog) -> Iterator[str]:
    """A reason per cap."""
    yield from (f"cap.{cap.id}" for cap in catalog.caps)


def not_paid_in_full(candidates: Candidates, alive: int) -> int:
    """Drop the offers on things for which the customer has lately paid the full price."""
    if not alive & candidates.plan.offering:
        return alive
    return alive ^ candidates.drop("offer.full_price", candidates.plan.full_price.refusing(candidates.view, alive))


def behind_full_price(view: View, action: Action, _: str) -> Failing | None:
    """The purchase that was made."""
    return holding(action.full_price, view, at=("offers", "full_price"))


def unpromised(candidates: Candidates, alive: int) -> int:
    """Drop the offers that contradict one that the customer has been shown."""
    turn, plan = candidates.turn, candidates.plan
    offering = alive & plan.offering
    if offering and turn.profile.promises:
        valid, asked = offers.valid(turn.profile, turn.now_ms), [plan.actions[i] for i in bits(offering)]
        known = offers.shelves(turn, valid, {action.offer.subject for action in asked if action.offer is not None})
        for promise in valid:
            worse = sum(1 << i for i in bits(offering) if offers.is_worse(plan.actions[i], promise, known))
            alive ^= candidates.drop("offer.shown", alive & worse)
    return alive


def offers_of(reason: str, catalog: Catalog) -> Iterator[str]:
    """The given reason, where any action is an offer."""
    if any(action.offer is not None for action in catalog.actions.values()):
        yield reason


def paid(candidates: Candidates, alive: int) -> int:
    """Drop the candidates for which a budget has no token; a place that is held is paid for."""
    if candidates.turn.tokens:
        for budget, mask in candidates.plan.budgets:
            unpaid = alive & mask & ~sum(1 << i for i in candidates.held)
            if unpaid and budgets.is_empty(candidates.turn, budget):
                alive ^= candidates.drop(f"budget.{budget.id}", unpaid)
    return alive


def budgets_of(catalog: Catalog) -> Iterator[str]:
    """A reason per budget."""
    yield from (f"budget.{budget.id}" for budget in catalog.budgets if not budget.per_ms)


def uncrowded(candidates: Candidates, alive: int) -> int:
    """Drop the candidates of the last chosen one's category, where the placement shows no more of it at a time."""
    plan = candidates.plan
    if plan.per_category is not None and candidates.chosen:
        category = plan.actions[candidates.chosen[-1][0]].category
        if category is not None:
            shown = sum(plan.actions[i].category == category for i, _, _ in candidates.chosen)
            if shown >= plan.per_category:
                alive ^= candidates.drop("diversity.category", alive & plan.categories[category])
    return alive


def crowds(catalog: Catalog) -> Iterator[str]:
    """The one reason of `uncrowded`, where a placement bounds a category."""
    if any(placement.per_category is not None for placement in catalog.placements.values()):
        yield "diversity.category"
