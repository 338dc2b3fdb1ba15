"""Compiles a document into the catalog that the engine decides by; the same document always gives the same catalog.

A document is plain data by file name, as `configs/` has it, templates as text under `templates/`:

    compile_document({
        "channels.yaml": {"channels": [{"id": "web", "provider": "none"}]},
        "consent.yaml": {"purposes": {"service": {"default": True}}},
        "actions/hello.yaml": {
            "id": "hello", "tier": "service", "purpose": "service", "channels": ["web"],
            "variants": [{"id": "a", "web": {"content": {"title": "Hello"}}}],
        },
    })
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from engine.catalog import compiled, zones
from engine.catalog.advice import warnings as advice
from engine.catalog.checks.whole_document import examine
from engine.catalog.compile_journeys import compile_journey
from engine.catalog.compiled import Catalog
from engine.catalog.compiling import policies as compile_policies
from engine.catalog.compiling import stops as compile_stops
from engine.catalog.compiling.policies import Rules
from engine.catalog.document import Document, canonical, version_of
from engine.catalog.identity_rules import compile_identity
from engine.catalog.models import Models, of_kind
from engine.catalog.permissions import Purpose, Source
from engine.catalog.problems import Problem
from engine.catalog.programs.instructions import WEBHOOKS
from engine.catalog.schema import channels as schema_channels
from engine.catalog.schema import files
from engine.catalog.schema import journeys as schema_journeys
from engine.catalog.schema import policies as schema_policies
from engine.catalog.schema.grammar import Model, tree_of
from engine.catalog.schema.identity import Identity
from engine.catalog.schema.models import PropensityModel
from engine.catalog.schema.tracking_plan import TrackingPlan
from engine.catalog.statuses import ruled
from engine.catalog.tracking import compile_plan
from engine.catalog.triggers import StopRule
from engine.conditions.predicates import build
from engine.conditions.purchases import Wording
from engine.conditions.readable import Condition
from engine.errors import CatalogError
from engine.propensity.models import Made, build_model


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


Part = TypeVar("Part", bound=_Identified)
Grouped = TypeVar("Grouped")
FileModel = TypeVar("FileModel", bound=Model)


class Examined(NamedTuple):
    """An examined document: its problems, and the catalog that can be made of it where it has none."""

    plain: dict[str, Any]
    spelling: bytes
    models: Models
    problems: list[Problem]

    def catalog(self) -> Catalog:
        """Raises CatalogError with every problem as `file: path: message`."""
        if self.problems:
            raise CatalogError(tuple(str(problem) for problem in self.problems))
        return _compile(self.plain, self.spelling, self.models)

    def warnings(self) -> list[Problem]:
        """Doubts about a document without problems: things that its author hardly meant (`engine.catalog.advice`)."""
        return advice.warnings(self.plain, self.models)


def examined(document: Document, unread: Iterable[str] = ()) -> Examined:
    """Examine plain data once; `unread` as in `examine`."""
    spelling = canonical(document)
    plain: dict[str, Any] = msgspec.msgpack.decode(spelling)
    return Examined(plain, spelling, *examine(plain, frozenset(unread)))


def compile_document(document: Document) -> Catalog:
    """The catalog of plain data; raises CatalogError with every problem as `file: path: message`."""
    return examined(document).catalog()


def compile_bytes(document_bytes: bytes) -> Catalog:
    """The catalog of a document that was compiled before, in its canonical spelling, as `Catalog.document` keeps it."""
    document: dict[str, Any] = msgspec.msgpack.decode(document_bytes)
    models, problems = examine(document, is_taken=True)
    if problems:
        raise CatalogError(tuple(str(problem) for problem in problems))
    return _compile(document, document_bytes, models)


def problems_of(document: Document, unread: Iterable[str] = ()) -> list[Problem]:
    """The problems that `compile_document` would raise, each with its place; `unread` as in `examine`."""
    return examined(document, unread).problems


def _compile(document: Document, document_bytes: bytes, models: Models) -> Catalog:
    policies = _file(models, "policies.yaml", schema_policies.Policies)
    consent = _file(models, "consent.yaml", files.Consent)
    operator = _file(models, files.OPERATOR, files.Operator)
    space = policies.workspace
    rules = Rules(policies, _scorers(models, document))
    actions = _by_id(
        ruled(rules.action(each), each.status, operator.actions) for _, each in of_kind(models, files.Action)
    )
    journeys = _by_id(
        ruled(_edited(compile_journey(each, space.zone), operator.journeys), each.status, operator.journeys)
        for _, each in of_kind(models, schema_journeys.Journey)
    )
    stops = compile_stops.events(policies.stops)
    return Catalog(
        version=version_of(document_bytes),
        document=document_bytes,
        zone=space.zone,
        tzdata=zones.VERSION,
        currency=space.currency,
        language=space.language,
        country=space.country,
        lateness_ms=space.lateness,
        journal_ms=space.journal,
        reserve_ms=space.reserve,
        channels=_channels(_file(models, "channels.yaml", schema_channels.Channels), journeys.values()),
        placements=_by_id(map(_placement, _file(models, "placements.yaml", files.Placements).placements)),
        purposes={name: _purpose(name, each) for name, each in consent.purposes.items()},
        consent_events=frozenset(consent.events),
        actions=actions,
        shown_at=_grouped((placement, action) for action in actions.values() for placement in action.placements),
        journeys=journeys,
        entered_by=_grouped((journey.trigger.event, journey) for journey in journeys.values()),
        measured_by=_grouped(
            (journey.outcome.on.event, journey) for journey in journeys.values() if journey.outcome is not None
        ),
        caps=tuple(map(compile_policies.cap, policies.caps)),
        cap_kind=_cap_kind(policies),
        suppressions=rules.suppressions(actions.values()),
        purchases=Wording(**compile_policies.wording(policies.purchases)),
        shelves=compile_policies.shelves(actions.values()),
        min_propensity=policies.min_propensity,
        service_per_address=policies.service_per_address or 0,
        counts_dismissed=policies.on_dismissed == "count",
        budgets=(*map(compile_policies.budget, policies.budgets), *compile_policies.paces(journeys.values())),
        levers=tuple(map(compile_policies.lever, policies.levers)),
        holdouts=tuple(map(compile_policies.holdout, policies.holdouts)),
        fatigue=compile_policies.fatigue(policies),
        stops=stops,
        stops_on=_grouped((rule.on.event, rule) for rule in stops),
        stop_names=_stop_names(stops, journeys.values()),
        segments=_segments(_file(models, "segments.yaml", files.Segments)),
        sources={name: _source(each) for name, each in _file(models, "sources.yaml", files.Sources).sources.items()},
        templates=_templates(document),
        plan=compile_plan(_file(models, "tracking_plan.yaml", TrackingPlan)),
        identity=compile_identity(_file(models, "identity.yaml", Identity), space.country, consent.sensitive),
        links=compile_policies.links(policies.links),
        lasting_stops=compile_stops.lasting(policies.stops, space.zone),
    )


def _edited(journey: compiled.Journey, words: Mapping[str, files.Word]) -> compiled.Journey:
    edits = words[journey.id].edits if journey.id in words else ()
    return replace(
        journey, edits=tuple(compiled.Edit(each.number, each.version, each.rest, each.map) for each in edits)
    )


def _file(models: Models, name: str, kind: type[FileModel]) -> FileModel:
    """The model of a file; for a file that is not there, one with every default."""
    model = models.get(name)
    return model if isinstance(model, kind) else kind()


def _by_id(parts: Iterable[Part]) -> dict[str, Part]:
    return {part.id: part for part in sorted(parts, key=lambda part: part.id)}


def _grouped(pairs: Iterable[tuple[str, Grouped]]) -> dict[str, tuple[Grouped, ...]]:
    """The values by their key, in the order in which they come."""
    groups: defaultdict[str, list[Grouped]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return {key: tuple(values) for key, values in groups.items()}


def _scorers(models: Models, document: Document) -> dict[str, Made]:
    """For each model that actions can name, the function that makes its scorers."""
    return {
        each.id: build_model(each.model_dump(by_alias=True, exclude_unset=True), document)
        for _, each in of_kind(models, PropensityModel)
    }


def _cap_kind(policies: schema_policies.Policies) -> Callable[[Any], Any]:
    """The fields of a place that tell which caps count it: those that any cap matches. The channel is always among
    them, because `attrgetter` needs one field at least."""
    return attrgetter(*sorted({"channel"}.union(*(each.match.model_fields_set for each in policies.caps))))


def _stop_names(stops: Iterable[StopRule], journeys: Iterable[compiled.Journey]) -> frozenset[str]:
    return frozenset(rule.on.event for rules in (stops, *(journey.stops for journey in journeys)) for rule in rules)


def _segments(file: files.Segments) -> dict[str, Condition]:
    return {name: build(tree_of(condition)) for name, condition in file.segments.items()}


def _templates(document: Document) -> dict[str, str]:
    folder = "templates/"
    return {file.removeprefix(folder): text for file, text in document.items() if file.startswith(folder)}


def _placement(placement: files.Placement) -> compiled.Placement:
    return compiled.Placement(placement.id, placement.channel, placement.default, placement.per_category)


def _purpose(name: str, purpose: files.Purpose) -> Purpose:
    return Purpose(name, frozenset(purpose.channels), frozenset(purpose.no_consent_needed), purpose.default)


def _source(source: files.Source) -> Source:
    events = None if source.events is None else frozenset(source.events)
    identify = None if source.identify is None else frozenset(source.identify)
    grants, is_proved = frozenset(source.grants), source.user_hash == "required"
    return Source(source.channel, grants, events, is_proved, identify, source.link, source.merge, source.things)


def _channels(file: schema_channels.Channels, journeys: Iterable[compiled.Journey]) -> dict[str, compiled.Channel]:
    """The channels of a workspace, and the one that calls of other systems go out on, where a journey makes any."""
    found = [*map(_channel, file.channels)]
    if any(step.webhook is not None for journey in journeys for step in journey.steps):
        found.append(compiled.Channel(WEBHOOKS, "webhook", "", {}))
    return _by_id(found)


def _channel(channel: schema_channels.Channel) -> compiled.Channel:
    settings = channel.model_dump(exclude={"id", "provider", "address", "retry_for", "cost"}, exclude_none=True)
    return compiled.Channel(
        channel.id, channel.provider, channel.address or "", settings, channel.retry_for, channel.cost
    )
