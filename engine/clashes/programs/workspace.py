"""A journey as its file has it and as it runs, side by side, with what is known of everybody in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.catalog.checks.known_names import planned, uses
from engine.catalog.compiled import Step
from engine.catalog.compiling import stops as compiling
from engine.catalog.document import Document
from engine.catalog.models import Models, of_kind
from engine.catalog.problems import Loc
from engine.catalog.programs.layout import flatten
from engine.catalog.programs.walking import every_step, located
from engine.catalog.schema.files import Action, Consent, Segments
from engine.catalog.schema.grammar import tree_of
from engine.catalog.schema.journeys import Journey
from engine.catalog.schema.policies import Policies
from engine.catalog.schema.steps import AnyStep
from engine.catalog.schema.stops import JourneyStop
from engine.clashes.logic.contradictions import Solver, Tree

_LAID_OUT = ("jump", "join")  # instructions that no step of the file stands for


@dataclass(frozen=True, slots=True)
class Ending:
    """A stop by an event, or by a segment: what it listens to. One `of_key` ends only the runs whose key its event
    carries."""

    id: str
    event: str
    tests: Mapping[str, Any]
    of_key: bool


@dataclass(frozen=True, slots=True)
class Program:
    """One journey. `places` has the place in the file of each instruction, `written` its step; a jump or a join has
    neither. `stops` are the global ones that its tier is under, and its own."""

    file: str
    journey: Journey
    steps: tuple[Step, ...]
    places: Mapping[int, Loc]
    written: Mapping[int, AnyStep]
    stops: tuple[JourneyStop, ...]
    endings: tuple[Ending, ...]
    lateness_ms: int  # an event that is older begins nothing

    @property
    def id(self) -> str:
        """The journey's."""
        return self.journey.id

    def sends(self) -> Iterator[tuple[int, Step]]:
        """Every instruction that sends, with its number."""
        return ((at, step) for at, step in enumerate(self.steps) if step.kind == "send")


@dataclass(frozen=True, slots=True)
class Workspace:
    """What a catalog says, as the rules on single journeys ask it."""

    document: Document
    policies: Policies
    consent: Consent
    actions: Mapping[str, Action]
    files: Mapping[str, str]  # of the actions
    providers: Mapping[str, str]  # of the channels
    events: frozenset[str]  # every event that it names
    solver: Solver
    programs: Sequence[Program]


def read(document: Document, models: Models) -> Workspace:
    """From a document without problems. Journeys that have stopped are left out: nobody is in them."""
    policies = next((each for _, each in of_kind(models, Policies)), Policies())
    consent = next((each for _, each in of_kind(models, Consent)), Consent())
    segments = {
        name: tree_of(condition) or {}
        for _, file in of_kind(models, Segments)
        for name, condition in file.segments.items()
    }
    listed = (document.get("channels.yaml") or {}).get("channels") or []
    actions = of_kind(models, Action)
    return Workspace(
        document=document,
        policies=policies,
        consent=consent,
        actions={action.id: action for _, action in actions},
        files={action.id: file for file, action in actions},
        providers={channel["id"]: channel.get("provider", "") for channel in listed},
        events=frozenset(use.name for use in uses(document) if use.kind == "event") | frozenset(planned(document)),
        solver=Solver(segments),
        programs=[
            _program(file, journey, policies)
            for file, journey in of_kind(models, Journey)
            if journey.status != "stopped"
        ],
    )


def _program(file: str, journey: Journey, policies: Policies) -> Program:
    steps = flatten(journey.steps)
    written = [*every_step(located(journey.steps, ("steps",)))]
    numbers = [at for at, step in enumerate(steps) if step.kind not in _LAID_OUT]
    stops = [stop for stop in policies.stops if stop.tier in (None, journey.tier)]
    return Program(
        file=file,
        journey=journey,
        steps=steps,
        places={at: loc for at, (loc, _) in zip(numbers, written, strict=True)},
        written={at: step for at, (_, step) in zip(numbers, written, strict=True)},
        stops=(*stops, *journey.stops),
        endings=(*_endings(stops, of_key=False), *_endings(journey.stops, of_key=journey.key is not None)),
        lateness_ms=policies.workspace.lateness,
    )


def _endings(stops: Sequence[JourneyStop], *, of_key: bool) -> Iterator[Ending]:
    for rule in compiling.events(stops):
        yield Ending(rule.id, rule.on.event, rule.on.tests or {}, of_key)


def trees(*conditions: Any) -> list[Tree]:
    """Conditions as plain trees, without those that are not there."""
    return [tree for condition in conditions if (tree := tree_of(condition))]
