"""What becomes of events at the door: let pass, counted, or set aside. The tracking plan says so, and the rules of who
may send it and of what it may say about consent."""

from __future__ import annotations

from dataclasses import dataclass

from actors.shard.set_aside.dead_letters import CONSENT, TRACKING_PLAN
from engine.catalog.compiled import Catalog
from engine.catalog.tracking import Objection
from engine.consent import authority, statements
from engine.errors import InvalidInput
from engine.inputs import Event
from serve.http.gateway import Gateway
from serve.ingest.segment_format import Rejection

Pair = tuple[int, tuple[str, Event]]


@dataclass(slots=True)
class Sifted:
    """Events that are taken, and those that are quarantined, each with its reason; `warned` counts what the plan
    objects to and lets pass."""

    taken: list[Pair]
    quarantined: list[Rejection]
    warned: int = 0


def sifted(gateway: Gateway, pairs: list[Pair]) -> tuple[list[Pair], list[Rejection]]:
    """The events that are taken, and those that are quarantined, each with its reason. Both are counted."""
    found = sift(gateway.catalog, pairs)
    gateway.counts["warned"] += found.warned
    gateway.counts["quarantined"] += len(found.quarantined)
    return found.taken, found.quarantined


def sift(catalog: Catalog, pairs: list[Pair]) -> Sifted:
    """What a catalog makes of events."""
    plan = catalog.plan
    limited = any(source.events is not None for source in catalog.sources.values())
    if plan.unknown == "allow" and not plan.events and not catalog.consent_events and not limited:
        return Sifted(pairs, [])
    made = Sifted([], [])
    for pair in pairs:
        unusable = objection(catalog, pair[1][1])
        if unusable is not None:
            made.quarantined.append(Rejection(pair[0], unusable.field, unusable.message))
            continue
        found = planned(catalog, pair[1][1])
        if found is None or found.mode == "warn":
            made.warned += found is not None
            made.taken.append(pair)
        else:
            made.quarantined.append(Rejection(pair[0], found.field, f"{TRACKING_PLAN}{found.field}: {found.message}"))
    return made


def planned(catalog: Catalog, event: Event) -> Objection | None:
    """What the tracking plan has against an event. A plan that names no identify, page … lets all of them pass: who
    names the events of `track` has said nothing of calls that have no name."""
    if event.kind != "track" and event.name not in catalog.plan.events:
        return None
    found: Objection | None = catalog.plan.objection(event.name, event.properties)
    return found


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
