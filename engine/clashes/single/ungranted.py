"""Messages that need a consent which nobody is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.catalog.checks.known_names import planned
from engine.catalog.schema.files import Action
from engine.clashes.programs.reach import Reach
from engine.clashes.programs.workspace import Program, Workspace
from engine.clashes.single.doubts import Doubt

_WORDS = ("channel", "purpose")


def ungranted_sends(program: Program, reach: Reach, space: Workspace) -> Iterator[Doubt]:
    """Sends on channels on which nobody says yes to their purpose."""
    for at, step in program.sends():
        written = getattr(program.written[at], "send", None)
        if at not in reach.earliest_ms or written is None:
            continue
        for action in (space.actions[name] for name in step.sending.actions if name in space.actions):
            for number, channel in enumerate(step.sending.channels):
                why = _why_never(action, channel, space)
                if why:
                    word = ("channel",) if written.channel else ("channels", number)
                    loc = (*program.places[at], "send", *(word if written.channel or written.channels else ()))
                    message = f"nobody can have said yes to {action.purpose} on {channel}: {why}"
                    reason = f"consent.{action.purpose}.{channel}"
                    yield Doubt("no_consent", program.file, loc, message, program.id, step.id, reason=reason)


def _why_never(action: Action, channel: str, space: Workspace) -> str:
    """Why no yes can come to what an action needs on a channel; empty where one can, or none is needed."""
    purpose = space.consent.purposes.get(action.purpose)
    if purpose is None or purpose.default or channel in purpose.no_consent_needed:
        return ""
    if channel not in purpose.channels:
        if action.tier == "service":
            return ""
        return "consent.yaml has that channel neither under channels nor under no_consent_needed"
    refused = [_refusal(schema, action.purpose, channel) for schema in _schemas(space)]
    return refused[0] if refused and all(refused) and not _may_grant(action.purpose, space) else ""


def _schemas(space: Workspace) -> Iterator[Mapping[str, Any]]:
    """The schema of each event that carries consent; empty where the plan has none."""
    plan = planned(space.document)
    return (plan.get(event, {}) for event in space.consent.events)


def _refusal(schema: Mapping[str, Any], purpose: str, channel: str) -> str:
    """What in the schema of a consent event takes no yes to a purpose on a channel."""
    properties = schema.get("properties")
    for word, wanted in (("purpose", purpose), ("channel", channel)):
        declared = properties.get(word) if isinstance(properties, Mapping) else None
        named = declared.get("enum") if isinstance(declared, Mapping) else None
        if isinstance(named, list) and wanted not in named:
            return f"the tracking plan lets no event of consent name that {word}"
    return ""


def _may_grant(purpose: str, space: Workspace) -> bool:
    sources = (space.document.get("sources.yaml") or {}).get("sources") or {}
    return any({purpose, "*"} & {*(source.get("grants") or [])} for source in sources.values())
