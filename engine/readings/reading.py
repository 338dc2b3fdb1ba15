"""What people and clients read of a profile: the shapes of the contract, made from the state, changing nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from engine import codec
from engine.audit import Entry
from engine.catalog import statuses
from engine.catalog.compiled import Action, Cap, Catalog, Journey
from engine.consent.recording import Heard
from engine.contact import addresses
from engine.contact.consents import has_effect
from engine.decide import decision, draws, offers
from engine.decide import receipt as decision_receipt
from engine.errors import NotFound
from engine.events.setting_back import clock_of
from engine.frequency import caps, fatigue
from engine.journeys import pauses, whereabouts
from engine.profile import ConsentRecord, Profile, Run
from engine.recent_events import Happened, history_order
from engine.turn_state import Turn
from engine.values.nearest import meant
from engine.view import View
from engine.vocabulary import NEVER_MS

TIMELINE_MAX = 10_000

Part = TypeVar("Part", Action, Journey)


def iso(ms: int) -> str:
    """ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def profile(known: Profile, catalog: Catalog, now_ms: int) -> dict[str, Any]:
    """The whole profile, as `GET /v1/profiles/…` shows it."""
    known = _settled(known, catalog, now_ms)
    view = View(known, catalog, now_ms)
    return {
        "profileId": known.id,
        "identifiers": [
            {
                "namespace": link.namespace,
                "value": link.value,
                "confidence": link.confidence,
                **({"verified": link.verified} if link.namespace in addresses.NAMESPACES else {}),
                "firstSeen": iso(link.first_seen_ms),
                "lastSeen": iso(link.last_seen_ms),
            }
            for link in known.identifiers
        ],
        "addresses": {name: addresses.value(known, name) for name in addresses.NAMESPACES},
        **_unusable(known, catalog),
        "traits": known.trait_values,
        "segments": [name for name, condition in catalog.segments.items() if condition(view)],
        "consent": consents(known),
        "awaiting": awaiting(known),
        "caps": [_cap(known, catalog, cap, now_ms) for cap in catalog.caps],
        "journeys": [_run(catalog, run) for run in known.runs],
        "timers": [
            _timer(catalog, run, now_ms) for run in sorted(known.runs, key=lambda run: run.due_ms) if run.due_ms
        ],
        "suppressions": [
            {"suppression": rule.id, "tier": rule.tier} for rule in catalog.suppressions if rule.when(view)
        ],
        "holdouts": [rule.id for rule in catalog.holdouts if draws.is_held_out(known, catalog, rule)],
        "drawn": _drawn(known),
        "promises": [
            {
                "subject": promise.subject,
                "action": promise.action,
                "discount": promise.discount,
                "priceMinor": promise.price_minor,
                "until": iso(promise.expires_ms),
            }
            for promise in offers.valid(known, now_ms)
        ],
        "fatigue": _fatigue(known, catalog, now_ms),
        "pendingSends": [
            {"send": send.id, "action": send.action, "channel": send.channel, "state": send.state}
            | _waits_for(statuses.send_waits(catalog, send))
            for send in known.sends
        ],
        "merges": [
            {"origin": past.origin, "at": iso(past.at_ms), "events": past.events, "runs": past.runs}
            for past in known.ledger
        ],
    }


def _drawn(known: Profile) -> dict[str, Any]:
    """What was drawn and stays: a variant per action, a side per holdout."""
    kept = draws.shown(known)
    return {
        "variants": [
            {"action": name, "variant": each.outcome, "at": iso(each.at_ms)}
            for name, each in sorted(kept["variants"].items())
        ],
        "holdouts": [
            {"holdout": name, "side": each.outcome, "at": iso(each.at_ms)}
            for name, each in sorted(kept["holdouts"].items())
        ],
    }


def _unusable(known: Profile, catalog: Catalog) -> dict[str, Any]:
    """What was stated as an address and is none; nothing where there is nothing to say."""
    found = addresses.unusable(known, catalog.country)
    rows = [{"namespace": namespace, "value": stated, "reason": reason} for namespace, stated, reason in found]
    return {"unusableAddresses": rows} if rows else {}


