"""A whole profile, as `GET /v1/profiles/…` shows it."""

from __future__ import annotations

from typing import Any

from engine.catalog import statuses
from engine.catalog.compiled import Cap, Catalog
from engine.contact import addresses
from engine.decide import draws, offers
from engine.frequency import caps, fatigue
from engine.journeys import stops
from engine.parts.of_identity import HandOff, Link, Merged
from engine.profile import Profile, Run
from engine.readings import as_next_turn_finds, consent_words
from engine.readings.instants import iso
from engine.view import View
from engine.vocabulary import NEVER_MS


def profile(known: Profile, catalog: Catalog, now_ms: int) -> dict[str, Any]:
    """The whole profile, as `GET /v1/profiles/…` shows it."""
    known = as_next_turn_finds.settled(known, catalog, now_ms)
    view = View(known, catalog, now_ms)
    return {
        "profileId": known.id,
        "identifiers": [
            {
                "namespace": link.namespace,
                "value": link.value,
                "confidence": link.confidence,
                **_of_address(known, link),
                "firstSeen": iso(link.first_seen_ms),
                "lastSeen": iso(link.last_seen_ms),
                **({"source": link.source} if link.source else {}),
                **({"shared": True} if link.shared else {}),
            }
            for link in known.identifiers
        ],
        "addresses": {name: addresses.value(known, name) for name in addresses.NAMESPACES},
        **_unusable(known, catalog),
        "traits": known.trait_values,
        "segments": [name for name, condition in catalog.segments.items() if condition(view)],
        "consent": consent_words.consents(known),
        "awaiting": consent_words.awaiting(known),
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
        "likely": _likely(known, now_ms),
        "merges": [_merge(past) for past in known.ledger],
        "transitions": [_transition(each) for each in known.handoffs],
    }


def _merge(past: Merged) -> dict[str, Any]:
    row: dict[str, Any] = {
        "origin": past.origin,
        "at": iso(past.at_ms),
        "events": past.events,
        "runs": past.runs,
    }
    optional = {"mergeId": past.id, "by": past.namespace, "source": past.source}
    row |= {name: value for name, value in optional.items() if value}
    if past.id:
        row["confidence"] = past.confidence
    return row | ({"undoneAt": iso(past.undone_ms)} if past.undone_ms else {})


def _likely(known: Profile, now_ms: int) -> list[dict[str, Any]]:
    """The likely links that lend something now."""
    return [
        {
            "profileId": link.profile,
            "confidence": link.confidence,
            "at": iso(link.at_ms),
            "until": iso(link.until_ms),
            "traits": link.traits,
            "segments": link.segments,
        }
        for link in known.likely
        if link.until_ms > now_ms
    ]


def _drawn(known: Profile) -> dict[str, Any]:
    """The kept draws: a variant per action, a side per holdout."""
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


def _of_address(known: Profile, link: Link) -> dict[str, Any]:
    """What is shown of an address alone: whether it is verified, and whether it is current, why, and since when."""
    if link.namespace not in addresses.NAMESPACES:
        return {}
    shown: dict[str, Any] = {"verified": link.verified, "current": addresses.current(known, link.namespace) is link}
    found = addresses.why(known, link.namespace) if shown["current"] else None
    return shown | ({"why": found[0], "since": iso(found[1])} if found else {})


def _unusable(known: Profile, catalog: Catalog) -> dict[str, Any]:
    """The stated addresses that are none; no field where there are none of them."""
    found = addresses.unusable(known, catalog.country)
    rows = [{"namespace": namespace, "value": stated, "reason": reason} for namespace, stated, reason in found]
    return {"unusableAddresses": rows} if rows else {}


def _fatigue(known: Profile, catalog: Catalog, now_ms: int) -> dict[str, float]:
    rule = catalog.fatigue
    return {key: round(fatigue.level(known, rule, key, now_ms), 4) for key in sorted(known.fatigue)} if rule else {}


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
    shown = {
        "journey": run.journey,
        "run": run.id,
        "key": run.key,
        "version": run.version,
        "step": stops.step_id(catalog, run),
        "state": run.state,
        "enteredAt": iso(run.entered_ms),
        "endedBy": run.ended_by or None,
        **({"branchOf": run.parent} if run.parent else {}),
    }
    return shown | _waits_for((statuses.waits(catalog, run) or run.held) if run.state == "active" else "")


def _waits_for(reason: str) -> dict[str, str]:
    """The reason for which a run or a send waits; no field where it does not."""
    return {"waitsFor": reason} if reason else {}


def _timer(catalog: Catalog, run: Run, now_ms: int) -> dict[str, Any]:
    """A pending timer; one that a pause has put off has the time at which it was due."""
    at_ms = (run.was_due_ms or now_ms) if run.due_ms == NEVER_MS else run.due_ms
    return {"at": iso(at_ms), "journey": run.journey, "step": stops.step_id(catalog, run)}


def _transition(done: HandOff) -> dict[str, Any]:
    """A change of touchpoint; what a goal asked only where there was one."""
    row = {
        "at": iso(done.at_ms),
        "from": done.was,
        "into": done.into,
        "by": done.by,
        "tookMs": done.took_ms,
        "readyMs": done.ready_ms,
        "carried": done.carried,
    }
    return row | ({"goal": done.goal, "requiredMs": done.required_ms, "missed": done.missed} if done.goal else {})
