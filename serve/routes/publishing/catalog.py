"""The catalog of the running engine: the active one, former ones, and another one in its place."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from fastapi import APIRouter

from actors.catalog_proof import own_process
from actors.transport.messages.of_doors import Read
from engine.catalog import statuses
from engine.catalog.schema.files import OPERATOR
from engine.errors import CatalogError, NotFound
from serve.api.types import CatalogAnswer, CatalogBody, CatalogFiles, answers_with
from serve.http.gateway import ServerGateway

_reading = asyncio.Semaphore(2)  # each takes one of the few threads that the whole replica shares

router = APIRouter(prefix="/v1/catalog", tags=["operation"])


@router.post(
    "",
    **answers_with(CatalogAnswer, summary="Put another catalog in its place", errors=(422,)),
)
async def put(body: CatalogBody, gateway: ServerGateway) -> Any:
    """Let the engine run by these files; answered when every shard does. They are proved first (compiled, and every
    message written to made-up customers), and a catalog with a fault changes nothing. `warnings` are settings that are
    hardly meant.

    It stays active until the next one, or until the engine starts again with the directory that it is given then.
    Statuses that commands gave to journeys stay.
    """
    async with _reading:
        try:
            proved = await asyncio.get_running_loop().run_in_executor(None, own_process.prove_texts, body.files)
        except CatalogError as error:
            await gateway.note("catalog_refused", "warning", by="post", problems=list(error.problems))
            raise
    made, before = await gateway.change_catalog(lambda: gateway.config.active_catalog.take(proved.catalog.document))
    await gateway.note("catalog_taken", by="post", version=made.version, previous=before)
    return {"catalogVersion": made.version, "previous": before, "warnings": proved.warnings}


# The operation keeps the name that generated clients call.
@router.get(
    "",
    operation_id="catalog_standing",
    summary="The catalog that decides now",
    **answers_with(CatalogFiles),
)
async def active_catalog(gateway: ServerGateway) -> Any:
    """The catalog that decides now."""
    return _shown(gateway.catalog.version, gateway.catalog.document)


@router.get("/{version}", **answers_with(CatalogFiles, summary="A catalog by which something was decided"))
async def older(version: str, gateway: ServerGateway) -> Any:
    """A catalog by which something was decided once."""
    document = (await gateway.router.at_shard(0, Read("catalog", "", version))).value
    if document is None:
        raise NotFound("no decision was made by such a catalog", "version")
    return _shown(version, document)


def _shown(version: str, document: bytes) -> dict[str, Any]:
    plain = msgspec.msgpack.decode(document)
    return {"catalogVersion": version, "files": statuses.files_of(plain), "operator": plain.get(OPERATOR, {})}
