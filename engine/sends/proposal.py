"""A journey's send whose step has come: what may go where passes the gates, and the best of it is decided; or the send
is held with a reason.

A send is built from a consent token that was read in the same turn; there is no other constructor. Its texts come from
the catalog that its run entered under. The active catalog says whether it may go at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from engine.catalog.compiled import Action, Step
from engine.consent import tokens
from engine.consent.tokens import ConsentToken
from engine.decide import draws, offers, placement_plan, scores
from engine.decide.gates import asking
from engine.decide.gates.availability import UNKNOWN_ACTION
from engine.decide.gates.candidates import Candidates
from engine.decide.placement_plan import PlacementPlan
from engine.effects import Enqueue
from engine.frequency import budgets, caps
from engine.profile import Run, Send
from engine.sends import ladder, life, outcomes, touches
from engine.turn_state import Turn
from engine.view import View
from engine.vocabulary import TIER_RANK

Rank = tuple[int, float, str]
_NO_STOPS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Refused:
    """An action that may not go on a channel. `until_ms` is from when on it may, as far as the gate knows (0: it does
    not); with `parks` the run waits for that, whatever its step says, and with `drops` for nothing. `asked` is None
    where there is no such action."""

    action: str
    channel: str
    reason: str
    until_ms: int = 0
    parks: bool = False
    drops: bool = False
    asked: Candidates | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """No message may go. The reason is that of the best one on the first channel; `reasons` has those of all."""

    reason: str
    until_ms: int = 0
    parks: bool = False
    drops: bool = False
    reasons: frozenset[str] = frozenset()


def propose(turn: Turn, view: View, run: Run, step: Step, *, stopped: Mapping[str, str] = _NO_STOPS) -> Send | Held:
    """Put a journey's send through the gates: the decided send, or why none is. `stopped` has the reasons of stops that
    cover actions of the step, by action."""
    send_id = id_of(turn, run, step)
    refused: list[Refused] = []
    heads: list[Refused] = []
    for pairs in ladder.rungs(turn, run, step.sending):
        ranked = sorted(pairs, key=lambda pair: _rank_of(turn, run, *pair)) if len(pairs) > 1 else pairs
        head = len(refused)
        for place, (name, channel) in enumerate(ranked):
            asked = _ask(turn, view, run, step, name, channel, stopped.get(name, ""))
            if isinstance(asked, Candidates):
                beaten = [(name, on, f"outranked.{ranked[place][0]}") for name, on in ranked[place + 1 :]]
                over = [(each.action, each.channel, each.reason) for each in refused] + beaten
                return _decide(turn, asked, run, step, send_id, over)
            refused.append(asked)
            if asking.empties_slot(asked.reason):  # nobody moves up, on no channel
                break
        heads.append(refused[head])
        if not ladder.falls(step.sending, [each.reason for each in refused[head:]]):
            break
    return _hold(turn, view, run, step, send_id, heads, refused)


def id_of(turn: Turn, run: Run, step: Step) -> str:
    """The id of the send that a run decides next at a step, or is held with."""
    nth = [len(run.tried)] if run.tried else []
    return turn.id_of("send", turn.profile.id, run.id, step.id, run.occurrence, *nth)


def rank(turn: Turn, run: Run, step: Step) -> Rank:
    """Where a step's best send stands among others: by tier, score and id."""
    first = next(iter(ladder.rungs(turn, run, step.sending)), [])
    return min((_rank_of(turn, run, *pair) for pair in first), default=(len(TIER_RANK), 0.0, step.action))


def _rank_of(turn: Turn, run: Run, name: str, channel: str) -> Rank:
    action = turn.catalog.of_version(run.version).actions.get(name)
    if action is None:  # last, behind every tier: it takes no room from anybody
        return len(TIER_RANK), 0.0, name
    wanted = placement_plan.of_send(turn.catalog, channel, action, run.version)
    return TIER_RANK[action.tier], -scores.score(turn, turn.view(), wanted, 0)[0], action.id


def _ask(turn: Turn, view: View, run: Run, step: Step, name: str, channel: str, stopped: str) -> Candidates | Refused:
    """The single candidate that an action is on a channel, where every gate lets it go."""
    action = turn.catalog.of_version(run.version).actions.get(name)
    if action is None:
        return Refused(name, channel, UNKNOWN_ACTION)
    candidates = Candidates.of(turn, view, placement_plan.of_send(turn.catalog, channel, action, run.version))
    candidates.run, candidates.stopped = run, stopped
    candidates.deadline_ms = deadline_ms(turn, run, step)
    candidates.touches_left = _touches_left(turn, run)
    reason = asking.against_send(candidates)
    if not reason:
        return candidates
    return Refused(name, channel, reason, candidates.until_ms, candidates.parks, candidates.drops, candidates)


