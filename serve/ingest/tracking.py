"""The objections to a well-formed event: the tracking plan may object to it, its source may have no right to send it,
and its statement about consent may make no sense."""

from __future__ import annotations

from actors.shard.set_aside.dead_letters import CONSENT
from engine.catalog.compiled import Catalog
from engine.catalog.tracking import Objection
from engine.consent import authority, statements
from engine.errors import InvalidInput
from engine.inputs import Event


def has_no_rules(catalog: Catalog) -> bool:
    """Whether a catalog has no rule that could object to an event, so that none needs to be looked at."""
    plan = catalog.plan
    is_limited = any(source.events is not None for source in catalog.sources.values())
    return plan.unknown == "allow" and not plan.events and not catalog.consent_events and not is_limited


def planned(catalog: Catalog, event: Event) -> Objection | None:
    """The objection of the tracking plan to an event. A plan that names no identify, page … lets all of them pass: an
    author who names the events of `track` has said nothing about calls that have no name."""
    if event.kind != "track" and event.name not in catalog.plan.events:
        return None
    found: Objection | None = catalog.plan.objection(event.name, event.properties)
    return found


def objection(catalog: Catalog, event: Event) -> InvalidInput | None:
    """Why an event is not for its source to send, or why its statement about consent cannot be understood; else
    None."""
    if event.kind == "track" and not authority.may_send(catalog, event.source, event.name, public=event.public):
        return InvalidInput(f"source: a write key of {event.source} may not send {event.name}", "event")
    if statements.carries(catalog, event.name):
        try:
            statements.read(event, catalog)
        except InvalidInput as fault:
            return InvalidInput(f"{CONSENT}{fault.message}", fault.field)
    return None
