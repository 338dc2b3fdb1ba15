"""The gates that every candidate passes, in one order for all channels: displays and sends are decided here alike.

status → validity → fit of channel and placement → consent and purpose → eligibility → suppression and fatigue →
frequency caps → offers → budgets → propensity → arbitration → holdouts. Each candidate ends in exactly one outcome,
with the reason of the first gate that removed it (`docs/design/gates.md`). The last three are `arbitration`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.contact import addresses, consents
from engine.decide import offers
from engine.decide.placement_plan import PlacementPlan, bits
from engine.frequency import budgets, caps, fatigue
from engine.profile import Place
from engine.turn_state import Turn
from engine.view import View
from engine.vocabulary import Outcome


@dataclass(slots=True)
class Verdict:
    """What became of the candidates of a plan: those in `chosen` (the best first, each with its score) go, those in
    `beaten` came too late, and each mask of `dropped` stands beside its reason."""

    plan: PlacementPlan
    count: caps.Count
    dropped: list[tuple[str, int]] = field(default_factory=list)
    chosen: list[tuple[int, float, Place]] = field(default_factory=list)
    beaten: int = 0

    def drop(self, reason: str, mask: int) -> int:
        """Strike these candidates for a reason; returns the mask of them."""
        if mask:
            self.dropped.append((reason, mask))
        return mask

    def outcomes(self) -> list[tuple[int, Outcome, str]]:
        """Each candidate with its outcome and its reason: the chosen, then the beaten, then the dropped."""
        rows: list[tuple[int, Outcome, str]] = [(i, "chosen", "") for i, _, _ in self.chosen]
        last = self.plan.actions[self.chosen[-1][0]].id if self.chosen else ""
        rows += [(i, "outranked", f"outranked.{last}") for i in bits(self.beaten)]
        return rows + [(i, "dropped", reason) for reason, mask in self.dropped for i in bits(mask)]


def judge(turn: Turn, view: View, plan: PlacementPlan, held: Mapping[int, Place]) -> tuple[Verdict, int]:
    """Put every candidate through the gates; returns the verdict so far, and the candidates that may go.

    `held` are the places that candidates hold already: those do not stand in their own way.
    """
    verdict = Verdict(plan, caps.Count(turn.profile, turn.catalog, turn.now_ms, shown_now=bool(plan.placement)))
    alive = valid(turn, verdict, plan.everyone)
    alive ^= verdict.drop("fit.channel", alive & ~plan.on_channel)
    alive = consented(turn, verdict, reached(turn, verdict, alive))
    alive ^= verdict.drop("eligibility", plan.eligible.refusing(view, alive))
    for rule, asked in plan.suppressions:
        held_by = alive & asked.asking
        if held_by:
            alive ^= verdict.drop(f"suppress.{rule}", held_by & ~asked.refusing(view, held_by))
    alive = capped(verdict, tired(turn, verdict, alive), held)
    if alive & plan.offering:
        alive ^= verdict.drop("offer.full_price", plan.full_price.refusing(view, alive))
        alive = unpromised(turn, verdict, alive)
    return verdict, paid(turn, verdict, alive, held)


def valid(turn: Turn, verdict: Verdict, alive: int) -> int:
    """Without those that are not live, or not now."""
    for reason, mask in verdict.plan.statuses:
        alive ^= verdict.drop(reason, alive & mask)
    for start_ms, end_ms, mask in verdict.plan.validity:
        if start_ms is not None and turn.now_ms < start_ms:
            alive ^= verdict.drop("validity.not_yet", alive & mask)
        elif end_ms is not None and turn.now_ms >= end_ms:
            alive ^= verdict.drop("validity.over", alive & mask)
    return alive


def reached(turn: Turn, verdict: Verdict, alive: int) -> int:
    """Without those for whom the customer has no address."""
    channel = turn.catalog.channels.get(verdict.plan.channel)
    if channel is None:
        return 0
    if channel.address and addresses.current(turn.profile, channel.address) is None:
        alive ^= verdict.drop(f"fit.no_{channel.address}", alive)
    return alive


def consented(turn: Turn, verdict: Verdict, alive: int) -> int:
    """Without those for whose purpose this channel may not be used."""
    channel = verdict.plan.channel
    for (purpose, tier), mask in verdict.plan.purposes:
        if alive & mask and not consents.is_granted(turn.profile, turn.catalog, purpose, channel, tier):
            alive ^= verdict.drop(f"consent.{purpose}.{channel}", alive & mask)
    return alive


def tired(turn: Turn, verdict: Verdict, alive: int) -> int:
    rule = turn.catalog.fatigue
    if rule is not None and rule.silence_at is not None and turn.profile.fatigue:
        for key, mask in verdict.plan.tiring:
            if alive & mask and fatigue.level(turn.profile, rule, key, turn.now_ms) >= rule.silence_at:
                alive ^= verdict.drop("suppress.fatigue", alive & mask)
    return alive


def unpromised(turn: Turn, verdict: Verdict, alive: int) -> int:
    """Without the offers that contradict one which the customer has been shown."""
    offering = alive & verdict.plan.offering
    if offering and turn.profile.promises:
        standing, asked = offers.standing(turn.profile, turn.now_ms), [verdict.plan.actions[i] for i in bits(offering)]
        known = offers.shelves(turn, standing, {action.offer.subject for action in asked if action.offer is not None})
        for promise in standing:
            worse = sum(1 << i for i in bits(offering) if offers.is_worse(verdict.plan.actions[i], promise, known))
            alive ^= verdict.drop("offer.shown", alive & worse)
    return alive


def paid(turn: Turn, verdict: Verdict, alive: int, held: Mapping[int, Place]) -> int:
    """Without those that no budget has a token for; a place that is held is paid for."""
    if turn.tokens:
        for budget, mask in verdict.plan.budgets:
            hit = alive & mask & ~sum(1 << i for i in held)
            if hit and budgets.is_empty(turn, budget):
                alive ^= verdict.drop(f"budget.{budget.id}", hit)
    return alive


def capped(verdict: Verdict, alive: int, held: Mapping[int, Place]) -> int:
    for cap, mask in verdict.plan.caps:
        hit = alive & mask
        if hit and verdict.count.is_full(cap):
            for i, place in held.items():
                if not verdict.count.is_full(cap, place.ref):
                    hit &= ~(1 << i)
            alive ^= verdict.drop(f"cap.{cap.id}", hit)
    return alive
