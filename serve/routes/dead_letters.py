"""Inputs that were set aside: look at them, tell them again, throw them away."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Query

from actors.shard.set_aside.dead_letters import Kind
from actors.transport.messages.of_doors import DiscardLetter, ReadLetter, RetryLetter
from engine.errors import InvalidInput
from engine.readings import instants
from serve.api.types import Correction, DeadLetterOutcome, DeadLetters, answers_with
from serve.http.gateway import ServerGateway
from serve.ingest.dead_letters import redrive

_IDS = re.compile("([0-9]{1,6})-([0-9]{1,18})")

router = APIRouter(prefix="/v1/dead-letters", tags=["operation"])


@router.get("", **answers_with(DeadLetters, summary="What was set aside"))
async def listed(
    gateway: ServerGateway, limit: Annotated[int, Query(ge=1, le=1_000)] = 100, kind: Kind | None = None
) -> Any:
    """The newest ones of each shard, each with its input and its reason; with `kind`, those of one kind alone."""
    found = [row for rows in await gateway.router.everywhere("dead", kind) for row in rows]
    found.sort(key=lambda row: (-row["at"], row["id"]))
    return {"deadLetters": [row | {"at": instants.iso(row["at"])} for row in found[:limit]]}


@router.post("/{letter}/retry", **answers_with(DeadLetterOutcome, summary="Tell it again"))
async def retry(letter: str, gateway: ServerGateway, correction: Correction | None = None) -> Any:
    """Tell it again, now. An input that fails again stays, under a new id, with one attempt more.

    A rejected item is taken as it came, or as `event` corrects it; InvalidInput where that is no event either.
    """
    (shard, number), event = _parts(letter, gateway), correction.event if correction else None
    found = (await gateway.router.at_shard(shard, ReadLetter(number))).value
    if found["kind"] != "Rejected":
        if event is not None:
            raise InvalidInput("only a rejected item can be corrected", "event")
        return {"status": (await gateway.router.at_shard(shard, RetryLetter(number))).status}
    await redrive(gateway, found["input"], event)
    # Only now: a crash in between keeps the letter, and loses nothing.
    await gateway.router.at_shard(shard, DiscardLetter(number))
    return {"status": "accepted"}


@router.delete("/{letter}", **answers_with(DeadLetterOutcome))
async def discard(letter: str, gateway: ServerGateway) -> Any:
    """Throw it away for good."""
    shard, number = _parts(letter, gateway)
    await gateway.router.at_shard(shard, DiscardLetter(number))
    return {"status": "discarded"}


def _parts(letter: str, gateway: ServerGateway) -> tuple[int, int]:
    found = _IDS.fullmatch(letter)
    if found is None or int(found[1]) >= gateway.router.shards:
        raise InvalidInput("is not the id of a dead letter", "id")
    return int(found[1]), int(found[2])
