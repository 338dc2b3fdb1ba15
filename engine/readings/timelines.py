"""The timeline of a customer: the events, and the decisions about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from engine.audit import Entry
from engine.catalog.compiled import Catalog
from engine.decide import receipt as decision_receipt
from engine.events import common_past
from engine.profile import Profile
from engine.readings.instants import iso
from engine.recent_events import Happened

TIMELINE_MAX: Final = 10_000


def timeline(
    known: Profile, older: Iterable[Happened], entries: Iterable[Entry], limit: int, catalogs: Mapping[str, Catalog]
) -> dict[str, Any]:
    """Events and everything that was decided about them in one list, oldest first; `limit` keeps the newest. `older`
    are the events that are not recent, `catalogs` those by which something was decided, by version.

    An event is listed at its own time. Within one instant events come first, because the entries answer to them.
    """
    events = common_past.joined(older, known.history)
    rows = [(event.at_ms, 0, number, _event(event)) for number, event in enumerate(events)]
    rows += [(entry.at_ms, 1, number, _entry(entry, catalogs)) for number, entry in enumerate(entries)]
    rows.sort(key=lambda row: row[:3])
    return {"profileId": known.id, "entries": [row[3] for row in rows[-limit:]], "next": None}


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
