"""The worth of an action for a customer: score = propensity × value × weight × lever × freshness."""

from __future__ import annotations

from engine.catalog.compiled import Action
from engine.conditions.value_tests import number_of
from engine.decide.placement_plan import Group, PlacementPlan
from engine.frequency import fatigue
from engine.turn_state import Turn
from engine.view import View


def propensity(view: View, action: Action) -> float:
    """How likely the action is to be taken, 0 to 1: a constant, a batch score that arrived as a trait, or a model's
    answer."""
    model = action.propensity
    if model.scorer is not None:
        return model.scorer.chance(view)
    if model.trait is None:
        return model.constant if model.constant is not None else model.default
    trait = view.profile.traits.get(model.trait)
    score = number_of(trait.value) if trait else None
    return float(score) if score is not None and 0 <= score <= 1 else model.default


def worth(view: View, action: Action) -> float:
    """The expected value of an action, in minor units: propensity × value."""
    return propensity(view, action) * action.value_minor


def customer_factor(turn: Turn, view: View, group: Group) -> float:
    """The part of a group's scores that depends on the customer."""
    chance = 1.0 if group.propensity is None else propensity(view, group.action)
    return chance * _freshness(turn, group.fatigue)


def score(turn: Turn, view: View, plan: PlacementPlan, i: int) -> tuple[float, dict[str, float]]:
    """The score of candidate `i`, in minor units, and its terms. Lever and freshness are among the terms only where the
    policies have any."""
    action = plan.actions[i]
    varies = action.propensity.constant is None
    chance = propensity(view, action)
    fresh = _freshness(turn, fatigue.key_of(turn.catalog.fatigue, action))
    terms = {"propensity": chance, "value": float(action.value_minor), "weight": action.weight}
    if turn.catalog.levers:
        terms["lever"] = plan.levers[i]
    if turn.catalog.fatigue is not None:
        terms["freshness"] = fresh
    # A constant propensity is part of the base already. The parentheses multiply in the order of `arbitration`, so both
    # scores are equal to the last bit.
    return plan.base[i] * ((chance if varies else 1.0) * fresh), terms


def _freshness(turn: Turn, key: str | None) -> float:
    rule = turn.catalog.fatigue
    return 1.0 if key is None or rule is None else 1.0 - fatigue.level(turn.profile, rule, key, turn.now_ms)
