"""Budgets over all customers: what may be shown or sent costs a token, and who has none to give says no
(`docs/design/budgets.md`).

A turn knows the tokens of its shard where they are scarce; what an input does not name there is enough of. A token goes
when an action is chosen or a send is decided, and comes back when it is dismissed, withdrawn or refused.
"""

from __future__ import annotations

from engine.catalog.compiled import Budget, Catalog
from engine.effects import Spend
from engine.frequency import caps
from engine.profile import Place
from engine.turn_state import Turn


def over(catalog: Catalog, place: Place) -> tuple[Budget, ...]:
    """The budgets that pay for such a place."""
    if not catalog.budgets:
        return ()
    return tuple(budget for budget in catalog.budgets if caps.covers(budget, place))


def is_empty(turn: Turn, budget: Budget) -> bool:
    """Whether there is no token left for this turn."""
    return turn.tokens.get(budget.id, 1) < 1


def spend(turn: Turn, place: Place) -> None:
    """Pay for a place that is being taken."""
    for budget in over(turn.catalog, place):
        if budget.id in turn.tokens:
            turn.tokens[budget.id] -= 1
        turn.effects.append(Spend(budget.id, 1, turn.now_ms))


def give_back(turn: Turn, place: Place | None) -> None:
    """What was paid for a place that is given up is there again, within the period that it was paid in."""
    if place is not None:
        for budget in over(turn.catalog, place):
            turn.effects.append(Spend(budget.id, -1, place.at_ms))
