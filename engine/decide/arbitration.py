"""Who of those that may go is chosen: by tier, then by score = propensity × value × weight × lever × freshness."""

from __future__ import annotations

from collections.abc import Mapping

from engine.catalog.compiled import Action, Propensity
from engine.conditions.value_tests import number_of
from engine.decide import draws, gates, offers
from engine.decide.gates import Verdict
from engine.decide.placement_plan import Group, PlacementPlan
from engine.frequency import budgets, caps, fatigue
from engine.profile import Place
from engine.turn_state import Turn
from engine.view import View

Factors = dict[tuple[Propensity | None, str | None], float]  # what of a group's scores depends on the customer


def arbitrate(
    turn: Turn, view: View, verdict: Verdict, alive: int, held: Mapping[int, Place], limit: int, ref: str
) -> None:
    """Choose among those who may go, in rank; each chosen one holds its place afterwards.

    Places are taken one by one: two actions that share a cap with room for one are not both chosen. What a holdout
    withholds leaves its slot empty: its customers are to see nothing in its place.
    """
    plan = verdict.plan
    factors: Factors = {}
    slots = limit
    while alive and slots:
        slots -= 1
        i, points = _best(turn, view, plan, alive, factors)
        alive ^= 1 << i
        if is_unlikely(turn, view, plan.actions[i]):
            verdict.drop("propensity.low", 1 << i)
            slots += 1
            continue
        by = withheld(turn, plan, i)
        if by is not None:
            verdict.drop(f"holdout.{by}", 1 << i)
            continue
        action = plan.actions[i]
        place = held.get(i) or caps.place_for(
            action,
            plan.channel,
            f"{ref}.{action.id}",
            turn.now_ms,
            placement=plan.placement,
            expires_ms=turn.now_ms + turn.catalog.reserve_ms,
        )
        verdict.chosen.append((i, points, place))
        hold(turn, place, verdict.count)
        offers.promise(turn, action, place.ref, place.expires_ms)
        if alive and slots:
            alive = gates.unpromised(turn, verdict, gates.capped(verdict, alive, held))
            alive = _crowded(verdict, gates.paid(turn, verdict, alive, held), action)
    verdict.beaten = alive


def send_reason(turn: Turn, view: View, verdict: Verdict, alive: int) -> str | None:
    """The reason for which the one candidate of a plan does not go, None where it goes."""
    if not alive:
        return verdict.dropped[0][0]
    if is_unlikely(turn, view, verdict.plan.actions[0]):
        return "propensity.low"
    by = withheld(turn, verdict.plan, 0)
    return f"holdout.{by}" if by else None


def objections(turn: Turn, view: View, plan: PlacementPlan) -> list[str]:
    """Every reason against the first candidate of a plan, not only the one of the first gate. For people who ask what
    a rule costs; a decision needs no more than the first."""
    verdict = Verdict(plan, caps.Count(turn.profile, turn.catalog, turn.now_ms))
    gates.valid(turn, verdict, 1)
    verdict.drop("fit.channel", 1 & ~plan.on_channel)
    gates.reached(turn, verdict, 1)
    gates.consented(turn, verdict, 1)
    verdict.drop("eligibility", plan.eligible.refusing(view, 1))
    for rule, asked in plan.suppressions:
        verdict.drop(f"suppress.{rule}", 1 & asked.asking & ~asked.refusing(view, 1))
    gates.tired(turn, verdict, 1)
    for cap, mask in plan.caps:
        if mask & 1 and verdict.count.is_full(cap):
            verdict.drop(f"cap.{cap.id}", 1)
    verdict.drop("offer.full_price", plan.full_price.refusing(view, 1))
    gates.unpromised(turn, verdict, 1)
    gates.paid(turn, verdict, 1, {})
    verdict.drop("propensity.low", int(is_unlikely(turn, view, plan.actions[0])))
    by = _withholding(turn, plan, 0)
    return [reason for reason, _ in verdict.dropped] + ([f"holdout.{by}"] if by else [])


