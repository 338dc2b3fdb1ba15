"""The models of a customer's timeline."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from engine.vocabulary import EntryKind
from serve.api.types import ABSENT, AT, PROFILE, Answer, Time, example


class Entry(Answer):
    """Something that happened, or was decided, and why. Fields that say nothing are absent."""

    at: Time
    kind: EntryKind
    summary: str
    messageId: str = ABSENT
    channel: str = ABSENT
    source: str = ABSENT
    journey: str = ABSENT
    run: str = ABSENT
    step: str = ABSENT
    action: str = ABSENT
    outcome: str = ABSENT
    reason: str = ABSENT
    detail: dict[str, Any] = ABSENT
    properties: dict[str, Any] = Field(ABSENT, description="Of an event, as it was sent")


class Timeline(Answer):
    """Entries, oldest first."""

    model_config = example(
        profileId=PROFILE,
        entries=[
            {"at": AT, "kind": "event", "summary": "Product Added", "messageId": "m-1", "properties": {"value": 80}},
            {"at": AT, "kind": "send", "summary": "cart_reminder by email", "outcome": "held", "reason": "cap.weekly"},
        ],
        next=None,
    )

    profileId: str
    entries: list[Entry]
    next: str | None