def _fatigue(known: Profile, catalog: Catalog, now_ms: int) -> dict[str, float]:
    rule = catalog.fatigue
    return {key: round(fatigue.level(known, rule, key, now_ms), 4) for key in sorted(known.fatigue)} if rule else {}


def consents(known: Profile) -> list[dict[str, Any]]:
    """Each (purpose, channel) with the word on record, its receipt, and whether it has effect."""
    return [_word(record) | {"effective": has_effect(known, record)} for record in known.consent]


def awaiting(known: Profile) -> list[dict[str, Any]]:
    """Each yes whose source may not grant it: it has no effect until the person confirms it."""
    return [_word(record) for record in known.awaiting]


def receipt(profile_id: str, heard: Heard) -> dict[str, Any]:
    """The answer to who states consent."""
    new = heard.record
    return {
        "profileId": profile_id,
        "receiptId": new.receipt,
        "granted": new.granted,
        "effective": heard.is_effective,
        "reason": heard.reason,
        "against": [_word(no) for no in heard.against],
    }


def _word(record: ConsentRecord) -> dict[str, Any]:
    shown = {
        "purpose": record.purpose,
        "channel": record.channel,
        "granted": record.granted,
        "at": iso(record.at_ms),
        "source": record.source,
        "receiptId": record.receipt,
        "text": record.text,
    }
    return shown | ({"key": record.key} if record.key else {}) | ({"binds": "address"} if record.address else {})


def timeline(
    known: Profile, older: Iterable[Happened], entries: Iterable[Entry], limit: int, catalogs: Mapping[str, Catalog]
) -> dict[str, Any]:
    """Events and everything that was decided about them in one list, oldest first; `limit` keeps the newest. `older`
    are the events that are not recent, `catalogs` those by which something was decided, by version.

    An event stands at its own time. Within one instant events come first, because they are what the rest answers to.
    """
    events = sorted([*older, *known.history], key=history_order)
    rows = [(event.at_ms, 0, number, _event(event)) for number, event in enumerate(events)]
    rows += [(entry.at_ms, 1, number, _entry(entry, catalogs)) for number, entry in enumerate(entries)]
    rows.sort(key=lambda row: row[:3])
    return {"profileId": known.id, "entries": [row[3] for row in rows[-limit:]], "next": None}


def why(
    known: Profile, catalog: Catalog, now_ms: int, action_id: str | None = None, journey_id: str | None = None
) -> dict[str, Any]:
    """Why an action would or would not be chosen now, and where the customer stands with a journey: with those that are
    named, else with all of both. Raises NotFound for one that the catalog does not have."""
    answer: dict[str, Any] = {"profileId": known.id, "catalogVersion": catalog.version}
    known = _settled(known, catalog, now_ms)
    if action_id is not None:
        answer |= _why(known, catalog, now_ms, _named(catalog.actions, action_id, "action"))
    elif journey_id is None:
        answer["actions"] = [_why(known, catalog, now_ms, action) for action in catalog.actions.values()]
    if journey_id is not None:
        answer["journeys"] = [_whereabouts(known, catalog, _named(catalog.journeys, journey_id, "journey"))]
    elif action_id is None:
        answer["journeys"] = [_whereabouts(known, catalog, journey) for journey in catalog.journeys.values()]
    return answer


def _named(parts: Mapping[str, Part], name: str, what: str) -> Part:
    if name not in parts:
        raise NotFound(f"there is no {what} {name}; {meant(name, parts)}", what)
    return parts[name]


def _whereabouts(known: Profile, catalog: Catalog, journey: Journey) -> dict[str, Any]:
    row = whereabouts.of(known, catalog, journey)
    at_ms = row.pop("at_ms", None)
    return row if at_ms is None else row | {"at": iso(at_ms)}


def _why(known: Profile, catalog: Catalog, now_ms: int, action: Action) -> dict[str, Any]:
    turn = Turn(_to_try(known), catalog, clock_of(known, now_ms))
    return {"actionId": action.id, "tier": action.tier, "gates": decision.why(turn, action)}


