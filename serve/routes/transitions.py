"""The ways of all customers from one touchpoint to another: what came along, by which identifier, and how fast."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter

from engine.handoffs import totals
from serve.api.transitions import Transitions
from serve.api.types import answers_with
from serve.http.gateway import ServerGateway

router = APIRouter(tags=["operation"])
_rows = list[tuple[totals.Way, totals.Row]]


@router.get("/v1/transitions", **answers_with(Transitions))
async def listed(gateway: ServerGateway) -> Any:
    """Every way from one touchpoint to another that customers took, the most frequent one first."""
    shards = [dict(msgspec.convert(rows, _rows)) for rows in await gateway.router.everywhere("transitions")]
    return {"transitions": totals.table(shards, gateway.catalog.identity)}
