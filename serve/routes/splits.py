"""Undoing a merge, and undoing that."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from engine.inputs import Rejoin, Revert, Split
from engine.values.times import read_ms
from serve.api.splits import RejoinBody, Rejoined, RevertBody, Reverted, SplitBody, SplitOff
from serve.api.types import answers_with
from serve.http.gateway import ServerGateway
from serve.routes.profiles import Home

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])


@router.post("/{reference}/split", **answers_with(SplitOff))
async def split(reference: str, home: Home, gateway: ServerGateway, body: SplitBody) -> Any:
    """Undo a merge of this profile, which names it under `merges`. Answered when both live at their own places. What
    came in between without an identifier went by `splits.unidentified` and is listed. 503 while a message to this
    person is being handed over, or another merge is under way."""
    done = await gateway.router.tell(home, Split(merge_id=body.mergeId))
    await gateway.note("profile_split", profile=done["profileId"], other=done["other"], merge=done["mergeId"])
    return done | {"splitId": done["mergeId"]}


@router.post("/{reference}/rejoin", **answers_with(Rejoined))
async def rejoin(reference: str, home: Home, gateway: ServerGateway, body: RejoinBody) -> Any:
    """Undo a split: the two become one again, whatever the rules of merging say."""
    done = await gateway.router.tell(home, Rejoin(merge_id=body.splitId))
    await gateway.note("profile_rejoined", profile=done["profileId"], other=done["other"], split=done["mergeId"])
    return {"profileId": done["profileId"], "other": done["other"], "splitId": done["mergeId"]}


@router.post("/{reference}/revert", **answers_with(Reverted))
async def revert(reference: str, home: Home, gateway: ServerGateway, body: RevertBody) -> Any:
    """Undo what a source (the name of a key) has done to who this is: merges that it caused are split, identifiers and
    traits that it stated go. `stays` lists what cannot be undone. With `dryRun` nothing is done."""
    told = Revert(source=body.source, since_ms=read_ms(body.since, "since") or 0, dry=body.dryRun)
    done = await gateway.router.tell(home, told)
    if done["done"]:
        await gateway.note("profile_reverted", profile=done["profileId"], source=body.source)
    return done
