"""Processes of their own for profiles, given and taken back while the engine runs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from actors.transport.messages.of_doors import Pin, Unpin
from engine.errors import Forbidden
from serve.api.types import Pinned, answers_with
from serve.http.gateway import ServerGateway
from serve.routes.profiles import Home

PINS_MAX = 64  # each is a process of 60 MB and more

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])


@router.post("/{reference}/pin", **answers_with(Pinned))
async def pin(reference: str, home: Home, gateway: ServerGateway) -> Any:
    """Give this profile a process of its own; answered when it lives there. `changed` is false where it did so
    already."""
    if gateway.config.is_replay:
        raise Forbidden("no profile is pinned on a replay clock, because its shards run in step", "clock")
    profile = (await gateway.router.read(home, "profile"))["profileId"]
    pinned = {known for shard in await gateway.router.everywhere("status") for known in shard["pinned"]}
    if len(pinned) >= PINS_MAX and profile not in pinned:
        raise Forbidden(f"{len(pinned)} profiles are pinned, and each is a process: unpin another one first", "pins")
    changed = await gateway.router.resettle(profile, Pin)
    await gateway.note("profile_pinned", profile=profile, changed=changed)
    return {"profileId": profile, "pinned": True, "changed": changed}


@router.delete("/{reference}/pin", **answers_with(Pinned))
async def unpin(reference: str, home: Home, gateway: ServerGateway) -> Any:
    """Take this profile back into its shard; answered when it lives there. `changed` is false where it did so
    already."""
    profile = (await gateway.router.read(home, "profile"))["profileId"]
    changed = await gateway.router.resettle(profile, Unpin)
    await gateway.note("profile_unpinned", profile=profile, changed=changed)
    return {"profileId": profile, "pinned": False, "changed": changed}
