"""Messages that need a consent which nobody is asked for, or which no event can bring."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engine.catalog.schema.files import Action
from engine.clashes.programs.reach import Reach
from engine.clashes.programs.workspace import Program, Workspace
from engine.clashes.single.doubts import Doubt, Kind

_ALL = ("*", "all")  # each purpose, each channel


def ungranted_sends(program: Program, reach: Reach, space: Workspace) -> Iterator[Doubt]:
    """Sends on channels on which nobody can say yes to their purpose."""
    return _sends("no_consent", program, reach, space, _why_never)


def sends_by_told_consent(program: Program, reach: Reach, space: Workspace) -> Iterator[Doubt]:
    """Sends on channels on which no event can say yes to their purpose, because the tracking plan sets it aside. A yes
    that is told by `POST /v1/consent` is not measured by the plan."""
    return _sends("told_consent", program, reach, space, _why_only_told)


def _sends(
    kind: Kind, program: Program, reach: Reach, space: Workspace, why_not: Callable[[Action, str, Workspace], str]
) -> Iterator[Doubt]:
    for at, step in program.sends():
        written = getattr(program.written[at], "send", None)
        if at not in reach.earliest_ms or written is None:
            continue
        for action in (space.actions[name] for name in step.sending.actions if name in space.actions):
            for number, channel in enumerate(step.sending.channels):
                message = why_not(action, channel, space)
                if message:
                    word = ("channel",) if written.channel else ("channels", number)
                    loc = (*program.places[at], "send", *(word if written.channel or written.channels else ()))
                    reason = f"consent.{action.purpose}.{channel}"
                    yield Doubt(kind, program.file, loc, message, program.id, step.id, reason=reason)


def _why_never(action: Action, channel: str, space: Workspace) -> str:
    """In words, that no yes can come to what an action needs on a channel; empty where one can, or none is needed."""
    if _needs_none(action, channel, space) or channel in space.consent.purposes[action.purpose].channels:
        return ""
    if action.tier == "service":
        return ""
    why = "consent.yaml has that channel neither under channels nor under no_consent_needed"
    return f"nobody can have said yes to {action.purpose} on {channel}: {why}"


def _why_only_told(action: Action, channel: str, space: Workspace) -> str:
    """In words, that a yes can come by `POST /v1/consent` alone; empty where an event can bring one."""
    if _needs_none(action, channel, space) or channel not in space.consent.purposes[action.purpose].channels:
        return ""
    refused = [_refusal(schema, action.purpose, channel) for schema in _schemas(space)]
    if not refused or not all(refused) or _may_grant(action.purpose, space):
        return ""
    return f"nobody can say yes to {action.purpose} on {channel} but by POST /v1/consent: {refused[0]}"


def _needs_none(action: Action, channel: str, space: Workspace) -> bool:
    purpose = space.consent.purposes.get(action.purpose)
    return purpose is None or purpose.default or channel in purpose.no_consent_needed


def _schemas(space: Workspace) -> Iterator[Mapping[str, Any]]:
    """The schema of each event that carries consent; empty where the plan sets none of them aside."""
    plan = (space.document.get("tracking_plan.yaml") or {}).get("events") or {}
    for event in space.consent.events:
        planned = plan.get(event) or {}
        sets_aside = planned.get("mode", "quarantine") == "quarantine"
        yield (planned.get("schema") or {}) if sets_aside else {}


def _refusal(schema: Mapping[str, Any], purpose: str, channel: str) -> str:
    """What in the schema of a consent event takes no yes to a purpose on a channel."""
    properties = schema.get("properties")
    for word, wanted in (("purpose", purpose), ("channel", channel)):
        declared = properties.get(word) if isinstance(properties, Mapping) else None
        named = _named(declared) if isinstance(declared, Mapping) else None
        if named is not None and not named & {wanted.casefold(), *_ALL}:
            return f"the tracking plan lets no event of consent name that {word}"
    return ""


def _named(declared: Mapping[str, Any]) -> set[str] | None:
    """The only texts that a property may be, in small letters, as consent reads them; None where it may be more."""
    named = [declared["const"]] if "const" in declared else declared.get("enum")
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        return None
    return {each.strip().casefold() for each in named}


def _may_grant(purpose: str, space: Workspace) -> bool:
    sources = (space.document.get("sources.yaml") or {}).get("sources") or {}
    return any({purpose, "*"} & {*(source.get("grants") or [])} for source in sources.values())
