"""The gates that every candidate passes, in one order for all channels: displays and sends are decided here alike.

validity → fit of channel and placement → consent and purpose → eligibility → suppression → frequency caps →
arbitration. Each candidate ends in exactly one outcome, with the reason of the first gate that removed it (mission N7,
B4).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from engine import caps, consent, seeds
from engine.catalog.compiled import Action, Variant
from engine.conditions import View
from engine.profile import Place
from engine.turn_state import Turn
from engine.vocabulary import TIER_RANK, Outcome


class Candidate(NamedTuple):
    """An action and what became of it. `terms` are the factors of the score."""

    action: Action
    outcome: Outcome
    reason: str
    score: float
    terms: tuple[float, float, float]


def first_gate(turn: Turn, view: View, action: Action, wanted: Place, count: caps.Count) -> str | None:
    """The reason of the first gate that removes `action` from `wanted.channel`, None when it may go."""
    if action.valid_from_ms is not None and turn.now_ms < action.valid_from_ms:
        return "validity.not_yet"
    if action.valid_until_ms is not None and turn.now_ms >= action.valid_until_ms:
        return "validity.over"
    channel = turn.catalog.channels.get(wanted.channel)
    if channel is None or wanted.channel not in action.channels:
        return "fit.channel"
    if wanted.placement and wanted.placement not in action.placements:
        return "fit.placement"
    if channel.address and turn.profile.address(channel.address) is None:
        return f"fit.no_{channel.address}"
    if not _is_granted(turn, view, action.purpose, wanted.channel):
        return f"consent.{action.purpose}.{wanted.channel}"
    view.action = action.facts
    if not action.eligible(view):
        return "eligibility"
    for rule in turn.catalog.suppressions:
        if rule.tier in (None, action.tier) and rule.when(view):
            return f"suppress.{rule.id}"
    cap = count.full(wanted)
    return f"cap.{cap.id}" if cap else None


def _is_granted(turn: Turn, view: View, purpose: str, channel: str) -> bool:
    key = ("consent", purpose, channel)
    answer = view.memo.get(key)
    if answer is None:
        answer = view.memo[key] = consent.is_granted(turn.profile, turn.catalog, purpose, channel)
    return answer


def score(turn: Turn, action: Action) -> tuple[float, tuple[float, float, float]]:
    """propensity × value (minor units) × weight, and the three terms."""
    terms = (propensity(turn, action), float(action.value_minor), action.weight)
    return terms[0] * terms[1] * terms[2], terms


def propensity(turn: Turn, action: Action) -> float:
    """How likely the action is to be taken, 0 to 1: a constant or a batch score that arrived as a trait."""
    model = action.propensity
    if model.trait is None:
        return model.constant if model.constant is not None else model.default
    trait = turn.profile.traits.get(model.trait)
    value = trait.value if trait else None
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return float(value) if usable and value is not None else model.default


def rank(action: Action, points: float) -> tuple[int, float, str]:
    """The order of arbitration: tiers strictly, then the score, then the id as a stable tie-break."""
    return TIER_RANK[action.tier], -points, action.id


def choose(
    turn: Turn, view: View, wanted: Iterable[tuple[Action, Place]], limit: int, count: caps.Count
) -> list[Candidate]:
    """Every candidate with its outcome, the chosen ones first, in rank; each of those holds its place afterwards.

    `count` is that of this turn, and is kept up to date.
    Places are taken one by one, in rank: two actions that share a cap with room for one are not both chosen.
    """
    passed: list[tuple[tuple[int, float, str], Candidate, Place]] = []
    dropped: list[Candidate] = []
    for action, place in wanted:
        reason = first_gate(turn, view, action, place, count)
        points, terms = score(turn, action)
        if reason is None:
            passed.append((rank(action, points), Candidate(action, "chosen", "", points, terms), place))
        else:
            dropped.append(Candidate(action, "dropped", reason, points, terms))
    passed.sort(key=lambda ranked: ranked[0])
    chosen: list[Candidate] = []
    beaten: list[Candidate] = []
    for _, candidate, place in passed:
        if len(chosen) == limit:
            beaten.append(candidate._replace(outcome="outranked", reason=f"outranked.{chosen[-1].action.id}"))
        elif (cap := count.full(place)) is not None:
            dropped.append(candidate._replace(outcome="dropped", reason=f"cap.{cap.id}"))
        else:
            _hold(turn, place, count)
            chosen.append(candidate)
    return chosen + beaten + dropped


def _hold(turn: Turn, place: Place, count: caps.Count) -> None:
    if caps.find(turn.profile, place.ref) is None and caps.is_capped(turn.catalog, place):
        caps.reserve(turn.profile, place)
        count.add(place)


def variant_of(turn: Turn, action: Action) -> Variant:
    """The form that this customer always gets of this action: a keyed draw over the variants' weights."""
    variants = action.variants
    if len(variants) == 1:
        return variants[0]
    point = seeds.draw(turn.catalog.id_key, "variant", turn.profile.id, action.id)
    point *= sum(variant.weight for variant in variants)
    for variant in variants:
        point -= variant.weight
        if point < 0:
            return variant
    return variants[-1]
