"""The answer to a front end: what to show at one placement now, with a receipt for it, silence included."""

from __future__ import annotations

from typing import Any

from engine import caps, seeds
from engine.catalog.compiled import Action
from engine.decide import pipeline
from engine.decide.pipeline import Candidate
from engine.inputs import Decide
from engine.profile import Place
from engine.recent import encoder
from engine.turn_state import Turn

LIMIT_MAX = 20


def decide(turn: Turn, asked: Decide) -> None:
    """Choose (which reserves a place for each capped action that is returned), note the receipt, answer."""
    profile = turn.profile
    decision_id = turn.id_of("decision", profile.id, asked.request_id, turn.now_ms, profile.audit_seq)
    wanted = _wanted(turn, asked, decision_id)
    places = {action.id: place for action, place in wanted}
    count = caps.Count(profile, turn.catalog, turn.now_ms)
    candidates = pipeline.choose(turn, turn.view(asked.context), wanted, asked.limit, count)
    chosen = [candidate for candidate in candidates if candidate.outcome == "chosen"]
    _note_receipt(turn, asked, decision_id, candidates, count)
    answer: dict[str, Any] = {
        "decisionId": decision_id,
        "profileId": profile.id,
        "catalogVersion": turn.catalog.version,
        "actions": [_shown(turn, asked, candidate, places[candidate.action.id]) for candidate in chosen],
    }
    if asked.explain:
        answer["explanation"] = {"candidates": explain(turn, candidates)}
    turn.answer(answer)


def explain(turn: Turn, candidates: list[Candidate]) -> list[dict[str, Any]]:
    """Every action of the catalog with what became of it; those that do not belong to the placement come last."""
    judged = {candidate.action.id for candidate in candidates}
    rows = [
        {
            "actionId": candidate.action.id,
            "outcome": candidate.outcome,
            "reason": candidate.reason,
            "score": candidate.score,
            "terms": dict(zip(("propensity", "value", "weight"), candidate.terms, strict=True)),
        }
        for candidate in candidates
    ]
    for action in turn.catalog.actions.values():
        if action.id not in judged:
            rows.append(
                {"actionId": action.id, "outcome": "dropped", "reason": "fit.placement", "score": 0.0, "terms": {}}
            )
    return rows


def why(turn: Turn, action: Action) -> list[dict[str, Any]]:
    """What would become of one action now, on each of its channels and placements. Changes nothing."""
    view = turn.view()
    count = caps.Count(turn.profile, turn.catalog, turn.now_ms)
    rows = []
    for channel in action.channels:
        here = [place for place in sorted(action.placements) if turn.catalog.placements[place].channel == channel]
        for placement in here or [""]:
            wanted = caps.place_for(action, channel, "", turn.now_ms, placement=placement)
            reason = pipeline.first_gate(turn, view, action, wanted, count)
            rows.append(
                {"channel": channel, "placement": placement or None, "wouldGo": reason is None, "reason": reason or ""}
            )
    return rows


def _wanted(turn: Turn, asked: Decide, decision_id: str) -> list[tuple[Action, Place]]:
    """The actions of the placement, each with the place that it still holds here (a page reload costs nothing), else a
    new one."""
    held: dict[str, Place] = {}
    for place in turn.profile.places:
        if place.placement == asked.placement and place.expires_ms > turn.now_ms:
            held.setdefault(place.action, place)
    expires_ms = turn.now_ms + turn.catalog.reserve_ms
    wanted = []
    for action in turn.catalog.shown_at.get(asked.placement, ()):
        place = held.get(action.id) or caps.place_for(
            action,
            asked.channel,
            f"{decision_id}.{action.id}",
            turn.now_ms,
            placement=asked.placement,
            expires_ms=expires_ms,
        )
        wanted.append((action, place))
    return wanted


def _shown(turn: Turn, asked: Decide, candidate: Candidate, place: Place) -> dict[str, Any]:
    action = candidate.action
    variant = pipeline.variant_of(turn, action)
    payload = encoder.encode([turn.profile.id, place.ref, action.id, place.channel, place.placement, place.expires_ms])
    content = variant.content.get(asked.channel, {})
    return {
        "actionId": action.id,
        "variant": variant.id,
        "content": content.get("content", content),
        "score": candidate.score,
        "tier": action.tier,
        "expiresAt": place.expires_ms,
        "trackingToken": seeds.sign(turn.catalog.id_key, "exposure", payload),
    }


def _note_receipt(turn: Turn, asked: Decide, decision_id: str, candidates: list[Candidate], count: caps.Count) -> None:
    chosen = [candidate.action.id for candidate in candidates if candidate.outcome == "chosen"]
    turn.note(
        "decision",
        f"{', '.join(chosen) or 'nothing'} for {asked.placement}",
        channel=asked.channel,
        action=chosen[0] if chosen else "",
        outcome="chosen" if chosen else "silence",
        reason="" if chosen else (candidates[0].reason if candidates else "fit.placement"),
        detail={
            "decision": decision_id,
            "request": asked.request_id,
            "placement": asked.placement,
            "candidates": [
                [candidate.action.id, candidate.outcome, candidate.reason, candidate.score, *candidate.terms]
                for candidate in candidates
            ],
            "caps": [[cap.id, cap.limit, count.taken(cap)] for cap in turn.catalog.caps],
        },
    )
