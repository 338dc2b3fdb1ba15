"""Catalogs of several journeys, and what their proof says of clashes."""

from __future__ import annotations

from typing import Any

from actors.catalog_proof import clashes
from engine.catalog.compile import examined
from engine.clashes.findings import Finding
from support.world import action, document

MAIL = {"send": {"action": "letter", "channel": "email"}}


def journey(name: str, event: str, *steps: Any, **more: Any) -> dict[str, Any]:
    """A promotional journey that an event starts."""
    base = {"id": name, "tier": "promotional", "trigger": {"event": event}, "steps": list(steps) or [MAIL]}
    return base | more


def catalog(*journeys: Any, **policies: Any) -> dict[str, Any]:
    """A catalog of these journeys; each may send `letter` and `note`, by e-mail, and `text`, by SMS."""
    segments = policies.pop("segments", {})
    return document(
        actions=[action("letter"), action("note"), action("text", channels=["sms"])],
        journeys=list(journeys),
        policies=policies,
        segments={"segments": segments},
    )


def findings(plain: dict[str, Any]) -> list[Finding]:
    """Everything that the proof of clashes finds in a catalog."""
    found = examined(plain)
    return [*clashes.findings(found.catalog(), found.plain, found.models, lambda problem: problem)]


def pairs(plain: dict[str, Any]) -> list[Finding]:
    """The notes about pairs of journeys."""
    return [each for each in findings(plain) if each.kind == "note" and each.witness is not None]
