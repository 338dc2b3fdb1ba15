"""Budgets over all customers: each display or send costs a token, and without a token it does not go
(`docs/design/budgets.md`).

An input names the tokens that are left of each budget that is scarce on its shard; of a budget that it does not name
there are enough. A token is spent when an action is chosen or a send is decided, and comes back when it is dismissed,
withdrawn or refused.
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
    """Give back the tokens of a place that is given up, to the period that they were spent in."""
    if place is not None:
        for budget in over(turn.catalog, place):
            turn.effects.append(Spend(budget.id, -1, place.at_ms))
