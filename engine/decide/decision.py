"""The answer to a front end: what to show at one placement now, with a receipt for it, silence included."""

from __future__ import annotations

from typing import Any

from engine import seeds
from engine.catalog.compiled import Action
from engine.decide import arbitration, draws, exposures, placement_plan, receipt, scores, sentence
from engine.decide.gates import asking
from engine.decide.gates.candidates import NOTHING_HELD, Candidates
from engine.frequency import caps
from engine.identity import lending
from engine.inputs import Decide
from engine.likeness import links
from engine.profile import Place
from engine.recent_events import encoder
from engine.turn_state import Turn
from engine.vocabulary import TIER_RANK

LIMIT_MAX = 20


def decide(turn: Turn, asked: Decide) -> None:
    """Choose what to show, note the receipt, answer. Each returned action that is capped or budgeted gets a place."""
    profile = turn.profile
    decision_id = turn.id_of("decision", profile.id, asked.request_id, turn.now_ms, profile.audit_seq)
    wanted = placement_plan.of_placement(turn.catalog, asked.channel, asked.placement)
    view = turn.view(asked.context)
    if profile.likely:
        view.lenders = links.lenders(turn)
    candidates = Candidates.of(turn, view, wanted, _held(turn, wanted))
    arbitration.arbitrate(candidates, asking.before_ranking(candidates), asked.limit, decision_id)
    _note_receipt(turn, asked, decision_id, candidates)
    answer: dict[str, Any] = {
        "decisionId": decision_id,
        "profileId": profile.id,
        "catalogVersion": turn.catalog.version,
        "actions": [_shown(turn, asked, wanted.actions[i], points, place) for i, points, place in candidates.chosen],
    }
    if asked.explain:
        answer["explanation"] = {"candidates": explain(candidates)}
    turn.answer(answer)


def explain(candidates: Candidates) -> list[dict[str, Any]]:
    """Every action of the catalog with its outcome: the chosen, the outranked by rank, then the dropped, each with the
    part of a condition that dropped it. Actions of other placements come last."""
    turn, view, plan = candidates.turn, candidates.view, candidates.plan
    rows = []
    for i, outcome, reason in candidates.outcomes():
        action = plan.actions[i]
        points, terms = scores.score(turn, view, plan, i)
        row = {"actionId": action.id, "outcome": outcome, "reason": reason, "score": points, "terms": terms}
        rows.append(row | asking.behind(view, action, reason))
    first = len(candidates.chosen)
    for row, (i, _, _) in zip(rows, candidates.chosen, strict=False):  # the first rows are the chosen ones
        row["variant"] = draws.variant_of(turn, plan.actions[i]).id
        row["sentence"] = sentence.because(view, plan.actions[i], plan.channel)
    beaten = slice(first, first + candidates.beaten.bit_count())
    rows[beaten] = sorted(rows[beaten], key=lambda row: _rank(plan, row))
    for action in turn.catalog.actions.values():
        if action.id not in plan.index:
            rows.append(
                {"actionId": action.id, "outcome": "dropped", "reason": "fit.placement", "score": 0.0, "terms": {}}
            )
    return rows


def _rank(wanted: placement_plan.PlacementPlan, row: dict[str, Any]) -> tuple[int, float, int]:
    i = wanted.index[row["actionId"]]
    return TIER_RANK[wanted.actions[i].tier], -row["score"], i


def why(turn: Turn, action: Action) -> list[dict[str, Any]]:
    """Whether one action would be chosen now, on each of its channels and placements. Changes nothing."""
    rows = []
    for channel in action.channels:
        here = [place for place in sorted(action.placements) if turn.catalog.placements[place].channel == channel]
        for placement in here or [""]:
            view = turn.view()
            view.lenders = links.lenders(turn) if placement else ()  # no send reads of a link
            wanted = placement_plan.of_send(turn.catalog, channel, action, turn.catalog.version)
            held = _held(turn, wanted, placement) if placement else NOTHING_HELD
            reason = asking.against_display(Candidates.of(turn, view, wanted, held))
            told = {"channel": channel, "placement": placement or None, "wouldGo": not reason, "reason": reason}
            told["variant"] = draws.variant_now(turn.profile, turn.catalog, action).id
            more = asking.behind(view, wanted.actions[0], reason)
            if not reason:
                more = {"sentence": sentence.because(view, action, channel), **_asks(turn, action, channel, placement)}
            rows.append(told | more)
    return rows


def _asks(turn: Turn, action: Action, channel: str, placement: str) -> dict[str, str]:
    """Who else is asked before a message leaves: the profile that counts for its address."""
    kind = caps.place_for(action, channel, "", turn.now_ms, placement=placement)
    is_asked = lending.is_asked(turn, kind)
    return {"asks": "address"} if is_asked else {}


def _held(turn: Turn, wanted: placement_plan.PlacementPlan, placement: str = "") -> dict[int, Place]:
    """The places that candidates still hold at this placement, so that a page reload takes no second one."""
    held: dict[int, Place] = {}
    here, now_ms = placement or wanted.placement, turn.now_ms
    for place in turn.profile.places:
        if place.expires_ms > now_ms and place.placement == here:
            i = wanted.index.get(place.action)
            if i is not None:
                held.setdefault(i, place)
    return held


def _shown(turn: Turn, asked: Decide, action: Action, points: float, place: Place) -> dict[str, Any]:
    variant = draws.variant_of(turn, action)
    payload = [turn.profile.id, place.ref, action.id, place.channel, place.placement, place.expires_ms]
    content = variant.content.get(asked.channel, {})
    shown = {
        "actionId": action.id,
        "variant": variant.id,
        "content": content.get("content", content),
        "score": points,
        "tier": action.tier,
        "expiresAt": place.expires_ms,
    }
    if action.offer is not None:
        offer = exposures.OfferShown(
            action.offer.subject,
            action.offer.discount,
            action.offer.price_minor,
            turn.catalog.currency,
            turn.now_ms + action.offer.lasts_ms,
        )
        payload.append(offer)
        shown["offer"] = offer.plain()
    shown["trackingToken"] = seeds.sign(turn.catalog.id_key, "exposure", encoder.encode(payload))
    return shown


def _note_receipt(turn: Turn, asked: Decide, decision_id: str, candidates: Candidates) -> None:
    chosen = [candidates.plan.actions[i].id for i, _, _ in candidates.chosen]
    turn.note(
        "decision",
        f"{', '.join(chosen) or 'nothing'} for {asked.placement}",
        channel=asked.channel,
        action=chosen[0] if chosen else "",
        outcome="chosen" if chosen else "silence",
        reason="" if chosen else _silence(candidates),
        detail={"receipt": receipt.write(candidates, decision_id, asked.request_id)},
    )


def _silence(candidates: Candidates) -> str:
    """The reason against the best candidate, which is what a silence is asked about."""
    if not candidates.dropped:
        return "fit.placement"
    # The best candidate has the lowest bit.
    return min(candidates.dropped, key=lambda dropped: dropped[1] & -dropped[1])[0]
