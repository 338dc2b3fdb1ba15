"""Everything that can be wrong with a document, found in one go, each problem at its place.

First each file is held against its model. Then come the rules that span files; they read other files as they were
written, not as models, so that a fault in one file hides nothing in another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic_core import ValidationError

from engine.binding import ACTION_FACT, EVENT_FACT
from engine.catalog import money, sensitive, zones
from engine.catalog.content import content_problems, template_problems
from engine.catalog.document import Document, actions, by_id, channels_of, in_folder, items, names
from engine.catalog.onnx_files import model_file_problems, onnx_problems
from engine.catalog.problems import Loc, Problem, of_validation
from engine.catalog.schema import Action, Segments, is_beside_models, model_of
from engine.catalog.schema_grammar import All, Any_, Condition, Model, Not, OfSegment, OfSuppression
from engine.catalog.schema_journeys import BranchStep, ExitStep, Journey, SendStep, Step, WaitForStep
from engine.catalog.schema_models import PropensityModel
from engine.catalog.schema_plan import TrackingPlan
from engine.catalog.schema_policies import Policies
from engine.catalog.tracking import plan_problems

Models = dict[str, Model]
Rule = Callable[[Document, Models], Iterator[Problem]]
AnyModel = TypeVar("AnyModel", bound=Model)

_SECRET_WORDS: Final = ("password", "passwd", "secret", "token", "api_key", "apikey", "private_key", "credential")


def examine(document: Document, unread: Collection[str] = ()) -> tuple[Models, list[Problem]]:
    """The models of the files that have their right shape, and every problem.

    `unread` names files that exist but could not be read: what refers to them is given the benefit of the doubt.
    """
    known = names(document, unread)
    models: Models = {}
    problems: list[Problem] = []
    for file, written in document.items():
        model, data = model_of(file), {} if written is None else written
        if file.startswith("templates/"):
            problems += template_problems(document, file, unread)
        elif is_beside_models(file):
            problems += model_file_problems(document, file)
        elif model is None:
            problems.append(Problem(file, ("file",), "no such file belongs to a catalog"))
        else:
            try:
                models[file] = model.model_validate(data, context=known)
            except ValidationError as error:
                problems += [of_validation(file, data, details) for details in error.errors(include_url=False)]
    for rule in _RULES:
        problems += rule(document, models)
    for file, declared in of_kind(models, PropensityModel):
        problems += onnx_problems(document, file, declared, unread)
    for _, plan in of_kind(models, TrackingPlan):
        problems += plan_problems(plan)
    for file, action in of_kind(models, Action):
        problems += content_problems(document, file, action, unread)
    return models, sorted(problems, key=lambda problem: problem.file)


def of_kind(models: Models, kind: type[AnyModel]) -> list[tuple[str, AnyModel]]:
    """The models of one kind, with their files."""
    return [(file, model) for file, model in models.items() if isinstance(model, kind)]


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
    for file, key in (
        ("channels.yaml", "channels"),
        ("placements.yaml", "placements"),
        ("policies.yaml", "caps"),
        ("policies.yaml", "suppress"),
        ("policies.yaml", "stops"),
        ("policies.yaml", "budgets"),
        ("policies.yaml", "levers"),
        ("policies.yaml", "holdouts"),
        ("policies.yaml", "after_purchase"),
    ):
        yield from _unique_in(document, file, key)


def _unique_in(document: Document, file: str, key: str) -> Iterator[Problem]:
    seen = set()
    for i, item in items(document, file, key):
        name = str(item.get("id"))
        if name in seen and "id" in item:
            yield Problem(file, (key, i, "id"), f"{name!r} is there already")
        seen.add(name)


def _no_secrets(document: Document, models: Models) -> Iterator[Problem]:
    for i, channel in items(document, "channels.yaml", "channels"):
        for key, value in channel.items():
            is_secret = any(word in str(key).lower() for word in _SECRET_WORDS) and not str(key).endswith("_env")
            if is_secret:
                message = f"a secret is never written here: name its environment variable as {key}_env"
                yield Problem("channels.yaml", ("channels", i, key), message)
            elif isinstance(value, list | dict):
                yield Problem("channels.yaml", ("channels", i, key), "should be a text, a number, true or false")


def _workspace(document: Document, models: Models) -> Iterator[Problem]:
    policies = models.get("policies.yaml", None if "policies.yaml" in document else Policies())
    if not isinstance(policies, Policies):
        return
    space = policies.workspace
    if space.zone not in zones.names():
        yield Problem("policies.yaml", ("workspace", "zone"), f"no zone called {space.zone!r} is known")
    for file, action in of_kind(models, Action):
        amounts: list[tuple[Loc, float]] = [(("value",), action.value)]
        if action.offer is not None and action.offer.price is not None:
            amounts.append((("offer", "price"), action.offer.price))
        for loc, amount in amounts:
            if money.minor_units(amount, space.currency) is None:
                message = f"{space.currency} has no more than {money.exponent(space.currency)} decimals"
                yield Problem(file, loc, message)


def _action_facts(document: Document, models: Models) -> Iterator[Problem]:
    """`$action.x` is read only where a decision looks at an action: in `eligible` and in `suppress`."""
    homes: list[tuple[str, Loc, Any]] = [(file, (), data) for file, data in in_folder(document, "journeys").items()]
    homes.append(("segments.yaml", (), document.get("segments.yaml")))
    homes += [("policies.yaml", ("stops", i), stop) for i, stop in items(document, "policies.yaml", "stops")]
    for file, loc, data in homes:
        for at, text in _texts(data, loc):
            if text.startswith(ACTION_FACT):
                yield Problem(file, at, f"there is no action here that {text} could be a fact of")


def _event_facts(document: Document, models: Models) -> Iterator[Problem]:
    """`$event.x` is read only where a run may ask: not in what starts one, and not of a customer alone."""
    homes: list[tuple[str, Loc, Any]] = [("segments.yaml", (), document.get("segments.yaml"))]
    homes += [(file, (), data) for file, data in in_folder(document, "models").items()]
    homes += [(file, ("trigger",), data.get("trigger")) for file, data in in_folder(document, "journeys").items()]
    for file, loc, data in homes:
        for at, text in _texts(data, loc):
            if text.startswith(EVENT_FACT):
                yield Problem(file, at, f"there is no run here with a trigger that {text} could be a fact of")


def _texts(data: Any, loc: Loc) -> Iterator[tuple[Loc, str]]:
    if isinstance(data, str):
        yield loc, data
    elif isinstance(data, Mapping | list):
        for key, value in data.items() if isinstance(data, Mapping) else enumerate(data):
            yield from _texts(value, (*loc, key))


def _no_circles(document: Document, models: Models) -> Iterator[Problem]:
    """A segment that needs itself has no answer; nor has a suppression."""
    places: dict[str, tuple[str, Loc, Condition]] = {}
    for file, segments in of_kind(models, Segments):
        for name, condition in segments.segments.items():
            places[f"segment {name}"] = (file, ("segments", name), condition)
            for atom in _atoms(condition):
                if isinstance(atom, OfSuppression):
                    message = "a segment is about a customer alone, a suppression is about an action too"
                    yield Problem(file, ("segments", name), message)
    for file, policies in of_kind(models, Policies):
        for i, rule in enumerate(policies.suppress):
            places[f"suppression {rule.id}"] = (file, ("suppress", i, "when"), rule.when)
    needs = {name: _needs(condition) for name, (_, _, condition) in places.items()}
    for name, (file, loc, _) in places.items():
        circle = _way_back(name, needs)
        if circle:
            yield Problem(file, loc, f"goes round in a circle: {' → '.join(circle)}")


def _atoms(condition: Condition) -> Iterator[Condition]:
    match condition:
        case All():
            parts = condition.all
        case Any_():
            parts = condition.any
        case Not():
            parts = [condition.not_]
        case _:
            yield condition
            return
    for part in parts:
        yield from _atoms(part)


def _needs(condition: Condition) -> list[str]:
    found = []
    for atom in _atoms(condition):
        if isinstance(atom, OfSegment):
            found.append(f"segment {atom.segment}")
        elif isinstance(atom, OfSuppression):
            found.append(f"suppression {atom.suppression}")
    return found


def _way_back(start: str, needs: Mapping[str, list[str]]) -> list[str]:
    """A way from `start` to itself, empty if there is none."""
    seen: set[str] = set()
    ways = [[start]]
    while ways:
        way = ways.pop()
        for name in needs.get(way[-1], []):
            if name == start:
                return [*way, name]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []


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


def _journeys(document: Document, models: Models) -> Iterator[Problem]:
    known = actions(document)
    channels = by_id(document, "channels.yaml", "channels")
    for file, journey in of_kind(models, Journey):
        seen = set()
        for loc, step in _steps(journey.steps, ("steps",)):
            if step.id is not None and step.id in seen:
                yield Problem(file, (*loc, "id"), f"{step.id!r} is there already")
            seen.add(step.id)
            if isinstance(step, SendStep):
                channel, action = step.send.channel, known.get(step.send.action)
                if action is not None and channel not in channels_of(action):
                    yield Problem(file, (*loc, "send", "channel"), f"{step.send.action} has no channel {channel}")
                elif channels.get(channel, {}).get("provider") == "none":
                    yield Problem(file, (*loc, "send", "channel"), f"{channel} is asked, it cannot be sent to")
        for loc in _never_reached(journey.steps, ("steps",)):
            yield Problem(file, loc, "is never reached, the step before it always ends the run")


def _steps(steps: Sequence[Step], loc: Loc) -> Iterator[tuple[Loc, Step]]:
    for i, step in enumerate(steps):
        yield (*loc, i), step
        if isinstance(step, BranchStep):
            for arm_index, arm in enumerate(step.branch):
                yield from _steps(arm.steps, (*loc, i, "branch", arm_index, "steps"))


def _never_reached(steps: Sequence[Step], loc: Loc) -> Iterator[Loc]:
    for i, step in enumerate(steps):
        if isinstance(step, BranchStep):
            for arm_index, arm in enumerate(step.branch):
                yield from _never_reached(arm.steps, (*loc, i, "branch", arm_index, "steps"))
        if not _goes_on(step) and i + 1 < len(steps):
            yield (*loc, i + 1)
            return


def _goes_on(step: Step) -> bool:
    """Whether a run can come out of a step behind it."""
    if isinstance(step, BranchStep):
        has_else = any(arm.else_ for arm in step.branch)
        return not has_else or any(all(_goes_on(inner) for inner in arm.steps) for arm in step.branch)
    if isinstance(step, WaitForStep):
        return "continue" in (step.wait_for.on_event, step.wait_for.on_timeout)
    return not isinstance(step, ExitStep)


_RULES: Final[tuple[Rule, ...]] = (
    _unique_ids,
    _no_secrets,
    _workspace,
    _action_facts,
    _event_facts,
    _no_circles,
    _sensitive,
    _placements,
    _journeys,
)
