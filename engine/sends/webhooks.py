"""Calls of other systems, which go out by way of the outbox as messages do.

A call is no message to the customer: it asks no gate, takes no place under a cap and needs no consent. It belongs to a
run all the same, so what withdraws the messages of a run withdraws its calls, and a pause keeps them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.catalog.compiled import Step
from engine.catalog.programs.instructions import WEBHOOKS
from engine.conditions.binding import EVENT_FACT
from engine.effects import Enqueue
from engine.profile import Run, Send
from engine.sends import life
from engine.turn_state import Turn
from engine.values.paths import values_at

KIND: Final = "webhook"  # of entries of the timeline


def is_one(send: Send) -> bool:
    """Whether a send is a call, and no message."""
    return send.channel == WEBHOOKS


def propose(turn: Turn, run: Run, step: Step) -> None:
    """Put a call into the outbox."""
    call_id = turn.id_of("send", turn.profile.id, run.id, step.id, run.occurrence)
    run.occurrence += 1
    call = Send(
        id=call_id,
        run=run.id,
        journey=run.journey,
        step=step.id,
        action="",
        variant="",
        channel=WEBHOOKS,
        tier=run.tier,
        purpose="",
        basis="not needed",
        version=run.version,
        decided_ms=turn.now_ms,
        trigger=run.trigger,
        public=run.public,
    )
    life.begin(turn.profile, call)
    turn.effects.append(Enqueue(call.id, call.waits_ms))
    note(turn, call, call.state)


def note(turn: Turn, call: Send, outcome: str, reason: str = "") -> None:
    """Write into the timeline what became of a call."""
    turn.note(
        KIND,
        f"{call.step} of {call.journey} {outcome}",
        channel=call.channel,
        journey=call.journey,
        run=call.run,
        step=call.step,
        outcome=outcome,
        reason=reason,
        detail={"send": call.id},
    )


def message(turn: Turn, call: Send) -> dict[str, Any] | None:
    """All that the dispatcher needs to make the call; None where the journey has no such step any more."""
    catalog = turn.catalog.of_version(call.version)
    journey = catalog.journeys.get(call.journey)
    step = next((each for each in journey.steps if each.id == call.step), None) if journey is not None else None
    if step is None or step.webhook is None:
        return None
    called, profile = step.webhook, turn.profile
    return {
        "send": call.id,
        "channel": call.channel,
        "version": catalog.version,
        "address": called.url,
        "content": {},
        "traits": profile.trait_values,
        "event": call.trigger,
        "action": {},
        "language": profile.locale or catalog.language,
        "currency": catalog.currency,
        "timezone": profile.timezone or catalog.zone,
        "opt_out": "",
        "confirm": "",
        "link": "",
        "at_ms": turn.now_ms,
        "webhook": {
            "url_env": called.url_env,
            "method": called.method,
            "headers": dict(called.headers),
            "headers_env": dict(called.headers_env),
            "secret_env": called.secret_env,
            "body": bound(called.body, call.trigger),
            "journey": call.journey,
            "step": call.step,
            "run": call.run,
        },
    }


def bound(body: Any, trigger: Mapping[str, Any]) -> Any:
    """A body with the facts of the trigger in it, each of its own kind; None in place of one that is absent."""
    if isinstance(body, Mapping):
        return {name: bound(part, trigger) for name, part in body.items()}
    if isinstance(body, list | tuple):
        return [bound(part, trigger) for part in body]
    if not isinstance(body, str) or not body.startswith(EVENT_FACT):
        return body
    found = [*values_at(trigger, tuple(body.removeprefix(EVENT_FACT).split(".")))]
    return found[0] if len(found) == 1 else found
