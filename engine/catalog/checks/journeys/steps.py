"""Checks the steps of journeys: names that are there twice or not at all, sends that cannot go, secrets in calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import meta

from engine.catalog.checks.content import text_faults
from engine.catalog.checks.journeys.jumps import jump_problems
from engine.catalog.checks.suggest import did_you_mean
from engine.catalog.document import Document, actions, by_id, texts
from engine.catalog.models import Models, of_kind
from engine.catalog.problems import Loc, Problem
from engine.catalog.programs.walking import Located, every_step, located
from engine.catalog.schema.journeys import Journey
from engine.catalog.schema.steps import (
    AnyStep,
    SendStep,
    SplitStep,
    WaitForStep,
    WebhookStep,
)
from engine.catalog.sending.faults import sending_faults
from engine.texts.language import CALL_NAMES, parsed

_ById = Mapping[str, Mapping[str, Any]]

_SECRET_HEADERS = ("authorization", "cookie", "token", "secret", "key")


def journey_problems(document: Document, models: Models) -> Iterator[Problem]:
    """Everything in the steps of journeys that cannot be."""
    known, channels = actions(document), by_id(document, "channels.yaml", "channels")
    for file, journey in of_kind(models, Journey):
        steps = located(journey.steps, ("steps",))
        for loc, message in (*_names(steps), *_sends(known, channels, steps), *_webhooks(document, steps)):
            yield Problem(file, loc, message)
        for loc, message in jump_problems(steps):
            yield Problem(file, loc, message)


def _names(steps: Located) -> Iterator[tuple[Loc, str]]:
    """Names that stand twice, and messages of steps that send none."""
    every = [*every_step(steps)]
    seen: set[str] = set()
    for loc, step in every:
        if step.name is not None and step.name in seen:
            yield _place_of_name(loc, step), f"{step.name!r} is there already"
        seen.add(step.name or "")
    senders = {step.name for _, step in every if isinstance(step, SendStep) and step.name}
    for loc, step in every:
        if isinstance(step, WaitForStep) and step.wait_for.of is not None and step.wait_for.of not in senders:
            near = did_you_mean(step.wait_for.of, senders)
            yield (*loc, "wait_for", "of"), f"no send of this journey is called {step.wait_for.of!r}{near}"
        if isinstance(step, WaitForStep) and step.wait_for.outcome and not _sends_something(every):
            yield (*loc, "wait_for", "outcome"), "nothing can come of a message: this journey sends none"


def _sends_something(every: list[tuple[Loc, AnyStep]]) -> bool:
    return any(isinstance(step, SendStep) for _, step in every)


def _place_of_name(loc: Loc, step: AnyStep) -> Loc:
    if step.id is None:
        return (*loc, "split" if isinstance(step, SplitStep) else "parallel", "id")
    return (*loc, "id")


def _sends(known: _ById, channels: _ById, steps: Located) -> Iterator[tuple[Loc, str]]:
    for loc, step in every_step(steps):
        if isinstance(step, SendStep):
            for at, message in sending_faults(step.send, known, channels):
                yield (*loc, "send", *at), message


def _webhooks(document: Document, steps: Located) -> Iterator[tuple[Loc, str]]:
    for loc, step in every_step(steps):
        if not isinstance(step, WebhookStep):
            continue
        for header in step.webhook.headers:
            if any(word in header.lower() for word in _SECRET_HEADERS):
                message = "a secret is never written here: name its environment variable under headers_env"
                yield (*loc, "webhook", "headers", header), message
        for at, text in texts(step.webhook.body, (*loc, "webhook", "body")):
            faults = [message for message, _ in text_faults(text, document, ())]
            yield from ((at, message) for message in faults or _of_messages(text))


def _of_messages(text: str) -> Iterator[str]:
    """What a call is never given, though a message is."""
    for name in sorted(meta.find_undeclared_variables(parsed(text)) - {*CALL_NAMES}):
        yield f"{name!r} is there in messages only; a call has {', '.join(CALL_NAMES)}"
