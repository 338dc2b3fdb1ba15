"""A backup of the running engine, made by the engine itself."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from serve.api.types import BackupAnswer, BackupBody, answers_with
from serve.http.gateway import ServerGateway

router = APIRouter(tags=["operation"])


@router.post("/v1/backup", **answers_with(BackupAnswer, summary="Back the running engine up"))
async def back_up(body: BackupBody, gateway: ServerGateway) -> Any:
    """Copy all stores, at one instant, into a new directory of the engine's machine; answered when it is whole."""
    made = await gateway.back_up(body.directory, body.keys)
    await gateway.note("backed_up", **{name: made[name] for name in ("directory", "keys", "profiles", "bytes")})
    return made
