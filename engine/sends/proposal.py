"""A journey's send whose step has come: it passes the gates and is decided, or it is held with a reason.

A send is built from a consent token that was read in the same turn; there is no other constructor. Its texts come from
the catalog that its run entered under. The active catalog says whether it may go at all.
"""

from __future__ import annotations

from engine.catalog.compiled import Action, Step
from engine.consent import tokens
from engine.consent.tokens import ConsentToken
from engine.decide import draws, offers, placement_plan, scores
from engine.decide.gates import asking
from engine.decide.gates.availability import UNKNOWN_ACTION
from engine.decide.gates.candidates import Candidates
from engine.effects import Enqueue
from engine.frequency import budgets, caps
from engine.profile import Run, Send
from engine.sends import life
from engine.turn_state import Turn
from engine.view import View


def propose(turn: Turn, view: View, run: Run, step: Step, stopped: str = "") -> str | None:
    """Put a journey's send through the gates: None when it is decided, else the reason for which it is held. `stopped`
    is the reason of a stop that covers it; empty without."""
    action = turn.catalog.of_version(run.version).actions.get(step.action)
    if action is None:
        return UNKNOWN_ACTION
    send_id = id_of(turn, run, step)
    wanted = placement_plan.of_send(turn.catalog, step.channel, action, run.version)
    action = wanted.actions[0]
    place = caps.place_for(action, step.channel, send_id, turn.now_ms)
    candidates = Candidates.of(turn, view, wanted)
    candidates.run, candidates.stopped = run, stopped
    reason = asking.against_send(candidates)
    fields = {"channel": step.channel, "journey": run.journey, "run": run.id, "step": step.id, "action": action.id}
    if reason:
        if reason != run.held:  # a run that waits for the reason to change says so once
            also = [other for other in asking.objections(turn, view, wanted) if other != reason]
            detail = {"send": send_id, "worth": scores.worth(view, action), **({"also": also} if also else {})}
            detail |= asking.behind(view, action, reason) | dict(candidates.counted(reason))
            outcome = life.never_begun("hold")
            turn.note("send", f"{action.id} held", outcome=outcome, reason=reason, detail=detail, **fields)
        return reason
    token = tokens.token(turn, action.purpose, step.channel, action.tier)
    assert token is not None, "the consent gate lets nothing pass without consent"
    send = build(turn, token, action, run, step, send_id)
    caps.reserve(turn.profile, place)
    budgets.spend(turn, place)
    life.begin(turn.profile, send)
    turn.effects.append(Enqueue(send.id, send.waits_ms))
    offers.promise(turn, action, send.id, turn.now_ms + (action.offer.lasts_ms if action.offer else 0))
    points, terms = scores.score(turn, view, wanted, 0)
    detail = {"send": send.id, "basis": send.basis, "score": points, "terms": terms, "variant": send.variant}
    turn.note("send", f"{action.id} decided", outcome=send.state, detail=detail, **fields)
    return None


def id_of(turn: Turn, run: Run, step: Step) -> str:
    """The id of the send that a run is at."""
    return turn.id_of("send", turn.profile.id, run.id, step.id, run.occurrence)


def build(turn: Turn, token: ConsentToken, action: Action, run: Run, step: Step, send_id: str) -> Send:
    """A send, from the consent token of this very turn."""
    meant = (turn.profile.id, action.purpose, step.channel, action.tier)
    assert (token.profile, token.purpose, token.channel, token.tier) == meant
    assert token.read_ms == turn.now_ms, "a consent token is good for the turn that read it"
    return Send(
        id=send_id,
        run=run.id,
        journey=run.journey,
        step=step.id,
        action=action.id,
        variant=draws.variant_of(turn, action).id,
        channel=step.channel,
        tier=action.tier,
        purpose=action.purpose,
        basis=token.basis,
        version=run.version,
        decided_ms=turn.now_ms,
        trigger=run.trigger,
        round=action.round,
        public=run.public,
    )
