"""Gates for the candidate that ranks best: whether it is worth showing, and whether a holdout withholds it."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.compiled import Catalog
from engine.decide import draws, scores
from engine.decide.gates.candidates import Candidates
from engine.decide.placement_plan import bits


def likely(candidates: Candidates, alive: int) -> int:
    """Drop the candidates that this customer would hardly take: silence is better."""
    least = candidates.turn.catalog.min_propensity
    if least > 0:
        for i in bits(alive):
            if scores.propensity(candidates.view, candidates.plan.actions[i]) < least:
                alive ^= candidates.drop("propensity.low", 1 << i)
    return alive


def least_propensity(catalog: Catalog) -> Iterator[str]:
    """The one reason of `likely`, where the policies want a least propensity."""
    if catalog.min_propensity:
        yield "propensity.low"


def not_held_out(candidates: Candidates, alive: int) -> int:
    """Drop the candidates that a holdout withholds from this customer. The draw for it is kept."""
    turn = candidates.turn
    for rule, mask in candidates.plan.holdouts:
        if alive & mask:
            if candidates.is_trial:
                is_within = draws.is_held_out(turn.profile, turn.catalog, rule)
            else:
                is_within = draws.holds_out(turn, rule)
            if is_within:
                alive ^= candidates.drop(f"holdout.{rule.id}", alive & mask)
    return alive


def holdouts(catalog: Catalog) -> Iterator[str]:
    """A reason per holdout."""
    yield from (f"holdout.{rule.id}" for rule in catalog.holdouts)
