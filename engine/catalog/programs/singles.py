"""The instruction of each step that holds no steps of its own."""

from __future__ import annotations

from typing import Any, Final

from engine.catalog import inner_events
from engine.catalog.compiling.triggers import compile_trigger, on_segment
from engine.catalog.programs.instructions import Step, Until, Update, Webhook
from engine.catalog.schema import steps as written
from engine.catalog.schema.of_steps import waiting
from engine.catalog.sending import compiling
from engine.catalog.triggers import Trigger
from engine.vocabulary import ARRIVED, DAY_MS

# A wait that is reset may become as long as this many waits, and a day at least. Without a bound, a customer who comes
# back again and again would keep it waiting for ever.
_RESET_TIMES: Final = 7


def instruction(step: written.AnyStep, step_id: str) -> Step:
    """The one instruction of a step. Targets of a `wait_for` are filled in where it is laid out."""
    match step:
        case written.SendStep(send=send):
            return Step(step_id, "send", sending=compiling.sending(send), on_held=send.on_held)
        case written.WaitStep(wait=wait):
            return _wait(wait, step_id)
        case written.WaitForStep(wait_for=wait):
            return _wait_for(wait, step_id)
        case written.UpdateStep(update=update):
            made = Update(update.traits, tuple(update.tags.add), tuple(update.tags.remove))
            return Step(step_id, "update", update=made)
        case written.WebhookStep(webhook=call):
            made_call = Webhook(
                call.url or "",
                call.url_env or "",
                call.method,
                call.headers,
                call.headers_env,
                call.secret_env or "",
                call.body,
            )
            return Step(step_id, "webhook", webhook=made_call)
        case written.GotoStep():
            return Step(step_id, "goto", to=step.goto, at_most=step.at_most)
        case written.ExitStep(exit=ending):
            return Step(step_id, "exit", reason=ending.reason)
        case _:
            raise AssertionError(f"no instruction for {type(step).__name__}")


def _wait(wait: waiting.Wait, step_id: str) -> Step:
    if wait.until is not None:
        return Step(step_id, "wait", until=_until(wait.until), **_late(wait.late))
    assert wait.for_ is not None, "a wait has either for or until"
    return Step(step_id, "wait", for_ms=wait.for_, **_resets(wait, wait.for_), **_late(wait.late))


def _until(until: waiting.Until) -> Until:
    return Until(
        minute=until.time,
        weekdays=frozenset(map(waiting.WEEKDAYS.index, until.weekday or ())),
        trait=until.trait or "",
        offset_days=until.offset or 0,
        on_missing=until.on_missing or "exit",
        on_past=until.on_past or "continue",
    )


def _wait_for(wait: written.WaitFor, step_id: str) -> Step:
    more: dict[str, Any] = {}
    if wait.segment is not None:
        more = {"event": on_segment(wait.segment.id, wait.segment.on), "segment": wait.segment.id}
        more["is_inside"] = wait.segment.on == "enter"
    elif wait.outcome is not None:
        # To a journey, what a sandbox took has arrived.
        outcomes = {*wait.outcome, *(ARRIVED if "sent" in wait.outcome else ())}
        asked = {"outcome": {"in": sorted(outcomes)}} | ({"step": wait.of} if wait.of else {})
        more = {"event": Trigger.of(inner_events.OUTCOME, asked), "outcomes": frozenset(outcomes), "of": wait.of or ""}
    else:
        assert wait.event is not None, "it waits for exactly one of event, segment and outcome"
        more = {"event": compile_trigger(wait.event, wait.where)}
    return Step(step_id, "wait_for", for_ms=wait.timeout, **more, **_resets(wait, wait.timeout), **_late(wait.late))


def _resets(wait: waiting.Wait | written.WaitFor, for_ms: int) -> dict[str, Any]:
    until_ms = wait.reset_until or max(_RESET_TIMES * for_ms, DAY_MS)
    return {"reset_on": frozenset(wait.reset_on), "reset_until_ms": until_ms}


def _late(rule: waiting.Late) -> dict[str, Any]:
    if isinstance(rule, waiting.DropIfLate):
        return {"late": "drop", "late_ms": rule.drop_if_late}
    return {"late": rule}
