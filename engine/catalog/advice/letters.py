"""Doubts about messages: a promotional mail without a way out, an action that nobody gets, a rule that matches none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from jinja2 import TemplateError, meta

from engine.catalog.checks.suggest import did_you_mean
from engine.catalog.document import Document, by_id
from engine.catalog.models import Models, of_kind
from engine.catalog.problems import Problem
from engine.catalog.programs.walking import every_step, located
from engine.catalog.schema.files import Action
from engine.catalog.schema.journeys import Journey
from engine.catalog.schema.policies import Budget, Cap, Holdout, Lever, Policies
from engine.catalog.schema.steps import SendStep
from engine.texts.language import TemplateLanguage, with_mentioned


def way_out_doubts(document: Document, models: Models) -> Iterator[Problem]:
    """A promotional mail whose template, with all that it includes, has no link to leave by."""
    templates = {
        file.removeprefix("templates/"): text
        for file, text in document.items()
        if file.startswith("templates/") and isinstance(text, str)
    }
    for file, action in of_kind(models, Action):
        for i, variant in enumerate(action.variants if action.tier == "promotional" else ()):
            for channel, content in (variant.model_extra or {}).items():
                name = content.get("template") if isinstance(content, Mapping) else None
                if not isinstance(name, str) or name not in templates:
                    continue
                if not any(map(_names_way_out, with_mentioned(templates, [name]).values())):
                    message = (
                        "a promotional mail needs a link to leave by: {{ unsubscribe_url }} is not in its template"
                    )
                    yield Problem(file, ("variants", i, channel, "template"), message)


def _names_way_out(text: str) -> bool:
    if "unsubscribe_url" not in text:
        return False
    try:
        return "unsubscribe_url" in meta.find_undeclared_variables(_LANGUAGE.parse(text))
    except (TemplateError, RecursionError):
        return True  # it cannot be read, so there is nothing to doubt


def nobody_doubts(document: Document, models: Models) -> Iterator[Problem]:
    """Actions that nobody gets: no journey sends them, and no page shows them."""
    actions = {
        action
        for _, each in of_kind(models, Journey)
        for _, step in every_step(located(each.steps, ()))
        if isinstance(step, SendStep)
        for action in step.send.candidates
    }
    shown = {
        name for _, policies in of_kind(models, Policies) for rule in policies.after_purchase for name in rule.show
    }
    channels = by_id(document, "channels.yaml", "channels")
    for file, action in of_kind(models, Action):
        if action.placements or action.status != "live":
            continue
        asked = [each for each in action.channels if channels.get(each, {}).get("provider") == "none"]
        if action.id not in actions | shown:
            page = ", and it has no placements to be shown at" if asked else ""
            yield Problem(file, ("channels",), f"nobody gets it: no journey sends it{page}")
        elif asked:
            yield Problem(file, ("channels",), f"it is never shown on {asked[0]}: it has no placements")


def unmatched_doubts(document: Document, models: Models) -> Iterator[Problem]:
    """Rules that match nothing, because no action has their category or group."""
    known = {
        "category": {action.category for _, action in of_kind(models, Action)},
        "group": {action.group for _, action in of_kind(models, Action)},
    }
    for file, policies in of_kind(models, Policies):
        rules: dict[str, Sequence[Cap | Budget | Lever | Holdout]] = {
            "caps": policies.caps,
            "budgets": policies.budgets,
            "levers": policies.levers,
            "holdouts": policies.holdouts,
        }
        for key, listed in rules.items():
            for i, rule in enumerate(listed):
                for field, there in known.items():
                    for name in getattr(rule.match, field) or ():
                        if name not in there:
                            near = did_you_mean(name, [each for each in there if each])
                            message = f"no action has the {field} {name!r}{near}"
                            yield Problem(file, (key, i, "match", field), message)


_LANGUAGE: Final = TemplateLanguage()
