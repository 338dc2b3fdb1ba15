"""What sandboxes were given instead of a provider: each message as its customer would have had it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from actors.sandbox_log import LISTED_MAX
from engine import reading
from engine.identifiers import parse_reference
from serve.api_types import SandboxMessages, told
from serve.gateway import ServerGateway

router = APIRouter(prefix="/v1/sandbox", tags=["operation"])


@router.get("", **told(SandboxMessages))
async def listed(
    gateway: ServerGateway,
    limit: Annotated[int, Query(ge=1, le=LISTED_MAX)] = 100,
    channel: str = "",
    profile: Annotated[str, Query(description="`namespace:value` of one customer")] = "",
) -> Any:
    """The newest messages first; with `channel` or `profile`, those of one channel or customer alone."""
    if profile:
        home = gateway.home(*parse_reference(profile))
        found = await gateway.router.read(home, "said", (channel, limit))
    else:
        lists = await gateway.router.everywhere("sandbox", (channel, limit))
        found = [row for rows in lists for row in rows]
        found.sort(key=lambda row: (-row["at"], row["send"]))
    return {"messages": [row | {"at": reading.iso(row["at"])} for row in found[:limit]]}
