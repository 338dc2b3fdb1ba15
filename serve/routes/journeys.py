"""The journeys of the running engine, and the operator's word on them: pause, resume, stop."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from fastapi import APIRouter

from engine.catalog import statuses
from engine.vocabulary import Status
from serve.api.types import Journeys, JourneyStatus, answers_with
from serve.http.gateway import ServerGateway

Word = Literal["pause", "resume", "stop"]
_STATUS: Final[dict[Word, Status]] = {"pause": "paused", "resume": "live", "stop": "stopped"}

router = APIRouter(prefix="/v1/journeys", tags=["operation"])


@router.get("", **answers_with(Journeys))
async def listed(gateway: ServerGateway) -> Any:
    """Every journey with its status."""
    catalog = gateway.catalog
    return {
        "catalogVersion": catalog.version,
        "journeys": statuses.listed(msgspec.msgpack.decode(catalog.document)),
    }


@router.post(
    "/{journey}/{word}",
    **answers_with(JourneyStatus, summary="Pause, resume or stop a journey", errors=(422,)),
)
async def say(journey: str, word: Word, gateway: ServerGateway) -> Any:
    """Pause a journey, resume it, or stop it for everybody in it; answered when every shard goes by it.

    The status stays through restarts and through changes of the files, until the next such command.
    """
    made, before = await gateway.change_catalog(lambda: gateway.config.active_catalog.say(journey, _STATUS[word]))
    await gateway.note("catalog_taken", by="command", journey=journey, word=word, version=made.version, previous=before)
    rows = statuses.listed(msgspec.msgpack.decode(made.document))
    row = next(row for row in rows if row["journey"] == journey)
    return row | {"catalogVersion": made.version, "previous": before}
