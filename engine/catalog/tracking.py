"""The tracking plan: what events should look like, and what becomes of one that does not
(`docs/reference.md#tracking_planyaml`).

Each event may have a JSON Schema for its properties. `warn` takes it and counts, `quarantine` sets it aside with its
reason, from where it can be fixed and told again; `allow` asks nothing.
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
    """What the plan has against an event; `field` starts at the event."""

    mode: Mode
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class CompiledPlan:
    """A compiled plan."""

    unknown: Mode = "allow"
    events: Mapping[str, tuple[Mode, Any]] = field(default_factory=dict)

    def objection(self, name: str, properties: Mapping[str, Any]) -> Objection | None:
        """What is wrong with an event, None where nothing is."""
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
    """The retriever of a schema's references: nothing is ever fetched."""
    raise ValueError(f"a reference leads out of the plan: {uri}")


def plan_problems(plan: TrackingPlan) -> Iterator[Problem]:
    """Schemas that are none."""
    for name, each in plan.events.items():
        try:
            _validator(each.schema_)
        except ValueError as error:
            message = f"is no JSON Schema: {str(error).splitlines()[0][:200]}"
            yield Problem("tracking_plan.yaml", ("events", name, "schema"), message)
