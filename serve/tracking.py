"""What becomes of events at the door: let pass, counted, or set aside. The tracking plan says so, and the rules of what
an event may say about consent."""

from __future__ import annotations

from actors.dead_letters import CONSENT, TRACKING_PLAN
from engine import statements
from engine.catalog.compiled import Catalog
from engine.errors import InvalidInput
from engine.inputs import Event
from serve.gateway import Gateway
from serve.segment_format import Rejection

Pair = tuple[int, tuple[str, Event]]


def sifted(gateway: Gateway, pairs: list[Pair]) -> tuple[list[Pair], list[Rejection]]:
    """The events that are taken, and those that are quarantined, each with its reason."""
    plan = gateway.catalog.plan
    if plan.unknown == "allow" and not plan.events and not gateway.catalog.consent_events:
        return pairs, []
    taken: list[Pair] = []
    quarantined: list[Rejection] = []
    for pair in pairs:
        unusable = objection(gateway.catalog, pair[1][1])
        if unusable is not None:
            quarantined.append(Rejection(pair[0], unusable.field, unusable.message))
            continue
        found = plan.objection(pair[1][1].name, pair[1][1].properties)
        if found is None or found.mode == "warn":
            gateway.counts["warned"] += found is not None
            taken.append(pair)
        else:
            quarantined.append(Rejection(pair[0], found.field, f"{TRACKING_PLAN}{found.field}: {found.message}"))
    gateway.counts["quarantined"] += len(quarantined)
    return taken, quarantined


def objection(catalog: Catalog, event: Event) -> InvalidInput | None:
    """Why an event that carries consent cannot be understood, None where it can be."""
    if event.name in catalog.consent_events:
        try:
            statements.read(event, catalog)
        except InvalidInput as fault:
            return InvalidInput(f"{CONSENT}{fault.message}", fault.field)
    return None