def _cap(known: Profile, catalog: Catalog, cap: Cap, now_ms: int) -> dict[str, Any]:
    places = caps.counted(known, catalog, cap, now_ms)
    used = sum(bool(place.left_ms) for place in places)
    return {
        "cap": cap.id,
        "limit": cap.limit,
        "used": used,
        "reserved": len(places) - used,
        "left": max(0, cap.limit - len(places)),
        "resetsAt": iso(caps.leaves_ms(known, catalog, cap, min(place.at_ms for place in places))) if places else None,
    }


def _run(catalog: Catalog, run: Run) -> dict[str, Any]:
    return {
        "journey": run.journey,
        "run": run.id,
        "key": run.key,
        "version": run.version,
        "step": _step(catalog, run),
        "state": run.state,
        "enteredAt": iso(run.entered_ms),
        "endedBy": run.ended_by or None,
    } | _waits_for((statuses.waits(catalog, run) or run.held) if run.state == "active" else "")


def _waits_for(reason: str) -> dict[str, str]:
    """Why somebody waits who else would go on; nothing where nobody does."""
    return {"waitsFor": reason} if reason else {}


def _timer(catalog: Catalog, run: Run, now_ms: int) -> dict[str, Any]:
    """A pending timer; one that a pause has put off, with the time at which it was due."""
    at_ms = (run.was_due_ms or now_ms) if run.due_ms == NEVER_MS else run.due_ms
    return {"at": iso(at_ms), "journey": run.journey, "step": _step(catalog, run)}


def _settled(known: Profile, catalog: Catalog, now_ms: int) -> Profile:
    """A profile as its next turn will find it: what has ended under the catalog that stands has ended, though nobody
    has told this profile yet. A reading writes nothing, so where there is a difference this is a copy."""
    now_ms = max(now_ms, known.clock_ms)
    if known.moving_to or pauses.is_settled(known, catalog, now_ms):
        return known
    copy = codec.decode_record(codec.encode_record(known), known.id)
    assert isinstance(copy, Profile), "a profile is read back as one"
    pauses.settle(Turn(copy, catalog, now_ms))
    return copy


def _to_try(known: Profile) -> Profile:
    """The same to put questions to that keep what they draw: a reading writes nothing."""
    copy = msgspec.structs.replace(known, drawn=dict(known.drawn))
    copy.history = known.history
    return copy


def _step(catalog: Catalog, run: Run) -> str:
    journey = catalog.of_version(run.version).journeys.get(run.journey)
    return journey.steps[run.position].id if journey and run.position < len(journey.steps) else ""


def _event(event: Happened) -> dict[str, Any]:
    row = {"at": iso(event.at_ms), "kind": "event", "summary": event.name, "properties": event.properties}
    optional = {"messageId": event.message_id, "channel": event.channel, "source": event.source}
    return row | {name: value for name, value in optional.items() if value}


def _entry(entry: Entry, catalogs: Mapping[str, Catalog]) -> dict[str, Any]:
    detail = entry.detail
    if "receipt" in detail and entry.kind == "decision":
        kept = decision_receipt.read(detail["receipt"])
        detail = {
            "catalogVersion": entry.version,
            **decision_receipt.shown(kept, catalogs.get(entry.version), entry.channel),
        }
    row: dict[str, Any] = {"at": iso(entry.at_ms), "kind": entry.kind, "summary": entry.summary}
    optional: Mapping[str, Any] = {
        "messageId": entry.message_id,
        "channel": entry.channel,
        "source": entry.source,
        "journey": entry.journey,
        "run": entry.run,
        "step": entry.step,
        "action": entry.action,
        "outcome": entry.outcome,
        "reason": entry.reason,
        "detail": {name: _plain(value) for name, value in detail.items()},
    }
    return row | {name: value for name, value in optional.items() if value}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return [_plain(member) for member in value] if isinstance(value, list | tuple) else value
