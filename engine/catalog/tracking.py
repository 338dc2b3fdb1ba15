"""The tracking plan: the shape that events should have (`docs/reference.md#tracking_planyaml`).

Each event may have a JSON Schema for its properties. For an event that does not fit, `warn` takes it and counts it,
`quarantine` sets it aside with the reason, from where it can be fixed and told again. `allow` checks nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import jsonschema_rs

from engine.catalog.problems import Problem
from engine.catalog.schema.tracking_plan import TrackingPlan

Mode = Literal["allow", "warn", "quarantine"]


@dataclass(frozen=True, slots=True)
class Objection:
    """A fault that the plan finds in an event; `field` is a path from the event on."""

    mode: Mode
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class CompiledPlan:
    """A compiled plan."""

    unknown: Mode = "allow"
    events: Mapping[str, tuple[Mode, Any]] = field(default_factory=dict)

    def objection(self, name: str, properties: Mapping[str, Any]) -> Objection | None:
        """The first fault of an event, None where it has none."""
        mode, schema = self.events.get(name, (self.unknown, None))
        if mode == "allow":
            return None
        if name not in self.events:
            return Objection(mode, "event", "is not in the tracking plan")
        if schema is None or schema.is_valid(properties):
            return None
        first = next(iter(schema.iter_errors(properties)))
        return Objection(mode, ".".join(["properties", *map(str, first.instance_path)]), first.message)


def compile_plan(plan: TrackingPlan) -> CompiledPlan:
    """The plan of a checked file."""
    return CompiledPlan(
        plan.unknown,
        {name: (each.mode, _validator(each.schema_) if each.schema_ else None) for name, each in plan.events.items()},
    )


def _validator(schema: Any) -> Any:
    return jsonschema_rs.validator_for(schema, retriever=_nowhere)


def _nowhere(uri: str) -> Any:
    """The retriever of a schema's references: the engine never fetches one, whatever a schema names."""
    raise ValueError(f"a reference leads out of the plan: {uri}")


def plan_problems(plan: TrackingPlan) -> Iterator[Problem]:
    """Problems of schemas that are no JSON Schemas."""
    for name, each in plan.events.items():
        try:
            _validator(each.schema_)
        except ValueError as error:
            message = f"is no JSON Schema: {str(error).splitlines()[0][:200]}"
            yield Problem("tracking_plan.yaml", ("events", name, "schema"), message)