def deadline_ms(turn: Turn, run: Run, step: Step) -> int:
    """After when a message of this step is worthless; 0: never."""
    journey = turn.catalog.of_version(run.version).journeys.get(run.journey)
    of_step = (run.held_ms or turn.now_ms) + step.sending.deadline_ms if step.sending.deadline_ms else 0
    if journey is None or not journey.guards.deadline_ms:
        return of_step
    of_run = touches.root_of(turn.profile, run).entered_ms + journey.guards.deadline_ms
    return min(of_step, of_run) if of_step else of_run


def _touches_left(turn: Turn, run: Run) -> int | None:
    """How many messages a run may still send; None: any number."""
    journey = turn.catalog.of_version(run.version).journeys.get(run.journey)
    if journey is None or journey.guards.touches is None:
        return None
    return max(0, journey.guards.touches - touches.root_of(turn.profile, run).touches)


def _hold(
    turn: Turn, view: View, run: Run, step: Step, send_id: str, heads: list[Refused], refused: list[Refused]
) -> Held:
    """Note why the best message of each channel that was asked may not go, once as long as the reason stays."""
    first = heads[0]
    if first.reason != run.held:
        outcomes.held(turn, run, send_id, step.id, first.action, first.channel, first.reason)
    for head in heads if first.reason != run.held else ():
        if head.asked is not None:
            detail = _detail(turn, view, head, send_id)
            others = [each for each in refused if each.channel == head.channel and each is not head]
            if others:
                detail["others"] = _told([(each.action, each.channel, each.reason) for each in others])
            outcome, fields = life.never_begun("hold"), _fields(run, step, head.action, head.channel)
            turn.note("send", f"{head.action} held", outcome=outcome, reason=head.reason, detail=detail, **fields)
    known = [each.until_ms for each in refused if each.until_ms]
    reasons = frozenset(each.reason for each in refused)
    return Held(first.reason, min(known, default=0), any(each.parks for each in refused), first.drops, reasons)


def _detail(turn: Turn, view: View, head: Refused, send_id: str) -> dict[str, Any]:
    assert head.asked is not None, "there is such an action"
    plan = head.asked.plan
    action = plan.actions[0]
    also = [other for other in asking.objections(turn, view, plan) if other != head.reason]
    detail: dict[str, Any] = {"send": send_id, "worth": scores.worth(view, action), **({"also": also} if also else {})}
    detail |= asking.behind(view, action, head.reason)
    return detail | dict(head.asked.counted(head.reason)) | dict(head.asked.beside or {})


def _decide(
    turn: Turn, candidates: Candidates, run: Run, step: Step, send_id: str, over: list[tuple[str, str, str]]
) -> Send:
    plan = candidates.plan
    action, channel = plan.actions[0], plan.channel
    place = caps.place_for(action, channel, send_id, turn.now_ms)
    token = tokens.token(turn, action.purpose, channel, action.tier)
    assert token is not None, "the consent gate lets nothing pass without consent"
    send = build(turn, token, action, run, step, channel, send_id)
    send.deadline_ms = candidates.deadline_ms
    caps.reserve(turn.profile, place)
    budgets.spend(turn, place)
    life.begin(turn.profile, send)
    touches.count(turn.profile, run)
    turn.effects.append(Enqueue(send.id, send.waits_ms))
    offers.promise(turn, action, send.id, turn.now_ms + (action.offer.lasts_ms if action.offer else 0))
    _note_decided(turn, candidates.view, plan, run, step, send, over)
    return send


def _note_decided(
    turn: Turn, view: View, plan: PlacementPlan, run: Run, step: Step, send: Send, over: list[tuple[str, str, str]]
) -> None:
    points, terms = scores.score(turn, view, plan, 0)
    detail: dict[str, Any] = {
        "send": send.id,
        "basis": send.basis,
        "score": points,
        "terms": terms,
        "variant": send.variant,
    }
    if over:
        detail["over"] = _told(over)
    fields = _fields(run, step, send.action, send.channel)
    turn.note("send", f"{send.action} decided", outcome=send.state, detail=detail, **fields)


def _told(rows: list[tuple[str, str, str]]) -> list[dict[str, str]]:
    return [{"action": action, "channel": channel, "reason": reason} for action, channel, reason in rows]


def _fields(run: Run, step: Step, action: str, channel: str) -> dict[str, str]:
    return {"channel": channel, "journey": run.journey, "run": run.id, "step": step.id, "action": action}


def build(turn: Turn, token: ConsentToken, action: Action, run: Run, step: Step, channel: str, send_id: str) -> Send:
    """A send, from the consent token of this very turn."""
    meant = (turn.profile.id, action.purpose, channel, action.tier)
    assert (token.profile, token.purpose, token.channel, token.tier) == meant
    assert token.read_ms == turn.now_ms, "a consent token is good for the turn that read it"
    return Send(
        id=send_id,
        run=run.id,
        journey=run.journey,
        step=step.id,
        action=action.id,
        variant=draws.variant_of(turn, action).id,
        channel=channel,
        tier=action.tier,
        purpose=action.purpose,
        basis=token.basis,
        version=run.version,
        decided_ms=turn.now_ms,
        trigger=run.trigger,
        round=action.round,
        public=run.public,
    )
