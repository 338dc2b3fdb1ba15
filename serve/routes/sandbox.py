"""Messages that went to sandboxes instead of a provider, each as its customer would have had it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from actors.shard.outbox.sandbox_log import LISTED_MAX
from engine.errors import InvalidInput
from engine.readings import instants
from engine.values.nearest import meant
from serve.api.types import AT, PROFILE, Answer, Time, answers_with, example
from serve.http.gateway import ServerGateway

router = APIRouter(prefix="/v1/sandbox", tags=["operation"])


class SandboxMessage(Answer):
    """One message, as its customer would have had it; bodies are cut after 16,384 characters."""

    at: Time
    profileId: str
    send: str
    channel: str
    address: str
    subject: str
    text: str
    html: str


class SandboxMessages(Answer):
    """What sandboxes were given, the newest first."""

    model_config = example(
        messages=[
            {
                "at": AT,
                "profileId": PROFILE,
                "send": "5c0e2f",
                "channel": "sms",
                "address": "+4915112345678",
                "subject": "",
                "text": "Your order is on its way.",
                "html": "",
            }
        ]
    )

    messages: list[SandboxMessage]


@router.get("", **answers_with(SandboxMessages, errors=(404,)))
async def listed(
    gateway: ServerGateway,
    limit: Annotated[int, Query(ge=1, le=LISTED_MAX)] = 100,
    channel: str = "",
    profile: Annotated[str, Query(description="`namespace:value` of one customer")] = "",
) -> Any:
    """The newest messages first; with `channel` or `profile`, those of one channel or customer alone."""
    if channel and channel not in gateway.catalog.channels:
        raise InvalidInput(f"there is no such channel; {meant(channel, gateway.catalog.channels)}", "channel")
    if profile:
        home = gateway.named(profile)
        found = await gateway.router.read(home, "sandboxed", (channel, limit))
    else:
        lists = await gateway.router.everywhere("sandbox", (channel, limit))
        found = [row for rows in lists for row in rows]
        found.sort(key=lambda row: (-row["at"], row["send"]))
    return {"messages": [row | {"at": instants.iso(row["at"])} for row in found[:limit]]}