def withheld(turn: Turn, plan: PlacementPlan, i: int) -> str | None:
    """The holdout that this customer is in and that is about a candidate; None where there is none. What was drawn for
    it is kept."""
    for rule, mask in plan.holdouts:
        if mask >> i & 1 and draws.holds_out(turn, rule):
            return rule.id
    return None


def _withholding(turn: Turn, plan: PlacementPlan, i: int) -> str | None:
    """The same, only looked at."""
    rules = (rule for rule, mask in plan.holdouts if mask >> i & 1)
    return next((rule.id for rule in rules if draws.is_held_out(turn.profile, turn.catalog, rule)), None)


def is_unlikely(turn: Turn, view: View, action: Action) -> bool:
    """Whether silence is better than an action that this customer would hardly take."""
    return turn.catalog.min_propensity > 0 and propensity(view, action) < turn.catalog.min_propensity


def _crowded(verdict: Verdict, alive: int, chosen: Action) -> int:
    """Of one category no more than the placement says, at a time."""
    plan = verdict.plan
    if plan.per_category is not None and chosen.category is not None:
        shown = sum(plan.actions[i].category == chosen.category for i, _, _ in verdict.chosen)
        if shown >= plan.per_category:
            alive ^= verdict.drop("diversity.category", alive & plan.categories[chosen.category])
    return alive


def _best(turn: Turn, view: View, plan: PlacementPlan, alive: int, factors: Factors) -> tuple[int, float]:
    """The candidate of the first tier that has the highest score, then the lowest bit."""
    best, points = -1, -1.0
    for tier, groups in plan.tiers:
        if not alive & tier:
            continue
        for group in groups:
            mine = alive & group.mask
            if mine:
                i = (mine & -mine).bit_length() - 1
                score = plan.base[i]
                if group.propensity is not None or group.fatigue is not None:
                    factor = factors.get((group.propensity, group.fatigue))
                    if factor is None:
                        factor = factors[group.propensity, group.fatigue] = _factor(turn, view, group)
                    score *= factor
                if score > points or (score == points and i < best):
                    best, points = i, score
        break
    return best, points


def _factor(turn: Turn, view: View, group: Group) -> float:
    """What of a group's scores depends on the customer."""
    chance = 1.0 if group.propensity is None else propensity(view, group.action)
    return chance * _freshness(turn, group.fatigue)


def _freshness(turn: Turn, key: str | None) -> float:
    rule = turn.catalog.fatigue
    return 1.0 if key is None or rule is None else 1.0 - fatigue.level(turn.profile, rule, key, turn.now_ms)


def score(turn: Turn, view: View, plan: PlacementPlan, i: int) -> tuple[float, dict[str, float]]:
    """propensity × value (minor units) × weight × what levers and freshness make of it, and these terms; the last two
    are told where the policies have any."""
    action = plan.actions[i]
    varies = action.propensity.constant is None
    chance = propensity(view, action)
    fresh = _freshness(turn, fatigue.key_of(turn.catalog.fatigue, action))
    terms = {"propensity": chance, "value": float(action.value_minor), "weight": action.weight}
    if turn.catalog.levers:
        terms["lever"] = plan.levers[i]
    if turn.catalog.fatigue is not None:
        terms["freshness"] = fresh
    return plan.base[i] * ((chance if varies else 1.0) * fresh), terms


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
    """What an action is expected to bring, in minor units: propensity × value."""
    return propensity(view, action) * action.value_minor


def hold(turn: Turn, place: Place, count: caps.Count) -> None:
    """Take a place where a cap counts it or a budget pays for it, unless it is held already."""
    is_counted = caps.is_capped(turn.catalog, place) or budgets.over(turn.catalog, place)
    if is_counted and caps.find(turn.profile, place.ref) is None:
        caps.reserve(turn.profile, place)
        count.add(place)
        budgets.spend(turn, place)
