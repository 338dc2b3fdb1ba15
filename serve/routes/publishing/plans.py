"""Edits that are planned, approved and taken back: what would become of everybody inside, before anything changes."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query

from actors.catalog_proof import own_process
from actors.catalog_proof.proof import Proved
from engine.errors import InvalidInput, NotFound, Outdated
from serve.api.plans import AppliedAnswer, ApplyBody, PlanAnswer, ProposalBody, Rest, RollbackBody
from serve.api.types import answers_with
from serve.http import planning
from serve.http.gateway import Gateway, ServerGateway
from serve.http.planning import Proposal

_reading = asyncio.Semaphore(2)  # each takes one of the few threads that the whole replica shares

router = APIRouter(tags=["operation"])


@router.get("/v1/plan", **answers_with(PlanAnswer, summary="What becomes of everybody inside", errors=(404, 422)))
async def plan(
    gateway: ServerGateway,
    to: Annotated[str, Query(max_length=100)] = "",
    inside: Rest = "follow",
) -> Any:
    """What would become of everybody inside a journey if the engine's own configuration directory took effect as it is
    now; with `to`, if a former catalog did (`previous`: the last one). Nothing changes."""
    if to:
        return await planning.plan_of(gateway, await planning.former(gateway, to, inside))
    return await planning.plan_of(gateway, await _of_directory(gateway))


@router.post("/v1/plan", **answers_with(PlanAnswer, summary="The same for other files", errors=(422,)))
async def plan_files(body: ProposalBody, gateway: ServerGateway) -> Any:
    """What would become of everybody inside a journey if these files took effect. They are proved as `POST /v1/catalog`
    proves them. Nothing changes."""
    return await planning.plan_of(gateway, await _of_body(body))


@router.post(
    "/v1/apply",
    **answers_with(AppliedAnswer, summary="Approve an edit, and let it take effect", errors=(409, 422)),
)
async def apply(body: ApplyBody, gateway: ServerGateway) -> Any:
    """Let these files take effect, answered when every shard goes by them. Each customer inside goes the way that the
    plan says at their next turn. With the id of a `plan`, nothing is done where something has changed since."""
    return await _take(gateway, await _of_body(body), body.plan, by="apply")


@router.post(
    "/v1/rollback",
    **answers_with(AppliedAnswer, summary="Go back to a former catalog", errors=(404, 409, 422)),
)
async def rollback(body: RollbackBody, gateway: ServerGateway) -> Any:
    """Let the files of a former catalog take effect again. Who is inside a journey that changes by that follows, where
    nothing else is said: they go on in the former version, at the step where they are."""
    return await _take(gateway, await planning.former(gateway, body.to, body.inside), body.plan, by="rollback")


async def _take(gateway: Gateway, proposal: Proposal, plan_id: str, by: str) -> Any:
    planned = await planning.plan_of(gateway, proposal)
    if plan_id and plan_id != planned["plan"]:
        raise Outdated("is of another plan: the catalog or the files have changed since", "plan")
    active = gateway.config.active_catalog
    made, before = await gateway.change_catalog(lambda: active.apply(proposal.files, proposal.rules, planned["plan"]))
    await gateway.note("catalog_taken", by=by, version=made.version, previous=before, plan=planned["plan"])
    return {"catalogVersion": made.version, "previous": before, "planned": planned}


async def _of_body(body: ProposalBody) -> Proposal:
    files: dict[str, str | bytes] = {**body.files}
    for name, text in body.models.items():
        try:
            files[name] = base64.b64decode(text, validate=True)
        except ValueError:
            raise InvalidInput("is not in base 64", f"models.{name}") from None
    proved = await _proved(lambda: own_process.prove_texts(files))
    rules = {name: rule.model_dump() for name, rule in body.rules.items()}
    return Proposal(proved.catalog.document, rules, tuple(proved.warnings))


async def _of_directory(gateway: Gateway) -> Proposal:
    directory = Path(gateway.config.directory)
    if not gateway.config.directory:
        raise NotFound("this engine has no directory of its own; post the files", "to")
    proved = await _proved(lambda: own_process.prove_directory(directory, os.environ))
    return Proposal(proved.catalog.document, {}, tuple(proved.warnings))


async def _proved(prove: Callable[[], Proved]) -> Proved:
    async with _reading:
        return await asyncio.get_running_loop().run_in_executor(None, prove)
