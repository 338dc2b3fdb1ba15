"""One customer, as people and tools read them: the profile, its timeline, its consent, and why."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Depends, Query, Request

from actors.shard.journal.export import FAMILIES
from engine.errors import InvalidInput, NotReady
from engine.inputs import Erase
from engine.readings import instants, timelines
from engine.values.times import read_ms
from serve.api.customer import Consents, Export, Profile, Why
from serve.api.timeline import Timeline
from serve.api.types import Erased, answers_with
from serve.http.gateway import ServerGateway

_ERASED_S = 20.0
_PAUSE_S = 0.02
_PREFIX = b"/v1/profiles/"

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])


def home(request: Request, gateway: ServerGateway) -> str:
    """The profile that the path names. It is read from the raw path: a value may hold `/` and `+`, percent-encoded."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    part = raw.partition(b"?")[0].removeprefix(_PREFIX).partition(b"/")[0]
    try:
        reference = unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        raise InvalidInput("is not UTF-8", "identifier") from None
    return gateway.named(reference)


Home = Annotated[str, Depends(home)]


# A reference is one part of the path, which stays percent-encoded. So a longer path that does not exist is never read
# as its beginning, which could erase somebody.


@router.get("/{reference}/timeline", **answers_with(Timeline))
async def timeline(
    reference: str,
    home: Home,
    gateway: ServerGateway,
    limit: Annotated[int, Query(ge=1, le=timelines.TIMELINE_MAX)] = 200,
) -> Any:
    """Everything that happened and was decided, oldest first; `limit` keeps the newest."""
    return await gateway.router.read(home, "timeline", limit)


@router.get("/{reference}/why", **answers_with(Why, summary="Why something would go now, or would not"))
async def why(
    reference: str, home: Home, gateway: ServerGateway, action: str | None = None, journey: str | None = None
) -> Any:
    """Why this action would or would not go now, the first gate on each way, and where the customer stands with this
    journey; with every action and journey, where none is named."""
    return await gateway.router.read(home, "why", (action, journey))


@router.get("/{reference}/export", **answers_with(Export))
async def export(reference: str, home: Home, gateway: ServerGateway) -> Any:
    """Everything that is held on this person, as it is kept: state, events, audit and every input of the journal."""
    known = await gateway.router.read(home, "profile")
    held: dict[str, list[Any]] = {}
    for family in FAMILIES:
        rows, after = held.setdefault(family, []), b""
        while True:  # in parts, because a long history does not fit into one frame
            part = await gateway.router.read(home, "export", (family, after))
            rows += part["rows"]
            after = part["next"]
            if after is None:
                break
    return {
        "profileId": known["profileId"],
        "exportedAt": instants.iso(await gateway.now_ms()),
        "profile": known,
        **held,
    }


@router.delete("/{reference}", **answers_with(Erased))
async def erase(reference: str, home: Home, gateway: ServerGateway) -> Any:
    """Erase this person: answered when nothing can be read any more, in no file and in no backup."""
    # The profile erases itself at once. Other places learn of it by messages, so each is asked until it is done.
    home = await gateway.router.holder(home) or home
    told = await gateway.router.tell(home, Erase())
    deadline = asyncio.get_running_loop().time() + _ERASED_S
    for place in told["places"]:
        while not await gateway.router.read_at_place(place, "forgotten", told["places"]):
            if asyncio.get_running_loop().time() > deadline:
                raise NotReady("the erasure goes on, and is not done everywhere yet")
            await asyncio.sleep(_PAUSE_S)
    await gateway.note("profile_erased", profile=told["profileId"])
    return {"profileId": told["profileId"], "erased": True}


@router.get("/{reference}/consent", **answers_with(Consents))
async def consent(reference: str, home: Home, gateway: ServerGateway) -> Any:
    """Each purpose and channel with the word that stands, and its receipt."""
    return await gateway.router.read(home, "consent")


@router.get("/{reference}", **answers_with(Profile))
async def profile(reference: str, home: Home, gateway: ServerGateway, at: str | None = None) -> Any:
    """The whole profile; with `at` (a time), as it was then, as far as the journal goes back."""
    at_ms = read_ms(at, "at")
    if at_ms is not None:
        if at_ms > await gateway.now_ms():
            raise InvalidInput("is not in the past", "at")
        return await gateway.router.read_at(home, at_ms)
    return await gateway.router.read(home, "profile")
