"""What the tracking plan makes of events at the door: let pass, counted, or set aside."""

from __future__ import annotations

from engine.inputs import Event
from serve.gateway import Gateway
from serve.segment_format import Rejection

PREFIX = "tracking plan: "

Pair = tuple[int, tuple[str, Event]]


def sifted(gateway: Gateway, pairs: list[Pair]) -> tuple[list[Pair], list[Rejection]]:
    """The events that are taken, and those that are quarantined, each with its reason."""
    plan = gateway.catalog.plan
    if plan.unknown == "allow" and not plan.events:
        return pairs, []
    taken: list[Pair] = []
    quarantined: list[Rejection] = []
    for pair in pairs:
        found = plan.objection(pair[1][1].name, pair[1][1].properties)
        if found is None or found.mode == "warn":
            gateway.counts["warned"] += found is not None
            taken.append(pair)
        else:
            quarantined.append(Rejection(pair[0], found.field, f"{PREFIX}{found.field}: {found.message}"))
    gateway.counts["quarantined"] += len(quarantined)
    return taken, quarantined
