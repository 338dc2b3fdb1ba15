"""Chooses among the candidates that passed the gates: by tier, then by score (`engine.decide.scores`)."""

from __future__ import annotations

from engine.catalog.compiled import Propensity
from engine.decide import offers, scores
from engine.decide.gates import asking
from engine.decide.gates.candidates import Candidates
from engine.frequency import budgets, caps
from engine.profile import Place
from engine.turn_state import Turn

# By propensity and fatigue category: the part of a group's scores that depends on the customer.
Factors = dict[tuple[Propensity | None, str | None], float]


def arbitrate(candidates: Candidates, alive: int, limit: int, ref: str) -> None:
    """Choose among the candidates `alive`, best first; each chosen one holds its place afterwards.

    Places are taken one by one, so two actions that share a cap with room for one are not both chosen. An action that a
    holdout withholds leaves its slot empty: its customers are to see nothing in its place.
    """
    factors: Factors = {}
    slots = limit
    while alive and slots:
        i, points = _best(candidates, alive, factors)
        alive ^= 1 << i
        gate = asking.stops_best(candidates, 1 << i)
        if gate is not None:
            slots -= gate.empties_slot
            continue
        slots -= 1
        _choose(candidates, i, points, ref)
        if alive and slots:
            alive = asking.after_choice(candidates, alive)
    candidates.beaten = alive


def _choose(candidates: Candidates, i: int, points: float, ref: str) -> None:
    turn, plan = candidates.turn, candidates.plan
    action = plan.actions[i]
    place = candidates.held.get(i) or caps.place_for(
        action,
        plan.channel,
        f"{ref}.{action.id}",
        turn.now_ms,
        placement=plan.placement,
        expires_ms=turn.now_ms + turn.catalog.reserve_ms,
    )
    candidates.chosen.append((i, points, place))
    _hold(turn, place, candidates.count)
    offers.promise(turn, action, place.ref, place.expires_ms)


def _best(candidates: Candidates, alive: int, factors: Factors) -> tuple[int, float]:
    """The candidate of the first tier with the highest score; of equal scores the one with the lowest bit."""
    plan = candidates.plan
    best, points = -1, -1.0
    for tier, groups in plan.tiers:
        if not alive & tier:
            continue
        for group in groups:
            mine = alive & group.mask
            if mine:
                # The lowest bit is the best of its group, so one candidate a group is scored, not each of them.
                i = (mine & -mine).bit_length() - 1
                score = plan.base[i]
                if group.propensity is not None or group.fatigue is not None:
                    factor = factors.get((group.propensity, group.fatigue))
                    if factor is None:
                        factor = scores.customer_factor(candidates.turn, candidates.view, group)
                        factors[group.propensity, group.fatigue] = factor
                    score *= factor
                if score > points or (score == points and i < best):
                    best, points = i, score
        break  # no score lifts a candidate over one of a better tier
    return best, points


def _hold(turn: Turn, place: Place, count: caps.Count) -> None:
    """Take a place where a cap counts it or a budget pays for it, unless it is held already."""
    is_counted = caps.is_capped(turn.catalog, place) or budgets.over(turn.catalog, place)
    if is_counted and caps.find(turn.profile, place.ref) is None:
        caps.reserve(turn.profile, place)
        count.add(place)
        budgets.spend(turn, place)
