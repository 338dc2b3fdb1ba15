"""What becomes of events at the door: let pass, counted, or set aside. The tracking plan says so, and the rules of who
may send it and of what it may say about consent."""

from __future__ import annotations

from actors.dead_letters import CONSENT, TRACKING_PLAN
from engine import authority, statements
from engine.catalog.compiled import Catalog
from engine.errors import InvalidInput
from engine.inputs import Event
from serve.gateway import Gateway
from serve.segment_format import Rejection

Pair = tuple[int, tuple[str, Event]]


def sifted(gateway: Gateway, pairs: list[Pair]) -> tuple[list[Pair], list[Rejection]]:
    """The events that are taken, and those that are quarantined, each with its reason."""
    catalog, plan = gateway.catalog, gateway.catalog.plan
    limited = any(source.events is not None for source in catalog.sources.values())
    if plan.unknown == "allow" and not plan.events and not catalog.consent_events and not limited:
        return pairs, []
    taken: list[Pair] = []
    quarantined: list[Rejection] = []
    for pair in pairs:
        unusable = objection(catalog, pair[1][1])
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
    """Why an event is not for its source to send, or what it says about consent cannot be understood; else None."""
    if event.kind == "track" and not authority.may_send(catalog, event.source, event.name, public=event.public):
        return InvalidInput(f"source: a write key of {event.source} may not send {event.name}", "event")
    if statements.carries(catalog, event.name):
        try:
            statements.read(event, catalog)
        except InvalidInput as fault:
            return InvalidInput(f"{CONSENT}{fault.message}", fault.field)
    return None
