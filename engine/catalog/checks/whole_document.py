"""Finds every problem of a document in one go, each with its place.

First each file is checked against its model. Then come the rules that span files. They read other files as they were
written, not as models, so that a fault in one file hides nothing in another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from pydantic_core import ValidationError

from engine.catalog import zones
from engine.catalog.checks import sensitive
from engine.catalog.checks.circles import no_circles
from engine.catalog.checks.content import content_problems, template_problems
from engine.catalog.checks.file_names import other_name
from engine.catalog.checks.identity import identity_problems
from engine.catalog.checks.journeys.edits import edit_problems
from engine.catalog.checks.journeys.steps import journey_problems
from engine.catalog.checks.matching_models import matching_model_problems, missing_model_problems
from engine.catalog.checks.onnx_files import model_file_problems, onnx_problems
from engine.catalog.checks.paths import path_problems
from engine.catalog.checks.plain_words import UNKNOWN, of_validation, written_at
from engine.catalog.checks.suggest import did_you_mean
from engine.catalog.document import Document, by_id, in_folder, items, names, texts
from engine.catalog.models import Models, of_kind
from engine.catalog.problems import Loc, Problem
from engine.catalog.schema.files import Action, is_beside_models, is_of_matching, model_of
from engine.catalog.schema.grammar import Model
from engine.catalog.schema.models import PropensityModel
from engine.catalog.schema.policies import Policies
from engine.catalog.schema.tracking_plan import TrackingPlan
from engine.catalog.tracking import plan_problems
from engine.conditions.binding import ACTION_FACT, EVENT_FACT
from engine.values import money

Rule = Callable[[Document, Models], Iterator[Problem]]

_SECRET_WORDS: Final = ("password", "passwd", "secret", "token", "api_key", "apikey", "private_key", "credential")


def examine(
    document: Document, unread: Collection[str] = (), *, is_taken: bool = False
) -> tuple[Models, list[Problem]]:
    """The models of the files that have their right shape, and every problem.

    `unread` names files that exist but could not be read: references to them are no problems. A document that
    `is_taken` was found to be in order once, perhaps by a less strict version of the engine. It is only read, and keys
    that are not known are passed over.
    """
    known = names(document, unread)
    models: Models = {}
    problems: list[Problem] = []
    for file, written in document.items():
        model, data = model_of(file), {} if written is None else written
        if file.startswith("templates/"):
            problems += () if is_taken else template_problems(document, file, unread)
        elif is_beside_models(file):
            faults_of = matching_model_problems if is_of_matching(file) else model_file_problems
            problems += () if is_taken else faults_of(document, file)
        elif model is None:
            problems.append(Problem(file, ("file",), f"no such file belongs to a catalog{other_name(file)}"))
        else:
            try:
                models[file] = _read(model, data, known, is_taken=is_taken)
            except ValidationError as error:
                problems += [of_validation(model, file, data, details) for details in error.errors(include_url=False)]
    if not is_taken:
        problems += _of_rules(document, models, unread)
    return models, sorted(_one_each(problems), key=lambda problem: problem.file)


def _read(model: type[Model], data: Any, known: Mapping[str, Collection[str]], *, is_taken: bool) -> Model:
    try:
        return model.model_validate(data, context=known)
    except ValidationError as error:
        if not is_taken or any(details["type"] != "extra_forbidden" for details in error.errors()):
            raise
        unknown = [written_at(data, details["loc"]) for details in error.errors()]
        return model.model_validate(_without(data, unknown), context=known)


def _without(data: Any, unknown: Collection[Loc], loc: Loc = ()) -> Any:
    if isinstance(data, Mapping):
        here = {key: (*loc, key) for key in data}
        return {key: _without(data[key], unknown, at) for key, at in here.items() if at not in unknown}
    if isinstance(data, list):
        return [_without(value, unknown, (*loc, i)) for i, value in enumerate(data)]
    return data


def _of_rules(document: Document, models: Models, unread: Collection[str]) -> Iterator[Problem]:
    for rule in _RULES:
        yield from rule(document, models)
    yield from missing_model_problems(document, unread)
    for file, declared in of_kind(models, PropensityModel):
        yield from onnx_problems(document, file, declared, unread)
    for _, plan in of_kind(models, TrackingPlan):
        yield from plan_problems(plan)
    for file, action in of_kind(models, Action):
        yield from content_problems(document, file, action, unread)


def _one_each(problems: list[Problem]) -> list[Problem]:
    """The problems without those that call a key unknown where a rule says more about the same key."""
    told = {(problem.file, problem.loc) for problem in problems if not problem.message.startswith(UNKNOWN)}
    return [each for each in problems if not (each.message.startswith(UNKNOWN) and (each.file, each.loc) in told)]


def _unique_ids(document: Document, models: Models) -> Iterator[Problem]:
    for folder in ("actions", "journeys", "models"):
        seen: dict[Any, str] = {}
        for file, data in in_folder(document, folder).items():
            name = str(data.get("id"))
            if name in seen and "id" in data:
                yield Problem(file, ("id",), f"{name!r} is the id of {seen[name]} already")
            seen.setdefault(name, file)
            if folder != "models":
                yield from _unique_in(document, file, "variants" if folder == "actions" else "stops")
    for file, *path in (
        ("channels.yaml", "channels"),
        ("placements.yaml", "placements"),
        ("policies.yaml", "caps"),
        ("policies.yaml", "suppress"),
        ("policies.yaml", "stops"),
        ("policies.yaml", "budgets"),
        ("policies.yaml", "levers"),
        ("policies.yaml", "holdouts"),
        ("policies.yaml", "after_purchase"),
        ("policies.yaml", "quiet_hours", "rules"),
    ):
        yield from _unique_in(document, file, *path)


def _unique_in(document: Document, file: str, *path: str) -> Iterator[Problem]:
    seen = set()
    for i, item in items(document, file, *path):
        name = str(item.get("id"))
        if name in seen and "id" in item:
            yield Problem(file, (*path, i, "id"), f"{name!r} is there already")
        seen.add(name)


def _no_secrets(document: Document, models: Models) -> Iterator[Problem]:
    for i, channel in items(document, "channels.yaml", "channels"):
        for key in channel:
            is_secret = any(word in str(key).lower() for word in _SECRET_WORDS) and not str(key).endswith("_env")
            if is_secret:
                message = f"a secret is never written here: name its environment variable as {key}_env"
                yield Problem("channels.yaml", ("channels", i, key), message)


def _workspace(document: Document, models: Models) -> Iterator[Problem]:
    policies = models.get("policies.yaml", None if "policies.yaml" in document else Policies())
    if not isinstance(policies, Policies):
        return
    space = policies.workspace
    if space.zone not in zones.names():
        near = next((zone for zone in sorted(zones.names()) if zone.endswith(f"/{space.zone}")), None)
        meant = f", did you mean {near!r}?" if near else did_you_mean(space.zone, zones.names()) or " is known"
        yield Problem("policies.yaml", ("workspace", "zone"), f"no zone called {space.zone!r}{meant}")
    if not re.fullmatch(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*", space.language):
        message = f"{space.language!r} is no language by its code, as in en, de or pt-BR"
        yield Problem("policies.yaml", ("workspace", "language"), message)
    if space.currency not in money.names():
        message = f"no currency has the code {space.currency!r}{did_you_mean(space.currency, money.names())}"
        yield Problem("policies.yaml", ("workspace", "currency"), message)
    for file, action in of_kind(models, Action):
        amounts: list[tuple[Loc, float]] = [(("value",), action.value)]
        if action.offer is not None and action.offer.price is not None:
            amounts.append((("offer", "price"), action.offer.price))
        for loc, amount in amounts:
            if money.minor_units(amount, space.currency) is None:
                message = f"{space.currency} has no more than {money.exponent(space.currency)} decimals"
                yield Problem(file, loc, message)


def _hosts(document: Document, models: Models) -> Iterator[Problem]:
    """Hosts that are more than the name of a machine. One colon is that of a port; an IPv6 address has more."""
    for i, channel in items(document, "channels.yaml", "channels"):
        host = channel.get("host")
        if isinstance(host, str) and (re.search(r"[/\s]", host) or re.fullmatch(r"[^:]*:[0-9]*", host)):
            message = "is the name of a machine alone (mail.shop.example); its port stands beside it, as in port: 587"
            yield Problem("channels.yaml", ("channels", i, "host"), message)


def _action_facts(document: Document, models: Models) -> Iterator[Problem]:
    """`$action.x` has a meaning only where a decision looks at an action: in `eligible` and in `suppress`."""
    homes: list[tuple[str, Loc, Any]] = [(file, (), data) for file, data in in_folder(document, "journeys").items()]
    homes.append(("segments.yaml", (), document.get("segments.yaml")))
    homes += [("policies.yaml", ("stops", i), stop) for i, stop in items(document, "policies.yaml", "stops")]
    for file, loc, data in homes:
        for at, text in texts(data, loc):
            if text.startswith(ACTION_FACT):
                yield Problem(file, at, f"there is no action here that {text} could be a fact of")


def _event_facts(document: Document, models: Models) -> Iterator[Problem]:
    """`$event.x` has a meaning only where a run asks: not in the trigger of a journey, not in a segment, not in a
    model."""
    homes: list[tuple[str, Loc, Any]] = [("segments.yaml", (), document.get("segments.yaml"))]
    homes += [(file, (), data) for file, data in in_folder(document, "models").items()]
    homes += [(file, ("trigger",), data.get("trigger")) for file, data in in_folder(document, "journeys").items()]
    for file, loc, data in homes:
        for at, text in texts(data, loc):
            if text.startswith(EVENT_FACT):
                yield Problem(file, at, f"there is no run here with a trigger that {text} could be a fact of")


def _sensitive(document: Document, models: Models) -> Iterator[Problem]:
    yield from sensitive.problems(document)


def _placements(document: Document, models: Models) -> Iterator[Problem]:
    known = by_id(document, "placements.yaml", "placements")
    for file, action in of_kind(models, Action):
        for i, name in enumerate(action.placements):
            channel = known.get(name, {}).get("channel")
            if channel is not None and channel not in action.channels:
                message = f"{name} is on channel {channel}, which is not one of the action's"
                yield Problem(file, ("placements", i), message)


_RULES: Final[tuple[Rule, ...]] = (
    _unique_ids,
    _no_secrets,
    _workspace,
    _hosts,
    _action_facts,
    _event_facts,
    no_circles,
    _sensitive,
    _placements,
    journey_problems,
    edit_problems,
    path_problems,
    identity_problems,
)
